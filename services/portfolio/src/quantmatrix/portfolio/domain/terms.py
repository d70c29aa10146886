"""Holding periods: short-term or long-term, by trade dates (Publication 550; Revenue Ruling 66-7)."""

from datetime import date, timedelta
from enum import StrEnum


class Term(StrEnum):
    """How long something was held; unknown while nobody knows since when."""

    SHORT = "short"
    LONG = "long"
    UNKNOWN = "unknown"


def term(acquired: date | None, disposed: date) -> Term:
    """Long when held for more than one year. The holding starts on the day after the trade date; None is an unknown date."""
    if acquired is None:
        return Term.UNKNOWN
    return Term.LONG if disposed >= long_from(acquired) else Term.SHORT


def long_from(acquired: date) -> date:
    """The first day on which a sale is long-term: the day after the trade date, one year later."""
    starts = acquired + timedelta(days=1)
    try:
        return starts.replace(year=starts.year + 1)
    except ValueError:  # 29 February has no day of its own in the next year
        return date(starts.year + 1, 3, 1)
