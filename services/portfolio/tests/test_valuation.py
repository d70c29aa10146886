"""The end of a session: what is heard together is valued as what is heard one by one, and nothing that is told meanwhile gets lost."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.portfolio.tests.test_booking import DAY, filled, moment, opened
from services.portfolio.tests.test_performance_answers import prices

from quantmatrix.common.contracts.fills import SettledWatermark
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.portfolio import PortfolioSnapshotTaken
from quantmatrix.common.contracts.prices import CorporateActionAnnounced
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import ActionKind
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.testing.examples import INSTRUMENT, like
from quantmatrix.common.testing.pages import Pages
from quantmatrix.portfolio.valuation import close_session

Story = list[tuple[int, int, tuple[int, int] | None]]
KEPT = ("mark", "snapshot", "day_mark", "position", "cash", "late_move")
days = st.lists(
    st.tuples(st.integers(-60, 60), st.integers(500, 3_000), st.sampled_from([None, None, (2, 1), (1, 5)])), min_size=1, max_size=6
)


class _UndoneError(Exception):
    """Ends a part whose changes are not to stay."""


def told(story: Story) -> list[list[Message]]:
    """What is heard day by day: a split, prices, a fill, and the end of the session."""
    found: list[list[Message]] = []
    for number, (quantity, cents, parts) in enumerate(story, start=1):
        day: list[Message] = []
        if parts is not None:
            day.append(
                like(CorporateActionAnnounced, action_id=derived_id("parts", number), kind=ActionKind.SPLIT,
                     effective=DAY + timedelta(days=number), numerator=parts[0], denominator=parts[1], amount=None)
            )  # fmt: skip
        day += prices(number, str(Decimal(cents) / 100))
        if quantity:
            day.append(filled(number, quantity, str(Decimal(cents + 37) / 100), "0.35"))
        day.append(like(SettledWatermark, session=DAY + timedelta(days=number), moment=moment(number), covers={}))
        found.append(day)
    return found


async def kept(pages: Pages, parts: Sequence[Sequence[Message]]) -> tuple[list[Any], list[Any]]:
    """The tables, and the snapshots that were said, after each of these parts was heard on a page of its own; all of it is undone."""
    before, standings = len(pages.said), dict(pages._standings)
    rows: list[Any] = []
    try:
        async with pages.connection.transaction():
            for part in parts:
                await pages.hear_together(*part)
            rows = [await pages.connection.fetch(f"select * from {table} order by {table}::text") for table in KEPT]
            raise _UndoneError
    except _UndoneError:
        pages._standings = standings
    said = [one for one in pages.said[before:] if isinstance(one, PortfolioSnapshotTaken)]
    return [[tuple(row) for row in table] for table in rows], [
        (one.session, one.cash, one.equity, one.unrealised, one.positions) for one in said
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days)
async def test_what_is_heard_on_one_page_is_valued_as_what_is_heard_one_by_one(pages: Pages, story: Story) -> None:
    """Prices that wait for the page's end count already, a split on the same page changes those before it, and the last price stays."""
    if await pages.connection.fetchval("select count(*) from account") == 0:
        await opened(pages)
    by_day = told(story)

    one_by_one = await kept(pages, [[message] for day in by_day for message in day])

    assert await kept(pages, by_day) == one_by_one
    assert await kept(pages, [[message for day in by_day for message in day]]) == one_by_one
    assert len(one_by_one[1]) == len(story)


async def test_a_snapshot_is_what_positions_cost_at_the_prices_of_its_own_page(pages: Pages) -> None:
    """100 bought at 10 for a fee of 1 out of 100,000; they close at 12, then at 9."""
    await opened(pages)
    for number, close in ((1, "12"), (2, "9")):
        fill = [filled(1, 100, "10")] if number == 1 else []
        settled = like(SettledWatermark, session=DAY + timedelta(days=number), moment=moment(number), covers={})
        await pages.hear_together(*prices(number, close), *fill, settled)

    rows = await pages.connection.fetch("select cash, market_value, equity, unrealised, positions from snapshot order by session")
    lines = await pages.connection.fetch("select prior, transactions from day_mark order by session")

    assert [tuple(row) for row in rows] == [(98_999, 1_200, 100_199, 199, 1), (98_999, 900, 99_899, -101, 1)]
    assert [tuple(row) for row in lines] == [(0, 200), (-300, 0)]


async def test_a_fact_that_is_told_between_look_and_writing_makes_the_page_come_again(pages: Pages, database: Any) -> None:
    await opened(pages)
    page = pages.page()
    transaction = pages.connection.transaction()
    await transaction.start()

    await close_session(page, DAY, moment(1))
    other = await database.connect("portfolio")
    await other.execute(
        "insert into fact (kind, fact_id, instrument_id, body, day, phase, at) values ('split', $1, $2, '{}', $3, 0, $4)",
        derived_id("meanwhile"), INSTRUMENT.instrument_id, DAY, moment(0),
    )  # fmt: skip

    with pytest.raises(TryLater):
        await page.finish()
    await transaction.rollback()
    assert await pages.connection.fetchval("select count(*) from snapshot") == 0
