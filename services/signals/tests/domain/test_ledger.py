"""A run's ledger: rows are the state, both sides of every row are equal, and facts make the holdings again."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import RunAct, RunState, Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.book import (
    Fact,
    Filled,
    LevelDone,
    RunFill,
    SplitDone,
    after_split,
    cash_after,
    holding_after,
    realised_by,
    rebuilt,
)
from quantmatrix.signals.domain.decisions import FLAT, Holding
from quantmatrix.signals.domain.ledger import Capital, CycleRules, Entry, EntryKind, after, cycle_of, moved, opened, summed
from quantmatrix.signals.domain.run import acts_in, state_after

BASE = Money(10_000, "USD")
RULES = CycleRules(Decimal("0.20"), Decimal("0.80"))
NOTHING = Money(0, "USD")


def fill(side: Side, quantity: int, cents: int) -> RunFill:
    return RunFill(side, Quantity(quantity), Price(Decimal(cents) / 100), Money.parse("0.35", "USD"), Quantity(1))


class Books:
    """A run that books everything it hears."""

    def __init__(self, rules: CycleRules | None) -> None:
        self.rules, self.rows = rules, [opened(BASE)]
        self.facts: list[Fact] = []
        self.holding, self.gained = FLAT, NOTHING

    @property
    def capital(self) -> Capital:
        return summed(self.rows, "USD")

    def fill(self, one: RunFill) -> None:
        before, self.holding = self.holding, holding_after(self.holding, one, 1.0)
        self.facts.append(Filled(one, 1.0))
        kind = EntryKind.BOUGHT if one.side is Side.BUY else EntryKind.SOLD
        self.rows.append(moved(kind, one.paid, (self.holding.cost or NOTHING) - (before.cost or NOTHING)))
        self.gained += realised_by(before, self.holding, one)
        found = cycle_of(self.capital, self.rules)
        if found is not None:
            self.rows.append(found[0])

    def split(self, numerator: int) -> None:
        if self.holding.quantity:
            self.holding = after_split(self.holding, numerator, 1)
            self.facts.append(SplitDone(numerator, 1))

    def level(self, level: int) -> None:
        if self.holding.quantity:
            self.holding = Holding(
                self.holding.quantity, self.holding.initial, self.holding.stop_level, self.holding.levels_done | {level}, self.holding.cost
            )
            self.facts.append(LevelDone(level))


MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(list(Side)), st.integers(1, 60), st.integers(100, 30_000)),
        st.integers(2, 5),
        st.sampled_from([7.0, 8.0]),
    ),
    max_size=40,
)


def heard(moves: list[tuple[Side, int, int] | int | float], rules: CycleRules | None = RULES) -> Books:
    """A run that never sells what it does not hold."""
    books = Books(rules)
    for move in moves:
        if isinstance(move, tuple):
            side, quantity, cents = move
            quantity = quantity if side is Side.BUY else min(quantity, int(books.holding.quantity.value))
            if quantity:
                books.fill(fill(side, quantity, cents))
        elif isinstance(move, float):
            books.level(int(move))
        else:
            books.split(move)
    return books


@settings(max_examples=150)
@given(MOVES)
def test_the_rows_of_the_ledger_are_the_envelope(moves: list[tuple[Side, int, int] | int | float]) -> None:
    books = heard(moves)
    capital = books.capital

    assert capital.cash + capital.invested == capital.base + capital.realised
    assert capital.invested == (books.holding.cost or NOTHING)
    assert capital.base + capital.reserve + capital.realised == BASE + books.gained
    assert capital.cycle == sum(row.kind is EntryKind.CYCLE for row in books.rows)
    assert capital.reserve.amount >= 0 and capital.base >= BASE
    if not books.holding.quantity:
        assert capital.cash + capital.reserve == BASE + books.gained


@settings(max_examples=150)
@given(MOVES)
def test_the_facts_make_the_same_holding_and_the_same_cash_again(moves: list[tuple[Side, int, int] | int | float]) -> None:
    books = heard(moves)
    cash = BASE
    for fact in books.facts:
        cash = cash_after(cash, fact.fill) if isinstance(fact, Filled) else cash

    assert rebuilt(books.facts) == books.holding
    assert cash == books.capital.cash + books.capital.reserve


@settings(max_examples=100)
@given(MOVES, st.integers(0, 39), st.integers(1, 60), st.integers(100, 30_000))
def test_a_correction_leads_where_the_right_fill_would_have_led(
    moves: list[tuple[Side, int, int] | int | float], at: int, quantity: int, cents: int
) -> None:
    wrong = heard(moves, rules=None)
    fills = [index for index, fact in enumerate(wrong.facts) if isinstance(fact, Filled)]
    if not fills:
        return
    place = fills[at % len(fills)]
    one = wrong.facts[place]
    assert isinstance(one, Filled)
    right = fill(one.fill.side, quantity, cents)
    facts = [*wrong.facts[:place], Filled(right, 1.0), *wrong.facts[place + 1 :]]

    holding = rebuilt(facts)
    difference = right.paid - one.fill.paid
    row = moved(EntryKind.CORRECTED, difference, (holding.cost or NOTHING) - (wrong.holding.cost or NOTHING))
    capital = after(wrong.capital, row)

    cash = BASE
    quantity_held = Quantity(0)
    for fact in facts:
        if isinstance(fact, Filled):
            cash = cash_after(cash, fact.fill)
            quantity_held += fact.fill.quantity if fact.fill.side is Side.BUY else -fact.fill.quantity
        elif isinstance(fact, SplitDone) and quantity_held:
            quantity_held = quantity_held.scaled(fact.numerator, fact.denominator)
    assert (capital.cash, holding.quantity) == (cash, quantity_held)
    assert capital.cash + capital.invested == capital.base + capital.realised


def test_the_worked_cycles_of_ten_thousand_as_rows() -> None:
    books = Books(RULES)
    for target in ("12000", "13920", "16147.20", "18730.75"):
        gain = Decimal(target) - books.capital.base.amount
        books.rows.append(moved(EntryKind.SOLD, Money(gain, "USD"), NOTHING))
        found = cycle_of(books.capital, RULES)
        assert found is not None
        books.rows.append(found[0])

    capital = books.capital
    assert (str(capital.base.amount), str(capital.reserve.amount)) == ("18106.39", "2026.60")
    assert capital.realised == NOTHING and capital.cash == capital.base
    assert [row.cycle for row in books.rows if row.kind is EntryKind.CYCLE] == [1, 2, 3, 4]


def test_a_row_whose_sides_differ_is_refused() -> None:
    with pytest.raises(ValueError, match="are not base"):
        Entry(EntryKind.SOLD, cash=BASE, invested=NOTHING, base=NOTHING, reserve=NOTHING, realised=NOTHING)


def test_every_state_says_what_can_be_asked_and_a_stopped_run_nothing() -> None:
    assert acts_in(RunState.RUNNING) == (RunAct.PAUSE, RunAct.FLATTEN, RunAct.KEEP)
    assert acts_in(RunState.PAUSED) == (RunAct.RESUME, RunAct.FLATTEN, RunAct.KEEP)
    assert acts_in(RunState.STOPPING) == (RunAct.KEEP,)
    assert acts_in(RunState.STOPPED) == ()
    assert state_after(RunState.STOPPED, RunAct.RESUME) is None
