"""ATR Matrix: its worked example, its identities, its sizes, targets, scale-outs and exits."""

from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding, Situation
from quantmatrix.signals.domain.trend import zone_of
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix, is_aligned
from quantmatrix.signals.testing import US_STOCK_DOOR

WORKED_ROW = {
    "close": 112.0, "bars": 200, "atr": 4.0, "sma20": 107.0, "sma50": 100.0, "sma100": 95.0, "sma200": 90.0, "shortest": 110.0,
    "short": 107.0, "position": 87.5,
}  # fmt: skip


def situation(row: dict[str, float | None], *, holding: Holding = FLAT, pending: bool = False, equity: int = 100_000) -> Situation:
    close = Price.parse(f"{row['close']:.2f}")
    return Situation(row, close, holding, pending, Money(equity, "USD"), US_STOCK_DOOR)


def decide(row: dict[str, float | None], *, preset: str = "v2", **shown: object) -> tuple[Decision, ...]:
    strategy = AtrMatrix(AtrMatrixParameters(preset=preset))
    return tuple(strategy.decide(situation(row, **shown)))


def held(quantity: int = 44, initial: int = 44, stop: float | None = None, done: tuple[int, ...] = ()) -> Holding:
    return Holding(Quantity(quantity), Quantity(initial), stop, frozenset(done))


@pytest.mark.parametrize("preset", ["v1", "v2"])
def test_the_worked_example_is_an_entry_of_44_shares(preset: str) -> None:
    (entry,) = decide(WORKED_ROW, preset=preset)

    assert (entry.kind, entry.side, entry.quantity) == (SignalKind.ENTRY, Side.BUY, Quantity(44))
    assert entry.strength == 1.0
    assert (entry.stop, entry.stop_level) == (Price(106), 106.0)
    assert entry.targets == (Price(128), Price(140), Price(148))
    assert entry.risk_reward == 2.667
    assert entry.horizon_days == 10
    assert entry.valid_for == timedelta(hours=24)
    assert entry.metrics["atr_distance"] == 3.0
    assert entry.metrics["atr_pct"] == pytest.approx(3.571, abs=5e-4)
    assert entry.metrics["atr_pct_multiple"] == pytest.approx(3.36)


def test_the_reasons_name_every_condition_with_its_figures_and_weight() -> None:
    (entry,) = decide(WORKED_ROW)

    assert [(reason.code, reason.met, reason.weight) for reason in entry.reasons[:5]] == [
        ("NEAR_BASE", True, 0.35),
        ("ABOVE_AVERAGE", True, 0.25),
        ("ALIGNED", True, 0.20),
        ("UPPER_RANGE", True, 0.10),
        ("MOVES_ENOUGH", True, 0.10),
    ]
    assert "3.00 ATR" in entry.reasons[0].text
    assert {reason.code for reason in entry.reasons[5:]} == {"RISK_REWARD", "SIZE"}
    assert "44 units" in entry.reasons[6].text


def test_distance_and_multiple_are_two_numbers() -> None:
    """At C=130, SMA50=100, ATR=4 the distance is 7.5 and Jeff Sun's multiple 9.75."""
    (sale, *_) = decide(WORKED_ROW | {"close": 130.0}, holding=held())

    assert sale.metrics["atr_distance"] == 7.5
    assert sale.metrics["atr_pct_multiple"] == pytest.approx(9.75)


@pytest.mark.parametrize(
    ("distance", "zone"),
    [
        (-0.01, "BELOW_BASE"),
        (0, "BUY"),
        (3.99, "BUY"),
        (4, "HOLD"),
        (6.99, "HOLD"),
        (7, "SCALE_OUT"),
        (10, "SCALE_OUT"),
        (10.01, "EXTENDED"),
    ],
)
def test_zones(distance: float, zone: str) -> None:
    assert zone_of(distance) == zone


@pytest.mark.parametrize(
    ("change", "v1", "v2"),
    [
        ({}, 1.00, 1.00),
        ({"position": 50.0}, 0.85, 0.90),
        ({"position": None}, 0.85, 0.90),
        ({"sma200": 96.0}, 0.75, 0.80),
        ({"sma200": None}, 0.75, 0.80),
        ({"close": 109.0, "atr": 3.0}, 0.90, 0.90),
        ({"position": 40.0, "sma200": 96.0, "close": 109.0, "atr": 3.0}, 0.50, 0.60),
    ],
)
def test_strength_is_the_sum_of_the_weights_that_held(change: dict[str, float | None], v1: float, v2: float) -> None:
    row = WORKED_ROW | change

    assert [decision.strength for decision in decide(row, preset="v1")] == [v1]
    assert [decision.strength for decision in decide(row, preset="v2")] == [v2]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"close": 116.05}, "further than 4 ATR from the base"),
        ({"close": 99.99}, "below the base"),
        ({"sma20": 112.0}, "not above the 20-day average"),
        ({"sma20": None}, "no 20-day average"),
        ({"bars": 129}, "less than 65 % of the wanted history"),
        ({"bars": 49}, "fewer than 50 bars"),
        ({"atr": None}, "no ATR"),
        ({"atr": 0.0}, "nothing moves"),
        ({"sma50": None}, "no base"),
    ],
)
def test_there_is_no_entry(change: dict[str, float | None], why: str) -> None:
    assert decide(WORKED_ROW | change) == (), why


def test_there_is_an_entry_at_the_last_tick_of_history_and_distance() -> None:
    assert decide(WORKED_ROW | {"bars": 130})
    assert decide(WORKED_ROW | {"close": 116.0})


def test_there_is_no_entry_while_an_order_is_under_way() -> None:
    assert decide(WORKED_ROW, pending=True) == ()


def test_there_is_no_entry_when_the_envelope_does_not_cover_one_share() -> None:
    assert decide(WORKED_ROW, equity=2_000) == ()
    assert decide(WORKED_ROW, equity=2_240)[0].quantity == Quantity(1)


@settings(max_examples=150, deadline=None)
@given(st.floats(min_value=0.0, max_value=3.999), st.floats(min_value=0.5, max_value=4.0))
def test_risk_to_reward_is_seven_less_the_distance_over_one_and_a_half(distance: float, atr: float) -> None:
    """While the floor of 90 % does not bind: R:R = (7 - d) / 1.5, hence R:R >= 2 exactly when d <= 4."""
    close = 100.0 + distance * atr
    assume(close - 1.5 * atr > 0.90 * close)
    (entry,) = decide(WORKED_ROW | {"close": close, "atr": atr, "sma20": 90.0}, equity=10_000_000)

    measured = (close - 100.0) / atr
    assert entry.risk_reward == pytest.approx((7 - measured) / 1.5, abs=2e-3)
    assert entry.risk_reward >= 2.0


@settings(max_examples=80, deadline=None)
@given(st.floats(min_value=0.0, max_value=4.0))
def test_a_higher_demand_on_risk_to_reward_is_a_smaller_distance(distance: float) -> None:
    """R:R >= 3 exactly when d <= 2.5."""
    assume(abs(distance - 2.5) > 1e-6)
    row = WORKED_ROW | {"close": 100.0 + distance * 2.0, "atr": 2.0, "sma20": 90.0}
    strategy = AtrMatrix(AtrMatrixParameters(risk_reward_min=3.0))

    assert bool(strategy.decide(situation(row))) == (distance < 2.5)


def test_a_wild_stock_has_its_stop_at_ninety_percent() -> None:
    (entry,) = decide(WORKED_ROW | {"close": 110.0, "atr": 10.0, "sma20": 100.0})

    assert entry.stop_level == pytest.approx(99.0)
    assert entry.stop == Price(99)
    assert entry.risk_reward == pytest.approx((170 - 110) / 11, abs=1e-3)


@pytest.mark.parametrize(("distance", "days"), [(0.5, 18), (2.0, 18), (2.5, 10), (3.0, 10), (3.5, 2), (4.0, 2)])
def test_horizons(distance: float, days: int) -> None:
    assert decide(WORKED_ROW | {"close": 100.0 + 4 * distance, "sma20": 90.0})[0].horizon_days == days


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=1_000, max_value=10_000_000), st.floats(min_value=0.1, max_value=4.0), st.floats(min_value=2.0, max_value=8.0))
def test_size_never_exceeds_the_largest_position_nor_the_risk(equity: int, distance: float, atr: float) -> None:
    row = WORKED_ROW | {"close": round(100.0 + distance * atr, 2), "atr": atr, "sma20": 90.0}
    for entry in decide(row, equity=equity):
        close, shares = Price.parse(f"{row['close']:.2f}").value, entry.quantity.value
        assert shares * close * 20 <= equity
        assert shares * (close - entry.stop.value) * 100 <= equity
        grown = shares + 1
        assert grown * close * 20 > equity or grown * (close - entry.stop.value) * 100 > equity


def test_a_tight_stop_makes_the_position_limit_bind_and_a_wide_one_the_risk() -> None:
    narrow, wide = decide(WORKED_ROW), decide(WORKED_ROW | {"atr": 40.0, "close": 110.0, "sma20": 100.0})

    assert narrow[0].quantity == Quantity(44)  # floor(5,000 / 112), though the risk would allow 166
    assert wide[0].quantity == Quantity(45)  # floor(5,000 / 110), though the risk would allow floor(1,000 / 11) = 90


def test_a_quarter_of_the_initial_quantity_is_sold_at_each_level_once() -> None:
    (sale,) = decide(WORKED_ROW | {"close": 128.0}, holding=held())

    assert (sale.kind, sale.side, sale.quantity, sale.level) == (SignalKind.SCALE_OUT, Side.SELL, Quantity(11), 7)
    assert sale.strength == 0.70
    assert sale.valid_for == timedelta(hours=6)
    assert decide(WORKED_ROW | {"close": 128.0}, holding=held(33, done=(7,))) == ()


def test_a_jump_over_several_levels_sells_at_each_of_them() -> None:
    sales = decide(WORKED_ROW | {"close": 137.0}, holding=held())  # 9.25 ATR

    assert [(sale.level, sale.quantity) for sale in sales] == [(7, Quantity(11)), (8, Quantity(11)), (9, Quantity(11))]
    assert [sale.strength for sale in sales] == [0.812, 0.762, 0.712]


def test_overshoot_adds_to_the_strength_up_to_a_limit() -> None:
    sales = decide(WORKED_ROW | {"close": 148.0}, holding=held())  # 12 ATR

    assert [sale.strength for sale in sales] == [0.95, 0.90, 0.85, 0.80]


def test_the_last_quarter_never_sells_more_than_is_left() -> None:
    sales = decide(WORKED_ROW | {"close": 141.0}, holding=held(5, done=(7, 8)))  # levels 9 and 10, five shares left

    assert [(sale.level, sale.quantity) for sale in sales] == [(9, Quantity(5))]


def test_a_holding_too_small_to_quarter_is_left_for_the_exit() -> None:
    assert decide(WORKED_ROW | {"close": 128.0}, holding=held(3, 3)) == ()


def test_a_close_below_the_base_sells_everything() -> None:
    (exit_,) = decide(WORKED_ROW | {"close": 99.99}, holding=held(33, 44, done=(7,)))

    assert (exit_.kind, exit_.side, exit_.quantity) == (SignalKind.EXIT, Side.SELL, Quantity(33))
    assert (exit_.strength, exit_.valid_for) == (0.90, timedelta(hours=12))
    assert exit_.reasons[0].code == "BELOW_BASE"


def test_a_close_at_the_stop_sells_everything_also_above_the_base() -> None:
    (stopped,) = decide(WORKED_ROW | {"close": 101.0}, holding=held(stop=101.0))

    assert (stopped.kind, stopped.quantity) == (SignalKind.STOP_LOSS, Quantity(44))
    assert "101" in stopped.reasons[0].text
    assert decide(WORKED_ROW | {"close": 101.01}, holding=held(stop=101.0)) == ()


def test_a_position_far_above_its_base_gives_one_warning() -> None:
    far = WORKED_ROW | {"close": 148.5}
    (warning,) = decide(far, holding=held(11, done=(7, 8, 9, 10)))

    assert (warning.kind, warning.side, warning.strength) == (SignalKind.RISK_WARNING, None, 0.75)
    assert decide(far, holding=held(11, done=(7, 8, 9, 10, 12))) == ()
    assert decide(WORKED_ROW | {"close": 148.0}, holding=held(11, done=(7, 8, 9, 10))) == ()


def test_the_first_preset_warns_from_ten() -> None:
    (warning,) = decide(WORKED_ROW | {"close": 141.0}, preset="v1", holding=held(11, done=(7, 8, 9)))[-1:]

    assert AtrMatrixParameters(preset="v1").extended_at == 10.0
    assert AtrMatrixParameters(preset="v1", extended_at=11.0).extended_at == 11.0
    assert warning.kind is SignalKind.RISK_WARNING


@pytest.mark.parametrize(("preset", "at", "close", "done"), [("v2", 9.5, 139.0, (7, 8, 9)), ("v1", 10.0, 141.0, (7, 8, 9, 10))])
def test_a_level_at_which_was_sold_is_not_taken_for_the_warning(preset: str, at: float, close: float, done: tuple[int, ...]) -> None:
    """Sold at the level just below, the warning is still to come; once given, it is not given again."""
    matrix, row = AtrMatrix(AtrMatrixParameters(preset=preset, extended_at=at)), WORKED_ROW | {"close": close}

    (warning,) = matrix.decide(situation(row, holding=held(11, done=done)))

    assert warning.kind is SignalKind.RISK_WARNING and warning.level not in done
    assert matrix.decide(situation(row, holding=held(11, done=(*done, warning.level or 0)))) == ()


def test_alignment_needs_every_average_in_order() -> None:
    assert is_aligned(WORKED_ROW)
    assert is_aligned(WORKED_ROW | {"shortest": 107.0})
    assert not is_aligned(WORKED_ROW | {"shortest": 106.99})
    assert not is_aligned(WORKED_ROW | {"sma200": None})


prices = st.floats(min_value=1.0, max_value=500.0)
maybe = st.one_of(st.none(), prices)
rows = st.fixed_dictionaries(
    dict.fromkeys(("close", "atr", "sma20", "sma50", "sma100", "sma200", "shortest", "short"), maybe)
    | {"bars": st.integers(1, 400), "position": st.one_of(st.none(), st.floats(0, 100))}
)
holdings = st.one_of(
    st.just(FLAT),
    st.builds(
        lambda initial, share, stop, done: Holding(Quantity(max(1, initial * share // 100)), Quantity(initial), stop, frozenset(done)),
        st.integers(1, 1_000), st.integers(1, 100), maybe, st.sets(st.sampled_from([7, 8, 9, 10, 12])),
    ),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(rows, holdings, st.booleans(), st.sampled_from(["v1", "v2"]))
def test_what_is_screened_away_would_have_been_decided_against(
    row: dict[str, float | None], holding: Holding, pending: bool, preset: str
) -> None:
    strategy = AtrMatrix(AtrMatrixParameters(preset=preset))
    if strategy.nothing_can_happen(row, holding):
        close = Price.parse(f"{row['close']:.2f}") if row["close"] is not None else Price(1)
        shown = Situation(row, close, holding, pending, Money(1_000_000, "USD"), US_STOCK_DOOR)

        assert strategy.decide(shown) == ()


@settings(max_examples=300, deadline=None)
@given(rows, holdings)
def test_no_decision_ever_sells_more_than_is_held(row: dict[str, float | None], holding: Holding) -> None:
    assume(row["close"] is not None)
    sold = sum(decision.quantity.value for decision in decide(row, holding=holding) if decision.side is Side.SELL)

    assert sold <= holding.quantity.value
