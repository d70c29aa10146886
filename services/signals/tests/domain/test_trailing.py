"""The trailing exit: breakeven, a stop that never falls, tiers, and the order of its exits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.signals.domain.trailing import ExitReason, Leave, Look, Trail, TrailingRules, advance, opened, trail_distance

T0 = datetime(2024, 3, 5, 15, tzinfo=UTC)
RULES = TrailingRules()


def look(minute: int, high: float, low: float | None = None, close: float | None = None, **more: float) -> Look:
    return Look(T0 + timedelta(minutes=minute), high, high if low is None else low, high if close is None else close, **more)  # type: ignore[arg-type]


def walk(*looks: Look, rules: TrailingRules = RULES) -> tuple[Trail, list[Leave]]:
    trail, leaves = opened(100.0, T0), []
    for one in looks:
        trail, leave = advance(trail, one, rules)
        leaves += [leave] if leave else []
    return trail, leaves


def test_without_a_gain_there_is_no_stop() -> None:
    trail, leaves = walk(look(1, 100.49, 99.0, 100.4))

    assert (trail.stop, leaves) == (None, [])


def test_half_a_percent_up_the_stop_stands_at_breakeven() -> None:
    trail, _ = walk(look(1, 100.5, 100.4))

    assert trail.stop == pytest.approx(100.2)


def test_then_it_trails_the_high_and_never_comes_down() -> None:
    trail, leaves = walk(look(1, 103.0), look(2, 102.5))

    assert trail.stop == pytest.approx(103.0 * 0.992)
    assert leaves == []


def test_the_stop_that_was_known_before_the_bar_is_the_one_that_counts() -> None:
    """The bar's own high lifts the stop for the next bar, not for itself."""
    trail, leaves = walk(look(1, 100.6, 100.5), look(2, 104.0, 101.0), look(3, 103.9, 103.0))

    assert [one.reason for one in leaves] == [ExitReason.STOP]
    assert leaves[0].price == pytest.approx(104.0 * 0.992)
    assert trail.high == 104.0


def test_a_gap_below_the_stop_leaves_at_what_can_be_had() -> None:
    _, leaves = walk(look(1, 103.0), look(2, 99.0, 98.0))

    assert leaves == [Leave(ExitReason.STOP, 99.0, 100.0)]


def test_profit_is_taken_once_at_each_tier() -> None:
    steep = TrailingRules(trail_pct=6.0)
    trail, leaves = walk(look(1, 105.0), look(2, 106.0), look(3, 113.0, 111.0), look(4, 113.0), rules=steep)

    assert [(one.reason, round(one.price, 6), one.share_pct) for one in leaves] == [
        (ExitReason.TAKE_PROFIT, 105.0, 25.0),
        (ExitReason.TAKE_PROFIT, 112.0, 25.0),
    ]
    assert trail.tiers_done == 2


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (look(1, 99.5, rsi=44.9), ExitReason.WEAK),
        (look(1, 100.2, rsi=44.9), None),
        (look(1, 99.5, rsi=45.0), None),
        (look(240, 100.1), ExitReason.TIME),
        (look(239, 100.1), None),
        (look(1, 100.1, volume_ratio=0.19), ExitReason.THIN),
        (look(240, 99.5, rsi=30.0, volume_ratio=0.1), ExitReason.WEAK),
        (look(240, 100.1, volume_ratio=0.1), ExitReason.TIME),
    ],
)
def test_the_other_exits_in_their_order(seen: Look, reason: ExitReason | None) -> None:
    _, leaves = walk(seen)

    assert [one.reason for one in leaves] == ([reason] if reason else [])


def test_factors_widen_the_trail_within_bounds() -> None:
    assert trail_distance(RULES, [1.5, 2.0]) == pytest.approx(2.4)
    assert (trail_distance(RULES, [0.1]), trail_distance(RULES, [100.0])) == (0.4, 6.0)


@pytest.mark.parametrize("wrong", [{"trail_pct": 0.0}, {"breakeven_at_pct": 0.6}, {"tiers": (12.0, 5.0)}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="trail"):
        TrailingRules(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(50, 200), st.floats(0, 5)), min_size=1, max_size=60))
def test_a_stop_only_ever_rises(moves: list[tuple[float, float]]) -> None:
    trail = opened(100.0, T0)
    for minute, (price, below) in enumerate(moves, start=1):
        after, _ = advance(trail, look(minute, price, price - below), RULES)
        assert after.stop is None or after.stop >= (trail.stop or 0.0)
        assert after.high >= trail.high
        trail = after
