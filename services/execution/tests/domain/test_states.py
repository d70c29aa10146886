"""The table of states: every pair is decided, and a second copy of the table, made from the promises, agrees with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import OrderState
from quantmatrix.execution.domain.states import (
    OPEN,
    TERMINAL,
    TRANSITIONS,
    UNANSWERED,
    ImpossibleEventError,
    OrderEventKind,
    after,
)

S, E = OrderState, OrderEventKind
FILLS = (E.PARTIAL_FILL, E.FULL_FILL)

# Rows are states, columns are events; a dash keeps the state, an exclamation mark is impossible.
EXPECTED = """
                  accepted  rejected   no_answer  absent      partial_fill      full_fill  cancel_asked  cancel_confirmed  cancel_refused  expired
submitting        accepted  rejected   unknown    -           partially_filled  filled     cancelling    cancelled         -               expired
accepted          -         rejected   -          unknown     partially_filled  filled     cancelling    cancelled         -               expired
partially_filled  -         cancelled  -          unknown     -                 filled     cancelling    cancelled         -               expired
cancelling        -         rejected   unknown    unknown     -                 filled     -             cancelled         accepted        expired
unknown           accepted  rejected   -          submitting  partially_filled  filled     -             cancelled         -               expired
filled            -         !          -          -           -                 -          -             -                 -               -
cancelled         -         -          -          -           -                 filled     -             -                 -               -
expired           -         -          -          -           -                 filled     -             -                 -               -
rejected          accepted  -          -          -           partially_filled  filled     -             -                 -               -
denied            !         !          !          !           !                 !          -             !                 !               !
"""


def expected() -> list[tuple[OrderState, OrderEventKind, str]]:
    head, *rows = [line.split() for line in EXPECTED.strip().splitlines()]
    return [(S(state), E(event), word) for state, *words in rows for event, word in zip(head, words, strict=True)]


@pytest.mark.parametrize(("state", "event", "word"), expected())
def test_every_pair_of_state_and_event(state: OrderState, event: OrderEventKind, word: str) -> None:
    if word == "!":
        with pytest.raises(ImpossibleEventError, match=f"{state} cannot be {event}"):
            after(state, event)
    else:
        assert after(state, event) is (state if word == "-" else S(word))


def test_the_expectation_covers_the_whole_table() -> None:
    assert len(expected()) == len(S) * len(E) == sum(len(row) for row in TRANSITIONS.values())


def test_every_state_is_either_open_or_over() -> None:
    assert set(S) == TERMINAL | OPEN
    assert not TERMINAL & OPEN
    assert UNANSWERED <= OPEN


def test_unknown_ends_only_by_an_answer_of_the_broker() -> None:
    """Neither time, nor a person's wish, nor a refused cancel says what became of the order."""
    for event in (E.NO_ANSWER, E.CANCEL_ASKED, E.CANCEL_REFUSED):
        assert after(S.UNKNOWN, event) is S.UNKNOWN


def test_silence_never_becomes_a_refusal() -> None:
    for state in OPEN:
        assert after(state, E.NO_ANSWER) in OPEN


def test_a_fill_after_a_cancel_an_expiry_or_a_rejection_is_the_brokers_truth() -> None:
    for state in (S.CANCELLED, S.EXPIRED, S.REJECTED):
        assert after(state, E.FULL_FILL) is S.FILLED


def test_a_partial_fill_after_the_end_does_not_open_the_rest_again() -> None:
    assert after(S.CANCELLED, E.PARTIAL_FILL) is S.CANCELLED
    assert after(S.EXPIRED, E.PARTIAL_FILL) is S.EXPIRED


def test_what_we_denied_never_reaches_a_broker() -> None:
    for event in set(E) - {E.CANCEL_ASKED}:
        with pytest.raises(ImpossibleEventError):
            after(S.DENIED, event)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(list(E)), max_size=30))
def test_a_filled_order_stays_filled_whatever_comes(events: list[OrderEventKind]) -> None:
    state = S.FILLED
    for event in events:
        if event is not E.REJECTED:
            state = after(state, event)
        assert state is S.FILLED


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(list(E)), max_size=30))
def test_only_the_brokers_word_opens_what_was_over(events: list[OrderEventKind]) -> None:
    state = S.SUBMITTING
    for event in events:
        try:
            following = after(state, event)
        except ImpossibleEventError:
            continue
        if state in TERMINAL and following in OPEN:
            assert event in (E.ACCEPTED, *FILLS)
            assert state is S.REJECTED
        state = following


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(S)), st.sampled_from(sorted(E)))
def test_hearing_a_status_twice_is_hearing_it_once(state: OrderState, event: OrderEventKind) -> None:
    """Absent is the exception by design: each reading leads back to sending, which is guarded by two readings."""
    if event is E.ABSENT:
        return
    try:
        once = after(state, event)
    except ImpossibleEventError:
        return
    assert after(once, event) is once
