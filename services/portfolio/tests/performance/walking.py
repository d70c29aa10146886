"""Courses with made-up figures, for the tests of returns."""

from datetime import date, timedelta
from decimal import Decimal

from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.course import Course, Flow, Mark

FIRST = date(2025, 1, 1)


def usd(amount: str | int | Decimal) -> Money:
    return Money(Decimal(amount), "USD")


def on(day: str) -> date:
    return date.fromisoformat(day)


def mark(day: str, value: str | int) -> Mark:
    return Mark(on(day), usd(value))


def flow(day: str, amount: str | int) -> Flow:
    return Flow(on(day), usd(amount))


def daily(start: int, values: list[int], flows: dict[int, int] | None = None) -> Course:
    """A course with a mark each day; flows by the number of their day, the first mark's being 1."""
    return Course(
        Mark(FIRST, usd(start)),
        tuple(Mark(FIRST + timedelta(days=number), usd(value)) for number, value in enumerate(values, start=1)),
        tuple(Flow(FIRST + timedelta(days=number), usd(amount)) for number, amount in sorted((flows or {}).items())),
    )
