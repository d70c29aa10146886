"""What an account was worth day by day, and what came in and went out: the one input of every return."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from quantmatrix.common.values import Money


@dataclass(frozen=True, slots=True)
class Mark:
    """What everything was worth at the end of a day, after that day's flows."""

    on: date
    value: Money


@dataclass(frozen=True, slots=True)
class Flow:
    """Money or positions at market value that crossed the border of the account: above zero came in, below zero went out.

    Dividends, interest, fees, taxes and commissions are no flows, they are results.
    """

    on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Course:
    """Marks in order of days, and the flows after the first day's end.

    start: the value at the end of its day, before any of the flows and marks; a new account starts with nothing and its
    opening is a flow. A flow that comes in counts from the start of its day, one that goes out from the end of it. Flows
    of days without a mark count with the next mark. weighted: marks lie far apart, and flows between two of them count by the
    days they were there.
    """

    start: Mark
    marks: tuple[Mark, ...]
    flows: tuple[Flow, ...] = ()
    weighted: bool = False

    @property
    def currency(self) -> str:
        return self.start.value.currency

    @property
    def end(self) -> Mark:
        return self.marks[-1] if self.marks else self.start

    @property
    def came_in(self) -> Money:
        return _sum((flow.amount for flow in self.flows if flow.amount.amount > 0), self.currency)

    @property
    def went_out(self) -> Money:
        """Above zero."""
        return -_sum((flow.amount for flow in self.flows if flow.amount.amount < 0), self.currency)

    @property
    def gain(self) -> Money:
        """Economic profit: what the value changed by that did not cross the border."""
        return self.end.value - self.start.value - self.came_in + self.went_out


def together(courses: Sequence[Course]) -> Course:
    """Several accounts of one currency as one. An account without a mark on a day keeps its last value.

    An account that starts after the first one comes in with what it is worth then. Where marks lie far apart, only days on which every
    such account has one are marks of all, and flows keep their days. Raises ValueError without a course and
    CurrencyMismatchError for several currencies.
    """
    if not courses:
        raise ValueError("at least one course is needed")
    first = min(courses, key=lambda one: one.start.on).start.on
    currency = courses[0].currency
    start = Money.zero(currency)
    far_apart = [one for one in courses if one.weighted]
    shared = (
        {mark.on for one in courses for mark in one.marks if all(_stands(other, mark.on) for other in far_apart)} if far_apart else set()
    )
    flows = [flow for one in courses for flow in (one.flows if shared else _with_marks(one))]
    worth: list[Money] = []
    for one in courses:
        if one.start.on == first:
            start += one.start.value
            worth.append(one.start.value)
        else:
            worth.append(Money.zero(currency))
            if one.start.value:
                flows.append(Flow(one.start.on, one.start.value))
    steps = sorted((mark.on, place, mark.value) for place, one in enumerate(courses) for mark in _marks_from(one, first))
    marks: dict[date, Mark] = {}
    for on, place, value in steps:
        worth[place] = value
        marks[on] = Mark(on, _sum(worth, currency))
    kept = tuple(mark for mark in marks.values() if not shared or mark.on in shared)
    until = kept[-1].on if kept else first
    return Course(
        Mark(first, start), kept, tuple(sorted((flow for flow in flows if flow.on <= until), key=lambda flow: flow.on)), bool(shared)
    )


def _stands(one: Course, on: date) -> bool:
    """Whether the value on a day is known, or there is none yet or no more of it."""
    return on <= one.start.on or on >= one.end.on or any(mark.on == on for mark in one.marks)


def _with_marks(one: Course) -> Iterable[Flow]:
    """Its flows, each on the day of the mark that it counts with; what comes after the last mark is in no value yet."""
    for flow in one.flows:
        day = next((mark.on for mark in one.marks if mark.on >= flow.on), None)
        if day is not None:
            yield Flow(day, flow.amount)


def _marks_from(one: Course, first: date) -> Iterable[Mark]:
    """Its marks, and its own start where that lies after the common one and nothing else is known of that day."""
    if one.start.on != first and one.start.value and all(mark.on != one.start.on for mark in one.marks):
        yield one.start
    yield from one.marks


def between(course: Course, since: date | None, until: date | None) -> Course:
    """The part of a course after the end of `since` and up to the end of `until`.

    Starts with the last mark on or before `since`; flows of days after that mark belong to the part.
    """
    start = course.start
    for mark in course.marks:
        if since is not None and mark.on <= since:
            start = mark
    started = start is not course.start
    last = until or date.max
    marks = tuple(mark for mark in course.marks if mark.on <= last and (mark.on > start.on or not started))
    end = marks[-1].on if marks else start.on
    flows = tuple(flow for flow in course.flows if flow.on <= end and (flow.on > start.on or not started))
    return Course(start, marks, flows, course.weighted)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    total = Money.zero(currency)
    for amount in amounts:
        total += amount
    return total
