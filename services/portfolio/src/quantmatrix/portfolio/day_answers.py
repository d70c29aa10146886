"""What portfolio answers about one session: what its executions closed, what the accounts came to, what was held."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import asyncpg

from quantmatrix.common.contracts.asking.days import BookedDay, BookedDayAsked, BookedDays, Exit, HeldAtClose
from quantmatrix.common.names import AccountId, FillId, InstrumentId, Side
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.ledgers import LedgerReader, Walked, by_currency
from quantmatrix.portfolio.performance.course import Course, between, together
from quantmatrix.portfolio.performance.day import Closed, Dealt, Held, Part, Printed, exits_of, peak_exposure
from quantmatrix.portfolio.rows import money_of

EXITS_MAX = 1_000
POSITIONS_MAX = 200


async def booked_day(asked: BookedDayAsked, connection: Connection) -> BookedDays:
    """One for each currency in which an account was valued in this session."""
    reader, rows = LedgerReader(connection), _Rows(connection, asked)
    walked = await reader.walked(asked.user_id, None)
    parts = await rows.closings()
    printed = {
        fill_id: Printed(one.quantity, one.price, one.fee)
        for fill_id, one in (await reader.executions(asked.user_id, _fills_of(parts))).items()
    }
    day = _Day(asked.session, parts, printed, await rows.held(asked.session), await rows.held_before(), await rows.dealt())
    return await asyncio.to_thread(_booked, walked, day)


class _Day:
    """What was read of a session, of all accounts of the person."""

    def __init__(
        self,
        session: date,
        parts: Sequence[Part],
        printed: Mapping[FillId, Printed],
        held: Sequence[Held],
        before: Sequence[Held],
        dealt: Sequence[Dealt],
    ) -> None:
        self.session, self.printed = session, printed
        self._parts, self._held, self._before, self._dealt = parts, held, before, dealt

    def parts(self, accounts: Sequence[AccountId], currency: str) -> list[Part]:
        return [one for one in self._parts if one.account_id in accounts and one.currency == currency]

    def held(self, accounts: Sequence[AccountId]) -> list[Held]:
        return [one for one in self._held if one.account_id in accounts]

    def peak(self, accounts: Sequence[AccountId], currency: str) -> Money:
        dealt = [one for one in self._dealt if one.account_id in accounts and one.currency == currency]
        peak = peak_exposure([one for one in self._before if one.account_id in accounts], dealt)
        held = sum((abs(one.value.amount) for one in self.held(accounts)), Decimal(0))
        return Money.rounding(max(peak, held), currency)


def _booked(walked: Sequence[Walked], day: _Day) -> BookedDays:
    found = []
    for currency, own in by_currency(walked).items():
        part = _of_session(together([one.course for one in own]), day.session)
        if part is not None:
            found.append(_of_currency(currency, tuple(one.account_id for one in own), part, day))
    return BookedDays(tuple(found))


def _of_session(course: Course, session: date) -> Course | None:
    """The course of this session alone; None where nothing was valued in it."""
    before = [mark.on for mark in course.marks if mark.on < session]
    part = between(course, before[-1] if before else None, session)
    return part if part.marks and part.end.on == session else None


def _of_currency(currency: str, accounts: tuple[AccountId, ...], part: Course, day: _Day) -> BookedDay:
    closed = day.parts(accounts, currency)
    known = [one for one in closed if one.basis is not None and one.proceeds is not None]
    exits = exits_of(known, day.printed)
    held = sorted(day.held(accounts), key=lambda one: (-abs(one.value.amount), one.symbol, one.account_id))
    return BookedDay(
        currency=currency,
        accounts=accounts,
        start=part.start.value,
        flows=part.came_in - part.went_out,
        end=part.end.value,
        gain=part.gain,
        exits=tuple(_exit(one) for one in exits[:EXITS_MAX]),
        exits_left_out=max(0, len(exits) - EXITS_MAX),
        pending=len(closed) - len(known),
        positions=tuple(HeldAtClose(one.account_id, one.symbol, one.quantity, one.price, one.value) for one in held[:POSITIONS_MAX]),
        peak_exposure=day.peak(accounts, currency),
    )


def _exit(one: Closed) -> Exit:
    return Exit(
        account_id=one.account_id,
        symbol=one.symbol,
        opening=one.opening,
        quantity=one.quantity,
        opened_at=one.opened_at,
        closed_at=one.closed_at,
        entry=one.entry,
        exit=one.exit,
        fees=one.fees,
        net=one.net,
        staked=one.staked,
        triggered_by=one.opener,
        opened_by=one.opened_by,
        closed_by=one.closed_by,
    )


def _fills_of(parts: Sequence[Part]) -> list[FillId]:
    return list({fill_id: None for one in parts for fill_id in (one.opened_by, one.closed_by)})


class _Rows:
    """Reads on one connection; nothing is changed."""

    def __init__(self, connection: Connection, asked: BookedDayAsked) -> None:
        self._connection, self._asked = connection, asked

    async def closings(self) -> list[Part]:
        """What was used up of lots; a return of capital above the basis uses up nothing and is no trade."""
        rows = await self._connection.fetch(
            """select c.*, l.multiplier, l.opened_at, l.triggered_by as opener, l.fill_id as opened_by
               from closing c join lot l using (lot_id) where c.user_id = $1 and c.closed_on = $2 and c.quantity <> 0 order by c.closed_at, c.closing_id""",
            self._asked.user_id,
            self._asked.session,
        )
        return [
            Part(
                account_id=AccountId(row["account_id"]),
                symbol=row["symbol"],
                currency=row["currency"],
                multiplier=Quantity(row["multiplier"]),
                quantity=Quantity(row["quantity"]),
                basis=money_of(row, "basis"),
                proceeds=money_of(row, "proceeds"),
                opened_at=row["opened_at"],
                closed_at=row["closed_at"],
                opener=row["opener"],
                opened_by=FillId(row["opened_by"]),
                closed_by=FillId(row["fill_id"]),
            )
            for row in rows
        ]

    async def held(self, session: date) -> list[Held]:
        """The positions at the end of a session, of accounts that are valued day by day."""
        rows = await self._connection.fetch(
            """select d.*, a.currency from day_mark d join account a using (account_id)
               where a.user_id = $1 and d.session = $2 and d.quantity <> 0 order by d.account_id, d.instrument_id""",
            self._asked.user_id,
            session,
        )
        return [_held(row) for row in rows]

    async def held_before(self) -> list[Held]:
        """The positions as the session began, each account by its own session before, in units from after the splits of this one."""
        rows = await self._connection.fetch(
            """select d.*, a.currency, array(select (f.body ->> 'numerator') || '/' || (f.body ->> 'denominator') from fact f
                 where f.kind = 'split' and f.instrument_id = d.instrument_id and f.day = $2
                 and (f.account_id is null or f.account_id = d.account_id) order by f.ordinal) as splits
               from account a
               cross join lateral (select max(session) as session from snapshot s where s.account_id = a.account_id and s.session < $2) b
               join day_mark d on d.account_id = a.account_id and d.session = b.session
               where a.user_id = $1 and d.quantity <> 0 order by d.account_id, d.instrument_id""",
            self._asked.user_id,
            self._asked.session,
        )
        return [_split(_held(row), row["splits"]) for row in rows]

    async def dealt(self) -> list[Dealt]:
        """The executions of the session in order of time."""
        rows = await self._connection.fetch(
            """select f.account_id, f.instrument_id, f.body ->> 'side' as side, (f.body ->> 'quantity')::numeric as quantity,
                 (f.body ->> 'price')::numeric as price, i.currency, i.multiplier
               from fact f join account a using (account_id) join instrument i using (instrument_id)
               where a.user_id = $1 and f.day = $2 and f.kind = 'fill' order by f.at, f.ordinal""",
            self._asked.user_id,
            self._asked.session,
        )
        return [
            Dealt(
                AccountId(row["account_id"]),
                InstrumentId(row["instrument_id"]),
                row["currency"],
                Quantity(row["quantity"] * Side(row["side"]).sign),
                Price(row["price"]),
                Quantity(row["multiplier"]),
            )
            for row in rows
        ]


def _split(held: Held, splits: Sequence[str]) -> Held:
    """In units from after these splits; the value stays."""
    quantity = held.quantity
    for numerator, denominator in (one.split("/") for one in splits):
        quantity = quantity.scaled(int(numerator), int(denominator))
    return replace(held, quantity=quantity)


def _held(row: asyncpg.Record) -> Held:
    price = None if row["price"] is None else Price(row["price"])
    return Held(
        AccountId(row["account_id"]),
        InstrumentId(row["instrument_id"]),
        row["symbol"],
        Quantity(row["quantity"]),
        price,
        Money(row["value"], row["currency"]),
    )
