"""Statements held against the fills of an account that execution opened: breaks with both figures, resolved or gone."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from services.portfolio.tests.importers.chained_samples import FEBRUARY, JANUARY

from quantmatrix.common.contracts.asking.statements import ResolveStatementBreak, Statements, StatementsAsked
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import InstrumentListed, PricesWatermark
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId, FillId, Side, UserId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio import statement_answers
from quantmatrix.portfolio.importing import File, check_files
from quantmatrix.portfolio.statement_store import StatementStore

AT = datetime(2025, 7, 23, 12, tzinfo=UTC)
NUMBER = AccountId("U0000001")


def filled(number: int, side: Side, quantity: int, price: str, on: date) -> OrderFilled:
    return like(
        OrderFilled,
        fill_id=FillId(derived_id("fill", number)),
        execution_id=f"x{number}",
        account_id=NUMBER,
        user_id=FIRST_ADMINISTRATOR,
        side=side,
        quantity=Quantity(quantity),
        price=Price.parse(price),
        fee=usd("1"),
        session=on,
        executed_at=datetime(on.year, on.month, on.day, 15, tzinfo=UTC),
    )


async def live(pages: Pages, *fills: OrderFilled) -> None:
    await pages.hear(like(InstrumentListed))
    await pages.hear(like(AccountOpened, account_id=NUMBER, user_id=FIRST_ADMINISTRATOR))
    await pages.hear(like(PricesWatermark, session=date(2026, 1, 1), moment=AT, covers={}))
    for one in fills:
        await pages.hear(one)


async def keep(pages: Pages, text: str) -> int:
    (checked,) = check_files([File("file", text.encode())])
    kept = await StatementStore(pages.connection).keep(checked, FIRST_ADMINISTRATOR, AT)
    return kept.report["open_breaks"]


async def shown(pages: Pages, user: UserId = FIRST_ADMINISTRATOR) -> Statements:
    return await statement_answers.statements(StatementsAsked(user_id=user), pages.connection)


def figures(found: Statements) -> list[tuple[str, str, Any, Any]]:
    return [(one.kind, one.symbol, one.statement, one.ledger) for one in found.breaks if one.resolved_at is None]


BOUGHT = filled(1, Side.BUY, 100, "20", date(2024, 1, 10))


async def test_fills_that_agree_with_the_statement_are_no_break(pages: Pages) -> None:
    await live(pages, BOUGHT)

    assert await keep(pages, JANUARY) == 0
    assert (await shown(pages)).breaks == ()


async def test_missing_extra_and_different_executions_are_shown_with_both_figures(pages: Pages) -> None:
    sold = filled(2, Side.SELL, 40, "25.5", date(2024, 2, 12))
    extra = filled(3, Side.BUY, 7, "20", date(2024, 2, 20))
    later = filled(4, Side.BUY, 7, "20", date(2024, 3, 20))
    await live(pages, BOUGHT, sold, extra, later)

    await keep(pages, JANUARY)
    assert await keep(pages, FEBRUARY) == 3
    assert sorted(figures(await shown(pages))) == [
        ("different", "ABC", "-40 at 25, fee 1 USD", "-40 at 25.5, fee 1 USD"),
        ("extra", "ABC", None, "7 at 20, fee 1 USD"),
        ("missing", "XYZ", "50 at 10, fee 1 USD", None),
    ]


async def test_a_break_is_resolved_with_a_reason_and_stays_so(pages: Pages) -> None:
    await live(pages)
    await keep(pages, JANUARY)
    (one,) = (await shown(pages)).breaks
    asked = ResolveStatementBreak(user_id=FIRST_ADMINISTRATOR, break_id=one.break_id, reason="bought by telephone", at=AT)
    stranger = ResolveStatementBreak(user_id=UserId(derived_id("user", "x")), break_id=one.break_id, reason="mine", at=AT)

    with pytest.raises(Refused, match="say why"):
        await statement_answers.break_resolved(
            ResolveStatementBreak(user_id=asked.user_id, break_id=one.break_id, reason=" ", at=AT), pages
        )  # type: ignore[arg-type]
    assert not (await statement_answers.break_resolved(stranger, pages)).done  # type: ignore[arg-type]
    assert (await statement_answers.break_resolved(asked, pages)).done  # type: ignore[arg-type]
    assert not (await statement_answers.break_resolved(asked, pages)).done  # type: ignore[arg-type]

    assert await keep(pages, FEBRUARY) == 2
    assert {found.resolution for found in (await shown(pages)).breaks} == {"bought by telephone", None}


async def test_a_break_is_gone_when_the_fill_arrives_and_the_next_statement_is_imported(pages: Pages) -> None:
    await live(pages)
    assert await keep(pages, JANUARY) == 1
    await pages.hear(BOUGHT)

    await keep(pages, FEBRUARY)

    (first,) = [one for one in (await shown(pages)).breaks if one.session == date(2024, 1, 10)]
    assert first.resolution == "no longer there: a later import or fill agrees"
