"""Numbers without gaps under each key, and watermarks that name what was said before them."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.contracts.codec import decode
from quantmatrix.common.contracts.fills import MatchedWatermark
from quantmatrix.common.contracts.message import Message, Watermark
from quantmatrix.common.runtime.delivery import Delivery, in_order
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.outbox import Counter, number
from quantmatrix.common.runtime.register import Standing, View
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.tiny import fill

WATERMARK = "watermark"
SAYINGS = st.lists(st.lists(st.sampled_from(["A", "B", "C", WATERMARK]), max_size=8), max_size=8)


def _message(what: str) -> Message:
    return like(MatchedWatermark, covers={}) if what == WATERMARK else fill(what, 1)


@given(SAYINGS)
def test_every_key_is_numbered_from_one_without_gaps_over_any_transactions(pages: list[list[str]]) -> None:
    known: dict[str, Counter] = {}
    seen: dict[str, list[int]] = defaultdict(list)
    for page in pages:
        numbered = number([_message(what) for what in page], known)
        known.update(numbered.counters)
        for draft in numbered.drafts:
            seen[draft.key].append(draft.seq)
            assert decode(draft.payload) == draft.message

    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())
    assert {key: counter.seq for key, counter in known.items()} == {key: numbers[-1] for key, numbers in seen.items()}


@given(SAYINGS)
def test_a_watermark_names_all_that_was_said_since_the_one_before_it_and_nothing_else(pages: list[list[str]]) -> None:
    known: dict[str, Counter] = {}
    since: dict[str, int] = {}
    for page in pages:
        numbered = number([_message(what) for what in page], known)
        known.update(numbered.counters)
        for draft in numbered.drafts:
            if isinstance(draft.message, Watermark):
                assert draft.message.covers == since
                since = {}
            else:
                since[draft.key] = draft.seq


def _view(known: dict[str, Standing]) -> View:
    return View(known, KeysHeard({"execution": ("fills.*",)}))


def test_a_watermark_is_covered_when_what_is_heard_here_was_heard_or_stands_still() -> None:
    view = _view({"execution/fills.A": Standing(seq=3), "execution/fills.B": Standing(seq=1, stopped_by=7)})

    assert view.covered({"execution/fills.A": 3})
    assert not view.covered({"execution/fills.A": 4})
    assert view.covered({"execution/fills.B": 9})
    assert not view.covered({"execution/fills.C": 1})
    assert view.covered({"execution/orders.C": 1})
    assert view.covered({})


def test_a_decision_lets_go_of_the_keys_that_stood_still_for_it_alone() -> None:
    view = _view({"execution/fills.A": Standing(seq=3, stopped_by=7), "execution/fills.B": Standing(seq=1, stopped_by=8)})

    assert view.release(7) == ["execution/fills.A"]
    assert view.release(7) == []
    assert (view.of("execution/fills.A").stopped, view.of("execution/fills.B").stopped) == (False, True)
    assert view.moved == {"execution/fills.A": Standing(seq=3)}


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(1, 20)), max_size=20))
def test_deliveries_are_taken_by_number_within_a_key_and_by_arrival_between_keys(arrived: list[tuple[str | None, int]]) -> None:
    fresh = [Delivery("s", b"x", key, seq) for key, seq in arrived]

    taken = in_order(list(fresh))

    assert [one.key for one in taken] == [one.key for one in fresh]
    assert sorted(map(id, taken)) == sorted(map(id, fresh))
    for key in ("a", "b", None):
        numbers = [one.seq for one in taken if one.key == key]
        assert numbers == sorted(numbers)
