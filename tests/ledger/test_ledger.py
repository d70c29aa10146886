"""The whole main job once: the ledger against a second computation, the check, the trace.

It goes a month past the last split; with QM_TEST_ALL_YEARS set, over all thirteen years.
"""

import json
import os
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from libs.operations.tests.called import Called
from tests.journeys.program import qm_here
from tests.ledger.recompute import Execution, Ledger, bars_until, cents, last_closes, recompute

from quantmatrix.operations.demo import Options, Replayed, replayed
from quantmatrix.operations.places import Places
from quantmatrix.operations.testing import Prepared

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(35)]
LAST = date(2013, 3, 1) if "QM_TEST_ALL_YEARS" in os.environ else date(2005, 3, 31)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def finished(tmp_path_factory: pytest.TempPathFactory, prepared: Prepared) -> AsyncIterator[Replayed]:
    async with replayed(Places(prepared.copy_to(tmp_path_factory.mktemp("ledger") / "home")), Options(last=LAST.isoformat())) as done:
        yield done


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(finished: Replayed) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(finished.supervisor.postgres.superuser_url())
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(database: "asyncpg.Connection[asyncpg.Record]") -> Ledger:
    rows = await database.fetch(
        "select o.symbol, e.side, e.quantity, e.price, e.fee, e.session from paper.execution e join paper.venue_order o using (venue_order_id)"
        " order by e.executed_at, o.accepted_at, e.execution_id"
    )
    assert len(rows) > 150
    return recompute(Execution(**dict(row)) for row in rows)


async def test_cash_realised_and_equity_agree_to_the_cent(finished: Replayed, second: Ledger) -> None:
    amounts = finished.result.amounts
    assert cents(second.cash) == _cents(amounts["cash"])
    assert cents(second.realised) == _cents(amounts["realised_pnl"])
    assert cents(second.equity(last_closes(LAST))) == _cents(amounts["equity"])


async def test_every_open_lot_agrees(database: "asyncpg.Connection[asyncpg.Record]", second: Ledger) -> None:
    rows = await database.fetch("select symbol, opened_on, quantity, basis from portfolio.lot where quantity <> 0")
    booked = sorted((row["symbol"], row["opened_on"], row["quantity"], cents(row["basis"])) for row in rows)
    expected = sorted((lot.symbol, lot.opened_on, lot.quantity, cents(lot.basis)) for lots in second.lots.values() for lot in lots)
    assert booked
    assert booked == expected


async def test_every_closing_agrees(database: "asyncpg.Connection[asyncpg.Record]", second: Ledger) -> None:
    rows = await database.fetch("select symbol, opened_on, closed_on, quantity, proceeds, basis, realised from portfolio.closing")
    booked = sorted(
        (
            row["symbol"],
            row["opened_on"],
            row["closed_on"],
            row["quantity"],
            cents(row["proceeds"]),
            cents(row["basis"]),
            cents(row["realised"]),
        )
        for row in rows
    )
    expected = sorted(
        (one.symbol, one.opened_on, one.closed_on, one.quantity, cents(one.proceeds), cents(one.basis), cents(one.proceeds - one.basis))
        for one in second.closings
    )
    assert len(booked) > 75
    assert booked == expected


async def test_no_split_looks_like_a_crash(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    """On a split's day and the day after it no sale loses what half a price would lose; the real fall of 2000-09-29 stays."""
    worst = await database.fetchval(
        "select min(realised / basis) from portfolio.closing"
        " where (symbol, closed_on) in (('AAPL', date '2000-06-21'), ('AAPL', date '2000-06-22'), ('AAPL', date '2005-02-28'),"
        " ('AAPL', date '2005-03-01'), ('MSFT', date '2003-02-18'), ('MSFT', date '2003-02-19'))"
    )
    assert worst is None or worst > -0.25
    fall = await database.fetchrow(
        "select b.close / a.close as ratio from market.bar a join market.bar b using (instrument_id)"
        " join market.symbol_alias s using (instrument_id) where s.symbol = 'AAPL' and a.session = '2000-09-28' and b.session = '2000-09-29'"
    )
    assert 0.47 < fall["ratio"] < 0.49


async def test_the_books_agree_and_nothing_is_doubled(finished: Replayed) -> None:
    shown = finished.result.as_json()
    assert finished.result.checks
    assert [one for one in finished.result.checks if not one.ok] == []
    assert (shown["bars"], shown["duplicate_orders"], shown["lost_fills"], shown["duplicate_notifications"]) == (bars_until(LAST), 0, 0, 0)
    assert shown["orders"] == shown["venue_orders"] == shown["fills"]
    assert shown["corporate_actions"] == 3
    assert shown["kills"] == shown["restarts"] == 0


async def test_a_lot_is_traced_from_its_bar_to_its_notification(finished: Replayed, database: "asyncpg.Connection[asyncpg.Record]") -> None:
    lot = await database.fetchrow("select lot_id, fill_id from portfolio.lot order by opened_at limit 1")
    order = await database.fetchval("select order_id from execution.execution where fill_id = $1", lot["fill_id"])
    for wanted in (lot["lot_id"], order):
        steps = await _traced(finished.supervisor.places.home, str(wanted))
        assert {"bar", "signal", "order", "fill", "lot", "notification"} <= {link["step"] for link in steps}
        assert all(link["message_id"] and link["occurred_at"] for link in steps)
        known = {link["message_id"] for link in steps}
        assert all(link["caused_by"] is None or link["caused_by"] in known for link in steps)


async def test_an_unknown_id_is_not_found(finished: Replayed) -> None:
    assert _qm(finished.supervisor.places.home, "trace", "00000000-0000-0000-0000-000000000000").returncode == 2


async def test_check_finds_one_damaged_row(finished: Replayed, database: "asyncpg.Connection[asyncpg.Record]") -> None:
    home = finished.supervisor.places.home
    assert _qm(home, "check").returncode == 0
    for damage, repair in (
        (
            "update portfolio.lot set quantity = quantity + 1 where lot_id = $1",
            "update portfolio.lot set quantity = quantity - 1 where lot_id = $1",
        ),
        (
            "update portfolio.lot set basis = basis + 0.01 where lot_id = $1",
            "update portfolio.lot set basis = basis - 0.01 where lot_id = $1",
        ),
    ):
        lot = await database.fetchval("select lot_id from portfolio.lot order by quantity = 0, lot_id limit 1")
        await database.execute(damage, lot)
        try:
            found = _qm(home, "check")
            assert found.returncode == 1
            assert any(not one["ok"] and one["left"] != one["right"] for one in json.loads(found.stdout)["checks"])
        finally:
            await database.execute(repair, lot)
    assert _qm(home, "check").returncode == 0


def _cents(text: str) -> Decimal:
    return cents(Decimal(text))


def _qm(home: Path, *words: str) -> Called:
    return qm_here(home, *words, "--json")


async def _traced(home: Path, wanted: str) -> list[dict[str, str]]:
    found = _qm(home, "trace", wanted)
    assert found.returncode == 0, found.stderr
    links: list[dict[str, str]] = json.loads(found.stdout)["links"]
    return links
