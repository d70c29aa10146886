"""What stands in a cell of an older database, made exact: decimals out of floats, moments out of many spellings, words out of codes."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import ROUND_HALF_EVEN, Context, Decimal

from quantmatrix.common.values import INTEGER_DIGITS_MAX, round_half_even

FLOAT_DIGITS = 15
EPOCH_MS_FROM = 10**11
_AS_FLOATS = Context(prec=FLOAT_DIGITS, rounding=ROUND_HALF_EVEN)
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TRUE = {"1", "true", "t", "yes"}
_FALSE = {"0", "false", "f", "no"}


class LegacyError(Exception):
    """The older system's database cannot be taken over as it is; the sentence says why."""


class CellError(ValueError):
    """A cell does not hold what its column promises."""

    def __init__(self, column: str, was: str) -> None:
        super().__init__(f"{column} {was}")


@dataclass(frozen=True, slots=True, order=True)
class RowRef:
    """A row of the older database, as a person finds it again."""

    table: str
    key: str

    def __str__(self) -> str:
        return f"{self.table}:{self.key}"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time and the day it belongs to. stated: the source said its zone, so nothing was assumed."""

    at: datetime
    day: date
    stated: bool


Cells = Mapping[str, object]


def decimal_of(cells: Cells, column: str) -> Decimal | None:
    """The number in a column, None where there is none. A float keeps the 15 digits a float can promise: 0.1 + 0.2 is 0.3 again.

    Rounded to the 12 digits of the ledger. Raises CellError for text, NaN, infinity and more than 18 digits before the point.
    """
    value = cells.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = _number(value, column)
    if not found.is_finite() or (found and found.adjusted() >= INTEGER_DIGITS_MAX):
        raise CellError(column, "is not a number that an amount can be")
    return round_half_even(found)


def _number(value: object, column: str) -> Decimal:
    if isinstance(value, bool):
        raise CellError(column, "is a truth value, expected a number")
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, float):
        return _AS_FLOATS.create_decimal(repr(value)) if math.isfinite(value) else Decimal("NaN")
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    raise CellError(column, "is not a number")


def needed_decimal(cells: Cells, column: str) -> Decimal:
    found = decimal_of(cells, column)
    if found is None:
        raise CellError(column, "is missing")
    return found


def float_of(cells: Cells, column: str) -> float | None:
    """The number as the older system calculated with it; for its own figures only, never for ours."""
    value = cells.get(column)
    try:
        found = float(value) if isinstance(value, int | float | Decimal | str) else None
    except ValueError:
        return None
    return found if found is not None and math.isfinite(found) else None


def text_of(cells: Cells, column: str) -> str:
    """What stands there without blanks around it, empty where there is nothing."""
    value = cells.get(column)
    return "" if value is None else str(value).strip()


def needed_text(cells: Cells, column: str) -> str:
    found = text_of(cells, column)
    if not found:
        raise CellError(column, "is missing")
    return found


def flag_of(cells: Cells, column: str) -> bool | None:
    """A truth value, however the database stores it; None where nothing is stored. Raises CellError for any other word."""
    word = text_of(cells, column).lower()
    if not word:
        return None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise CellError(column, "is neither true nor false")


def moment_of(cells: Cells, column: str, unsaid: tzinfo, market: tzinfo) -> Moment | None:
    """The moment in a column, None where there is none; its day is that of `market`.

    Times without a zone are of `unsaid`. A plain date stands for its first moment at the market. Raises CellError for
    anything that is no date.
    """
    value = cells.get(column)
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch(value, column, market)
    if isinstance(value, str) and _DAY.fullmatch(value.strip()):
        value = _parsed(value, column).date()
    if isinstance(value, date) and not isinstance(value, datetime):
        return Moment(datetime.combine(value, time(0), market).astimezone(UTC), value, stated=True)
    found = value if isinstance(value, datetime) else _parsed(str(value), column)
    stated = found.tzinfo is not None
    at = (found if stated else found.replace(tzinfo=unsaid)).astimezone(UTC)
    return Moment(at, at.astimezone(market).date(), stated)


def _parsed(value: str, column: str) -> datetime:
    try:
        return datetime.fromisoformat(value.strip().removesuffix(" UTC") + ("+00:00" if value.strip().endswith(" UTC") else ""))
    except ValueError:
        raise CellError(column, "is not a date") from None


def _epoch(value: float, column: str, market: tzinfo) -> Moment:
    try:
        at = datetime.fromtimestamp(value / 1000 if abs(value) >= EPOCH_MS_FROM else value, UTC)
    except (OverflowError, OSError, ValueError):
        raise CellError(column, "is not a date") from None
    return Moment(at, at.astimezone(market).date(), stated=True)
