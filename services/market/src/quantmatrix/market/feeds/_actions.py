"""Reads a file of splits: symbol, effective date, new shares, old shares, source."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from quantmatrix.market.feeds._days import day_of
from quantmatrix.market.ports import FeedError

COLUMNS = ("symbol", "effective", "numerator", "denominator")
RATIO_MAX = 10_000


@dataclass(frozen=True, slots=True)
class SplitFact:
    symbol: str
    effective: date
    numerator: int
    denominator: int
    source: str


def read_splits(path: Path) -> list[SplitFact]:
    """Every split in the file. Raises FeedError that names each bad line; a missing file is an error too."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if absent:
                raise FeedError(f"{path.name} lacks the column {', '.join(absent)}; expected {', '.join(COLUMNS)} and optionally source")
            facts, wrong = [], []
            for row in reader:
                try:
                    facts.append(_fact(row))
                except (ValueError, TypeError) as error:
                    wrong.append(f"line {reader.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeedError(f"the file of splits {path} cannot be read: {error}") from error
    if wrong:
        raise FeedError(f"{path.name} was refused", wrong)
    return facts


def _fact(row: dict[str, str]) -> SplitFact:
    numerator, denominator = int(row["numerator"]), int(row["denominator"])
    if not (0 < numerator <= RATIO_MAX and 0 < denominator <= RATIO_MAX) or numerator == denominator:
        raise ValueError(f"a split of {numerator} for {denominator} is not one")
    symbol = row["symbol"].strip()
    if not symbol:
        raise ValueError("the symbol is empty")
    return SplitFact(
        symbol,
        day_of(row["effective"]),
        numerator,
        denominator,
        (row.get("source") or "the user's file").strip(),
    )
