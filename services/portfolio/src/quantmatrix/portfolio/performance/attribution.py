"""Where economic profit comes from: lines that sum to the change of the value less what crossed the border, exactly."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Price, Quantity, notional

ONE = Quantity(1)


class PnlLine(StrEnum):
    """The lines, as a statement's change of value has them."""

    PRIOR_POSITIONS = "mark to market of prior positions"
    TRANSACTIONS = "mark to market of transactions"
    COMMISSIONS = "commissions"
    DIVIDENDS = "dividends"
    PAYMENT_IN_LIEU = "payment in lieu of dividends"
    RETURN_OF_CAPITAL = "return of capital"
    WITHHOLDING_TAX = "withholding tax"
    CREDIT_INTEREST = "credit interest"
    DEBIT_INTEREST = "debit interest"
    BORROW_FEES = "borrow fees"
    LENDING_INTEREST = "interest for lent shares"
    OTHER_FEES = "other fees"
    TRANSACTION_TAXES = "transaction taxes"
    DIVIDEND_ACCRUALS = "change in dividend accruals"
    INTEREST_ACCRUALS = "change in interest accruals"
    ADJUSTMENTS = "other adjustments"
    CURRENCY = "currency translation"


@dataclass(frozen=True, slots=True)
class Held:
    """A position at a close, in the units and at the raw price of that moment."""

    instrument_id: InstrumentId
    quantity: Quantity
    price: Price
    multiplier: Quantity = ONE


@dataclass(frozen=True, slots=True)
class Standing:
    """An account in one currency at one moment."""

    cash: Money
    held: tuple[Held, ...] = ()
    dividend_accruals: Money | None = None
    interest_accruals: Money | None = None

    @property
    def value(self) -> Money:
        """Everything together: what the statement calls net asset value."""
        total = self.cash
        for one in self.held:
            total += notional(one.price, one.quantity, one.multiplier, self.cash.currency)
        return total + accrued(self.dividend_accruals, self.cash) + accrued(self.interest_accruals, self.cash)


@dataclass(frozen=True, slots=True)
class Traded:
    """An execution: signed quantity, the cash its value moved (below zero for a purchase), and its fee (above zero costs)."""

    instrument_id: InstrumentId
    quantity: Quantity
    moved: Money
    fee: Money


@dataclass(frozen=True, slots=True)
class Moved:
    """A position that crossed the border of the account: signed quantity and its value then, signed alike."""

    instrument_id: InstrumentId
    quantity: Quantity
    value: Money


@dataclass(frozen=True, slots=True)
class Day:
    """What happened between two standings of one currency. splits: new units for old ones, effective in between."""

    before: Standing
    after: Standing
    traded: tuple[Traded, ...] = ()
    entries: tuple[tuple[PnlLine, Money], ...] = ()
    deposits: tuple[Money, ...] = ()
    transfers: tuple[Moved, ...] = ()
    splits: Mapping[InstrumentId, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attribution:
    """start + flows + Σ lines + unexplained = end, exactly.

    flows: what crossed the border, net. unexplained: cash or units that nothing in the input accounts for; zero where
    the input is whole, and never hidden in a line.
    """

    start: Money
    end: Money
    flows: Money
    lines: dict[PnlLine, Money]
    unexplained: Money

    @property
    def profit(self) -> Money:
        """Economic profit: the change of the value less the flows."""
        return self.end - self.start - self.flows


def accrued(amount: Money | None, like: Money) -> Money:
    return Money.zero(like.currency) if amount is None else amount


def attribute(day: Day) -> Attribution:
    """The lines of one day in its own currency."""
    before, after, currency = day.before, day.after, day.before.cash.currency
    lines: dict[PnlLine, Money] = {}
    flows = _sum([*day.deposits, *(one.value for one in day.transfers)], currency)
    cash = before.cash + _sum(day.deposits, currency)
    for trade in day.traded:
        _add(lines, PnlLine.COMMISSIONS, -trade.fee)
        cash += trade.moved - trade.fee
    for line, amount in day.entries:
        _add(lines, line, amount)
        cash += amount
    prior, transactions, unexplained = _marked(day)
    _add(lines, PnlLine.PRIOR_POSITIONS, prior)
    _add(lines, PnlLine.TRANSACTIONS, transactions)
    _add(lines, PnlLine.DIVIDEND_ACCRUALS, accrued(after.dividend_accruals, cash) - accrued(before.dividend_accruals, cash))
    _add(lines, PnlLine.INTEREST_ACCRUALS, accrued(after.interest_accruals, cash) - accrued(before.interest_accruals, cash))
    return Attribution(before.value, after.value, flows, _ordered(lines), unexplained + (after.cash - cash))


def _marked(day: Day) -> tuple[Money, Money, Money]:
    """Mark to market of prior positions, of transactions, and the value of units that came from nowhere."""
    currency = day.before.cash.currency
    prior = transactions = unexplained = Money.zero(currency)
    old, new = ({one.instrument_id: one for one in standing.held} for standing in (day.before, day.after))
    touched = {one.instrument_id for one in day.traded} | {one.instrument_id for one in day.transfers}
    for instrument_id in sorted({*old, *new} | touched):
        was = old.get(instrument_id)
        started = was.quantity.scaled(*day.splits.get(instrument_id, (1, 1))) if was is not None else Quantity(0)
        moved, spent = _moved(day, instrument_id)
        closing = _closing(was, new.get(instrument_id), day.splits.get(instrument_id, (1, 1)))
        if closing is None:
            if started + moved:
                raise ValueError(f"no price for the {started + moved} {instrument_id} that should be held")
            transactions -= spent
            continue
        opened = notional(was.price, was.quantity, was.multiplier, currency) if was is not None else Money.zero(currency)
        at_start, at_end = (notional(closing.price, units, closing.multiplier, currency) for units in (started, started + moved))
        prior += at_start - opened
        transactions += at_end - at_start - spent
        unexplained += _value(new.get(instrument_id), currency) - at_end
    return prior, transactions, unexplained


def _moved(day: Day, instrument_id: InstrumentId) -> tuple[Quantity, Money]:
    """What came in units, and what was given for it."""
    units, spent = Quantity(0), Money.zero(day.before.cash.currency)
    for trade in day.traded:
        if trade.instrument_id == instrument_id:
            units, spent = units + trade.quantity, spent - trade.moved
    for transfer in day.transfers:
        if transfer.instrument_id == instrument_id:
            units, spent = units + transfer.quantity, spent + transfer.value
    return units, spent


def _closing(was: Held | None, now: Held | None, split: tuple[int, int]) -> Held | None:
    """Where the closing price is taken from; without one the earlier price, in today's units, keeps the lines whole."""
    if now is not None or was is None:
        return now
    new, old = split
    return replace(was, price=was.price.scaled(old, new))


def _value(held: Held | None, currency: str) -> Money:
    return Money.zero(currency) if held is None else notional(held.price, held.quantity, held.multiplier, currency)


def translated(one: Attribution, base: str, rate_before: Decimal, rate_after: Decimal) -> Attribution:
    """An attribution in another currency. Rates are units of `base` for one unit of its own currency.

    Lines and flows are translated at the rate of the end; what the currency did to the value that was there at the start
    is a line of its own, and takes the last digits that rounding leaves, so that everything still adds up.
    """

    def at(amount: Money, rate: Decimal) -> Money:
        return Money(amount.amount, base).times(rate)

    start, end = at(one.start, rate_before), at(one.end, rate_after)
    flows, unexplained = at(one.flows, rate_after), at(one.unexplained, rate_after)
    lines = {line: at(amount, rate_after) for line, amount in one.lines.items()}
    explained = _sum(lines.values(), base)
    _add(lines, PnlLine.CURRENCY, end - start - flows - unexplained - explained)
    return Attribution(start, end, flows, _ordered(lines), unexplained)


def beside(several: Sequence[Attribution]) -> Attribution:
    """Attributions of the same time added up: currencies in one base, or accounts. Raises ValueError without one."""
    if not several:
        raise ValueError("at least one attribution is needed")
    currency = several[0].start.currency
    lines: dict[PnlLine, Money] = {}
    for one in several:
        for line, amount in one.lines.items():
            _add(lines, line, amount)
    return Attribution(
        start=_sum((one.start for one in several), currency),
        end=_sum((one.end for one in several), currency),
        flows=_sum((one.flows for one in several), currency),
        lines=_ordered(lines),
        unexplained=_sum((one.unexplained for one in several), currency),
    )


def chained(days: Sequence[Attribution]) -> Attribution:
    """Attributions of one day after the other as one. What lies between an end and the next start is unexplained."""
    whole = beside(days)
    gaps = _sum((after.start - before.end for before, after in pairwise(days)), whole.start.currency)
    gone = whole.unexplained + gaps
    return replace(whole, start=days[0].start, end=days[-1].end, unexplained=gone)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    total = Money.zero(currency)
    for amount in amounts:
        total += amount
    return total


def _add(lines: dict[PnlLine, Money], line: PnlLine, amount: Money) -> None:
    lines[line] = lines.get(line, Money.zero(amount.currency)) + amount


def _ordered(lines: dict[PnlLine, Money]) -> dict[PnlLine, Money]:
    return {line: lines[line] for line in PnlLine if lines.get(line)}
