"""A person's own file of sectors: which symbol belongs to which, read whole or refused with the line that is wrong."""

import csv
import io

COLUMNS = ("symbol", "sector")
SYMBOL_MAX, SECTOR_MAX, LINES_MAX = 40, 60, 20_000


class SectorFileError(ValueError):
    """The file cannot be taken; says which line is wrong and what is expected."""


def sectors_of(text: str) -> dict[str, str]:
    """Sector by symbol, from CSV with a header that names both columns, in any order and beside others. Symbols in capitals.

    Raises SectorFileError; nothing of such a file is meant to be taken.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    found: dict[str, str] = {}
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if any(header.count(name) != 1 for name in COLUMNS):
            raise SectorFileError(f"line 1: the header names the columns symbol and sector once each, it is {','.join(header)[:80]!r}")
        places = tuple(header.index(name) for name in COLUMNS)
        for cells in rows:
            if any(cell.strip() for cell in cells):
                _take(found, cells, places, rows.line_num)
    except csv.Error as error:
        raise SectorFileError(f"line {rows.line_num}: {error}") from error
    if not found:
        raise SectorFileError("line 2: the file names no symbol")
    return found


def _take(found: dict[str, str], cells: list[str], places: tuple[int, ...], line: int) -> None:
    if len(cells) <= max(places):
        raise SectorFileError(f"line {line}: {len(cells)} columns, a symbol and its sector are expected")
    symbol, sector = (cells[place].strip() for place in places)
    symbol = symbol.upper()
    if not 0 < len(symbol) <= SYMBOL_MAX or not 0 < len(sector) <= SECTOR_MAX:
        raise SectorFileError(f"line {line}: a symbol has 1 to {SYMBOL_MAX} characters and a sector 1 to {SECTOR_MAX}")
    if not (symbol + sector).isprintable():
        raise SectorFileError(f"line {line}: there are characters that cannot be shown")
    if found.setdefault(symbol, sector) != sector:
        raise SectorFileError(f"line {line}: {symbol} has another sector above, {found[symbol]}")
    if len(found) > LINES_MAX:
        raise SectorFileError(f"line {line}: more than {LINES_MAX} symbols")
