"""How fast notifications of one kind follow one another: times by hand, and for any stream nothing is lost and no limit broken."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.notify.domain.throttle import WINDOW_S, Throttle


def test_the_second_of_a_kind_waits_out_the_cooldown_and_another_kind_does_not() -> None:
    throttle = Throttle(30.0, 20)

    assert throttle.wait_s("signal high", 1, 0.0) == 0.0
    assert throttle.wait_s("signal high", 2, 10.0) == 20.0
    assert throttle.wait_s("signal high", 3, 10.0) == 50.0
    assert throttle.wait_s("fill normal", 4, 10.0) == 0.0


def test_who_was_given_a_time_keeps_it() -> None:
    throttle = Throttle(30.0, 20)
    throttle.wait_s("a", 1, 0.0)

    assert throttle.wait_s("a", 2, 1.0) == 29.0
    assert throttle.wait_s("a", 3, 29.0) == 31.0
    assert throttle.wait_s("a", 2, 30.0) == 0.0


def test_the_twenty_first_of_a_minute_waits_for_the_first_to_be_a_minute_old() -> None:
    throttle = Throttle(0.0, 20)

    waits = [throttle.wait_s("a", number, 5.0) for number in range(21)]

    assert waits == [0.0] * 20 + [60.0]


@given(arrivals=st.lists(st.floats(0, 300), min_size=1, max_size=60), cooldown=st.floats(0, 40), per_minute=st.integers(1, 25))
def test_everything_goes_out_and_never_faster_than_allowed(arrivals: list[float], cooldown: float, per_minute: int) -> None:
    throttle = Throttle(cooldown, per_minute)

    sent = sorted(now + throttle.wait_s("a", number, now) for number, now in enumerate(sorted(arrivals)))

    assert len(sent) == len(arrivals)
    assert all(after - before >= cooldown - 1e-6 for before, after in itertools.pairwise(sent))
    assert all(after - before >= WINDOW_S - 1e-6 for before, after in zip(sent, sent[per_minute:], strict=False))
