"""Movements of cash and marks of a session as trees: each ends at what moved it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from quantmatrix.common.names import AccountId, FillId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.portfolio.day_marks import NO_PROFIT, line_of
from quantmatrix.portfolio.late_moves import counted_late
from quantmatrix.portfolio.ledgers import LedgerReader, Walked
from quantmatrix.portfolio.performance.attribution import PnlLine
from quantmatrix.portfolio.performance.course import between
from quantmatrix.portfolio.performance_words import profit_lines
from quantmatrix.portfolio.reports.derivation import Derived, Source, SourceKind

ENTRIES_MAX = 500
OPENING = Source(SourceKind.RULE, "opening cash")


class EntryReader:
    """Reads of one person's accounts on one connection."""

    def __init__(self, connection: Connection, user_id: UserId) -> None:
        self._connection = connection
        self._user_id = user_id

    async def cash(self, account_id: AccountId | None, kind: str | None, year: int | None) -> list[Derived]:
        """What moved the cash of each account: sums by kind and year, or the movements of one kind and year themselves."""
        rows = await self._connection.fetch(
            """select e.account_id, e.currency, e.kind, date_part('year', e.session)::int as year, sum(e.amount) as amount, count(*) as n
               from cash_entry e join account a on a.account_id = e.account_id and a.currency = e.currency
               where e.user_id = $1 and ($2::text is null or e.account_id = $2) group by 1, 2, 3, 4 order by 1, 4 nulls first, 3""",
            self._user_id, account_id,
        )  # fmt: skip
        accounts: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            accounts[row["account_id"]].append(row)
        if kind is None:
            return [_summed(f"cash of {name}", [_kind_of(row) for row in own], own[0]["currency"]) for name, own in accounts.items()]
        return [await self._movements(row) for row in rows if row["kind"] == kind and row["year"] == year]

    async def _movements(self, row: Any) -> Derived:
        if row["n"] > ENTRIES_MAX:
            raise Refused("DERIVATION_TOO_LONG", f"{row['n']} movements fit, at most {ENTRIES_MAX} are listed at once")
        entries = await self._connection.fetch(
            """select kind, about, amount, currency, session from cash_entry where account_id = $1 and currency = $2 and kind = $3
               and date_part('year', session)::int is not distinct from $4 order by session, booked_at, entry_id""",
            row["account_id"], row["currency"], row["kind"], row["year"],
        )  # fmt: skip
        lines = await self._entries(entries)
        return _summed(f"{_words(row['kind'])} {row['year'] or ''} in {row['account_id']}", lines, row["currency"])

    async def _entries(self, rows: Sequence[Any]) -> list[Derived]:
        """Movements, each with the execution, the row of a file, or the act that it comes from."""
        executions = await LedgerReader(self._connection).executions(self._user_id, [FillId(row["about"]) for row in rows])
        found = []
        for row in rows:
            known = executions.get(FillId(row["about"]))
            source = OPENING if row["kind"] == "opening" else known.source if known is not None else None
            what = (
                f"{_words(row['kind'])}: {known.words}"
                if known is not None
                else f"{_words(row['kind'])} of {row['session'] or 'the beginning'}"
            )
            told = Source(SourceKind.ACT, str(row["about"]))
            found.append(Derived(what, Money(row["amount"], row["currency"]), source=source or told))
        return found

    async def whole_profit(self, one: Walked) -> Derived:
        """All sessions of an account: what it came to by lines, which the sessions sum to."""
        course = one.course
        lines, _, _ = profit_lines([one], course)
        reference = f"{len(course.marks)} sessions or files until {course.end.on}"
        found = [Derived(name, amount, source=Source(SourceKind.LEDGER, reference)) for name, amount in lines]
        return _rest(f"economic profit of {one.account_id}", course.gain, found)

    async def profit_of(self, one: Walked, session: date) -> Derived:
        """The economic profit of one session, or of the file that ends on the day."""
        marks = one.course.marks
        place = next(index for index, mark in enumerate(marks) if mark.on == session)
        since = marks[place - 1].on if place else None
        course = between(one.course, since, session)
        what = f"economic profit of {one.account_id} on {session}"
        if one.told is not None:
            printed = [line for day in one.days.sessions if day.session == session for line in day.lines]
            source = Source(SourceKind.ROW, f"the change in value that the file ending on {session} prints")
            return _rest(what, course.gain, [Derived(name, amount, source=source) for name, amount in printed])
        marked = await self._marked(one, session, since)
        return _rest(what, course.gain, [*marked, *await self._paid(one, session, since)])

    async def _marked(self, one: Walked, session: date, since: date | None) -> list[Derived]:
        currency = one.opening.currency
        rows = await self._connection.fetch(
            """select d.*, w.price as price_before, p.multiplier from day_mark d join position p using (account_id, instrument_id)
               left join day_mark w on w.account_id = d.account_id and w.instrument_id = d.instrument_id and w.session = $3
               where d.account_id = $1 and d.session = $2 order by d.symbol, d.instrument_id""",
            one.account_id, session, since,
        )  # fmt: skip
        prior = [
            Derived(
                f"{row['symbol']}: {Price(row['price_before'] or 0)} to {Price(row['price'] or 0)}",
                Money(row["prior"], currency),
                source=Source(SourceKind.PRICE, f"{row['symbol']} on {since} and on {session}"),
            )
            for row in rows
            if row["prior"]
        ]
        traded = [await self._traded(row, one, session, since) for row in rows if row["transactions"]]
        found = [(PnlLine.PRIOR_POSITIONS, prior), (PnlLine.TRANSACTIONS, traded)]
        return [_summed(line.value, own, currency) for line, own in found if own]

    async def _traded(self, row: Any, one: Walked, session: date, since: date | None) -> Derived:
        """What was traded of one instrument since the session before: from its price to the close."""
        currency = one.opening.currency
        fills = await self._connection.fetch(
            """select f.fact_id, upper(f.body ->> 'side') as side, (f.body ->> 'quantity')::numeric as quantity, sum(e.amount) as amount
               from fact f join cash_entry e on e.about = f.fact_id and e.kind = 'trade'
               where f.account_id = $1 and f.instrument_id = $2 and f.kind in ('fill', 'trade') and f.day > coalesce($3, '-infinity'::date)
               and f.day <= $4 group by 1, 2, 3 order by min(f.ordinal)""",
            one.account_id, row["instrument_id"], since, session,
        )  # fmt: skip
        executions = await LedgerReader(self._connection).executions(self._user_id, [FillId(fill["fact_id"]) for fill in fills])
        lines = []
        for fill in fills:
            units = Quantity(fill["quantity"] if fill["side"] == "BUY" else -fill["quantity"])
            worth = notional(Price(row["price"] or 0), units, Quantity(row["multiplier"]), currency)
            known = executions.get(FillId(fill["fact_id"]))
            source = known.source if known is not None else None
            lines.append(
                Derived(
                    f"{row['symbol']}: {known.words if known else 'told by a person'}; {Price(row['price'] or 0)} at the close",
                    worth + Money(fill["amount"], currency),
                    source=source or Source(SourceKind.ACT, str(fill["fact_id"])),
                )
            )
        whole = Money(row["transactions"], currency)
        if await counted_late(self._connection, one.account_id, row["instrument_id"], session):
            left = whole - sum((line.amount for line in lines), Money.zero(currency))
            lines.append(Derived("told of sessions before", left, source=Source(SourceKind.LEDGER, f"what was booked late by {session}")))
        return _rest(row["symbol"], whole, lines)

    async def _paid(self, one: Walked, session: date, since: date | None) -> list[Derived]:
        """Commissions, dividends and whatever else was no trade."""
        currency = one.opening.currency
        rows = await self._connection.fetch(
            """select kind, about, amount, currency, session, stated from cash_entry where account_id = $1 and currency = $2
               and session > coalesce($3, '-infinity'::date) and session <= $4 and kind <> all($5::text[]) order by session, booked_at, entry_id""",
            one.account_id, currency, since, session, list(NO_PROFIT),
        )  # fmt: skip
        groups: defaultdict[PnlLine, list[Derived]] = defaultdict(list)
        for row, line in zip(rows, await self._entries(rows), strict=True):
            groups[line_of(row["kind"], stated=row["stated"], received=row["amount"] > 0)].append(line)
        return [_summed(line.value, groups[line], currency) for line in PnlLine if line in groups]


def drill_to(**what: object) -> str:
    """The query of the derivation that goes on from a line."""
    return urlencode({name: str(value) for name, value in what.items() if value is not None})


def _kind_of(row: Any) -> Derived:
    what = f"{_words(row['kind'])} {row['year'] or ''}".rstrip()
    drill = drill_to(of="cash", kind=row["kind"], year=row["year"], account=row["account_id"])
    source = OPENING if row["kind"] == "opening" else Source(SourceKind.LEDGER, f"{row['n']} movements")
    return Derived(what, Money(row["amount"], row["currency"]), source=source, drill=drill)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _summed(what: str, lines: Sequence[Derived], currency: str) -> Derived:
    return Derived(what.strip(), sum((line.amount for line in lines), Money.zero(currency)), tuple(lines))


def _rest(what: str, amount: Money, lines: Sequence[Derived]) -> Derived:
    """A number with its lines; what they leave stands among them as unexplained, and has no source."""
    left = amount - sum((line.amount for line in lines), Money.zero(amount.currency))
    rest = (Derived("unexplained", left),) if left else ()
    nothing = Source(SourceKind.RULE, "nothing moved")
    return Derived(what, amount, (*lines, *rest), None if lines or rest else nothing)
