"""Options through all services: chains from a file, decisions on the stock, orders for contracts, fills on their quotes, lots of a hundred."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from services.signals.tests import split_files
from services.signals.tests.chain_file import write_chains
from services.signals.tests.split_files import World, days_of_interest
from tests.journeys.conftest import ACCOUNT, USER, Platform
from tests.journeys.test_parity import CAPITAL, SYMBOLS, _has_account

from quantmatrix.common.contracts.asking.backtests import Backtest, BacktestAsked, BacktestWanted
from quantmatrix.common.contracts.asking.portfolio import ClosingsAsked, LotsAsked
from quantmatrix.common.contracts.asking.runs import RunDetailsAsked
from quantmatrix.common.contracts.commands import StartRun
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AssetClass, RunId, Side
from quantmatrix.common.options import terms_of
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.backtest.record import record_of
from quantmatrix.signals.backtest.run import Job, backtest

pytestmark = pytest.mark.long(30)
FIRST, LAST = date(2003, 6, 2), date(2003, 8, 29)
BOUGHT: Mapping[str, Any] = {}
SOLD: Mapping[str, Any] = {"preset": "short_premium"}


async def test_runs_of_options_make_the_trades_of_their_backtests(
    make_platform: Any, ask: Any, database: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Calls that are bought and puts that are sold, on one account at once: each run trades as if it were alone."""
    _, past = histories(SYMBOLS)
    closes = [(one.symbol, bar.session, float(bar.close.value)) for one in past for bar in one.bars if FIRST <= bar.session <= LAST]
    chains = write_chains(tmp_path / "chains.csv", closes)
    told = {"replay_symbols": SYMBOLS, "replay_from": FIRST, "replay_to": LAST, "replay_pace_s": 0.0, "chains_file": chains}
    platform: Platform = make_platform(market=told, signals={"default_strategy": ""})
    await platform.start("execution", "portfolio", "notify", "signals")
    await wait_until(lambda: _has_account(platform), "the paper account is there")
    bought, sold = await _traded(platform, ask, BOUGHT, SOLD)

    monkeypatch.setenv("QM_MARKET_CHAINS_FILE", str(chains))
    _, past = histories(SYMBOLS)
    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled'")
    replayed = [json.loads(row["payload"]) for row in rows]
    owned = {one.run_id: one for one in (await platform.asked("signals", RunDetailsAsked(user_id=USER))).runs}
    await platform.agree()
    closings = (await platform.asked("portfolio", ClosingsAsked(user_id=USER))).closings
    lots = (await platform.asked("portfolio", LotsAsked(user_id=USER))).lots

    assert {one["triggered_by"] for one in replayed} == {one.triggered_by for one in owned.values()}
    for run, parameters, letter in ((bought, BOUGHT, "C"), (sold, SOLD, "P")):
        result = backtest(strategy_called("atr_options"), past, Job(parameters, CAPITAL, first=FIRST, last=LAST))
        traded = sorted(
            (str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price), str(one.fee.amount.normalize()))
            for one in result.outcome.fills
        )
        assert traded == sorted(
            (one["session"], one["instrument"]["symbol"], one["side"], one["quantity"], one["price"], one["fee"]["amount"])
            for one in replayed
            if one["triggered_by"] == owned[run].triggered_by
        )
        assert len(traded) >= 10 and {symbol[:4] for _, symbol, *_ in traded} <= set(SYMBOLS)
        assert {_letter(symbol) for _, symbol, *_ in traded} == {letter}
        assert owned[run].cash == result.outcome.curve[-1].cash
        assert {one.instrument.symbol: one.quantity for one in owned[run].holdings} == result.outcome.held
        closed = [one.realised.amount for one in closings if one.triggered_by == owned[run].triggered_by]
        gained = sum((one.profit.amount for one in result.trades if not one.is_open), Decimal(0))
        assert closed and sum(closed, Decimal(0)) == gained
        booked = {one.instrument.symbol: one.quantity for one in lots if _letter(one.instrument.symbol) == letter}
        assert booked == result.outcome.held
        await _agrees_with_the_service(platform, past, parameters, len(result.trades))
    assert {(one.instrument.asset_class, one.instrument.multiplier) for one in lots} <= {(AssetClass.OPTION, Quantity(100))}


async def _agrees_with_the_service(platform: Platform, past: Sequence[History], parameters: Mapping[str, Any], trades: int) -> None:
    """The backtest that signals computes of what market tells it comes to the digest of the one computed here."""
    asked = BacktestWanted(
        user_id=USER, command_id=derived_id("options", json.dumps(parameters)), strategy="atr_options", symbols=SYMBOLS, capital=CAPITAL,
        first=FIRST, parameters=_told(parameters),
    )  # fmt: skip
    known = [one.until(LAST) for one in past]
    here = record_of(backtest(strategy_called("atr_options"), known, Job(parameters, CAPITAL, first=FIRST))).figures
    by_service = await _ended(platform, (await platform.asked("signals", asked)).backtest_id)
    assert (by_service.line.state, by_service.line.error, by_service.trades) == ("done", None, trades)
    assert (by_service.data_digest, by_service.line.digest) == (here["data_digest"], here["digest"])


def _letter(symbol: str) -> str:
    """C of a call, P of a put."""
    return symbol[12]


async def test_cash_that_does_not_pay_for_a_way_out_pays_for_as_much_of_it_as_in_a_backtest(
    make_platform: Any, database: Any, ask: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """For three sessions after a sale the put is offered at more than the strike that secures it: most of it is bought back, the rest later."""
    _, (past,) = histories(["MSFT"])
    closes = [(past.symbol, bar.session, float(bar.close.value)) for bar in past.bars if FIRST <= bar.session <= LAST]
    chains = write_chains(tmp_path / "chains.csv", closes)
    monkeypatch.setenv("QM_MARKET_CHAINS_FILE", str(chains))
    job = Job(SOLD, CAPITAL, first=FIRST, last=LAST)
    sale = backtest(strategy_called("atr_options"), histories(["MSFT"])[1], job).outcome.fills[0]
    _offer_dearly(chains, sale.symbol, [session for _, session, _ in closes if session > sale.session][:3])
    told = {"replay_symbols": ["MSFT"], "replay_from": FIRST, "replay_to": LAST, "replay_pace_s": 0.0, "chains_file": chains}
    platform: Platform = make_platform(market=told, signals={"default_strategy": ""}, execution={"paper_cash": CAPITAL.amount})
    await platform.start("execution", "portfolio", "notify", "signals")
    await wait_until(lambda: _has_account(platform), "the paper account is there")
    await _traded(platform, ask, SOLD)

    result = backtest(strategy_called("atr_options"), histories(["MSFT"])[1], job)

    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled' order by seq")
    replayed = [json.loads(row["payload"]) for row in rows]
    traded = [(str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price)) for one in result.outcome.fills]
    assert traded == [(one["session"], one["instrument"]["symbol"], one["side"], one["quantity"], one["price"]) for one in replayed]
    first, dear, rest = result.outcome.fills[:3]
    assert (dear.price, dear.quantity + rest.quantity) == (Price(27), first.quantity) and rest.quantity
    assert any(one.code == "CASH" and f"pays for {dear.quantity}" in one.detail for one in result.outcome.refusals)
    (owned,) = (await platform.asked("signals", RunDetailsAsked(user_id=USER))).runs
    assert owned.cash == result.outcome.curve[-1].cash
    await platform.agree()


async def test_the_wheel_makes_the_trades_of_the_backtest_with_assignments_and_a_split(
    make_platform: Any, ask: Any, database: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Real bars of MSFT: a put is assigned in January 2003, calls cover the shares through the split of February, until one is assigned in July."""
    first, last, capital = date(2003, 1, 3), date(2003, 7, 11), Money(60_000, "USD")
    wheel = {"preset": "short_premium", "wheel": True, "min_dte": 1, "dte_target": 7, "secured_pct": 60}
    _, (past,) = histories(["MSFT"])
    closes = [(past.symbol, bar.session, float(bar.close.value)) for bar in past.bars if first <= bar.session <= last]
    chains = write_chains(tmp_path / "chains.csv", closes)
    told = {"replay_symbols": ["MSFT"], "replay_from": first, "replay_to": last, "replay_pace_s": 0.0, "chains_file": chains}
    platform: Platform = make_platform(market=told, signals={"default_strategy": ""})
    await platform.start("execution", "portfolio", "notify", "signals")
    await wait_until(lambda: _has_account(platform), "the paper account is there", within_s=30)
    await _traded(platform, ask, wheel, capital=capital)

    monkeypatch.setenv("QM_MARKET_CHAINS_FILE", str(chains))
    result = backtest(strategy_called("atr_options"), histories(["MSFT"])[1], Job(wheel, capital, first=first, last=last))

    rows = await database.fetch("execution", "select type, payload from outbox where type in ('OrderFilled', 'OptionEnded')")
    replayed = [one for row in rows for one in _sides(row["type"], json.loads(row["payload"]))]
    traded = [(str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price)) for one in result.outcome.fills]
    assert sorted(traded) == sorted(replayed)
    delivered = [(one.side, one.reasons[0].split(":")[0]) for one in result.outcome.fills if one.symbol == "MSFT"]
    assert delivered[:2] == [(Side.BUY, "ASSIGNMENT"), (Side.SELL, "ASSIGNMENT")]
    (owned,) = (await platform.asked("signals", RunDetailsAsked(user_id=USER))).runs
    assert owned.cash == result.outcome.curve[-1].cash
    assert {one.instrument.symbol: one.quantity for one in owned.holdings} == result.outcome.held
    await platform.agree()
    closings = (await platform.asked("portfolio", ClosingsAsked(user_id=USER))).closings
    gained = sum((one.profit.amount for one in result.trades if not one.is_open), Decimal(0))
    assert sum((one.realised.amount for one in closings), Decimal(0)) == gained
    lots = (await platform.asked("portfolio", LotsAsked(user_id=USER))).lots
    assert {one.instrument.symbol: one.quantity for one in lots} == result.outcome.held


def _sides(kind: str, told: dict[str, Any]) -> list[tuple[str, ...]]:
    """What a fill, or the end of contracts, is as fills: of the contracts, and of the shares where some changed hands."""
    if kind == "OrderFilled":
        return [(told["session"], told["instrument"]["symbol"], told["side"], told["quantity"], told["price"])]
    found = [(told["session"], told["option"]["symbol"], told["side"], told["contracts"], told["price"])]
    shares = (told["session"], told["underlying"]["symbol"], told["share_side"], told["shares"], told["strike"])
    return found if told["shares"] == "0" else [*found, shares]


def _offer_dearly(chains: Path, symbol: str, sessions: list[date]) -> None:
    """Quote a contract at 1 to 27 in these sessions."""
    terms = terms_of(symbol)
    with chains.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    for row in rows:
        if row[1] in map(str, sessions) and row[2:5] == [str(terms.expires), terms.kind, str(terms.strike)]:
            row[5:7] = "1", "27"
    with chains.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])


async def test_a_split_adjusts_the_contracts_of_a_run_in_every_book(
    make_platform: Any, ask: Any, database: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """The venue holds, execution orders, portfolio's lots and the run's own holdings: all go on with what the OCC makes of them."""
    world = World(tmp_path, monkeypatch)
    day = days_of_interest(world.split(None)[0])["a holding"]
    past, _ = world.split(day, (2, 1))
    told: dict[str, Any] = {**world.told, "replay_from": split_files.FIRST, "replay_to": split_files.LAST, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=told, signals={"default_strategy": ""})
    await platform.start("execution", "portfolio", "notify", "signals")
    await wait_until(lambda: _has_account(platform), "the paper account is there")
    await _traded(platform, ask, split_files.WIDE)

    result = backtest(
        strategy_called("atr_options"), [past], Job(split_files.WIDE, CAPITAL, first=split_files.FIRST, last=split_files.LAST)
    )

    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled'")
    replayed = [json.loads(row["payload"]) for row in rows]
    traded = sorted((str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price)) for one in result.outcome.fills)
    assert traded == sorted((one["session"], one["instrument"]["symbol"], one["side"], one["quantity"], one["price"]) for one in replayed)
    assert any(one.name != one.symbol and one.session > day for one in result.outcome.fills), "nothing was held through the split"
    await platform.agree()
    (owned,) = (await platform.asked("signals", RunDetailsAsked(user_id=USER))).runs
    assert owned.cash == result.outcome.curve[-1].cash
    closings = (await platform.asked("portfolio", ClosingsAsked(user_id=USER))).closings
    assert sum((one.realised.amount for one in closings), Decimal(0)) == sum(
        (one.profit.amount for one in result.trades if not one.is_open), Decimal(0)
    )
    lots = (await platform.asked("portfolio", LotsAsked(user_id=USER))).lots
    assert {one.instrument.symbol: one.quantity for one in lots} == result.outcome.held

    asked = BacktestWanted(
        user_id=USER, command_id=derived_id("split"), strategy="atr_options", symbols=("MSFT",), capital=CAPITAL,
        parameters=_told(split_files.WIDE), first=split_files.FIRST,
    )  # fmt: skip
    here = record_of(
        backtest(strategy_called("atr_options"), [past.until(split_files.LAST)], Job(split_files.WIDE, CAPITAL, first=split_files.FIRST))
    )
    by_service = await _ended(platform, (await platform.asked("signals", asked)).backtest_id)
    assert (by_service.line.state, by_service.line.error) == ("done", None)
    assert (by_service.data_digest, by_service.line.digest) == (here.figures["data_digest"], here.figures["digest"])


def _told(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in parameters.items()}


async def _traded(platform: Platform, ask: Any, *wanted: Mapping[str, Any], capital: Money = CAPITAL) -> list[RunId]:
    """Start runs of ATR Options with these parameters before market starts, and let them trade to the end of the replay."""
    runs = [RunId(derived_id("a run of options", str(number))) for number, _ in enumerate(wanted)]
    for run, parameters in zip(runs, wanted, strict=True):
        await platform.say(
            StartRun(
                command_id=run, user_id=USER, account_id=ACCOUNT, run_id=run, strategy="atr_options", capital=capital,
                parameters=_told(parameters),
            )
        )  # fmt: skip
    await platform.say.heard_by("signals", ask)
    await platform.start("market")
    await platform.finished()
    return runs


async def _ended(platform: Platform, number: int) -> Backtest:
    async def over() -> Backtest | None:
        found: Backtest = await platform.asked("signals", BacktestAsked(user_id=USER, backtest_id=number))
        return found if found.line.state not in ("queued", "running") else None

    found = await wait_until(over, "the backtest has ended", within_s=GIVES_WAY_S)
    assert found is not None
    return found
