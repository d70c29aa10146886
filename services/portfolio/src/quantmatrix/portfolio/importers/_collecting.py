"""Where an importer puts what it reads: entries with keys, rows ignored by a rule, rows that could not be read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time

from quantmatrix.common.ids import short_token
from quantmatrix.common.values import Money, NotExactError
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Figures, Ignored, OpenPosition, Place, Statement, Unread
from quantmatrix.portfolio.domain.statements_securities import MICROSECOND
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError
from quantmatrix.portfolio.ports import StatementError

KEY_CHARACTERS = 25
_TRADED = (EntryKind.TRADE, EntryKind.ASSIGNMENT, EntryKind.EXERCISE, EntryKind.EXPIRY)
SAID_BEFORE = "a row that the file holds twice under one id of the broker"


@dataclass(slots=True)
class Collected:
    """What was read so far."""

    entries: list[Entry] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    _equal_rows: Counter[str] = field(default_factory=Counter)
    _ids: dict[str, Entry] = field(default_factory=dict)

    def book(self, entry: Entry, *content: object) -> None:
        """Keep an entry. Its key is made of `content` and of its place among equal rows, so that overlapping files agree."""
        token = short_token(entry.kind, entry.account, *content, length=KEY_CHARACTERS)
        self._equal_rows[token] += 1
        self.entries.append(replace(entry, broker_key=f"{token}-{self._equal_rows[token]}"))

    def is_free(self, broker_id: str, entry: Entry) -> bool:
        """Whether no row has this id yet, or only one that says the same."""
        before = self._ids.get(broker_id)
        return before is None or replace(before, place=entry.place) == entry

    def book_by_id(self, entry: Entry, broker_id: str) -> None:
        """Keep an entry that the broker gave an id. Said twice in one file it is booked once; said differently it is unread."""
        before = self._ids.get(broker_id)
        if before is None:
            self._ids[broker_id] = entry
            self.entries.append(replace(entry, broker_key=broker_id))
        elif self.is_free(broker_id, entry):
            self.ignore(entry.place, SAID_BEFORE)
        else:
            self.unread.append(
                Unread(entry.place, f"another row before it (line {before.place.line}) has the same id and says something else")
            )

    def ignore(self, place: Place, rule: str) -> None:
        self.ignored.append(Ignored(place, rule))

    def damaged(self, row: Row, error: Exception) -> None:
        """A row of a known kind that cannot be read. Other messages than our own may quote a cell, and are not kept."""
        if isinstance(error, UnreadableCellError):
            why = str(error)
        else:
            why = "a number that no amount can be made of" if isinstance(error, NotExactError) else "a value that cannot be read"
        self.unread.append(Unread(row.place, why, damaged=True, raw=tuple(row.cells)))

    def strange(self, place: Place, why: str, raw: Sequence[str]) -> None:
        """A row of a kind that nobody taught this importer."""
        self.unread.append(Unread(place, why, damaged=False, raw=tuple(raw)))

    def turn_around(self) -> None:
        """Give the trades of a file that begins with its latest day the order in which they happened, where only their days are printed.

        The first of a day in the file happened last. The times are made up, a microsecond a row after midnight: only their order counts.
        """
        if not self.entries or self.entries[0].session < self.entries[-1].session:
            return
        count = len(self.entries)
        self.entries = [
            replace(entry, at=datetime.combine(entry.session, time(), UTC) + (count - index) * MICROSECOND)
            if entry.at is None and entry.kind in _TRADED
            else entry
            for index, entry in enumerate(self.entries)
        ]

    def statement(
        self,
        importer: str,
        currency: str,
        period: tuple[date, date] | None = None,
        accounts: Sequence[str] = (),
        positions: Sequence[OpenPosition] = (),
        ending_cash: Sequence[Money] = (),
        figures: Figures | None = None,
    ) -> Statement:
        """All of it as a statement; without a period it is the one that the entries span."""
        days = [entry.session for entry in self.entries]
        if period is None and not days:
            first_unread = min(self.unread, key=lambda one: one.place.line, default=None)
            if first_unread is not None:
                raise StatementError(f"{first_unread.why}; nothing else in it can be booked", line=first_unread.place.line)
            raise StatementError("there is nothing to book in it and it names no period")
        first, last = period or (min(days), max(days))
        named = dict.fromkeys((*accounts, *(entry.account for entry in self.entries)))
        return Statement(
            importer, tuple(named), first, last, currency, tuple(self.entries), tuple(self.ignored), tuple(self.unread),
            tuple(positions), tuple(ending_cash), figures or Figures(),
        )  # fmt: skip
