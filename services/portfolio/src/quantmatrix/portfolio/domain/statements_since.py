"""A statement from a day on: what it says of the time before becomes what was held and lay in cash at the beginning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.statements import Entry, Ignored, PriorPosition, Statement, Summary
from quantmatrix.portfolio.domain.statements_cash import moves_of
from quantmatrix.portfolio.domain.statements_replay import replayed

BEFORE_START = "before the start date"


def begun_later(statement: Statement, since: date) -> Statement:
    """The statement without its entries before `since`; units held then have no known basis, as with any earlier time.

    A statement that begins on that day or later is the same. Of one that ends before it nothing is left to book.
    """
    if since <= statement.first:
        return statement
    before = tuple(entry for entry in statement.entries if entry.session < since)
    after = tuple(entry for entry in statement.entries if entry.session >= since)
    replay = replayed(replace(statement, entries=before, positions=()))
    held = tuple(PriorPosition(key[0], key[1], replay.held(key)) for key in replay.lots if replay.held(key))
    kept = {entry.place.line for entry in after}
    gone = {entry.place.line: entry.place for entry in before if entry.place.line not in kept}
    figures = replace(statement.figures, prior=held, cash=tuple(_later(one, before) for one in statement.figures.cash), totals=())
    return replace(
        statement,
        first=since,
        last=max(since, statement.last),
        entries=after,
        ignored=(*statement.ignored, *(Ignored(place, BEFORE_START) for place in gone.values())),
        figures=figures,
    )


def _later(summary: Summary, before: Sequence[Entry]) -> Summary:
    moved = Money.zero(summary.start.currency)
    for entry in before:
        for amount in moves_of(entry):
            if amount.currency == moved.currency:
                moved += amount
    return replace(summary, start=summary.start + moved, moves=summary.moves - moved)
