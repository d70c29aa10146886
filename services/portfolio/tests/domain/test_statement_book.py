"""The book of an account out of its imported files, as properties: no order matters, nothing is lost, ends are met."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, PriorPosition
from quantmatrix.portfolio.domain.statements_account import AccountBook, Chapter, account_book
from quantmatrix.portfolio.domain.statements_securities import Holder, spelled

FIRST = date(2024, 1, 1)
SYMBOLS = ("ABC", "XYZ")
DAYS = 60


@dataclass(frozen=True)
class Deal:
    """A trade on a day of the two months; units below zero are sold."""

    day: int
    symbol: str
    units: int
    price: int


def entry(number: int, deal: Deal) -> Entry:
    session = FIRST + timedelta(days=deal.day)
    amount = Money(Decimal(-deal.units * deal.price), "USD")
    at = datetime(session.year, session.month, session.day, 15, tzinfo=UTC) + timedelta(minutes=number)
    return Entry(
        EntryKind.TRADE, f"k{number}", Place(number + 1), "one", session, at, amount, Money(1, "USD"), deal.symbol,
        Quantity(deal.units), Price(deal.price), asset="Stocks",
    )  # fmt: skip


def held_before(deals: list[Deal], day: int) -> tuple[PriorPosition, ...]:
    return tuple(
        PriorPosition("one", symbol, Quantity(sum(one.units for one in deals if one.symbol == symbol and one.day < day)))
        for symbol in SYMBOLS
    )


def cash_before(deals: list[Deal], day: int) -> Money:
    return Money(1_000 - sum(one.units * one.price + 1 for one in deals if one.day < day), "USD")


def chapter(deals: list[Deal], first: int, last: int) -> Chapter:
    return Chapter(
        FIRST + timedelta(days=first), FIRST + timedelta(days=last), held_before(deals, first), held_before(deals, last + 1),
        (cash_before(deals, first),), (cash_before(deals, last + 1),),
    )  # fmt: skip


def book(entries: list[Entry], chapters: list[Chapter]) -> AccountBook:
    return account_book("one", entries, chapters, "USD", Holder())


def said(found: AccountBook) -> tuple[object, ...]:
    return (
        sorted(found.replay.every.items()),
        sorted(found.replay.closings, key=lambda one: one.closing_id),
        sorted(found.cash, key=lambda line: (line.about, line.place)),
    )


def cash_of(found: AccountBook) -> Money:
    return sum((line.amount for line in found.cash), Money.zero("USD"))


DEALS = st.lists(
    st.builds(
        Deal, st.integers(0, DAYS - 1), st.sampled_from(SYMBOLS), st.integers(-9, 9).filter(bool), st.integers(1, 9)
    ),
    max_size=14,
)  # fmt: skip
SPANS = st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)), max_size=3)


@given(DEALS, SPANS, st.integers(0, 2**32))
def test_order_of_files_and_rows_does_not_matter_and_the_ends_are_met(deals: list[Deal], spans: list[tuple[int, int]], seed: int) -> None:
    """One file of everything, and any number of others that overlap it."""
    entries = [entry(number, deal) for number, deal in enumerate(deals)]
    chapters = [chapter(deals, 0, DAYS - 1), *(chapter(deals, min(span), max(span)) for span in spans)]
    wanted = book(entries, chapters)
    shuffled = random.Random(seed)
    shuffled.shuffle(entries)
    shuffled.shuffle(chapters)

    assert said(book(entries, chapters)) == said(wanted)
    assert {symbol: wanted.replay.held(("one", symbol)) for symbol in SYMBOLS} == {
        one.symbol: one.quantity for one in held_before(deals, DAYS)
    }
    assert cash_of(wanted) == cash_before(deals, DAYS)
    assert all(lot.basis is not None for lot in wanted.replay.every.values())


@given(DEALS, st.integers(1, DAYS - 2), st.integers(1, 10))
def test_after_a_gap_units_and_cash_are_right_and_nothing_is_guessed(deals: list[Deal], gap: int, days: int) -> None:
    """Files before and after a gap: what happened in it is in no file."""
    after = min(gap + days, DAYS - 1)
    told = [deal for deal in deals if deal.day < gap or deal.day >= after]
    chapters = [chapter(deals, 0, gap - 1), chapter(deals, after, DAYS - 1)]

    found = book([entry(number, deal) for number, deal in enumerate(deals) if deal in told], chapters)

    assert [found.replay.held(("one", symbol)) for symbol in SYMBOLS] == [one.quantity for one in held_before(deals, DAYS)]
    assert cash_of(found) == cash_before(deals, DAYS)
    for symbol in SYMBOLS:
        if held_before(deals, gap) == held_before(deals, after):
            continue
        lots = [lot for lot in found.replay.lots["one", symbol] if lot.quantity and lot.opened_on < FIRST + timedelta(days=after)]
        moved = [one.quantity for one in held_before(deals, gap) if one.symbol == symbol] != [
            one.quantity for one in held_before(deals, after) if one.symbol == symbol
        ]
        assert not moved or all(lot.basis is None for lot in lots)


@given(DEALS)
def test_cash_and_basis_together_are_what_was_there_and_what_was_gained(deals: list[Deal]) -> None:
    found = book([entry(number, deal) for number, deal in enumerate(deals)], [chapter(deals, 0, DAYS - 1)])

    basis = sum((lot.known_basis for lot in found.replay.every.values() if lot.quantity), Money.zero("USD"))
    gained = sum((one.known_realised for one in found.replay.closings), Money.zero("USD"))
    assert cash_of(found) + basis == Money(1_000, "USD") + gained


def test_every_spelling_of_a_contract_is_one() -> None:
    spellings = ("CLOV 16JUL21 20.0 C", "CLOV 16JUL21 20 C", "CLOV  210716C00020000", "CLOV 210716C00020000")

    assert {spelled(one) for one in spellings} == {"CLOV 16JUL21 20 C"}
    assert [spelled(one) for one in ("ABC", "RDS B", "EUR.USD")] == ["ABC", "RDS B", "EUR.USD"]
