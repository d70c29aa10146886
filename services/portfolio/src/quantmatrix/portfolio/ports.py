"""What portfolio needs from the outside: importers that read brokers' statements."""

from typing import ClassVar, Protocol

from quantmatrix.portfolio.domain.statements import Statement


class StatementError(Exception):
    """The file as a whole is no statement of this kind; `line` names the place where that became clear, None for the whole."""

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what if line is None else f"line {line}: {what}")
        self.line = line


class Importer(Protocol):
    """Reads one kind of statement. One module in `importers/` each, with a class `IMPORTER`.

    It only reads: what is booked, and what was booked before, is decided by portfolio. Rows are keyed by the broker's
    own ids, so that a file imported twice, or two that overlap, book everything once.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def recognises(self, file_name: str, head: bytes) -> bool:
        """Whether this looks like its kind of file, told from the name and the first 4 KiB; never raises."""

    def read(self, body: bytes) -> Statement:
        """Read a whole file. Raises StatementError when it is not a statement; a bad row is `unread`, not an error."""
