"""What a page says has an id that follows from its cause, so that a replay says the same thing under the same id."""

from collections.abc import Sequence
from typing import Any, cast

from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.message import Head
from quantmatrix.common.contracts.orders import OrderAccepted, OrderSubmitted
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.register import View
from quantmatrix.common.runtime.writing import Write
from quantmatrix.common.testing.clock import NOON
from quantmatrix.common.testing.examples import EXAMPLES, like

CAUSE = EXAMPLES[OrderFilled].head
FILLED, SUBMITTED, ACCEPTED = like(OrderFilled), like(OrderSubmitted), like(OrderAccepted)


def _page(cause: Head = CAUSE, *, from_message: bool = True) -> Page:
    return Page(cast(Any, None), cause, View({}, KeysHeard({})), from_message=from_message)


def _told() -> list[Head]:
    page = _page()
    return [page.say(SUBMITTED).head, page.say(SUBMITTED).head, page.say(ACCEPTED).head, page.say(FILLED, identity="E-1").head]


def test_a_handler_that_runs_again_says_the_same_under_the_same_ids() -> None:
    assert _told() == _told()
    assert len({head.message_id for head in _told()}) == 4


def test_an_id_follows_from_the_cause_and_the_place_or_from_what_is_told() -> None:
    first, second, _, identified = (head.message_id for head in _told())

    assert first == derived_id("execution", "OrderSubmitted", CAUSE.message_id, 0)
    assert second == derived_id("execution", "OrderSubmitted", CAUSE.message_id, 1)
    assert identified == derived_id("execution", "OrderFilled", "E-1")
    assert _page(origin("other", occurred_at=NOON)).say(FILLED, identity="E-1").head.message_id == identified


def test_an_answer_names_its_cause_and_keeps_its_chain_and_its_time() -> None:
    head = _page().say(SUBMITTED).head

    assert (head.caused_by, head.trace, head.occurred_at) == (CAUSE.message_id, CAUSE.trace, CAUSE.occurred_at)
    assert _page().say(SUBMITTED, occurred_at=NOON).head.occurred_at == NOON


def test_a_chain_begins_where_it_is_said_to() -> None:
    head = _page().say(SUBMITTED, starts_trace=True).head
    assert (head.caused_by, head.trace) == (CAUSE.message_id, head.message_id)

    start = origin("asked", 7, occurred_at=NOON)
    begun = _page(start, from_message=False).say(SUBMITTED).head
    assert (begun.caused_by, begun.trace, begun.occurred_at) == (None, begun.message_id, NOON)


def test_several_causes_on_one_page_are_kept_apart() -> None:
    page = _page()
    first = page.say(SUBMITTED).head
    page.because_of(EXAMPLES[OrderAccepted].head)
    second = page.say(SUBMITTED).head
    page.because_of(CAUSE)
    third = page.say(SUBMITTED).head

    assert [first, third] == list(_told()[:2])
    assert second.caused_by == EXAMPLES[OrderAccepted].head.message_id
    assert [message.head for message in page.said] == [first, second, third]


def test_what_a_page_gathers_for_a_change_is_one_change_and_in_order() -> None:
    def feed(rows: Sequence[int]) -> Write:
        return Write(("fed as (select 1)",), (list(rows),))

    def book(rows: Sequence[int]) -> Write:
        return Write(("booked as (select 1)",), (list(rows),))

    page = _page()
    for change, row in ((feed, 1), (book, 2), (feed, 3)):
        page.gather(change, row)
    page.write_gathered()

    assert page.writing.writes == [feed([1, 3]), book([2])]
