"""End figures that differ from what the rows make: by rows that are missing or were changed, or by sections that were not exported.

A sum that a section prints over its own rows, and a line of the cash report that has a section of its own, leave no doubt. Other
differences inform and reject nothing: the gains of futures come into cash day by day, and rows that nobody understood are missing on purpose.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from quantmatrix.common.values import Money, plain
from quantmatrix.portfolio.domain.statements import Statement, Summary
from quantmatrix.portfolio.domain.statements_cash import is_marked_daily, moves_of
from quantmatrix.portfolio.domain.statements_closings import Ends
from quantmatrix.portfolio.domain.statements_identities import CENTS, Cause, Difference

TRADES, ACTIONS = "Trades", "Corporate Actions"
TAXES = frozenset({"GST", "HST", "Sales Tax", "VAT"})
"""Taxes on commissions, which are part of a trade's commission, and on fees, of which no row tells."""
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Group:
    """Lines of the cash report that the rows of these sections make, and no others."""

    lines: frozenset[str]
    sections: frozenset[str]


_GROUPS = (
    _Group(
        frozenset({
            "Trades (Sales)", "Trades (Purchase)", "Net Trades (Sales)", "Net Trades (Purchase)", "Commissions", "Commission Adjustments",
            "Transaction Fees", *TAXES,
        }),
        frozenset({TRADES, ACTIONS, "Commission Adjustments", "Transaction Fees", "Sales Tax"}),
    ),
    _Group(frozenset({"Deposits", "Withdrawals"}), frozenset({"Deposits & Withdrawals", "Deposits/Withdrawals", "Deposits"})),
    _Group(
        frozenset({"Dividends", "Payment In Lieu of Dividends", "Payment in Lieu of Dividends"}),
        frozenset({"Dividends", "Payment In Lieu Of Dividends"}),
    ),
    _Group(frozenset({"Withholding Tax", "871(m) Withholding"}), frozenset({"Withholding Tax", "871(m) Withholding"})),
    _Group(
        frozenset({"Broker Interest Paid and Received", "Bond Interest Paid and Received"}),
        frozenset({"Interest", "Broker Interest Paid", "Broker Interest Received", "Bond Interest Paid", "Bond Interest Received"}),
    ),
    _Group(
        frozenset({"Other Fees", "Broker Fees", "Advisor Fees", "Client Fees"}),
        frozenset({"Fees", "Other Fees", "Broker Fees", "Advisor Fees", "CYEP/Broker Fees"}),
    ),
)  # fmt: skip


def without_sections(statement: Statement, positions: Ends, cash: Ends) -> tuple[Ends, Ends]:
    """Positions and cash, where the file lacks the sections whose rows would make them, with that cause."""
    if not _is_judged(statement):
        return positions, cash
    causes = {
        one.name: Cause.UNTOLD_TAX if all(_is_tax(statement, one, group) for group in groups) else Cause.NOT_EXPORTED
        for one, groups in _guilty(statement, cash)
        if not any(_is_contradicted(statement, one, group) for group in groups)
    }
    told = tuple(replace(one, cause=causes[one.about], note="") if one.about in causes else one for one in cash.differences)
    held = positions.differences
    if TRADES not in statement.figures.sections:
        held = tuple(replace(one, cause=Cause.NOT_EXPORTED) for one in held)
    return replace(positions, differences=held), replace(cash, differences=told)


def contradictions(statement: Statement, cash: Ends, totals: Ends) -> list[str]:
    """What the file prints as a sum over rows that are in it, where they do not make it; in words."""
    if not _is_judged(statement):
        return []
    sections = [one.section for one in statement.figures.totals]
    found = [
        f"line {one.line}: {one.about} are printed as {plain(one.printed.amount)} in sum and their rows make {plain(one.expected.amount)}"
        for one in totals.differences
        if sections.count(one.about) == 1
    ]
    found += [
        f"{one.name} is printed as {plain(one.end.amount)} and the rows make {plain((one.start + _made(statement, one)).amount)}"
        f" ({_named(groups, statement, one)})"
        for one, guilty in _guilty(statement, cash)
        if (groups := [group for group in guilty if _is_contradicted(statement, one, group)])
    ]
    return found


def _is_contradicted(statement: Statement, summary: Summary, group: _Group) -> bool:
    """Whether the file has the rows that should make a group's lines, so that some are missing or were changed.

    Where the trades make the sums below them, none is missing: what differs is cash of corporate actions, if these were not exported.
    """
    if not group.sections & statement.figures.sections or _is_tax(statement, summary, group):
        return False
    return TRADES not in group.sections or ACTIONS in statement.figures.sections or not statement.figures.whole_trades


def _is_tax(statement: Statement, summary: Summary, group: _Group) -> bool:
    """Whether a group is off by no more than sales tax that the cash report prints, of which rows tell only in commissions."""
    tax = sum((one.amount for one in summary.lines if one.name in TAXES & group.lines), Money.zero(summary.end.currency))
    gap = _gap(statement, summary, group)
    return tax.amount * gap.amount > 0 and abs(gap).amount <= abs(tax).amount + _CENT


def _is_judged(statement: Statement) -> bool:
    """Whether every row is understood, of one account, and nothing in it is paid by another rule than its rows say."""
    return (
        bool(statement.figures.sections)
        and len(statement.accounts) == 1
        and not statement.unread
        and not any(is_marked_daily(entry) for entry in statement.entries)
    )


def _guilty(statement: Statement, cash: Ends) -> Iterator[tuple[Summary, list[_Group]]]:
    """Currencies whose cash differs, with the groups of lines that alone make the difference. Lines of a longer time are not looked at."""
    differing = {one.about: one for one in cash.differences}
    for summary in statement.figures.cash:
        if summary.name not in differing or abs(_lines(summary) - summary.moves).amount > _CENT:
            continue
        apart = [(group, gap) for group in _GROUPS if abs(gap := _gap(statement, summary, group)).amount > _CENT]
        together = sum((gap for _, gap in apart), Money.zero(summary.end.currency))
        if apart and _is_all(differing[summary.name], together):
            yield summary, [group for group, _ in apart]


def _is_all(difference: Difference, together: Money) -> bool:
    return abs(difference.amount - together).amount <= CENTS


def _lines(summary: Summary) -> Money:
    return sum((one.amount for one in summary.lines), Money.zero(summary.end.currency))


def _gap(statement: Statement, summary: Summary, group: _Group) -> Money:
    """What the lines of a group print less what its rows make."""
    return _printed(summary, group) - _made(statement, summary, group)


def _printed(summary: Summary, group: _Group) -> Money:
    return sum((one.amount for one in summary.lines if one.name in group.lines), Money.zero(summary.end.currency))


def _made(statement: Statement, summary: Summary, group: _Group | None = None) -> Money:
    total = Money.zero(summary.end.currency)
    for entry in statement.entries:
        if group is None or entry.place.section in group.sections:
            total = sum((amount for amount in moves_of(entry) if amount.currency == total.currency), total)
    return total


def _named(groups: Sequence[_Group], statement: Statement, summary: Summary) -> str:
    return "; ".join(
        f"{', '.join(sorted(one.name for one in summary.lines if one.name in group.lines) or sorted(group.sections))}: "
        f"{plain(_printed(summary, group).amount)} printed, the rows make {plain(_made(statement, summary, group).amount)}"
        for group in groups
    )
