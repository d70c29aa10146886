"""Exits of a run around a strategy that trades options: stop, profit, trail and days are those of the premium, in percent of its cost."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.signals.tests.domain.options.test_choosing import TODAY, quote
from services.signals.tests.strategies.test_atr_matrix import WORKED_ROW, situation

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import Decision, Holding, Leg, Options
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory, Pursuit
from quantmatrix.signals.ports import OptionStrategy, Strategy
from quantmatrix.signals.strategies._exits import make_strategy
from quantmatrix.signals.strategies.atr_options import AtrOptions

ROW = WORKED_ROW | {"exit_high": 113.0, "exit_low": 111.0, "exit_close": 112.0, "exit_rsi": 55.0, "exit_volume": 1.0}
OWN = InstrumentId("CALL")
CONTRACTS = Quantity(4)


@dataclass
class Course:
    """A strategy on one held contract that cost 800 for four: 2.00 a share, so that a premium of 2.00 is 100 %."""

    strategy: Strategy
    memory: Memory = NOTHING_KEPT
    day: int = 0

    def close(self, middle: str | None, contracts: Quantity = CONTRACTS, *, pending: bool = False) -> Decision | None:
        """What is decided on the next close, at this middle of the premium; None where nobody quotes it."""
        at = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(days=self.day)
        seen = None
        if middle is not None:
            half = Price.parse("0.04")
            seen = quote(bid=str(Price.parse(middle) - half), ask=str(Price.parse(middle) + half), instrument_id=OWN)
        cost = Money(800, "USD").share(contracts, CONTRACTS)
        leg = Leg(OWN, quote().contract, Quantity(100), Holding(contracts, CONTRACTS, cost=cost), pending, seen)
        options = Options(TODAY + timedelta(days=self.day), [seen] if seen else [], [leg])
        shown = replace(situation(ROW), at=at, memory=self.memory, options=options)
        decided = self.strategy.decide(shown)
        self.memory = self.strategy.remember(shown)  # type: ignore[attr-defined]  # exits remember
        self.day += 1
        return decided[0] if decided else None


def course(**exits: Any) -> Course:
    """ATR Options itself sells at +50 % and -50 %."""
    return Course(make_strategy(AtrOptions, {"profit_target_pct": 50, "stop_loss_pct": 50, "exits": exits}))


def test_options_with_exits_still_trade_options() -> None:
    assert isinstance(course(trail_pct=6).strategy, OptionStrategy)


def test_the_trail_follows_the_premium_and_sells_below_it() -> None:
    """From 2.00 to 2.40: 120 % of the cost, less 6 % is 112.8 %, 2.256. At 2.26 it is kept, at 2.25 sold, a quarter of the spread below the middle."""
    one = course(trail_pct=6)

    assert [one.close(middle) for middle in ("2.00", "2.40", "2.26")] == [None, None, None]
    sale = one.close("2.25")

    assert sale is not None and (sale.side, sale.quantity, sale.instrument, sale.kind) == (Side.SELL, CONTRACTS, OWN, SignalKind.STOP_LOSS)
    assert sale.limit == Price.parse("2.23") and "the trailing stop" in sale.reasons[0].text
    assert one.memory.pursuit == Pursuit(quote().contract, Side.SELL, 1, CONTRACTS)


def test_a_sale_that_found_nobody_goes_on_at_any_price() -> None:
    one = course(stop_loss_pct=20)
    first = one.close("1.60")
    waiting, second = one.close("1.90", pending=True), one.close("1.90")

    assert first is not None and first.limit == Price.parse("1.58") and "20 % below the cost" in first.reasons[0].text
    assert waiting is None
    assert second is not None and (second.limit, second.quantity, second.reasons[0].code) == (None, CONTRACTS, "STILL_HELD")


def test_a_tier_sells_its_part_and_what_is_left_goes_on() -> None:
    one = course(tiers=(10, 20), tier_share_pct=25)
    first, second = one.close("2.20"), one.close("2.30", Quantity(3))

    assert first is not None and (first.quantity, first.limit, first.kind) == (Quantity(1), None, SignalKind.TAKE_PROFIT)
    assert second is None and one.memory.pursuit is None
    third = one.close("2.40", Quantity(3))
    assert third is not None and third.quantity == Quantity(1) and "tier 2" in third.reasons[0].text


def test_days_and_a_contract_that_nobody_quotes() -> None:
    one = course(days_max=2)
    decided = [one.close("2.00"), one.close(None), one.close(None), one.close("2.01")]

    assert decided[:3] == [None, None, None]
    assert decided[3] is not None and "EXIT_TIME" in decided[3].reasons[0].code


def test_the_strategys_own_exits_hold_where_the_runs_say_nothing() -> None:
    sale = course(trail_pct=6).close("3.05")

    assert sale is not None and sale.reasons[0].code == "PROFIT_TARGET"
