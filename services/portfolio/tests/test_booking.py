"""Booking what is heard: once each, the same as a rebuild from the facts, and exactly."""

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantmatrix.common.contracts.asking.portfolio import ClosingsAsked, LedgerSumsAsked, LotsAsked, PortfolioAsked, SnapshotsAsked
from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled, SettledWatermark
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.portfolio import (
    LedgerWatermark,
    LotAdjusted,
    LotClosed,
    LotOpened,
    PortfolioSnapshotTaken,
    PositionChanged,
)
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, ActionKind, FillId, Side, UserId
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, like, usd
from quantmatrix.common.testing.pages import NotYetError, Pages
from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio import answers
from quantmatrix.portfolio.rebuild import differences
from quantmatrix.portfolio.store import PortfolioStore

DAY = date(2024, 3, 4)
accounts = itertools.count(1)


def moment(number: int) -> datetime:
    return datetime(2024, 3, 4, 21, tzinfo=UTC) + timedelta(days=number)


def filled(number: int, quantity: str | int, price: str, fee: str = "1", account: str = ACCOUNT) -> OrderFilled:
    """The fill of a test's day; a negative quantity is a sale."""
    signed = Decimal(quantity)
    return like(
        OrderFilled,
        fill_id=FillId(derived_id("fill", account, number)),
        account_id=AccountId(account),
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=Quantity(abs(signed)),
        price=Price.parse(price),
        fee=usd(fee),
        session=DAY + timedelta(days=number),
        executed_at=moment(number),
    )


def corrected(number: int, old: OrderFilled | FillCorrected, quantity: str | int, price: str, fee: str = "1") -> FillCorrected:
    return like(
        FillCorrected,
        fill_id=FillId(derived_id("correction", old.account_id, number)),
        corrects=old.fill_id,
        account_id=old.account_id,
        side=old.side,
        quantity=Quantity(Decimal(quantity)),
        price=Price.parse(price),
        fee=usd(fee),
        session=old.session,
        executed_at=old.executed_at,
    )


def split(number: int, numerator: int, denominator: int = 1) -> CorporateActionAnnounced:
    return like(
        CorporateActionAnnounced,
        action_id=derived_id("split", number),
        kind=ActionKind.SPLIT,
        effective=DAY + timedelta(days=number),
        numerator=numerator,
        denominator=denominator,
        amount=None,
    )


def prices(number: int, close: str) -> list[Message]:
    """The bars of a day, and its watermark."""
    day = DAY + timedelta(days=number)
    bar = like(BarsClosed).bars[0]
    bars = (type(bar)(INSTRUMENT.instrument_id, "ABC", "USD", *(Price.parse(close),) * 4, Quantity(1)),)
    return [
        like(BarsClosed, session=day, closed_at=moment(number), bars=bars),
        like(PricesWatermark, session=day, moment=moment(number), covers={}),
    ]


async def opened(pages: Pages, account: str = ACCOUNT) -> None:
    await pages.hear(like(InstrumentListed))
    await pages.hear(like(AccountOpened, account_id=AccountId(account)))
    await pages.hear(like(PricesWatermark, session=DAY + timedelta(days=900), moment=moment(900), covers={}))


async def sums(pages: Pages) -> Any:
    return await answers.ledger_sums(LedgerSumsAsked(), pages.connection)


def named(said: Sequence[Message]) -> list[str]:
    return [type(message).__name__ for message in said]


async def test_a_purchase_opens_a_lot_and_moves_cash_and_position(pages: Pages) -> None:
    await opened(pages)

    said = await pages.hear(filled(1, 100, "10.20", "1.00"))

    assert named(said) == ["LotOpened", "PositionChanged"]
    lot, position = said
    assert isinstance(lot, LotOpened) and isinstance(position, PositionChanged)
    assert (lot.quantity, lot.basis) == (Quantity(100), usd("1021"))
    assert (position.quantity, position.basis, position.realised) == (Quantity(100), usd("1021"), usd("0"))
    (ledger,) = (await sums(pages)).accounts
    assert ledger.cash == usd("98979")
    assert ledger.differences == ()


async def test_a_sale_closes_the_oldest_lots_and_says_what_was_realised(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10", "1"))
    await pages.hear(filled(2, 100, "14", "1"))

    said = await pages.hear(filled(3, -150, "15", "1.50"))

    assert named(said) == ["LotClosed", "LotClosed", "PositionChanged"]
    first, second, position = said
    assert isinstance(first, LotClosed) and isinstance(second, LotClosed) and isinstance(position, PositionChanged)
    assert (first.quantity, first.proceeds, first.basis, first.left) == (Quantity(100), usd("1499"), usd("1001"), Quantity(0))
    assert (second.quantity, second.proceeds, second.basis, second.left) == (Quantity(50), usd("749.50"), usd("700.50"), Quantity(50))
    assert position.realised == usd("547")


async def test_a_fill_heard_twice_is_booked_once(pages: Pages) -> None:
    await opened(pages)
    first = await pages.hear(filled(1, 100, "10"))
    before = await sums(pages)

    again = await pages.hear(filled(1, 100, "10"))

    assert first and not again
    assert await sums(pages) == before


async def test_one_fill_crosses_zero(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10.00", "0"))

    said = await pages.hear(filled(2, -150, "12", "1.50"))

    assert named(said) == ["LotClosed", "LotOpened", "PositionChanged"]
    (ledger,) = (await sums(pages)).accounts
    assert ledger.positions == {"XNYS-ABC": Quantity(-50)}
    assert ledger.basis_lots == usd("-599.50")
    assert ledger.cash + ledger.basis_lots == ledger.opening_cash + ledger.realised_closings


async def test_a_fill_waits_for_the_instrument_and_for_what_is_effective_on_its_session(pages: Pages) -> None:
    await pages.hear(like(AccountOpened))
    with pytest.raises(NotYetError):
        await pages.hear(filled(1, 100, "10"))

    await pages.hear(like(InstrumentListed))
    await pages.hear(like(PricesWatermark, session=DAY, moment=moment(0), covers={}))
    with pytest.raises(NotYetError):
        await pages.hear(filled(1, 100, "10"))

    await pages.hear(like(PricesWatermark, session=DAY + timedelta(days=1), moment=moment(1), covers={}))
    assert await pages.hear(filled(1, 100, "10"))


async def test_a_fill_for_an_account_that_was_never_opened_is_an_error(pages: Pages) -> None:
    await opened(pages)

    with pytest.raises(LookupError, match="never opened"):
        await pages.hear(filled(1, 100, "10", account="STRANGER"))

    assert await pages.connection.fetchval("select count(*) from fact") == 0


async def test_an_account_opened_twice_has_its_cash_once(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(like(AccountOpened))

    assert (await sums(pages)).accounts[0].cash == usd("100000")


async def test_a_split_changes_the_open_lots_once_and_says_so(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10", "0"))
    await pages.hear(filled(2, 50, "12", "0"))

    said = await pages.hear(split(3, 2))
    again = await pages.hear(split(3, 2))

    assert named(said) == ["LotAdjusted", "LotAdjusted", "PositionChanged"]
    assert isinstance(said[0], LotAdjusted)
    assert (said[0].quantity_before, said[0].quantity_after) == (Quantity(100), Quantity(200))
    assert again == []
    (ledger,) = (await sums(pages)).accounts
    assert ledger.positions == {"XNYS-ABC": Quantity(300)}
    assert ledger.basis_lots == usd("1600")
    assert ledger.differences == ()


async def test_a_derived_dividend_is_never_booked(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10"))
    before = await sums(pages)

    said = await pages.hear(
        like(CorporateActionAnnounced, kind=ActionKind.DIVIDEND, numerator=1, denominator=1, amount=Price.parse("0.42"), derived=True)
    )

    assert said == []
    assert await sums(pages) == before


async def test_a_corrected_price_makes_the_book_anew(pages: Pages) -> None:
    await opened(pages)
    bought = filled(1, 100, "10", "1")
    await pages.hear(bought)
    await pages.hear(filled(2, -40, "12", "1"))

    (position,) = await pages.hear(corrected(1, bought, 100, "10.50", "1"))

    assert isinstance(position, PositionChanged)
    assert position.basis == usd("630.60")  # 60 % of 1,051
    assert position.realised == usd("58.60")  # 479 - 420.40
    (ledger,) = (await sums(pages)).accounts
    assert ledger.cash == usd("99428")  # 100,000 - 1,051 + 479
    assert ledger.differences == ()


async def test_a_correction_heard_twice_changes_nothing(pages: Pages) -> None:
    await opened(pages)
    bought = filled(1, 100, "10")
    await pages.hear(bought)
    await pages.hear(corrected(1, bought, 90, "10"))
    before = await sums(pages)

    assert await pages.hear(corrected(1, bought, 90, "10")) == []
    assert await sums(pages) == before


async def test_a_busted_execution_leaves_no_trace_in_cash_lots_and_position(pages: Pages) -> None:
    await opened(pages)
    bought = filled(1, 100, "10")
    await pages.hear(bought)

    said = await pages.hear(corrected(1, bought, 0, "10", "0"))

    (ledger,) = (await sums(pages)).accounts
    assert ledger.cash == usd("100000")
    assert (ledger.positions, ledger.lots, ledger.fills) == ({}, {}, 0)
    assert [(message.quantity, message.basis) for message in said if isinstance(message, PositionChanged)] == [(Quantity(0), usd("0"))]


async def test_a_correction_can_be_corrected(pages: Pages) -> None:
    await opened(pages)
    bought = filled(1, 100, "10")
    await pages.hear(bought)
    first = corrected(1, bought, 90, "10")
    await pages.hear(first)

    await pages.hear(corrected(2, first, 80, "11"))

    (ledger,) = (await sums(pages)).accounts
    assert ledger.positions == {"XNYS-ABC": Quantity(80)}
    assert ledger.cash == usd("99119")
    assert ledger.differences == ()


async def test_a_correction_after_a_split_is_in_old_units(pages: Pages) -> None:
    await opened(pages)
    bought = filled(1, 100, "10", "0")
    await pages.hear(bought)
    await pages.hear(split(3, 2))

    await pages.hear(corrected(1, bought, 90, "10", "0"))

    (ledger,) = (await sums(pages)).accounts
    assert ledger.positions == {"XNYS-ABC": Quantity(180)}
    assert ledger.basis_lots == usd("900")
    assert ledger.differences == ()


async def test_a_snapshot_values_the_account_at_the_sessions_raw_closes(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10", "1"))
    for message in prices(1, "12.50"):
        await pages.hear(message)

    said = await pages.hear(like(SettledWatermark, session=DAY + timedelta(days=1), moment=moment(1), covers={}))

    snapshot, watermark = said
    assert isinstance(snapshot, PortfolioSnapshotTaken) and isinstance(watermark, LedgerWatermark)
    assert (snapshot.cash, snapshot.market_value, snapshot.equity) == (usd("98999"), usd("1250"), usd("100249"))
    assert (snapshot.realised, snapshot.unrealised, snapshot.positions) == (usd("0"), usd("249"), 1)
    assert watermark.moment == moment(1)


async def test_a_snapshot_waits_for_the_prices_of_its_moment(pages: Pages) -> None:
    await pages.hear(like(AccountOpened))
    await pages.hear(like(PricesWatermark, session=DAY, moment=moment(0), covers={}))

    with pytest.raises(NotYetError):
        await pages.hear(like(SettledWatermark, session=DAY + timedelta(days=1), moment=moment(1), covers={}))


async def test_between_a_split_and_the_next_bar_the_value_does_not_jump(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10", "1"))
    for message in prices(2, "12"):
        await pages.hear(message)
    before = await answers.portfolio(PortfolioAsked(user_id=USER), pages.connection)

    await pages.hear(split(3, 2))
    after = await answers.portfolio(PortfolioAsked(user_id=USER), pages.connection)

    assert before.accounts[0].equity == after.accounts[0].equity == usd("100199")
    assert after.positions[0].price == Price(6)


async def test_answers_speak_of_the_asking_user_only(pages: Pages) -> None:
    await opened(pages)
    await pages.hear(filled(1, 100, "10"))
    await pages.hear(filled(2, -40, "12"))
    for message in prices(2, "12"):
        await pages.hear(message)
    await pages.hear(like(SettledWatermark, session=DAY + timedelta(days=2), moment=moment(2), covers={}))

    for user, seen in ((USER, 1), (UserId(derived_id("somebody else")), 0)):
        assert len((await answers.portfolio(PortfolioAsked(user_id=user), pages.connection)).positions) == seen
        assert len((await answers.lots(LotsAsked(user_id=user), pages.connection)).lots) == seen
        assert len((await answers.closings(ClosingsAsked(user_id=user), pages.connection)).closings) == seen
        assert len((await answers.snapshots(SnapshotsAsked(user_id=user, account_id=ACCOUNT), pages.connection)).points) == seen


steps = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(-300, 300).filter(bool), st.decimals("1", "300", places=2)),
        st.tuples(st.just("correct"), st.integers(0, 24), st.integers(0, 200)),
        st.tuples(st.just("split"), st.sampled_from([(2, 1), (3, 1), (3, 2), (1, 10)]), st.just(0)),
        st.tuples(st.just("again"), st.integers(0, 24), st.just(0)),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_a_rebuild_from_the_facts_equals_what_was_booked_one_by_one(pages: Pages, story: list[tuple[Any, ...]]) -> None:
    """Over random purchases, sales, splits, corrections, busts and repetitions: rebuild == incremental, and the sums agree."""
    account, splits_done = f"P{next(accounts)}", next(accounts) * 1_000
    await opened(pages, account)
    live: list[OrderFilled | FillCorrected] = []
    for number, (kind, one, two) in enumerate(story, start=1):
        if kind == "fill":
            live.append(filled(number, one, str(two), "0.35", account))
            await pages.hear(live[-1])
        elif kind == "split":
            # Only this example's account may hold the instrument, or a split would change other examples' books.
            await pages.hear(
                like(
                    CorporateActionAnnounced,
                    action_id=derived_id("split", splits_done, number),
                    kind=ActionKind.SPLIT,
                    effective=DAY + timedelta(days=number),
                    numerator=one[0],
                    denominator=one[1],
                    amount=None,
                )
            )
        elif live and kind == "again":
            assert await pages.hear(live[one % len(live)]) == []
        elif live and kind == "correct":
            old = live.pop(one % len(live))
            live.append(corrected(number, old, two, str(old.price), "0.40"))
            await pages.hear(live[-1])
            if not two:
                live.pop()

    store = PortfolioStore(pages.connection)
    books = [(one, instrument) for one, instrument in await store.books() if one.account_id == account]
    for book_account, _ in books[:1]:
        assert await differences(book_account, [instrument for _, instrument in books], pages.connection) == []
    (ledger,) = [one for one in (await sums(pages)).accounts if one.account_id == account]
    assert ledger.lots == ledger.positions
    assert ledger.cash == ledger.cash_entries
    assert ledger.realised_closings == ledger.realised_positions
    assert ledger.cash + ledger.basis_lots == ledger.opening_cash + ledger.realised_closings
