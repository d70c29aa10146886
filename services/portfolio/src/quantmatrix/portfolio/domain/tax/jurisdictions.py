"""Jurisdictions as policies: from what happened in a person's accounts to lines of gain and loss, under one law or another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, InstrumentId, Side
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.arrivals import Arrival
from quantmatrix.portfolio.domain.currencies import Rates
from quantmatrix.portfolio.domain.events import Event, Ordered, ShareSplit, in_order
from quantmatrix.portfolio.domain.keeping import LedgerRules
from quantmatrix.portfolio.domain.ledger import booked
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.domain.methods import LotMethods
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment, holdings_of, is_security
from quantmatrix.portfolio.domain.tax.section_1256 import Marked, section_1256
from quantmatrix.portfolio.domain.tax.short_sales import short_sale_rules
from quantmatrix.portfolio.domain.tax.uk_pool import Acquired, Disposal, Fact, Pool, Reorganised, Sold, matched
from quantmatrix.portfolio.domain.tax.wash_sales import Flag, Line, WashRules, wash_sales


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What happened in one account of a person, and what its owner chose for it."""

    account_id: AccountId
    treatment: Treatment
    events: Sequence[Event]
    methods: LotMethods = field(default_factory=LotMethods)


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One line of gain or loss. label: by which rule it is what it is (short, long, same day, pool). acquired_on is None for several."""

    instrument_id: InstrumentId
    treatment: Treatment
    quantity: Quantity
    acquired_on: date | None
    disposed_on: date
    proceeds: Money
    cost: Money
    disallowed: Money
    label: str

    @property
    def gain(self) -> Money:
        return self.proceeds - self.cost + self.disallowed


class Jurisdiction(Protocol):
    """A country's law as a policy. Adding one is one class; the ledger stays as it is."""

    @property
    def fold_premium(self) -> bool:
        """Whether the premium of an exercised or assigned option becomes part of the stock's cost or proceeds."""

    def lines(self, accounts: Sequence[AccountFacts]) -> list[TaxLine]:
        """Everything disposed of whose gain is known, by day, over all accounts of one person."""


@dataclass(frozen=True, slots=True)
class UnitedStates:
    """Lots by the account's method, long and short terms, short-sale rules, wash sales over all accounts, Section 1256."""

    wash_rules: WashRules = field(default_factory=WashRules)
    section_1256: frozenset[InstrumentId] = frozenset()
    families: Mapping[InstrumentId, str] = field(default_factory=dict)

    @property
    def fold_premium(self) -> bool:
        return True

    def lines(self, accounts: Sequence[AccountFacts]) -> list[TaxLine]:
        securities, others = self._holdings(accounts)
        matched_lines = list(wash_sales(short_sale_rules(securities), self.wash_rules).lines)
        found = [_us_line(line) for line in (*matched_lines, *(_unwashed(one) for one in others))]
        return sorted((line for line in found if line is not None), key=_by_day)

    def flags(self, accounts: Sequence[AccountFacts]) -> list[Flag]:
        """Losses beside acquisitions of the same family, over which a person decides."""
        return list(wash_sales(self._holdings(accounts)[0], self.wash_rules).flags)

    def marked(self, accounts: Sequence[AccountFacts], year: int, marks: Mapping[tuple[InstrumentId, int], Money]) -> list[Marked]:
        """Section 1256 contracts of taxable accounts in one year. marks: the value of one contract at a year's end."""
        contracts = [one for one in self._all(accounts) if one.security in self.section_1256]
        return section_1256((one for one in contracts if one.treatment is Treatment.TAXABLE), year, marks)

    def _holdings(self, accounts: Sequence[AccountFacts]) -> tuple[list[Holding], list[Holding]]:
        """Securities to which the wash-sale rule applies, and the rest but for Section 1256 contracts."""
        kinds = {one.instrument_id: one.asset_class for account in accounts for one in _instruments(account.events)}
        plain = [one for one in self._all(accounts) if one.security not in self.section_1256]
        securities = [one for one in plain if is_security(kinds[one.security])]
        return securities, [one for one in plain if not is_security(kinds[one.security])]

    def _all(self, accounts: Sequence[AccountFacts]) -> list[Holding]:
        found = []
        for account in accounts:
            ledger = booked(account.events, LedgerRules(account.methods, self.fold_premium))
            splits = [one.what for one in in_order(account.events) if isinstance(one.what, ShareSplit)]
            found += holdings_of(account.account_id, ledger, account.treatment, splits, dict(self.families))
        return found


class NotCoveredError(ValueError):
    """A jurisdiction was given something that it has no rule for; nothing is guessed."""


@dataclass(frozen=True, slots=True)
class UnitedKingdom:
    """Same day, thirty days, pool, in pounds, over all taxable accounts together. Lot methods mean nothing here.

    It covers purchases, sales, splits and arrivals with a basis; anything else raises NotCoveredError.
    """

    rates: Rates

    @property
    def fold_premium(self) -> bool:
        return True

    def lines(self, accounts: Sequence[AccountFacts]) -> list[TaxLine]:
        found = []
        for instrument_id, (disposals, _) in self.matched(accounts).items():
            found += [_uk_line(instrument_id, disposal) for disposal in disposals]
        return sorted(found, key=_by_day)

    def matched(self, accounts: Sequence[AccountFacts]) -> dict[InstrumentId, tuple[list[Disposal], Pool]]:
        """Disposals with their matches, and the pool that is left, for every security."""
        facts: dict[InstrumentId, list[Fact]] = {}
        for account in accounts:
            if account.treatment is Treatment.TAXABLE:
                for event in in_order(account.events):
                    instrument_id, fact = self._fact(event)
                    if fact not in facts.setdefault(instrument_id, []) or not isinstance(fact, Reorganised):
                        facts[instrument_id].append(fact)
        return {one: matched(one, self.rates.into, told) for one, told in facts.items()}

    def _fact(self, event: Ordered) -> tuple[InstrumentId, Fact]:
        what = event.what
        match what:
            case Fill():
                return what.instrument.instrument_id, self._traded(what)
            case Arrival(basis=Money() as basis):
                on = what.acquired_on or what.session
                return what.instrument.instrument_id, Acquired(on, what.quantity, self.rates.converted(basis, on))
            case ShareSplit():
                return what.instrument_id, Reorganised(what.split.effective, what.split.numerator, what.split.denominator)
            case _:
                raise NotCoveredError(f"the United Kingdom's pool has no rule for {type(what).__name__} {event.event_id}")

    def _traded(self, fill: Fill) -> Fact:
        value, fee = self.rates.converted(fill.value, fill.session), self.rates.converted(fill.fee, fill.session)
        if fill.side is Side.BUY:
            return Acquired(fill.session, fill.moved, value + fee)
        return Sold(fill.session, fill.moved, value, fee)


def _instruments(events: Iterable[Event]) -> Iterable[Instrument]:
    """Every instrument that events name."""
    for event in events:
        for name in ("instrument", "option", "underlying", "parent", "child", "old", "into"):
            found = getattr(event.what, name, None)
            if isinstance(found, Instrument):
                yield found


def _us_line(line: Line) -> TaxLine | None:
    one = line.holding
    if one.disposed_on is None or one.proceeds is None or line.basis is None:
        return None
    return TaxLine(
        instrument_id=one.security,
        treatment=one.treatment,
        quantity=one.quantity,
        acquired_on=line.acquired_on,
        disposed_on=one.disposed_on,
        proceeds=one.proceeds,
        cost=line.basis,
        disallowed=line.disallowed,
        label=line.term.value,
    )


def _unwashed(holding: Holding) -> Line:
    currency = (holding.basis or holding.proceeds or Money.zero("USD")).currency
    return Line(holding, Money.zero(currency), Money.zero(currency))


def _uk_line(instrument_id: InstrumentId, disposal: Disposal) -> TaxLine:
    rules = list(dict.fromkeys(match.rule for match in disposal.matches))
    acquired = {match.acquired_on for match in disposal.matches}
    return TaxLine(
        instrument_id=instrument_id,
        treatment=Treatment.TAXABLE,
        quantity=disposal.quantity,
        acquired_on=acquired.pop() if len(acquired) == 1 else None,
        disposed_on=disposal.on,
        proceeds=disposal.proceeds,
        cost=disposal.allowable,
        disallowed=Money.zero(disposal.proceeds.currency),
        label=", ".join(rules),
    )


def _by_day(line: TaxLine) -> tuple[date, InstrumentId, date, Quantity]:
    return line.disposed_on, line.instrument_id, line.acquired_on or date.min, line.quantity
