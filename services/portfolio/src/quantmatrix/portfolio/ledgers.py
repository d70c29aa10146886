"""A person's accounts read back from the tables as the values that returns and reports are worked out from."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import asyncpg

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, LotId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, notional
from quantmatrix.portfolio.day_marks import NO_DAYS, DayLines, Days, days_of
from quantmatrix.portfolio.domain.events import ShareSplit
from quantmatrix.portfolio.domain.ledger import Ledger
from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.domain.statements_identities import option_terms
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment, holdings_of, is_security
from quantmatrix.portfolio.domain.tax.wash_sales import Flag, Line, wash_sales
from quantmatrix.portfolio.facts import execution_of_fact, fill_of_fact, split_of_fact
from quantmatrix.portfolio.performance.course import Course, Flow, Mark
from quantmatrix.portfolio.performance.periods import chain_of, course_of
from quantmatrix.portfolio.performance.strategies import ClosedPart, OpenedLot
from quantmatrix.portfolio.reports.derivation import Execution
from quantmatrix.portfolio.reports.disposals import Disposal, disposals_of
from quantmatrix.portfolio.reports.income import IncomeKind, IncomeLine
from quantmatrix.portfolio.rows import closing_of, instrument_of, lot_of
from quantmatrix.portfolio.statement_sources import rows_behind
from quantmatrix.portfolio.statement_values import flows_of, periods_of


@dataclass(frozen=True, slots=True)
class Stood:
    """An account at the end of a session."""

    session: date
    equity: Money
    realised: Money
    unrealised: Money


@dataclass(frozen=True, slots=True)
class Walked:
    """An account's sessions, its opening, fees and lines of profit by session, and what statements say came in or went out since."""

    account_id: AccountId
    opening: Money
    stood: tuple[Stood, ...]
    fees: tuple[tuple[date, Money], ...]
    moved: tuple[Flow, ...] = ()
    days: Days = NO_DAYS
    told: Course | None = None

    @property
    def course(self) -> Course:
        """A new account starts with nothing; its opening comes in with the first session. What files tell is a course already."""
        if self.told is not None:
            return self.told
        first = self.stood[0].session
        marks = tuple(Mark(one.session, one.equity) for one in self.stood)
        units = [Flow(one.session, one.transferred) for one in self.days.sessions if one.transferred]
        return Course(Mark(first, Money.zero(self.opening.currency)), marks, (Flow(first, self.opening), *self.moved, *units))


def by_currency(walked: Iterable[Walked]) -> dict[str, list[Walked]]:
    """The accounts of each currency, the currencies in order of their codes."""
    groups: defaultdict[str, list[Walked]] = defaultdict(list)
    for one in walked:
        groups[one.opening.currency].append(one)
    return dict(sorted(groups.items()))


@dataclass(slots=True)
class Books:
    """What all accounts of one person hold and have disposed of. values: of open lots that have a price."""

    ledgers: dict[AccountId, Ledger] = field(default_factory=dict)
    openers: dict[LotId, str] = field(default_factory=dict)
    closers: dict[FillId, str] = field(default_factory=dict)
    values: dict[LotId, Money] = field(default_factory=dict)
    prices: dict[InstrumentId, tuple[Price, date]] = field(default_factory=dict)
    priced_on: date | None = None
    splits: list[ShareSplit] = field(default_factory=list)
    treatments: dict[AccountId, Treatment] = field(default_factory=dict)
    _lines: list[Line] | None = None
    _flags: tuple[Flag, ...] = ()

    @property
    def lots(self) -> dict[LotId, Lot]:
        return {lot_id: lot for ledger in self.ledgers.values() for lot_id, lot in ledger.lots.items()}

    def holdings(self) -> list[Holding]:
        """Of every account, taxable unless its owner said otherwise; options are of the family of their underlying."""
        families = {lot.instrument.instrument_id: _family(lot.instrument) for lot in self.lots.values()}
        return [
            one
            for account_id, ledger in self.ledgers.items()
            for one in holdings_of(account_id, ledger, self.treatments.get(account_id, Treatment.TAXABLE), self.splits, families)
        ]

    def lines(self) -> list[Line]:
        """Every part of a lot after the wash-sale rule over all accounts; what is no security (a coin) is not washed."""
        if self._lines is None:
            self._lines = self._washed()
        return self._lines

    def flags(self) -> tuple[Flag, ...]:
        """Losses beside purchases of an option on the same underlying, or of that itself, in any account: a person judges them."""
        self.lines()
        return self._flags

    def _washed(self) -> list[Line]:
        lots = self.lots
        washable: list[Holding] = []
        others: list[Holding] = []
        for one in self.holdings():
            (washable if is_security(lots[one.lot_id].instrument.asset_class) else others).append(one)
        report = wash_sales(washable)
        self._flags = report.flags
        return [*report.lines, *(line for one in others for line in wash_sales([one]).lines)]

    def disposals_before_washing(self) -> list[Disposal]:
        """Disposals as the lots have them, before any wash sale."""
        lines = [line for one in self.holdings() for line in wash_sales([one]).lines]
        return disposals_of(lines, self.lots, {account_id: ledger.closings for account_id, ledger in self.ledgers.items()}, self.closers)

    def disposals(self) -> list[Disposal]:
        closings = {account_id: ledger.closings for account_id, ledger in self.ledgers.items()}
        return disposals_of(self.lines(), self.lots, closings, self.closers)

    def of_openers(self, accounts: Sequence[AccountId], currency: str) -> tuple[list[OpenedLot], list[ClosedPart]]:
        """Lots and closings of some accounts in one currency, as strategies are judged by them."""
        lots, parts = [], []
        for account_id in accounts:
            ledger = self.ledgers.get(account_id, Ledger())
            own = {lot_id: lot for lot_id, lot in ledger.lots.items() if lot.instrument.currency == currency}
            lots += [
                OpenedLot(str(lot.lot_id), lot.triggered_by, lot.opened_on, lot.quantity, lot.known_basis, self.values.get(lot.lot_id))
                for lot in own.values()
                if lot.basis is not None
            ]
            parts += [
                ClosedPart(str(one.lot_id), one.closed_on, one.known_proceeds, one.known_basis)
                for one in ledger.closings
                if one.lot_id in own and one.realised is not None
            ]
        return lots, parts


def _family(one: Instrument) -> str:
    """The symbol of the underlying of an option, else the own one."""
    terms = option_terms(one.symbol) if one.asset_class is AssetClass.OPTION else None
    return one.symbol if terms is None else terms[0]


class LedgerReader:
    """Reads on one connection; nothing is changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def walked(self, user_id: UserId, account_id: AccountId | None) -> list[Walked]:
        """The user's accounts that have seen a session, all of them or one."""
        accounts = await self._connection.fetch(
            """select a.*, coalesce(s.booked, false) as booked from account a left join statement_account s using (account_id)
               where a.user_id = $1 and ($2::text is null or a.account_id = $2) order by a.account_id""",
            user_id,
            account_id,
        )
        return [one for one in [await self._walked(row) for row in accounts] if one.stood]

    async def _told(self, account: asyncpg.Record) -> Walked:
        """An account that statements make, by the values that its files print."""
        one, currency = AccountId(account["account_id"]), account["currency"]
        periods = await periods_of(self._connection, one)
        course = course_of(periods, *await flows_of(self._connection, one, currency))
        gains = await self._connection.fetch(
            """select closed_on, sum(coalesce(sum(realised), 0)) over (order by closed_on) as realised from closing
               where account_id = $1 and currency = $2 group by 1 order by 1""",
            one, currency,
        )  # fmt: skip
        nothing, days_closed = Money.zero(currency), [row["closed_on"] for row in gains]
        sums = [nothing, *(Money(row["realised"], currency) for row in gains)]
        stood = tuple(
            Stood(mark.on, mark.value, sums[bisect_right(days_closed, mark.on)], nothing)
            for mark in (course.marks if course is not None else ())
        )
        days = Days(tuple(DayLines(one.last, tuple(one.lines), nothing) for one in chain_of(periods)))
        return Walked(one, nothing, stood, (), days=days, told=course)

    async def _walked(self, account: asyncpg.Record) -> Walked:
        if account["booked"]:
            return await self._told(account)
        one, currency = account["account_id"], account["currency"]
        rows = await self._connection.fetch(
            "select session, equity, realised, unrealised from snapshot where account_id = $1 order by session", one
        )
        fees = await self._connection.fetch(
            """select session, sum(amount) as amount from cash_entry
               where account_id = $1 and currency = $2 and kind = 'fee' and session is not null group by 1 order by 1""",
            one,
            currency,
        )
        moved = await self._connection.fetch(
            """select session, amount from cash_entry where account_id = $1 and currency = $2 and stated
               and kind in ('deposit', 'withdrawal', 'transfer') order by session""",
            one,
            currency,
        )
        return Walked(
            account_id=AccountId(one),
            opening=Money(account["opening_cash"], currency),
            stood=tuple(
                Stood(row["session"], *(Money(row[name], currency) for name in ("equity", "realised", "unrealised"))) for row in rows
            ),
            fees=tuple((row["session"], -Money(row["amount"], currency)) for row in fees),
            moved=tuple(Flow(row["session"], Money(row["amount"], currency)) for row in moved),
            days=await days_of(self._connection, AccountId(one), currency),
        )

    async def books(self, user_id: UserId) -> Books:
        """Lots and closings of all the user's accounts, with the latest prices."""
        books = Books(splits=await self._splits(user_id), treatments=await self.treatments(user_id))
        for row in await self._connection.fetch(
            """select l.*, m.price, m.session as priced_on from lot l left join mark m using (instrument_id)
               where user_id = $1 order by account_id, opened_at, lot_id""",
            user_id,
        ):
            lot = lot_of(row)
            books.ledgers.setdefault(lot.account_id, Ledger()).lots[lot.lot_id] = lot
            books.openers[lot.lot_id] = lot.triggered_by
            if row["price"] is not None and lot.quantity:
                books.values[lot.lot_id] = notional(
                    Price(row["price"]), lot.quantity, lot.instrument.multiplier, lot.instrument.currency
                )  # fmt: skip
                books.prices[lot.instrument.instrument_id] = (Price(row["price"]), row["priced_on"])
                books.priced_on = max(books.priced_on or row["priced_on"], row["priced_on"])
        for row in await self._connection.fetch("select * from closing where user_id = $1 order by closed_at, closing_id", user_id):
            books.ledgers.setdefault(AccountId(row["account_id"]), Ledger()).closings.append(closing_of(row))
            books.closers[FillId(row["fill_id"])] = row["triggered_by"]
        return books

    async def commissions(self, user_id: UserId, account: str | None) -> list[IncomeLine]:
        """What fills cost, as lines of their accounts."""
        rows = await self._connection.fetch(
            """select e.account_id, e.session, e.amount, e.currency, e.about from cash_entry e
               where e.user_id = $1 and ($2::text is null or e.account_id = $2) and e.kind = 'fee' and e.session is not null order by e.session, e.about""",
            user_id,
            account,
        )
        return [
            IncomeLine(
                row["session"], IncomeKind.COMMISSION, row["account_id"], "", Money(row["amount"], row["currency"]), str(row["about"])
            )
            for row in rows
        ]

    async def executions(self, user_id: UserId, fill_ids: Sequence[FillId]) -> Mapping[FillId, Execution]:
        """The fills with these ids as they were at their brokers: facts of the ledger, and rows of imported files."""
        rows = await self._connection.fetch(
            """select f.fact_id, f.body, a.account_id, a.user_id, p.* from fact f join account a using (account_id)
               join position p on p.account_id = f.account_id and p.instrument_id = f.instrument_id
               where f.kind = 'fill' and f.fact_id = any($1::uuid[])""",
            list(fill_ids),
        )
        found: dict[FillId, Execution] = {}
        for row in rows:
            fill = fill_of_fact(row["fact_id"], row["body"], AccountId(row["account_id"]), UserId(row["user_id"]), instrument_of(row))
            found[fill.fill_id] = Execution(
                fill.fill_id, execution_of_fact(row["body"]), fill.session, fill.side, fill.quantity, fill.price, fill.fee
            )
        others = set(fill_ids) - found.keys()
        return {**found, **await rows_behind(self._connection, user_id, others)} if others else found

    async def treatments(self, user_id: UserId) -> dict[AccountId, Treatment]:
        """Of the accounts of which somebody said it: as their owner chose, else as their statements were imported."""
        rows = await self._connection.fetch(
            """select account_id, coalesce(c.treatment, s.treatment) as treatment from statement_account s
               full join tax_choice c using (user_id, account_id) where user_id = $1""",
            user_id,
        )
        return {AccountId(row["account_id"]): Treatment(row["treatment"]) for row in rows}

    async def _splits(self, user_id: UserId) -> list[ShareSplit]:
        rows = await self._connection.fetch(
            """select instrument_id, body from fact where kind = 'split'
               and instrument_id in (select instrument_id from position where user_id = $1) order by ordinal""",
            user_id,
        )
        return [ShareSplit(InstrumentId(row["instrument_id"]), split_of_fact(row["body"])) for row in rows]
