"""The signal bot on single bars: signals that drop out, the scope of its cooldown, thresholds of regimes, the emergency stop."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from services.signals.tests.strategies.test_atr_matrix import situation

from quantmatrix.common.names import Side, TradingState
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import FLAT, Holding, Situation
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Track
from quantmatrix.signals.strategies.signal_bot import SignalBot, SignalBotParameters

AT = datetime(2024, 3, 6, tzinfo=UTC)
NOTHING: dict[str, float | None] = dict.fromkeys(
    ("rsi", "fast", "slow", "fast_before", "slow_before", "macd", "macd_signal", "histogram_change", "atr")
)
HELD = Holding(Quantity(5), Quantity(5), None)


def bot(**parameters: Any) -> SignalBot:
    return SignalBot(SignalBotParameters.model_validate(parameters))


def shown(row: dict[str, float | None], **more: Any) -> Situation:
    """The three signals as the worked examples have them: an RSI of 24 scores +0.60, one of 40 +0.25."""
    return replace(situation({"close": 112.0, **NOTHING, **row}), at=AT, **more)


def test_a_signal_that_cannot_be_computed_drops_out_and_is_told() -> None:
    """RSI alone: +0.60, where the averages and MACD have too few bars yet."""
    (bought,) = bot().decide(shown({"rsi": 24.0}))
    verdict = bot().judge(shown({"rsi": 24.0}))

    assert (bought.side, bought.metrics["score"]) == (Side.BUY, pytest.approx(0.60))
    assert [(one.code, one.met) for one in bought.reasons] == [("SCORE", True), ("RSI", True), ("AVERAGES", False), ("MACD", False)]
    assert bought.reasons[3].text == "MACD cannot be computed yet and drops out"
    assert verdict.opinion.failed == ("average", "macd") and verdict.verdict.is_open


def test_those_that_are_left_share_the_weight() -> None:
    """(0.33 x 0.60 + 0.33 x tanh(0.1 x 1.2)) / 0.66, with averages of 101.2 and 100: +0.1194."""
    (bought,) = bot().decide(shown({"rsi": 24.0, "fast": 101.2, "slow": 100.0}))

    assert bought.metrics["score"] == pytest.approx((0.60 + 0.1194) / 2, abs=1e-4)


def test_without_any_signal_it_does_nothing_and_says_so() -> None:
    assert bot().decide(shown({})) == ()
    assert bot().judge(shown({})).verdict.code == "SIGNAL_FAILED"


def test_a_signal_that_is_switched_off_is_not_waited_for() -> None:
    assert bot().bars_needed == 15
    assert bot(rsi_weight=0).bars_needed == 20
    assert bot(rsi_weight=0, average_weight=0).bars_needed == 35


@pytest.mark.parametrize(("scope", "trades"), [("product", True), ("bot", False)])
def test_the_cooldown_counts_fills_in_the_instrument_or_in_all_of_the_run(scope: str, trades: bool) -> None:
    """The run bought something else ten minutes before."""
    elsewhere = shown({"rsi": 24.0}, filled_at=AT - timedelta(minutes=10))
    here = replace(elsewhere, memory=replace(NOTHING_KEPT, track=Track(AT - timedelta(minutes=10), Price(50))))

    assert bool(bot(cooldown_scope=scope).decide(elsewhere)) is trades
    assert bot(cooldown_scope=scope).decide(here) == ()
    if not trades:
        assert bot(cooldown_scope=scope).judge(elsewhere).verdict.code == "COOLING_DOWN"
    late = shown({"rsi": 24.0}, filled_at=AT - timedelta(minutes=15))
    assert bot(cooldown_scope=scope).decide(late)


@pytest.mark.parametrize(
    ("regime", "rsi", "buys"),
    [("none", 45.0, False), ("STRONG_TRENDING", 45.0, True), ("STRONG_TRENDING", 46.0, False), ("TRENDING", 46.0, True),
     ("TRENDING", 48.0, False), ("RANGING", 48.0, True), ("RANGING", 49.0, False), ("CHOPPY", 49.0, True)],
)  # fmt: skip
def test_a_regime_acts_from_its_own_score(regime: str, rsi: float, buys: bool) -> None:
    """MACD scores +0.7373 and weighs a hundredth: RSIs of 45, 46, 48 and 49 come to +0.131, +0.106, +0.057 and +0.032 with it."""
    one = bot(regime=regime, temperatures="sensitive", rsi_weight=0.99, average_weight=0.0, macd_weight=0.01)
    row = {"macd": 1.2, "macd_signal": 0.9, "histogram_change": 0.05, "atr": 4.0}

    assert bool(one.decide(shown({**row, "rsi": rsi}))) is buys
    assert not (buys and one.nothing_can_happen(shown({**row, "rsi": rsi}).row, FLAT)), "the screen never says no where it buys"


@pytest.mark.parametrize(
    ("trading", "buys", "sells"),
    [(TradingState.ACTIVE, True, True), (TradingState.REDUCING, False, True), (TradingState.HALTED, False, False)],
)
def test_the_emergency_stop_is_the_trading_state_of_the_account(trading: TradingState, buys: bool, sells: bool) -> None:
    buying, selling = shown({"rsi": 24.0}, trading=trading), shown({"rsi": 85.0}, trading=trading, holding=HELD)

    assert (bool(bot().decide(buying)), bool(bot().decide(selling))) == (buys, sells)
    codes = [bot().judge(one).verdict.code for one in (buying, selling)]
    assert codes == ["" if open_ else "EMERGENCY_STOP" for open_ in (buys, sells)]


def test_sizes_follow_conditions_where_asked_for() -> None:
    """10 % of 100,000 buy 89 at 112. RSI 24 alone is 0.60 sure: x 1.0. In a trend, 0.8 % a day: 1.2 x 1.2 x 1.0 = 1.44, 128 shares."""
    row: dict[str, float | None] = {"rsi": 24.0, "atr_pct": 0.8}
    sizes = {
        case: bot(**told).decide(shown(row))[0].quantity
        for case, told in {
            "fixed": {},
            "calm": {"sizing": "conditions"},
            "calm and trending": {"sizing": "conditions", "regime": "TRENDING", "temperatures": "sensitive"},
            "all of it at most": {"sizing": "conditions", "position_pct": 100.0},
        }.items()
    }

    assert sizes == {"fixed": Quantity(89), "calm": Quantity(107), "calm and trending": Quantity(128), "all of it at most": Quantity(892)}


def test_a_range_that_is_not_known_counts_as_a_wide_one() -> None:
    """0.6 x 1.0 of 10,000: 53 shares at 112."""
    (bought,) = bot(sizing="conditions").decide(shown({"rsi": 24.0}))

    assert bought.quantity == Quantity(53)


def test_a_fair_share_weighs_confidence_and_agreement() -> None:
    """One signal, 0.60 sure, all agree: 0.5 + 2 x (0.60 - 0.85) + 0.3 = 0.3, at least 0.7: 80,000 / 3 x 0.7 = 18,666.67, 166 at 112.
    A fresh cross besides, 0.9 sure: (0.6 + 0.9) / 2 = 0.75 gives 0.6, which is 0.7 again; RSI 0 and the cross are 0.95 sure and weigh 1.
    """
    alone = bot(sizing="fair_share").decide(shown({"rsi": 24.0}))[0].quantity
    sure = (
        bot(sizing="fair_share")
        .decide(shown({"rsi": 0.0, "fast": 101.2, "slow": 100.0, "fast_before": 99.0, "slow_before": 100.0}))[0]
        .quantity
    )

    assert (alone, sure) == (Quantity(166), Quantity(238))


def test_too_little_for_one_lot_is_said_at_its_place_among_the_gates() -> None:
    """10 % of 1,000 do not buy a share at 112; what comes before the size is said first."""
    poor = shown({"rsi": 24.0}, equity=Money(1_000, "USD"))
    track = Track(AT - timedelta(minutes=10), Price(50))
    verdicts = {
        "size": bot().judge(poor).verdict,
        "cooldown": bot().judge(replace(poor, memory=replace(NOTHING_KEPT, track=track))).verdict,
        "confirmation": bot(confirmation_min=5).judge(poor).verdict,
        "stopped": bot().judge(replace(poor, trading=TradingState.HALTED)).verdict,
    }

    assert {case: one.code for case, one in verdicts.items()} == {
        "size": "SIZE_SMALL", "cooldown": "COOLING_DOWN", "confirmation": "NOT_CONFIRMED", "stopped": "SIZE_SMALL",
    }  # fmt: skip
    assert verdicts["size"].detail == "100 USD, at least 112"
    assert bot().decide(poor) == ()


def test_the_least_order_keeps_nobody_in_a_position() -> None:
    """What is left has fallen below the least purchase."""
    fallen = shown({"rsi": 85.0}, holding=HELD, equity=Money(560, "USD"))

    (sold,) = bot(order_min=1_000).decide(fallen)

    assert (sold.side, sold.quantity) == (Side.SELL, Quantity(5))
    assert bot(order_min=1_000).judge(fallen).verdict.is_open
