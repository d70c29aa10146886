"""What was worked out about performance, put into the words of its answer."""

from collections.abc import Mapping, Sequence
from datetime import date

from quantmatrix.common.contracts.asking.performance import (
    Beside,
    Fall,
    Performance,
    PerformancePoint,
    ProfitLine,
    Rates,
    ReturnYear,
    StrategyReturn,
    TaxYear,
)
from quantmatrix.common.names import AccountId
from quantmatrix.common.values import Money
from quantmatrix.portfolio.ledgers import Stood, Walked
from quantmatrix.portfolio.performance.attribution import PnlLine
from quantmatrix.portfolio.performance.benchmark import Comparison, compared
from quantmatrix.portfolio.performance.course import Course
from quantmatrix.portfolio.performance.figures import Drawdown, deepest, drawdown_curve, drawdowns, index_of, longest, monthly, risk_of
from quantmatrix.portfolio.performance.periods import MARKED
from quantmatrix.portfolio.performance.returns import Link, annualised, linked, links_of, money_weighted, over_period, simple
from quantmatrix.portfolio.performance.strategies import StrategyResult
from quantmatrix.portfolio.reports.disposals import RealisedYear


def answered(
    accounts: tuple[AccountId, ...],
    course: Course,
    walked: Sequence[Walked],
    tax_years: Sequence[RealisedYear],
    strategies: Sequence[StrategyResult],
    closes: Mapping[date, float],
    limit: int,
) -> Performance:
    """All that is said of a course with at least one mark."""
    links = links_of(course)
    falls = drawdowns(course.start.on, links)
    lines, realised, unrealised = profit_lines(walked, course)
    found = compared(course.start.on, links, closes)
    explained = sum((amount for _, amount in lines), Money.zero(course.currency))
    return Performance(
        currency=course.currency,
        accounts=accounts,
        first=course.start.on,
        last=course.end.on,
        start=course.start.value,
        end=course.end.value,
        came_in=course.came_in,
        went_out=course.went_out,
        gain=course.gain,
        realised=realised,
        unrealised=None if any(one.told is not None for one in walked) else unrealised,
        rates=_rates(course, links),
        deepest=_fall(deepest(falls)),
        longest=_fall(longest(falls)),
        lines=tuple(ProfitLine(line, amount) for line, amount in lines),
        unexplained=course.gain - explained,
        years=tuple(ReturnYear(one.year, one.months, one.total) for one in monthly(links)),
        tax_years=tuple(_tax_year(one) for one in tax_years),
        strategies=tuple(_strategy(one) for one in strategies),
        points=_points(course, links, limit),
        beside=None if found is None else _beside(found),
    )


def profit_lines(walked: Sequence[Walked], course: Course) -> tuple[list[tuple[str, Money]], Money, Money]:
    """Lines of economic profit, and the changes of what is realised and unrealised.

    Lines are summed from what positions and cash did session by session, not from the values the gain comes from: that both agree
    is a check. Of sessions from before these were kept, there is one line for all marks.
    """
    nothing = Money.zero(course.currency)
    realised = unrealised = nothing
    lines: dict[str, Money] = {}
    for one in walked:
        before, until = _window(one, course)
        if until is None:
            continue
        gained = until.realised - (before.realised if before else nothing)
        stands = until.unrealised - (before.unrealised if before else nothing)
        realised, unrealised = realised + gained, unrealised + stands
        after = before.session if before else date.min
        for name, amount in _lines_of(one, after, until.session, gained + stands):
            lines[name] = lines.get(name, nothing) + amount
    order = [MARKED, *(line.value for line in PnlLine)]
    names = [*order, *sorted(lines.keys() - set(order))]
    return [(name, lines[name]) for name in names if lines.get(name)], realised, unrealised


def _window(one: Walked, course: Course) -> tuple[Stood | None, Stood | None]:
    """Where an account stood before the course's first mark, and at its last one; None where it did not exist yet."""
    before = [stood for stood in one.stood if stood.session <= course.start.on and stood.session != course.marks[0].on]
    until = [stood for stood in one.stood if stood.session <= course.end.on]
    return before[-1] if before else None, until[-1] if until else None


def _lines_of(one: Walked, after: date, until: date, by_lots: Money) -> list[tuple[str, Money]]:
    """The lines of the sessions after a day. by_lots: what is realised and unrealised in them, fees inside."""
    if one.days.known_since is not None and after < one.days.known_since:
        fees = sum((fee for session, fee in one.fees if after < session <= until), Money.zero(by_lots.currency))
        return [(MARKED, by_lots + fees), (PnlLine.COMMISSIONS.value, -fees)]
    return [line for day in one.days.sessions if after < day.session <= until for line in day.lines]


def _rates(course: Course, links: Sequence[Link]) -> Rates:
    total, risk, yearly = linked(links), risk_of(links), money_weighted(course)
    first, last = course.start.on, course.end.on
    return Rates(
        time_weighted=total,
        time_weighted_yearly=annualised(total, first, last),
        money_weighted=over_period(yearly, first, last),
        xirr=yearly,
        simple=simple(course),
        volatility=risk.volatility,
        sharpe=risk.sharpe,
        sortino=risk.sortino,
        best=risk.best,
        worst=risk.worst,
        up_share=risk.up_share,
    )


def _points(course: Course, links: Sequence[Link], limit: int) -> tuple[PerformancePoint, ...]:
    """At most `limit`, evenly apart, counted back from the last one."""
    step = -(-len(links) // limit)
    rows = list(zip(course.marks, index_of(links), drawdown_curve(links), strict=True))
    chosen = rows[(len(rows) - 1) % step :: step]
    return tuple(PerformancePoint(mark.on, mark.value, level - 1.0, below) for mark, level, below in chosen)


def _fall(one: Drawdown | None) -> Fall | None:
    return None if one is None else Fall(one.depth, one.peak_on, one.trough_on, one.recovered_on, one.days)


def _tax_year(one: RealisedYear) -> TaxYear:
    return TaxYear(
        year=one.year,
        treatment=one.treatment.value,
        short=one.short.gain,
        long=one.long.gain,
        unknown=one.unknown.gain,
        disallowed=one.disallowed,
        gain=one.gain,
        closings=one.short.count + one.long.count + one.unknown.count,
        pending=one.pending,
    )


def _strategy(one: StrategyResult) -> StrategyReturn:
    return StrategyReturn(
        triggered_by=one.triggered_by,
        realised=one.realised,
        unrealised=one.unrealised,
        gain=one.gain,
        cost=one.cost,
        lots=one.lots,
        open_lots=one.open_lots,
        unpriced=one.unpriced,
        won=one.won,
        lost=one.lost,
        simple=one.simple,
        xirr=one.yearly,
    )


def _beside(one: Comparison) -> Beside:
    return Beside(
        first=one.first,
        last=one.last,
        sessions=one.sessions,
        own=one.own,
        benchmark=one.benchmark,
        excess=one.excess,
        beta=one.beta,
        alpha=one.alpha,
        correlation=one.correlation,
        tracking_error=one.tracking_error,
        information_ratio=one.information_ratio,
    )
