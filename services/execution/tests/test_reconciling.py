"""Books brought up to the broker's: whatever order reports come in, and whatever they lack, ours end as the broker's or say the difference."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from services.execution.tests.desk import Desk

from quantmatrix.common.contracts.prices import CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, ActionKind, AssetClass, ContractEnding, InstrumentId, OrderState
from quantmatrix.common.option_ends import delivered
from quantmatrix.common.options import CONTRACT_SIZE, terms_of
from quantmatrix.common.testing.examples import INSTRUMENT, like
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.domain.orders import Ended, Execution
from quantmatrix.execution.ports import BrokerPosition
from quantmatrix.execution.testing import CLOSED_AT
from quantmatrix.operations.testing import FreshDatabase


async def test_five_fills_while_the_session_was_down_are_booked_once_each(desk: Desk) -> None:
    """F4, and F9 for its length: the last known execution minus an overlap is where asking begins."""
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    desk.broker.fill(reference, Quantity(1), Price(100))
    await desk.until(order, OrderState.PARTIALLY_FILLED)
    await desk.die()
    for price in (101, 102, 103, 104):
        desk.broker.fill(reference, Quantity(2), Price(price))
    desk.broker.fill(reference, Quantity(1), Price(105))

    await desk.start()

    found = await desk.until(order, OrderState.FILLED)
    assert found.average_price == Price.parse("102.5")
    assert (await desk.agree()).executions == 6


async def test_the_last_fill_may_be_reported_before_the_others(desk: Desk) -> None:
    """F6 and F13: reports come in any order, and again and again."""
    await desk.start(reconcile_every_s=3_600)
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    await desk.die()
    for quantity, price in ((3, 100), (3, 101), (4, 102)):
        desk.broker.fill(reference, Quantity(quantity), Price(price))
    desk.broker.executions.reverse()
    desk.broker.executions.extend(desk.broker.executions)

    await desk.start()

    found = await desk.until(order, OrderState.FILLED)
    assert (found.filled, found.average_price) == (Quantity(10), Price.parse("101.1"))
    assert (await desk.agree()).executions == 3


async def test_a_frame_that_never_arrived_is_found_within_one_comparison(desk: Desk) -> None:
    """F11: nobody told of the fill; the next comparison finds it."""
    await desk.start(reconcile_every_s=0.2)
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref

    desk.broker.fill(reference, Quantity(10), Price(100))

    await desk.until(order, OrderState.FILLED)
    assert not (await desk.agree()).open_breaks


async def test_a_bust_takes_position_and_cash_back(desk: Desk) -> None:
    """F14: the execution never was; its own commission goes with it."""
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    cash = (await desk.book()).cash
    first = desk.broker.fill(reference, Quantity(10), Price(101))
    await desk.until(order, OrderState.FILLED)

    desk.broker.fill(reference, Quantity(0), Price(101), fee="0", corrects=first.execution_id)

    async def gone() -> bool:
        book = await desk.book()
        return not book.positions and book.cash == cash

    await wait_until(gone, "the bust is booked")
    assert (await desk.agree()).executions == 2


async def test_an_execution_that_is_reported_after_its_correction_is_not_booked_beside_it(desk: Desk, database: FreshDatabase) -> None:
    """F6, F14: eight instead of ten, told in the wrong order while the session was down; the portfolio hears of eight, once."""
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    await desk.die()
    first = desk.broker.fill(reference, Quantity(10), Price(101))
    desk.broker.fill(reference, Quantity(8), Price(101), corrects=first.execution_id)
    desk.broker.executions.reverse()

    await desk.start()

    book = await desk.agree()
    said = await database.fetch("execution", "select type from outbox where type in ('OrderFilled', 'FillCorrected')")
    assert (book.positions, book.executions, book.broker_executions) == ({INSTRUMENT.instrument_id: Quantity(8)}, 1, 1)
    assert [row["type"] for row in said] == ["OrderFilled"]


async def test_a_bust_that_is_reported_before_what_it_busts_leaves_nothing(desk: Desk) -> None:
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    cash = (await desk.book()).cash
    await desk.die()
    first = desk.broker.fill(reference, Quantity(10), Price(101))
    desk.broker.fill(reference, Quantity(0), Price(101), fee="0", corrects=first.execution_id)
    desk.broker.executions.reverse()

    await desk.start(reconcile_every_s=0.1)

    book = await desk.agree()
    assert (book.positions, book.cash, book.broker_executions) == ({}, cash, 0)


@pytest.mark.parametrize(("status", "reason"), [("expired", ""), ("cancelled", "FUNDS: 10 wanted at 100, 400 USD pays for 4")])
async def test_a_partial_fill_and_then_the_end_of_the_order(desk: Desk, status: str, reason: str) -> None:
    """F21: what was filled stays, the rest is over; why the broker cancelled it is told."""
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    desk.broker.fill(reference, Quantity(4), Price(100))
    await desk.until(order, OrderState.PARTIALLY_FILLED)

    over = {"status": status, "reason": reason, "changed_at": CLOSED_AT + timedelta(days=1)}
    desk.broker.orders[reference] = replace(desk.broker.orders[reference], **over)  # type: ignore[arg-type]  # fields of the order by name

    found = await desk.until(order, OrderState(status))
    assert found.filled == Quantity(4)
    assert await desk.latest_detail(order) == reason
    assert (await desk.agree()).positions == {INSTRUMENT.instrument_id: Quantity(4)}


async def test_a_snapshot_of_positions_that_fails_or_is_empty_erases_nothing(desk: Desk) -> None:
    """F8: silence is waited out; an empty snapshot is a break, and our position stays."""
    await desk.start()
    order = await desk.place()
    reference = (await desk.until(order, OrderState.ACCEPTED)).client_ref
    desk.broker.fill(reference, Quantity(10), Price(100))
    await desk.until(order, OrderState.FILLED)
    whole, asked = desk.broker.positions, []

    async def failing(account_id: AccountId) -> Sequence[BrokerPosition]:
        asked.append(account_id)
        raise TimeoutError("the snapshot did not come")

    async def empty(account_id: AccountId) -> Sequence[BrokerPosition]:
        return []

    desk.broker.positions = failing  # type: ignore[method-assign]  # a fault of the broker
    await wait_until(lambda: len(asked) > 2, "the comparison is tried again and again")
    desk.broker.positions = empty  # type: ignore[method-assign]

    async def seen() -> tuple[str, ...]:
        return (await desk.book()).open_breaks

    assert await wait_until(seen, "the break is seen") == ("position XNYS-ABC: ours 10, the broker's 0",)
    assert (await desk.book()).positions == {INSTRUMENT.instrument_id: Quantity(10)}

    desk.broker.positions = whole  # type: ignore[method-assign]
    assert (await desk.agree()).positions == {INSTRUMENT.instrument_id: Quantity(10)}


async def test_an_accepted_difference_stops_nothing_until_it_changes(desk: Desk) -> None:
    """Seven shares were moved in by hand: known, and no reason to stand still; an eighth is a difference of its own."""
    await desk.start()
    desk.broker.holdings[INSTRUMENT.instrument_id] = Quantity(7)
    found = await desk.until_break(resolved=False)
    await desk.resolve(found.break_id, "moved in by hand", user_id=derived_id("stranger"))
    await desk.resolve(found.break_id, "moved in by hand")

    accepted = await desk.until_break(resolved=True)
    order = await desk.until(await desk.place(1), OrderState.ACCEPTED)
    desk.broker.fill(order.client_ref, Quantity(10), Price(100))
    await desk.until(order.order_id, OrderState.FILLED)
    await desk.until(await desk.place(2), OrderState.ACCEPTED)

    assert (accepted.about, accepted.ours, accepted.theirs) == ("position XNYS-ABC", "0", "7")
    assert accepted.resolution == "accepted: moved in by hand"
    assert (await desk.book()).open_breaks == ()

    desk.broker.holdings[INSTRUMENT.instrument_id] += Quantity(1)

    another = await desk.until_break(resolved=False)
    assert (another.ours, another.theirs) == ("10", "18")
    denied = await desk.until(await desk.place(3), OrderState.DENIED)
    assert denied.code == "ACCOUNT_BREAK"


async def test_an_accepted_difference_of_cash_is_told_as_what_came_or_went_since(desk: Desk, database: FreshDatabase) -> None:
    """A deposit of 600, and then a withdrawal of 250: whoever counts the account's cash hears each by itself."""
    await desk.start()
    for number, moved in enumerate((600, -250), start=1):
        desk.broker._cash += Money(moved, "USD")
        await desk.resolve((await desk.until_break(resolved=False)).break_id, f"transfer {number}")
        await desk.until_break(resolved=True)

    rows = await database.fetch("execution", "select payload from outbox where type = 'BreakResolved' order by id")
    told = [json.loads(row["payload"]) for row in rows]
    assert [(one["accepted"], one["cash"]) for one in told if one["subject_of_break"] == "cash"] == [
        (True, {"amount": "600", "currency": "USD"}),
        (True, {"amount": "-250", "currency": "USD"}),
    ]


async def test_an_accepted_difference_follows_a_split(desk: Desk, database: FreshDatabase) -> None:
    """Seven shares too many are fourteen after two for one; otherwise every split would bring the break back."""
    await desk.start(reconcile_every_s=0.1)
    desk.broker.holdings[INSTRUMENT.instrument_id] = Quantity(7)
    await desk.resolve((await desk.until_break(resolved=False)).break_id, "moved in by hand")
    await desk.until_break(resolved=True)

    desk.broker.holdings[INSTRUMENT.instrument_id] = Quantity(14)
    await desk.say(like(CorporateActionAnnounced, instrument=INSTRUMENT, kind=ActionKind.SPLIT, numerator=2, denominator=1))

    async def followed() -> bool:
        rows = await database.fetch("execution", "select gap from accepted_gap")
        return [row["gap"] for row in rows] == [14]

    await wait_until(followed, "what was accepted followed the split")

    async def quiet() -> bool:
        return (await desk.book()).open_breaks == ()

    await wait_until(quiet, "no difference is open")
    await desk.until(await desk.place(1), OrderState.ACCEPTED)


async def test_an_assignment_that_a_broker_tells_is_booked_once_and_said(desk: Desk, database: FreshDatabase) -> None:
    """Before its end, while we were away: 100 shares for 3,300, against a put that nobody here had sold; told again it changes nothing."""
    put = Instrument(InstrumentId("ABC-P33"), "ABC   240308P00033000", AssetClass.OPTION, "USD", Quantity(100))
    await desk.say(like(InstrumentListed, instrument=put, underlying=INSTRUMENT.instrument_id))
    end = delivered(terms_of(put.symbol), ContractEnding.ASSIGNMENT, Quantity(1), CONTRACT_SIZE, "USD")
    desk.broker.executions.append(
        Execution(
            execution_id="ASSIGNED-1", client_ref="", broker_order_id="", side=end.side, quantity=Quantity(1), price=Price(0),
            fee=Money(0, "USD"), session=CLOSED_AT.date(), executed_at=CLOSED_AT,
            ended=Ended(put.instrument_id, INSTRUMENT.instrument_id, Price(33), end),
        )
    )  # fmt: skip
    desk.broker.holdings = {put.instrument_id: Quantity(1), INSTRUMENT.instrument_id: Quantity(100)}
    desk.broker._cash -= Money(3_300, "USD")

    await desk.start(reconcile_every_s=0.1)

    book = await desk.agree()
    assert book.positions == {put.instrument_id: Quantity(1), INSTRUMENT.instrument_id: Quantity(100)}
    assert (book.cash, book.executions, book.broker_executions) == (Money(96_700, "USD"), 1, 1)
    said = await database.fetch("execution", "select payload from outbox where type = 'OptionEnded'")
    (told,) = (json.loads(row["payload"]) for row in said)
    assert (told["how"], told["shares"], told["strike"], told["paid"]["amount"]) == ("assignment", "100", "33", "3300")
