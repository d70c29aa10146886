"""A strategy that peeks is caught and named, in whichever way it does it; those of the slot do not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import polars as pl
import pytest
from services.signals.tests.backtest.making import Script, ScriptParameters, bar, history
from services.signals.tests.chain_file import rows_on

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.options import OptionTerms
from quantmatrix.common.values import Price
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.lookahead import look_ahead
from quantmatrix.signals.backtest.run import made
from quantmatrix.signals.domain.decisions import Because, Decision, Situation
from quantmatrix.signals.domain.options.choosing import OptionQuote

pytestmark = pytest.mark.long(15)
CALLS, PUTS = {("call", Side.BUY), ("call", Side.SELL)}, {("put", Side.BUY), ("put", Side.SELL)}


@pytest.fixture(scope="module")
def apple(reference: Any) -> History:
    bars = []
    for one in reference.bars:
        prices = [Price.parse(f"{getattr(one, name):.2f}") for name in ("open", "high", "low", "close")]
        bars.append(PastBar(one.session, *prices, history().lot_size))
    return history(*bars, symbol="AAPL", splits=reference.splits)


class Peeking(Script):
    """Buys when tomorrow's close is higher; what it calls tomorrow is what the subclasses do differently."""

    def __init__(self, parameters: ScriptParameters) -> None:
        super().__init__(parameters)
        self._seen: list[float] = []

    def decide(self, situation: Situation) -> Any:
        if not situation.holding.quantity and self.rises(situation):
            because = Because("RISES", True, "it will rise")
            return (Decision(SignalKind.ENTRY, 1.0, 1.0, timedelta(days=1), (because,), side=Side.BUY, quantity=situation.door.lot_size),)
        return ()

    def rises(self, situation: Situation) -> bool:
        tomorrow = situation.row.get("tomorrow")
        return tomorrow is not None and tomorrow > (situation.row["close"] or 0.0)


class ByShift(Peeking):
    """The next bar's close as a column."""

    name = "peeks_by_shift"

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return {"close": pl.col("close"), "tomorrow": pl.col("close").shift(-1)}


class ByWholeHistory(Peeking):
    """The highest close of all time, that of the future included."""

    name = "peeks_by_whole_history"

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return {"close": pl.col("close"), "share_of_peak": pl.col("close") / pl.col("close").max()}

    def rises(self, situation: Situation) -> bool:
        return (situation.row["share_of_peak"] or 0.0) < 0.5


class ByMemory(Peeking):
    """Every column is honest, but what went through them is kept, and looked up when deciding."""

    name = "peeks_by_memory"

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return {"close": pl.col("close").map_batches(self._keep, return_dtype=pl.Float64), "bar": pl.int_range(pl.len()).cast(pl.Float64)}

    def _keep(self, closes: pl.Series) -> pl.Series:
        self._seen = closes.to_list()
        return closes

    def rises(self, situation: Situation) -> bool:
        after = int(situation.row["bar"] or 0) + 1
        return after < len(self._seen) and self._seen[after] > (situation.row["close"] or 0.0)


@pytest.mark.parametrize(
    ("peeking", "where"),
    [(ByShift, {"the column tomorrow", "decide"}), (ByWholeHistory, {"the column share_of_peak", "decide"}), (ByMemory, {"decide"})],
)
def test_a_strategy_that_peeks_is_caught_and_named(peeking: type[Peeking], where: set[str]) -> None:
    prices = [10.0, 11.0, 9.0, 12.0, 30.0, 8.0, 14.0, 15.0]
    past = history(*(bar(number, f"{price}", f"{price + 1}", f"{price - 1}", f"{price}") for number, price in enumerate(prices, start=1)))

    verdict = look_ahead(lambda: peeking(ScriptParameters()), [past])

    assert not verdict.is_clean
    assert {one.where for one in verdict.findings} == where
    assert str(verdict.findings[0]).startswith(f"{peeking.name} looks ahead in ")
    assert all(one.symbol == "AAA" and one.known_then != one.known_later for one in verdict.findings)


def test_a_repaint_is_found_at_the_bar_where_it_happens() -> None:
    """The shifted close is missing on the newest bar of every cut; the first cut shows it already."""
    past = history(*(bar(number, "10", "11", "9", "10") for number in range(1, 6)))

    (finding, *_) = look_ahead(lambda: ByShift(ScriptParameters()), [past]).findings

    assert (finding.session, finding.known_then, finding.known_later) == (past.bars[0].session, "no value", "10.0")


@pytest.mark.parametrize("name", sorted(strategies_in_slot()))
def test_no_strategy_of_the_slot_looks_ahead(apple: History, name: str) -> None:
    chosen = strategies_in_slot()[name]
    told = {"weights": {"AAPL": 1.0}, "frequency": "weekly"} if chosen.catalogue.sees_portfolio else {}

    verdict = look_ahead(lambda: made(chosen, told), [apple])

    assert verdict.is_clean, "\n".join(str(one) for one in verdict.findings)
    assert verdict.cuts == len(apple.bars) > 300
    assert verdict.decided > 0, "nothing was decided: the test shows nothing"


@pytest.mark.parametrize(
    ("more", "traded"),
    [
        ({}, CALLS),
        ({"exits": {"trail_pct": 6, "stop_loss_pct": 10, "tiers": [5]}}, CALLS),
        ({"preset": "short_premium"}, PUTS),
        ({"preset": "short_premium", "wheel": True}, {("put", Side.SELL), ("call", Side.SELL)}),
    ],
    ids=["alone", "with exits of a run", "sold premium", "sold premium in turns"],
)
def test_options_are_chosen_and_left_without_looking_ahead(apple: History, more: dict[str, Any], traded: set[tuple[str, Side]]) -> None:
    """At the closes after the first two hundred, from which on the matrix enters: contracts are bought or sold, and what is held is left."""
    named = replace(apple, splits=())
    cuts = len(named.bars) - 200
    chains = chains_on(named)
    chosen = strategies_in_slot()["atr_options"]

    told: list[Decision] = []

    class Listened(chosen):  # type: ignore[misc, valid-type]  # a class that is known at run time
        def decide(self, situation: Situation) -> Sequence[Decision]:
            told.extend(found := super().decide(situation))
            return cast("Sequence[Decision]", found)

    verdict = look_ahead(lambda: made(Listened, {"risk_reward_min": 0.5, **more}), [replace(named, chains=chains)], cuts)
    kinds = {quote.instrument_id: quote.kind for quotes in chains.values() for quote in quotes}
    sides = {(kinds[one.instrument], one.side) for one in told if one.instrument is not None}
    told.clear()
    look_ahead(lambda: made(Listened, {"risk_reward_min": 0.5, **more}), [named], cuts)

    assert verdict.is_clean, "\n".join(str(one) for one in verdict.findings)
    assert sides == traded
    assert [one for one in told if one.instrument is not None] == []


def chains_on(past: History) -> dict[date, tuple[OptionQuote, ...]]:
    found: dict[date, tuple[OptionQuote, ...]] = {}
    for each in past.bars:
        quotes = []
        for symbol, _, expires, kind, strike, bid, ask, *_ in rows_on("AAPL", each.session, float(each.close.value)):
            terms = OptionTerms(str(symbol), expires, kind, Price(strike))  # type: ignore[arg-type]  # rows of a file
            prices = (Price.parse(str(bid)), Price.parse(str(ask)))
            quotes.append(
                OptionQuote(
                    terms.symbol, terms.kind, terms.expires, terms.strike, *prices, 1_000, None, InstrumentId(terms.symbol[4:].strip())
                )
            )
        found[each.session] = tuple(quotes)
    return found
