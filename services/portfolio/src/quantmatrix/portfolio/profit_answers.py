"""What portfolio answers about economic profit: its lines day by day, month by month or year by year."""

import asyncio
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from quantmatrix.common.contracts.asking.performance import ProfitBy, ProfitLine, ProfitPeriod, ProfitPeriods, Profits, ProfitsAsked
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money
from quantmatrix.portfolio.ledgers import LedgerReader, Walked, by_currency
from quantmatrix.portfolio.performance.course import Course, Mark, between, together
from quantmatrix.portfolio.performance.returns import linked, links_of
from quantmatrix.portfolio.performance_words import profit_lines

PERIODS_MAX = 400


async def profits(asked: ProfitsAsked, connection: Connection) -> Profits:
    """One answer for each currency in which the user has an account with a session."""
    walked = await LedgerReader(connection).walked(asked.user_id, asked.account_id)
    return await asyncio.to_thread(_profits, walked, asked)


def _profits(walked: Sequence[Walked], asked: ProfitsAsked) -> Profits:
    return Profits(tuple(_of_currency(currency, own, asked) for currency, own in by_currency(walked).items()))


def _of_currency(currency: str, walked: Sequence[Walked], asked: ProfitsAsked) -> ProfitPeriods:
    course = together([one.course for one in walked])
    ends = [mark for mark in _ends(course.marks, asked.by) if asked.before is None or mark.on < asked.before]
    steps: list[tuple[Mark | None, Mark]] = [(None, ends[0]), *pairwise(ends)] if ends else []
    limit = max(1, min(asked.limit, PERIODS_MAX))
    shown = steps[-limit:]
    periods = [_period(None if before is None else before.on, end, walked, course) for before, end in reversed(shown)]
    return ProfitPeriods(
        currency, tuple(one.account_id for one in walked), tuple(periods), shown[0][1].on if len(steps) > len(shown) else None
    )


def _ends(marks: Sequence[Mark], by: ProfitBy) -> list[Mark]:
    """The last mark of each period."""

    def period(day: date) -> tuple[int, ...]:
        match by:
            case "day":
                return (day.toordinal(),)
            case "month":
                return day.year, day.month
            case "year":
                return (day.year,)

    return list({period(mark.on): mark for mark in marks}.values())


def _period(since: date | None, end: Mark, walked: Sequence[Walked], course: Course) -> ProfitPeriod:
    part = between(course, since, end.on)
    lines, _, _ = profit_lines(walked, part)
    explained = sum((amount for _, amount in lines), Money.zero(course.currency))
    return ProfitPeriod(
        first=part.start.on if since is None else part.marks[0].on,
        last=end.on,
        equity=end.value,
        flows=part.came_in - part.went_out,
        gain=part.gain,
        lines=tuple(ProfitLine(name, amount) for name, amount in lines),
        unexplained=part.gain - explained,
        time_weighted=linked(links_of(part)),
    )
