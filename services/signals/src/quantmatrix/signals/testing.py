"""Doubles of signals' ports, and the tests that every strategy of the slot passes; also for strategies outside this tree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import ClassVar

import polars as pl
from pydantic import BaseModel, ConfigDict

from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Holding, Portfolio, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import closed_at
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.series import RawBar, Series, Split, series_from
from quantmatrix.signals.engines import Columns, made_of
from quantmatrix.signals.ports import ScreeningStrategy, Strategy

US_STOCK_DOOR = Door(Price.parse("0.01"), Quantity(1), Quantity(1), 1.0)
EQUITY = Money(100_000, "USD")


class FixedHistory:
    """History from values in memory; counts how often it was asked."""

    def __init__(self, columns: Mapping[InstrumentId, BarColumns]) -> None:
        self._columns = dict(columns)
        self.asked = 0

    async def bars(self, instrument: InstrumentId, until: date) -> BarColumns:
        self.asked += 1
        whole = self._columns[instrument]
        end = sum(session <= until for session in whole.sessions)
        return BarColumns(
            instrument_id=instrument,
            timeframe=whole.timeframe,
            sessions=whole.sessions[:end],
            open=whole.open[:end],
            high=whole.high[:end],
            low=whole.low[:end],
            close=whole.close[:end],
            volume=whole.volume[:end],
            actions=tuple(action for action in whole.actions if action.effective <= until),
        )


class FixedChains:
    """Chains from values in memory; a quote whose option has expired is left out."""

    def __init__(self, quotes: Mapping[InstrumentId, Sequence[OptionQuote]]) -> None:
        self._quotes = dict(quotes)

    async def chain(self, underlying: InstrumentId, session: date) -> Sequence[OptionQuote]:
        return [quote for quote in self._quotes.get(underlying, ()) if quote.expires >= session]


class NoParameters(BaseModel):
    """A strategy with nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BuyOneLot:
    """The smallest strategy there is: one lot when flat, nothing else. For tests of whatever surrounds a strategy."""

    name: ClassVar[str] = "buy_one_lot"
    title: ClassVar[str] = "Buy one lot"
    parameters: ClassVar[type[BaseModel]] = NoParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        Category.STOCKS, Complexity.BEGINNER, Money(1, "USD"), "for ever", ("daily bars",), 1, "Buys one lot and keeps it."
    )

    def __init__(self, parameters: NoParameters) -> None:
        self._parameters = parameters

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return {"close": pl.col("close")}

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return {"close": pl.col("close")}

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        return bool(holding.quantity)

    def decide(self, situation: Situation) -> Sequence[Decision]:
        if situation.holding.quantity or situation.pending:
            return ()
        because = Because("FLAT", True, "nothing is held")
        return (
            Decision(
                SignalKind.ENTRY, 1.0, 1.0, timedelta(hours=24), (because,), side=Side.BUY, quantity=situation.door.lot_size, stop_level=1.0
            ),
        )


def situation_at(
    strategy: Strategy,
    series: Series,
    holding: Holding = FLAT,
    *,
    pending: bool = False,
    equity: Money = EQUITY,
    portfolio: Portfolio | None = None,
) -> Situation:
    """What a strategy is shown on a series' latest bar, for a US stock."""
    close = Price.parse(f"{series.frame.item(-1, 'close') / series.factor:.6f}")
    session = series.last_session
    return Situation(
        row=series.latest(strategy.columns()),
        close=close,
        holding=holding,
        pending=pending,
        equity=equity,
        door=replace(US_STOCK_DOOR, factor=series.factor),
        portfolio=portfolio,
        at=closed_at(session) if session is not None else None,
    )


class StrategyContract:
    """What must hold for every strategy. Subclass it in a test module, set `strategy`, and give it `bars` with something happening."""

    strategy: ClassVar[type[Strategy]]
    bars: ClassVar[Sequence[RawBar]]
    splits: ClassVar[Sequence[Split]] = ()

    def made(self) -> Strategy:
        """The strategy with its default parameters."""
        return self.strategy(self.strategy.parameters())  # type: ignore[call-arg]  # made from its own parameters

    def portfolio(self, known: Series, holding: Holding) -> Portfolio | None:
        """The rest of the run, for strategies that see it."""
        return None

    def shown(self, strategy: Strategy, known: Series, holding: Holding) -> Situation:
        """What the strategy is shown on the latest bar of a history."""
        return situation_at(strategy, known, holding, portfolio=self.portfolio(known, holding))

    def shown_holding_each(self, strategy: Strategy, known: Series) -> Iterator[Situation]:
        """What it is shown with every one of the holdings; the row is that of the bars alone, so it is computed once."""
        flat = self.shown(strategy, known, FLAT)
        for holding in self.holdings():
            yield replace(flat, holding=holding, portfolio=self.portfolio(known, holding))

    def cuts(self, first: int = 1) -> Iterator[Series]:
        """The history as it was known at each bar from the `first` on."""
        for end in range(first, len(self.bars) + 1):
            known = self.bars[:end]
            yield series_from(known, [split for split in self.splits if split.effective <= known[-1].session])

    def holdings(self) -> tuple[Holding, ...]:
        """Flat, freshly bought, and sold down."""
        price = float(self.bars[0].close)
        return (
            FLAT,
            Holding(Quantity(40), Quantity(40), stop_level=price * 0.9),
            Holding(Quantity(10), Quantity(40), stop_level=price * 0.9, levels_done=frozenset({7, 8, 9})),
        )

    def test_it_has_a_name_a_title_and_parameters_with_defaults_and_words(self) -> None:
        assert self.strategy.name.isidentifier()
        assert self.strategy.title
        for field in self.strategy.parameters.model_fields.values():
            assert not field.is_required()
            assert field.title and field.description

    def test_its_catalogue_entry_tells_what_it_needs_and_claims_nothing(self) -> None:
        entry = self.strategy.catalogue

        assert entry.summary and entry.horizon and entry.needs
        assert entry.bars_min >= 1
        assert entry.capital_min.amount > 0
        assert "%" not in entry.summary

    def test_a_parameter_that_does_not_exist_is_refused(self) -> None:
        if self.strategy.parameters.model_config.get("extra") != "forbid":
            raise AssertionError(f"{self.strategy.parameters.__name__} takes parameters that it does not know")

    def test_a_column_never_changes_when_later_bars_arrive(self) -> None:
        columns = self.made().columns()
        whole = series_from(self.bars, self.splits).frame.select(**columns)
        for end, known in enumerate(self.cuts(), start=1):
            assert known.frame.select(**columns).row(-1) == whole.row(end - 1), f"repainted at {self.bars[end - 1].session}"

    def test_columns_that_are_carried_are_those_of_all_bars_bit_for_bit(self) -> None:
        made = made_of(self.made())
        if made.tails is None:
            return
        key, live, seen = InstrumentId("ID-LIVE"), Series(), 0
        whole = {
            which: series_from(self.bars, self.splits).frame.select(**columns).rows(named=True) for which, columns in made.columns.items()
        }
        for number, bar in enumerate(self.bars):
            for split in self.splits:
                if split.effective <= bar.session:
                    live.apply(split)
            live.append(bar)
            made.tails.advance({key: live})
            for which in Columns:
                row = made.tails.row(which, key)
                seen += row is not None
                assert row is None or row == whole[which][number], f"{which}: another value on {bar.session}"
        assert seen, "nothing was ever carried: these bars are too few to show anything"

    def test_the_same_situation_gives_the_same_decisions(self) -> None:
        one, other = self.made(), self.made()
        for known in self.cuts(first=len(self.bars) - 20):
            for shown in self.shown_holding_each(one, known):
                assert one.decide(shown) == one.decide(shown) == other.decide(shown)

    def test_the_screen_never_skips_a_decision(self) -> None:
        strategy = self.made()
        screened = 0
        for known in self.cuts():
            row = known.latest(strategy.screen_columns())
            for shown in self.shown_holding_each(strategy, known):
                if strategy.nothing_can_happen(row, shown.holding):
                    screened += 1
                    assert not strategy.decide(shown), f"skipped at {known.last_session}"
        assert screened, "the screen never screened anything: it would not be missed"

    def test_screening_by_columns_never_skips_a_decision(self) -> None:
        strategy = self.made()
        if not isinstance(strategy, ScreeningStrategy):
            return
        screened = 0
        for known in self.cuts():
            columns = known.frame.select("close").with_columns(known.frame.select(**strategy.columns()))
            latest = columns.select("close", enter=strategy.may_enter(), leave=strategy.may_leave()).row(-1, named=True)
            for shown in self.shown_holding_each(strategy, known):
                holding = shown.holding
                stopped = holding.stop_level is not None and (latest["close"] or 0.0) <= holding.stop_level
                if not (latest["leave"] or stopped if holding.quantity else latest["enter"]):
                    screened += 1
                    assert not strategy.decide(shown), f"skipped at {known.last_session}"
        assert screened, "the columns never screened anything: they would not be missed"

    def test_the_columns_of_a_holding_are_all_that_its_decision_reads(self) -> None:
        strategy = self.made()
        for known in self.cuts(first=len(self.bars) - 20):
            for holding in self.holdings():
                if holding.quantity:
                    shown = self.shown(strategy, known, holding)
                    fewer = replace(shown, row=known.latest(strategy.columns(held=True)))
                    assert strategy.decide(fewer) == strategy.decide(shown)

    def test_every_decision_says_why_and_can_be_carried_out(self) -> None:
        strategy = self.made()
        made = 0
        for known in self.cuts():
            for shown in self.shown_holding_each(strategy, known):
                holding, decisions = shown.holding, strategy.decide(shown)
                made += len(decisions)
                sold = Quantity(0)
                for decision in decisions:
                    _check(decision)
                    if decision.side is Side.SELL and decision.quantity is not None:
                        sold += decision.quantity
                assert sold <= holding.quantity, f"sells more than is held at {known.last_session}"
        assert made, "these bars make the strategy decide nothing: the test shows nothing"


def _check(decision: Decision) -> None:
    assert decision.reasons
    assert all(reason.code and reason.text for reason in decision.reasons)
    assert 0.0 <= decision.strength <= 1.0
    assert 0.0 <= decision.confidence <= 1.0
    assert decision.valid_for > timedelta(0)
    assert (decision.side is None) == (decision.quantity is None)
    if decision.quantity is not None:
        assert decision.quantity.value > 0
        assert decision.quantity == decision.quantity.floored_to(US_STOCK_DOOR.lot_size)
