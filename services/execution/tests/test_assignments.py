"""Early assignments told by a person: booked once, at the venue and here, confirmed by what a broker lists later, or refused whole."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from services.execution.tests.desk import Desk
from services.execution.tests.test_contract_ends import PUT, with_put
from services.execution.tests.test_processes import ACCOUNT, order
from services.execution.tests.test_splits import at_the_venue, book_of

from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked
from quantmatrix.common.contracts.asking.execution import BreaksAsked, FillsAsked
from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId, ContractEnding, InstrumentId, OrderState, Side, UserId
from quantmatrix.common.option_ends import delivered
from quantmatrix.common.options import CONTRACT_SIZE, terms_of
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.domain.orders import Ended, Execution

PAPER = ACCOUNT
NEXT = SESSION + timedelta(days=1)


def letter(number: int = 1, **changes: Any) -> AssignmentBookingAsked:
    told = {"account_id": PAPER, "option": PUT.symbol, "contracts": Quantity(1), "session": NEXT, "user_id": FIRST_ADMINISTRATOR, **changes}
    return AssignmentBookingAsked(command_id=derived_id("letter", number), **told)


@pytest.fixture
async def sold(start_here: Any, ask: Any, say: Saying) -> Any:
    """Two puts at 20 are sold on paper on the second day: 180.00 less 1.30 come in."""
    await start_here("execution")
    for message in [like(InstrumentListed), like(InstrumentListed, instrument=PUT, underlying=INSTRUMENT.instrument_id), *with_put(0, 20)]:
        await say(message)
    await say.heard_by("execution", ask)
    await say(msgspec.structs.replace(order(1), instrument=PUT, side=Side.SELL, quantity=Quantity(2)))
    await at_the_venue(ask, 1)
    for message in with_put(1, 20):
        await say(message)
    await say.heard_by("execution", ask)
    return ask


async def test_a_letter_is_booked_once_at_the_venue_and_here(sold: Any, database: Any) -> None:
    """One of two puts: 100 shares for 2,000. The symbol needs none of its blanks."""
    first = await sold("execution", letter(option="abc240308p00020000"))
    again = await sold("execution", letter(option="abc240308p00020000"))

    assert (first.booked, again.booked, again.end_id) == (True, False, first.end_id)
    book = await book_of(sold)
    assert book.positions == book.broker_positions == {PUT.instrument_id: Quantity(-1), INSTRUMENT.instrument_id: Quantity(100)}
    assert book.cash == book.broker_cash == Money.parse("98178.70", "USD")
    assert (book.executions, book.broker_executions, book.executions_not_booked) == (2, 2, ())
    assert len(await database.fetch("execution", "select 1 from outbox where type = 'OptionEnded'")) == 1
    end, _ = (await sold("execution", FillsAsked(user_id=FIRST_ADMINISTRATOR, ends=True))).fills
    assert (end.fill_id, end.session, end.ended.how, end.triggered_by) == (first.end_id, NEXT, ContractEnding.ASSIGNMENT, "manual")
    assert (await sold("execution", BreaksAsked(user_id=FIRST_ADMINISTRATOR))).breaks == ()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"contracts": Quantity(3)}, "ASSIGNMENT_IMPOSSIBLE", "has sold 2"),
        ({"contracts": Quantity(0)}, "ASSIGNMENT_IMPOSSIBLE", "not whole contracts above zero"),
        ({"contracts": Quantity.parse("0.5")}, "ASSIGNMENT_IMPOSSIBLE", "not whole contracts above zero"),
        ({"session": SESSION}, "ASSIGNMENT_IMPOSSIBLE", f"was not sold before {NEXT}"),
        ({"session": NEXT + timedelta(days=1)}, "ASSIGNMENT_IMPOSSIBLE", f"the latest session is {NEXT}"),
        ({"session": date(2024, 3, 9)}, "ASSIGNMENT_IMPOSSIBLE", "2024-03-09 is no session"),
        ({"session": date(2024, 3, 11)}, "ASSIGNMENT_IMPOSSIBLE", "ended on 2024-03-08"),
        ({"option": "ABC"}, "OPTION_UNKNOWN", "no option that is listed here"),
        ({"account_id": AccountId("NOBODYS")}, "ACCOUNT_UNKNOWN", "no account NOBODYS"),
        ({"user_id": UserId(derived_id("user", "somebody else"))}, "ACCOUNT_UNKNOWN", "no account"),
    ],
)
async def test_what_makes_no_sense_is_refused_whole(sold: Any, changes: dict[str, Any], code: str, words: str) -> None:
    before = await book_of(sold)
    with pytest.raises(Refused, match=words) as refused:
        await sold("execution", letter(**changes))

    assert refused.value.code == code
    assert await book_of(sold) == before


async def test_a_second_letter_about_the_same_contracts_and_session_is_refused(sold: Any) -> None:
    await sold("execution", letter(1))
    before = await book_of(sold)
    with pytest.raises(Refused, match="is booked already"):
        await sold("execution", letter(2))

    assert await book_of(sold) == before


async def test_what_a_broker_lists_later_confirms_the_letter_and_is_not_booked_again(desk: Desk, ask: Any) -> None:
    """A broker with a book of its own knows nothing of the letter until it lists the assignment; then the difference is gone."""
    await desk.start(reconcile_every_s=0.1)
    day = SESSION + timedelta(days=2)
    for message in [like(InstrumentListed, instrument=PUT, underlying=INSTRUMENT.instrument_id), *with_put(1, 20)]:
        await desk.say(message)
    placed = await desk.place(1, instrument=PUT, side=Side.SELL, quantity=1)
    reference = (await desk.until(placed, OrderState.ACCEPTED)).client_ref
    desk.broker.fill(reference, Quantity(1), Price(1))
    await desk.until(placed, OrderState.FILLED)
    for message in with_put(2, 20):
        await desk.say(message)
    await desk.say.heard_by("execution", ask)
    told = await ask("execution", letter(session=day))

    async def differs() -> bool:
        return len((await desk.book()).open_breaks) == 3

    await wait_until(differs, "the letter stands against the broker's book: the put, the shares and the cash")
    end = delivered(terms_of(PUT.symbol), ContractEnding.ASSIGNMENT, Quantity(1), CONTRACT_SIZE, "USD")
    desk.broker.executions.append(
        Execution(
            execution_id="THEIRS-1", client_ref="", broker_order_id="", side=end.side, quantity=Quantity(1), price=Price(0),
            fee=Money(0, "USD"), session=day, executed_at=CLOSED_AT + timedelta(days=2, hours=6),
            ended=Ended(PUT.instrument_id, INSTRUMENT.instrument_id, Price(20), end),
        )
    )  # fmt: skip
    shares: dict[InstrumentId, Quantity] = {INSTRUMENT.instrument_id: Quantity(100)}
    desk.broker.holdings = shares
    desk.broker._cash -= Money(2_000, "USD")

    async def agrees() -> bool:
        return (await desk.book()).open_breaks == ()

    await wait_until(agrees, "the broker has listed the assignment")
    book = await desk.agree()
    assert told.booked and book.positions == shares
    assert (book.executions, book.broker_executions, book.executions_not_booked) == (2, 2, ())
    again = await ask("execution", letter(session=day))
    assert (again.booked, again.end_id) == (False, told.end_id)
