"""Rates of return of a course: time-weighted, money-weighted, Modified Dietz and simple. Fractions, not percent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.course import Course, Flow

DAYS_PER_YEAR = 365
_LOG_GROWTH_MAX = 600.0
"""Beyond e^600 over the whole time no rate means anything, and floats end soon after."""
_FIRST_STEP, _STEP_GROWTH = 0.01, 1.25
_BISECTIONS = 200


@dataclass(frozen=True, slots=True)
class Link:
    """How one mark follows from the one before: factor is 1 where nothing was invested, and counted says so."""

    on: date
    factor: float
    counted: bool = True


def links_of(course: Course) -> list[Link]:
    """One link for each mark: (V_end + withdrawals) / (V_begin + deposits).

    Deposits count from the start of the day, withdrawals from its end. With nothing or less at the beginning there is no
    return: the link is skipped. Where marks lie far apart, a link is the Modified Dietz return between them.
    """
    if course.weighted:
        return _weighted_links(course)
    found = []
    before, waiting = course.start.value, sorted(course.flows, key=lambda flow: flow.on)
    place = 0
    for mark in course.marks:
        came = went = Money.zero(course.currency)
        while place < len(waiting) and waiting[place].on <= mark.on:
            amount = waiting[place].amount
            came, went = (came + amount, went) if amount.amount > 0 else (came, went - amount)
            place += 1
        base, end = before + came, mark.value + went
        counted = base.amount > 0
        found.append(Link(mark.on, float(end.amount) / float(base.amount) if counted else 1.0, counted))
        before = mark.value
    return found


def _weighted_links(course: Course) -> list[Link]:
    found, before = [], course.start
    for mark in course.marks:
        own = tuple(flow for flow in course.flows if before.on < flow.on <= mark.on)
        rate = modified_dietz(Course(before, (mark,), own))
        found.append(Link(mark.on, 1.0 if rate is None else 1.0 + rate, counted=rate is not None))
        before = mark
    return found


def linked(links: Sequence[Link]) -> float | None:
    """The return over all links; None when no link counts."""
    if not any(link.counted for link in links):
        return None
    return math.prod(link.factor for link in links) - 1.0


def time_weighted(course: Course) -> float | None:
    """The return of one unit of money that was there all the time: what the decisions earned, whatever was paid in or out."""
    return linked(links_of(course))


def annualised(total: float | None, first: date, last: date) -> float | None:
    """A total return per year of 365 days; None for less than a year, where a yearly figure would be made up."""
    days = (last - first).days
    if total is None or total <= -1.0 or days < DAYS_PER_YEAR:
        return None
    return math.expm1(math.log1p(total) * DAYS_PER_YEAR / days)


def money_weighted(course: Course) -> float | None:
    """XIRR: the yearly rate at which what was paid in grows to what was paid out and is there; None where no rate does."""
    flows = [(course.start.on, -float(course.start.value.amount))]
    flows += [(flow.on, -float(flow.amount.amount)) for flow in course.flows]
    flows.append((course.end.on, float(course.end.value.amount)))
    return xirr(flows)


def over_period(yearly: float | None, first: date, last: date) -> float | None:
    """What a yearly rate comes to between two days."""
    if yearly is None:
        return None
    return math.expm1(math.log1p(yearly) * (last - first).days / DAYS_PER_YEAR)


def xirr(flows: Sequence[tuple[date, float]]) -> float | None:
    """The rate r with Σ flow × (1 + r)^(-days / 365) = 0; paid in is below zero, paid out above.

    Of several such rates it is the one nearest to zero. None where the flows have one sign only, lie on one day, or no
    rate solves it. Found by walking outwards from zero until the sum changes its sign, then by bisection.
    """
    kept = [(on, amount) for on, amount in flows if amount]
    if not kept or min(amount for _, amount in kept) > 0 or max(amount for _, amount in kept) < 0:
        return None
    first = min(on for on, _ in kept)
    dated = [((on - first).days / DAYS_PER_YEAR, amount) for on, amount in kept]
    span = max(years for years, _ in dated)
    if not span:
        return None
    bracket = _bracket(dated, span)
    if bracket is None:
        return None
    log_rate = _bisected(dated, *bracket)
    return math.expm1(log_rate) if log_rate < _LOG_GROWTH_MAX else None


def _present(dated: Sequence[tuple[float, float]], log_rate: float) -> float:
    return math.fsum(amount * math.exp(-log_rate * years) for years, amount in dated)


def _bracket(dated: Sequence[tuple[float, float]], span: float) -> tuple[float, float] | None:
    """Two logarithmic rates, the nearest to zero, between which the present value changes its sign."""
    at_zero = _present(dated, 0.0)
    if not at_zero:
        return 0.0, 0.0
    inner, outer = 0.0, _FIRST_STEP / span
    while outer * span <= _LOG_GROWTH_MAX:
        for sign in (1.0, -1.0):
            if _present(dated, sign * outer) * _present(dated, sign * inner) <= 0:
                return sign * inner, sign * outer
        inner, outer = outer, outer * _STEP_GROWTH
    return None


def _bisected(dated: Sequence[tuple[float, float]], inner: float, outer: float) -> float:
    below = _present(dated, inner)
    for _ in range(_BISECTIONS):
        middle = (inner + outer) / 2
        if middle in (inner, outer):
            break
        value = _present(dated, middle)
        if not value:
            return middle
        inner, outer = (middle, outer) if value * below > 0 else (inner, middle)
    return (inner + outer) / 2


def modified_dietz(course: Course) -> float | None:
    """Gain over the average capital: (V1 - V0 - F) / (V0 + Σ w F), w the part of the time a flow was there, from the end of its day.

    None where the average capital is not above zero. With large flows it and XIRR part ways.
    """
    days = (course.end.on - course.start.on).days
    if not days:
        return None
    average = float(course.start.value.amount) + math.fsum(_weighted(flow, course, days) for flow in course.flows)
    return float(course.gain.amount) / average if average > 0 else None


def _weighted(flow: Flow, course: Course, days: int) -> float:
    return float(flow.amount.amount) * (course.end.on - flow.on).days / days


def simple(course: Course) -> float | None:
    """Gain over everything that was ever put in, whenever that was; None where nothing was."""
    put_in = course.start.value + course.came_in
    return float(course.gain.amount) / float(put_in.amount) if put_in.amount > 0 else None
