"""Early assignments told by a person: booked once, at the venue and here, confirmed by what a broker lists later, or refused whole."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from services.execution.tests.desk import Desk
from services.execution.tests.test_contract_ends import PUT, sell_two_puts, with_put
from services.execution.tests.test_processes import ACCOUNT, order, until
from services.execution.tests.test_splits import at_the_venue, book_of

from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked
from quantmatrix.common.contracts.asking.execution import BreaksAsked, FillsAsked
from quantmatrix.common.contracts.prices import CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId, ActionKind, ContractEnding, InstrumentId, OrderState, Side, UserId
from quantmatrix.common.option_ends import delivered
from quantmatrix.common.options import CONTRACT_SIZE, terms_of
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, SESSION, like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.assigning import told_as
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.domain.orders import Ended, Execution

PAPER = ACCOUNT
NEXT = SESSION + timedelta(days=1)
SPLIT_PUT = "ABC   240308P00010000"


def letter(number: int = 1, **changes: Any) -> AssignmentBookingAsked:
    told = {"account_id": PAPER, "option": PUT.symbol, "contracts": Quantity(1), "session": NEXT, "user_id": FIRST_ADMINISTRATOR, **changes}
    return AssignmentBookingAsked(command_id=derived_id("letter", number), **told)


@pytest.fixture
async def sold(start_here: Any, ask: Any, say: Saying) -> Any:
    """Two puts at 20 are sold on paper on the second day: 180.00 less 1.30 come in."""
    await sell_two_puts(start_here, ask, say)
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


async def test_a_letter_in_other_words_books_nothing_and_one_of_other_figures_is_refused(sold: Any) -> None:
    """What it is about counts: an account, a contract and a session have one letter."""
    first = await sold("execution", letter(1))
    before = await book_of(sold)
    again = await sold("execution", letter(2))
    with pytest.raises(Refused, match="is booked already"):
        await sold("execution", letter(3, contracts=Quantity(2)))

    assert (again.booked, again.end_id) == (False, first.end_id)
    assert await book_of(sold) == before


async def _sells_two_more(sold: Any, say: Saying) -> None:
    await say(msgspec.structs.replace(order(2), instrument=PUT, side=Side.SELL, quantity=Quantity(2)))
    await at_the_venue(sold, 2)
    for message in with_put(2, 20):
        await say(message)
    await say.heard_by("execution", sold)


async def test_no_more_is_assigned_than_was_open_after_the_session_of_the_letter(sold: Any, say: Saying) -> None:
    """Two were sold on that day and two on the next: portfolio could not take three out of the lots of the first day."""
    await _sells_two_more(sold, say)
    before = await book_of(sold)
    with pytest.raises(Refused, match=f"after {NEXT} 2 that were sold were open"):
        await sold("execution", letter(contracts=Quantity(3)))
    assert await book_of(sold) == before

    assert (await sold("execution", letter(contracts=Quantity(3), session=NEXT + timedelta(days=1)))).booked
    assert (await book_of(sold)).positions == {PUT.instrument_id: Quantity(-1), INSTRUMENT.instrument_id: Quantity(300)}


async def test_a_letter_of_terms_that_a_split_has_changed_since_is_refused(sold: Any, say: Saying) -> None:
    """The two puts are four by then, at half of the strike: the letter's one is not one of them."""
    day = NEXT + timedelta(days=1)
    for instrument in (INSTRUMENT, PUT):
        await say(
            like(
                CorporateActionAnnounced, action_id=derived_id("split", instrument.symbol), instrument=instrument, kind=ActionKind.SPLIT,
                effective=day, numerator=2, denominator=1, amount=None, becomes=SPLIT_PUT if instrument is PUT else "",
            )
        )  # fmt: skip
    await say.heard_by("execution", sold)
    before = await book_of(sold)
    with pytest.raises(Refused, match=f"has other terms since {day}"):
        await sold("execution", letter(option=SPLIT_PUT))

    assert before.positions == {PUT.instrument_id: Quantity(-4)}
    assert await book_of(sold) == before


async def test_what_dies_between_the_venues_assignment_and_ours_is_booked_once_after_later_trades_too(
    sold: Any, say: Saying, paper: PaperBroker, start_here: Any
) -> None:
    """The venue has the letter's one put, and ten shares are bought more than a day after its session; nobody of us knows of the letter."""
    await say(order(2))
    await at_the_venue(sold, 2)
    closed, _ = with_put(3, 20)
    await say(msgspec.structs.replace(closed, part=1, parts=2))  # the contract's last day has begun and is not over
    await until(sold, "the shares are bought", executions=2)
    await start_here.stop("execution")
    execution_id = told_as(AccountId(PAPER), PUT.instrument_id, NEXT)
    at = CLOSED_AT + timedelta(days=1)
    await paper.assign(AccountId(PAPER), PUT.instrument_id, INSTRUMENT.instrument_id, Quantity(1), at, execution_id)
    await start_here("execution", reconcile_every_s=0.1)
    await until(sold, "the comparison has found what the venue lists", executions_not_booked=())
    again = await sold("execution", letter())
    book = await book_of(sold)

    assert not again.booked
    assert book.positions == book.broker_positions == {PUT.instrument_id: Quantity(-1), INSTRUMENT.instrument_id: Quantity(110)}
    assert book.cash == book.broker_cash


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
