"""ATR Options with its preset of sold premium: what it orders to enter, to try again and to leave."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from services.signals.tests.domain.options.test_selling import TODAY, put
from services.signals.tests.strategies.test_atr_matrix import WORKED_ROW, situation

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import Decision, Holding, Leg, Options, Situation
from quantmatrix.signals.domain.memory import Pursuit
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.strategies._atr_options_parameters import AtrOptionsParameters
from quantmatrix.signals.strategies._exits import make_strategy
from quantmatrix.signals.strategies.atr_options import AtrOptions

OWN = InstrumentId("PUT")
SOLD = Pursuit(put("106").contract, Side.SELL, 1, Quantity(4), 106.0)


def strategy(**parameters: Any) -> AtrOptions:
    return AtrOptions(AtrOptionsParameters.model_validate({"preset": "short_premium", **parameters}))


def quote(bid: str = "2.00", ask: str = "2.08", strike: str = "106", dte: int = 45) -> OptionQuote:
    return put(strike, dte, bid, ask, instrument_id=OWN)


def shown(
    *chain: OptionQuote, legs: tuple[Leg, ...] = (), pursuit: Pursuit | None = None, row: Any = WORKED_ROW, days: int = 0
) -> Situation:
    one = situation(row, equity=45_000)
    return replace(one, options=Options(TODAY + timedelta(days=days), chain, legs), memory=replace(one.memory, pursuit=pursuit))


def leg(seen: OptionQuote | None, brought: int = 800) -> Leg:
    """Four puts that brought 800: 2.00 a share."""
    holding = Holding(Quantity(-4), Quantity(-4), 106.0, cost=Money(-brought, "USD"))
    return Leg(OWN, quote().contract, Quantity(100), holding, False, seen)


def only(decided: Any) -> Decision:
    (one,) = decided
    assert isinstance(one, Decision)
    return one


def test_an_entry_of_the_matrix_sells_the_put_one_and_a_half_atrs_below_the_close() -> None:
    """112 - 1.5 x 4 = 106; of 45,000 four times 10,600 are bound; the atr of 3.57 % is HIGH, which takes three quarters of the capital: three."""
    one = shown(quote(), quote(strike="105"), quote(strike="110"))
    entry = only(strategy().decide(one))

    assert (entry.kind, entry.side, entry.quantity, entry.instrument) == (SignalKind.ENTRY, Side.SELL, Quantity(3), OWN)
    assert (entry.limit, entry.stop, entry.targets, entry.stop_level) == (Price.parse("2.02"), None, (), 106.0)
    assert strategy().remember(one).pursuit == Pursuit(quote().contract, Side.SELL, 1, Quantity(3), 106.0)


def test_it_looks_at_the_chain_for_an_entry_and_advises_where_there_is_none() -> None:
    told = only(strategy().decide(situation(WORKED_ROW)))

    assert strategy().wants_options(situation(WORKED_ROW))
    assert (told.kind, told.side) == (SignalKind.ALERT, None) and "a sold put" in told.reasons[-1].text


def test_too_little_capital_is_told_and_sells_nothing() -> None:
    told = only(strategy(secured_pct=20).decide(shown(quote())))

    assert told.side is None and told.reasons[-1].code == "TOO_DEAR"


def test_what_did_not_fill_is_ordered_anew_three_times() -> None:
    tries = [strategy().decide(shown(quote(), pursuit=replace(SOLD, tries=tries))) for tries in (1, 3, 4)]

    assert [only(one).reasons[0].code for one in tries[:2]] == ["REPRICED", "REPRICED"] and tries[2] == ()
    assert only(tries[0]).side is Side.SELL and only(tries[0]).limit == Price.parse("2.02")


@pytest.mark.parametrize(
    ("bid", "ask", "days", "kind", "code"),
    [("0.96", "1.00", 0, SignalKind.TAKE_PROFIT, "PROFIT_TARGET"), ("5.90", "6.10", 0, SignalKind.STOP_LOSS, "STOP_LOSS"),
     ("1.96", "2.00", 25, SignalKind.EXIT, "EXPIRATION")],
)  # fmt: skip
def test_it_buys_back_at_a_quarter_of_the_spread_above_the_middle(bid: str, ask: str, days: int, kind: SignalKind, code: str) -> None:
    seen = quote(bid, ask)
    one = shown(seen, legs=(leg(seen),), days=days)
    decided = only(strategy().decide(one))

    assert (decided.kind, decided.side, decided.quantity, decided.reasons[0].code) == (kind, Side.BUY, Quantity(4), code)
    middle, quarter = (seen.bid.value + seen.ask.value) / 2, (seen.ask.value - seen.bid.value) / 4
    assert decided.limit == Price(middle + quarter) and decided.targets == () and decided.stop is None
    again = only(strategy().decide(shown(seen, legs=(leg(seen),), pursuit=strategy().remember(one).pursuit, days=days)))
    assert (again.limit, again.side, again.reasons[0].code) == (None, Side.BUY, "STILL_HELD")


def test_it_is_kept_while_nothing_speaks_against_it_and_left_with_the_stock() -> None:
    seen = quote("1.96", "2.00")

    assert strategy().decide(shown(seen, legs=(leg(seen),))) == ()
    left = only(strategy().decide(shown(seen, legs=(leg(seen),), row=WORKED_ROW | {"close": 99.0})))
    assert left.reasons[0].code == "UNDERLYING_EXIT" and left.side is Side.BUY


def test_in_its_last_days_it_is_bought_back_also_where_nobody_quotes_it() -> None:
    assert strategy().decide(shown(legs=(leg(None),), days=24)) == ()
    left = only(strategy().decide(shown(legs=(leg(None),), days=25)))
    assert (left.side, left.limit, left.reasons[0].code) == (Side.BUY, None, "EXPIRATION")


def test_a_premium_that_its_commission_ate_is_left_by_the_quote() -> None:
    seen = quote("0.01", "0.01")

    assert only(strategy().decide(shown(seen, legs=(leg(seen, 0),), days=25))).side is Side.BUY


def test_exits_of_a_run_are_refused_by_a_sentence() -> None:
    with pytest.raises(ValidationError, match="sells premium"):
        make_strategy(AtrOptions, {"preset": "short_premium", "exits": {"trail_pct": 5}})


@pytest.mark.parametrize(
    "wrong", [{"short_stop_pct": 49}, {"short_stop_pct": 501}, {"secured_pct": 0}, {"secured_pct": 101}, {"dte_target": 6}, {"max_dte": 21}]
)
def test_parameters_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        strategy(**wrong)


def with_shares(one: Situation, shares: int) -> Situation:
    """The same with shares at 106 that an assignment brought."""
    count = Quantity(shares)
    return replace(one, holding=Holding(count, count, cost=Money(106 * shares, "USD")))


def test_the_wheel_keeps_shares_that_a_call_binds_also_where_a_reverse_split_left_few_and_looks_after_the_call() -> None:
    """1 for 10: the call delivers 10 shares, which cannot be sold meanwhile; it is bought back at half of its premium as ever."""
    wheel, seen = strategy(wheel=True), quote("0.96", "1.00")

    decided = only(wheel.decide(with_shares(shown(seen, legs=(leg(seen),)), 40)))
    kept = wheel.decide(with_shares(shown(legs=(leg(None),)), 40))
    sold = only(wheel.decide(with_shares(shown(), 40)))

    assert (decided.side, decided.instrument, decided.reasons[0].code) == (Side.BUY, OWN, "PROFIT_TARGET")
    assert kept == ()
    assert (sold.side, sold.instrument, sold.quantity, sold.reasons[0].code) == (Side.SELL, None, Quantity(40), "ASSIGNED")
