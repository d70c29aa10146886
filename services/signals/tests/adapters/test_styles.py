"""Classes of two other styles against the same strategy in the slot: identical trades; and what they do wrong is told with its place."""

from typing import Any

import pytest
from services.signals.tests.backtest.test_columns import TENTH, walk

from quantmatrix.common.values import Money
from quantmatrix.signals.adapters.events import Bar, Events, run_events
from quantmatrix.signals.adapters.frame import Frame
from quantmatrix.signals.adapters.frames import CannotAdaptError, from_frames
from quantmatrix.signals.backtest.columns import run_in_columns
from quantmatrix.signals.backtest.engine import Engine
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.lookahead import look_ahead
from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
from quantmatrix.signals.backtest.rules import FillRules, Slippage
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.domain.sizing import Sizing
from quantmatrix.signals.strategies.moving_average_cross import STRATEGY

USD = Money(100_000, "USD")
FAST, SLOW, UNITS = 5, 12, 100
FIXED = Sizing(UNITS, STRATEGY(STRATEGY.parameters()).sizing.share)  # type: ignore[call-arg]  # parameters with defaults


def in_the_slot(past: PackedHistory) -> Any:
    strategy = STRATEGY(STRATEGY.parameters.model_validate({"fast": FAST, "slow": SLOW, "units": UNITS}))
    return Engine(strategy, [past], USD, TENTH).run()


def traded(outcome: Any) -> list[tuple[Any, ...]]:
    return [(one.session, one.decided_on, one.side, one.quantity, one.price, one.fee, one.held_after) for one in outcome.fills]


class EventCross(Events):
    """Whole prices make exact averages, so that this plain way and the slot's see the same crosses."""

    def __init__(self) -> None:
        self.closes: list[float] = []
        self.before = 0.0

    def on_bar(self, bar: Bar) -> None:
        self.closes.append(bar.close)
        if len(self.closes) < SLOW:
            return
        apart = SLOW * sum(self.closes[-FAST:]) - FAST * sum(self.closes[-SLOW:])
        if self.position and apart < 0:
            self.sell()
        elif not self.position and len(self.closes) > SLOW and apart > 0 and self.before <= 0:
            self.buy(UNITS)
        self.before = apart


class FrameCross:
    startup_candle_count = SLOW
    minimal_roi = {"0": 100}  # noqa: RUF012  # as classes of this style are written
    stoploss = -0.99

    def populate_indicators(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        dataframe["fast"] = dataframe["close"].rolling(FAST).mean()
        dataframe["slow"] = dataframe["close"].rolling(SLOW).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        crossed = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[crossed & (dataframe["volume"] > 0), ["enter_long", "enter_tag"]] = (1, "crossed")
        return dataframe

    def populate_exit_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_styles_make_the_trades_of_the_slot(seed: int) -> None:
    past = walk(seed, 900, digits=4)
    expected = in_the_slot(past)

    events = run_events(EventCross(), past, USD, TENTH)
    frames = from_frames(FrameCross, FIXED)

    assert len(expected.fills) > 30
    assert traded(events.outcome()) == traded(expected)
    assert events.outcome().curve == expected.curve
    assert traded(backtest(frames, [past], Job({}, USD, TENTH)).outcome) == traded(expected)
    assert Engine(frames(frames.parameters()), [past], USD, TENTH).run().curve == expected.curve  # type: ignore[call-arg]  # no parameters


def test_a_frame_strategy_takes_the_column_path_and_several_instruments() -> None:
    frames = from_frames(FrameCross, FIXED)
    one = walk(4, 300, digits=4)

    run = run_in_columns(frames(frames.parameters()), one, USD, TENTH)  # type: ignore[call-arg, arg-type]  # no parameters; it has columns

    assert traded(run.outcome()) == traded(in_the_slot(one))


def test_a_frame_strategy_passes_the_test_for_looking_ahead_and_one_that_peeks_does_not() -> None:
    class Peeks(FrameCross):
        def populate_entry_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
            dataframe.loc[dataframe["close"].shift(-1) > dataframe["close"], "enter_long"] = 1
            return dataframe

    past = walk(5, 80, digits=4)
    honest, peeking = from_frames(FrameCross, FIXED), from_frames(Peeks, FIXED)

    assert look_ahead(lambda: honest(honest.parameters()), [past]).is_clean  # type: ignore[call-arg]  # no parameters
    found = look_ahead(lambda: peeking(peeking.parameters()), [past])  # type: ignore[call-arg]  # no parameters
    assert {one.where for one in found.findings} >= {"the column enter", "decide"}


def test_an_event_strategy_decides_the_same_whatever_comes_later() -> None:
    past = walk(6, 300, digits=4)
    whole = traded(run_events(EventCross(), past, USD, TENTH).outcome())

    for end in range(20, 300, 7):
        known = PackedHistory(**{**vars_of(past), "bars": PackedBars(past.bars.frame.head(end), 4)})
        cut = traded(run_events(EventCross(), known, USD, TENTH).outcome())
        assert cut == [fill for fill in whole if fill[0] <= known.sessions[-1]]


def vars_of(past: PackedHistory) -> dict[str, Any]:
    return {name: getattr(past, name) for name in ("instrument_id", "symbol", "currency", "tick_size", "lot_size", "multiplier", "splits")}


class Scaling(Events):
    def on_bar(self, bar: Bar) -> None:
        if self.position < 300:
            self.buy(100)
        elif bar.close > bar.open:
            self.sell(50)


def test_an_event_strategy_may_buy_more_and_sell_a_part() -> None:
    run = run_events(Scaling(), walk(7, 60), USD, TENTH)
    outcome = run.outcome()

    cash, held = USD.amount, 0
    for one in outcome.fills:
        cash -= one.quantity.value * one.price.value * one.side.sign + one.fee.amount
        held += int(one.quantity.value) * one.side.sign
        assert one.held_after.value == held
    assert cash == outcome.curve[-1].cash.amount
    assert {int(one.quantity.value) for one in outcome.fills} == {100, 50}


class Fails(Events):
    def __init__(self, number: int, how: str) -> None:
        self.left, self.how = number, how

    def on_bar(self, bar: Bar) -> None:
        self.left -= 1
        if self.left:
            return
        if self.how == "raise":
            raise ZeroDivisionError("by zero")
        if self.how == "twice":
            self.buy(1)
            self.buy(1)
        if self.how == "nothing":
            self.sell()
        while self.how == "endless":
            self.left += 1


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raise", "Fails raised ZeroDivisionError on AAA, bar 5000 of 5100 .*: by zero"),
        ("twice", "Fails raised ValueError on AAA, bar 5000 of 5100 .*: there is an order on this bar already"),
        ("nothing", "Fails raised ValueError on AAA, bar 5000 of 5100 .*: an order is for a whole number of units above zero, got 0"),
        ("endless", "Fails had not come back from AAA, bar 5000 of 5100 .* after 0.2 s"),
    ],
)
def test_what_goes_wrong_on_a_bar_is_told_with_the_bar(how: str, says: str) -> None:
    with pytest.raises(BacktestError, match=says):
        run_events(Fails(5_000, how), walk(8, 5_100), USD, TENTH, limit_s=0.2)


def test_rules_that_events_cannot_follow_are_refused() -> None:
    with pytest.raises(BacktestError, match="without splits, slippage"):
        run_events(Scaling(), walk(9, 60), USD, FillRules(slippage=Slippage(ticks=1)))


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"can_short": True}, "can_short: nothing is sold short"),
        ({"minimal_roi": {"0": 0.05}}, "minimal_roi .* write the target into populate_exit_trend"),
        ({"stoploss": -0.1}, "stoploss -0.1: write the stop into populate_exit_trend"),
        ({"trailing_stop": True}, "trailing_stop"),
    ],
)
def test_what_a_frame_strategy_would_lose_is_refused(attributes: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotAdaptError, match=says):
        from_frames(type("Wants", (FrameCross,), attributes), FIXED)


class Wrong(FrameCross):
    how = ""

    def populate_indicators(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        if self.how == "missing":
            return dataframe["rsi"]  # type: ignore[return-value]  # the mistake under test
        if self.how == "short":
            return None  # type: ignore[return-value]  # the mistake under test
        if self.how == "unknown":
            return dataframe.iloc[0]  # type: ignore[no-any-return]  # the mistake under test
        while True:
            pass


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", "there is no column 'rsi'; there is date, open, high, low, close, volume"),
        ("short", "populate_indicators returns the frame it was given"),
        ("unknown", "this frame has no 'iloc'"),
        ("endless", "had not finished its frame of 60 bars after 0.2 s"),
    ],
)
def test_a_frame_strategy_that_goes_wrong_is_told_so(how: str, says: str) -> None:
    frames = from_frames(type("Wrong", (Wrong,), {"how": how}), FIXED, limit_s=0.2)

    with pytest.raises(BacktestError, match=says):
        backtest(frames, [walk(10, 60)], Job({}, USD, TENTH))


def test_a_bar_on_which_both_signals_stand_and_the_first_bars_give_none() -> None:
    class Both(FrameCross):
        startup_candle_count = 30

        def populate_entry_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
            dataframe["enter_long"] = 1
            return dataframe

        def populate_exit_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
            dataframe.loc[dataframe["close"].rolling(1).mean() > dataframe["open"], "exit_long"] = 1
            return dataframe

    past = walk(11, 200)
    outcome = backtest(from_frames(Both, FIXED), [past], Job({}, USD, TENTH)).outcome

    first = next(index for index in range(30, 200) if past.closes[index] <= past.opens[index])
    assert [(one.decided_on, one.side.value) for one in outcome.fills] == [(past.sessions[first], "BUY")]
