"""A double of portfolio's port, and the tests that every importer passes; also for importers outside this tree."""

import csv
import io
from datetime import date
from typing import ClassVar

from quantmatrix.common.values import Money, NotExactError, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Ignored, Place, Statement, Unread
from quantmatrix.portfolio.ports import Importer, StatementError

HEADER = ("key", "date", "symbol", "quantity", "price", "fee")


class PlainImporter:
    """The smallest importer there is: trades from a CSV file with the columns key, date, symbol, quantity, price, fee."""

    name: ClassVar[str] = "plain"
    title: ClassVar[str] = "Plain trades"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return head.startswith(",".join(HEADER).encode())

    def read(self, body: bytes) -> Statement:
        try:
            rows = list(csv.reader(io.StringIO(body.decode())))
        except (UnicodeDecodeError, csv.Error) as error:
            raise StatementError(f"not readable as CSV: {error}") from error
        if not rows or tuple(rows[0]) != HEADER:
            raise StatementError(f"expected the columns {', '.join(HEADER)}", line=1)
        entries: list[Entry] = []
        ignored: list[Ignored] = []
        unread: list[Unread] = []
        for line, row in enumerate(rows[1:], start=2):
            if row and row[0] == "total":
                ignored.append(Ignored(Place(line), "a total"))
                continue
            try:
                entries.append(_trade(row, line))
            except (ValueError, NotExactError) as error:
                unread.append(Unread(Place(line), str(error)))
        if not entries:
            raise StatementError("there is no trade in it")
        days = [entry.session for entry in entries]
        return Statement(self.name, ("PLAIN",), min(days), max(days), "USD", tuple(entries), tuple(ignored), tuple(unread))


def _trade(row: list[str], line: int) -> Entry:
    key, day, symbol, quantity, price, fee = row
    amount = Money.zero("USD") - Money(Quantity.parse(quantity).value * Price.parse(price).value, "USD")
    return Entry(
        EntryKind.TRADE, key, Place(line), "PLAIN", date.fromisoformat(day), None, amount, Money.parse(fee, "USD"), symbol,
        Quantity.parse(quantity), Price.parse(price),
    )  # fmt: skip


class ImporterContract:
    """What must hold for every importer. Subclass it in a test module and set the class variables.

    sample: a file of its kind; rows: how many data rows it has; damaged: the same with one row that cannot be read, in
    `damaged_line`; stranger: a file of another kind.
    """

    importer: ClassVar[Importer]
    file_name: ClassVar[str]
    sample: ClassVar[bytes]
    rows: ClassVar[int]
    damaged: ClassVar[bytes]
    damaged_line: ClassVar[int]
    stranger: ClassVar[bytes]

    def test_it_knows_its_own_files_and_no_others(self) -> None:
        assert self.importer.recognises(self.file_name, self.sample[:4096])
        assert not self.importer.recognises("holiday.jpg", b"\xff\xd8\xff\xe0")
        assert not self.importer.recognises("empty", b"")
        assert not self.importer.recognises(self.file_name, self.stranger[:4096])

    def test_every_row_is_an_entry_ignored_by_a_rule_or_unread(self) -> None:
        statement = self.importer.read(self.sample)
        read: tuple[Entry | Ignored | Unread, ...] = (*statement.entries, *statement.ignored, *statement.unread)
        lines = [one.place.line for one in read]

        assert len(set(lines)) == self.rows
        assert all(one.rule for one in statement.ignored)

    def test_reading_twice_says_the_same(self) -> None:
        assert self.importer.read(self.sample) == self.importer.read(self.sample)

    def test_keys_tell_the_rows_of_one_file_apart(self) -> None:
        keys = [entry.broker_key for entry in self.importer.read(self.sample).entries]

        assert keys and len(keys) == len(set(keys))

    def test_entries_lie_in_their_accounts_and_have_what_they_need(self) -> None:
        statement = self.importer.read(self.sample)

        for entry in statement.entries:
            assert entry.account in statement.accounts
            if entry.kind is EntryKind.TRADE:
                assert entry.symbol and entry.quantity and entry.price is not None and entry.amount is not None
                # A purchase takes money and a sale brings it; worthless things may be traded for nothing.
                assert entry.amount.amount * entry.quantity.value <= 0

    def test_a_damaged_row_is_named_and_costs_no_other(self) -> None:
        whole, damaged = self.importer.read(self.sample), self.importer.read(self.damaged)

        assert [one.place.line for one in damaged.unread] == [self.damaged_line]
        assert damaged.unread[0].why
        assert len(damaged.entries) == len(whole.entries) - 1

    def test_a_strangers_file_is_refused_as_a_whole(self) -> None:
        for body in (self.stranger, b"", b"\xff\xfe\x00"):
            try:
                self.importer.read(body)
            except StatementError as error:
                assert str(error)
            else:
                raise AssertionError("a file of another kind was taken for a statement")
