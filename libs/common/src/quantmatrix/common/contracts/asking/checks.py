"""What came of a look-ahead check, as it is told."""

from datetime import date

import msgspec


class BacktestLooked(msgspec.Struct, frozen=True):
    """One instrument of a look-ahead check. decided: at how many cuts something was; changed: how many columns and decisions did."""

    symbol: str
    bars: int
    cuts: int
    decided: int
    changed: int


class BacktestChange(msgspec.Struct, frozen=True):
    """The first bar of an instrument at which something was another thing once later bars were known. where: a column, or `decide`."""

    symbol: str
    session: date
    where: str
    known_then: str
    known_later: str


class BacktestCheck(msgspec.Struct, frozen=True):
    """What came of a look-ahead check. changed: how many columns and decisions; `changes` are the first of them."""

    cuts: int
    decided: int
    changed: int
    looked: tuple[BacktestLooked, ...]
    changes: tuple[BacktestChange, ...]
