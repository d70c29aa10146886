"""Files of a stock that is split while options on it are held: real bars, divided from a day on, and chains in the OCC's new terms.

Nothing but the terms changes. A whole split halves strike, bid and ask; any other leaves all three, under a root with a digit, as the
adjusted contract delivers as many more shares as each is worth less. So whoever held the contract owns what he would have owned.
"""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from services.signals.tests.chain_file import rows_on

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money
from quantmatrix.market.domain.listing import CorporateAction
from quantmatrix.market.feeds import csv as bars_of
from quantmatrix.market.feeds._chains import COLUMNS, with_chains
from quantmatrix.market.settings import MarketSettings
from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.run import Job, backtest

Ratio = tuple[int, int]
FIRST, LAST = date(2003, 6, 2), date(2003, 9, 30)
CASH = Money(20_000, "USD")
WIDE = {"profit_target_pct": 50, "stop_loss_pct": 50}


_READ: dict[tuple[date | None, Ratio, date], tuple[History, list[CorporateAction]]] = {}
_RUNS: dict[int, tuple[History, Result]] = {}
"""By the identity of a past, which is kept beside it."""


class World:
    """Microsoft in 2003 with a split of its own instead of the real one of that February. What its files say is read once for all tests."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.told: Mapping[str, str] = {}
        self.folder, self._monkeypatch = folder, monkeypatch

    def split(self, day: date | None, ratio: Ratio = (2, 1), quoted_until: date = LAST) -> tuple[History, list[CorporateAction]]:
        named = {"csv_file": "bars.csv", "csv_splits_file": "splits.csv", "chains_file": "chains.csv"}
        for name, text in _texts(day, ratio, quoted_until).items():
            (self.folder / name).write_text(text, encoding="utf-8", newline="")
        self.told = {"feed": "csv", **{name: str(self.folder / value) for name, value in named.items()}}
        for name, value in self.told.items():
            self._monkeypatch.setenv(f"QM_MARKET_{name.upper()}", value)
        if (day, ratio, quoted_until) not in _READ:
            _READ[day, ratio, quoted_until] = _as_the_feed_reads_them(day)
        return _READ[day, ratio, quoted_until]


def _as_the_feed_reads_them(day: date | None) -> tuple[History, list[CorporateAction]]:
    (past,) = histories(["MSFT"])[1]
    if day is None:
        return past, []
    settings = MarketSettings.read()
    return past, [one for one in with_chains(bars_of.make(settings).content(), settings).actions if one.becomes]


def _halved(bar: PastBar) -> PastBar:
    prices = (one.scaled(1, 2) for one in (bar.open, bar.high, bar.low, bar.close))
    return PastBar(bar.session, *prices, bar.volume.scaled(2, 1))


@cache
def microsoft() -> History:
    """The real bars."""
    (past,) = histories(["MSFT"], chains=False)[1]
    return past


@cache
def _bars() -> Sequence[PastBar]:
    past = microsoft()
    (real,) = [one.effective for one in past.splits if date(2002, 1, 2) < one.effective <= LAST]
    return [_halved(bar) if bar.session < real else bar for bar in past.bars if date(2002, 1, 2) <= bar.session <= LAST]


def run(past: History) -> Result:
    """Its backtest, computed once for the same past."""
    if id(past) not in _RUNS:
        _RUNS[id(past)] = past, backtest(strategy_called("atr_options"), [past], Job(WIDE, CASH))
    return _RUNS[id(past)][1]


def first_trade(result: Result) -> tuple[Any, Any]:
    """The first purchase that was held for some sessions, and its sale."""
    sales = {one.name: one for one in result.outcome.fills if one.side is Side.SELL}
    return next(
        (one, sales[one.name]) for one in result.outcome.fills if one.side is Side.BUY and (sales[one.name].session - one.session).days >= 4
    )


def days_of_interest(past: History) -> dict[str, date]:
    """The sessions on which a split meets a purchase under way, a holding, and a sale under way."""
    bought, sold = first_trade(run(past))
    between = [one for one in past.sessions if bought.session < one < sold.session]
    return {"a purchase under way": bought.session, "a holding": between[len(between) // 2], "a sale under way": sold.session}


@cache
def _texts(day: date | None, ratio: Ratio, quoted_until: date) -> Mapping[str, str]:
    """Bars, splits and chains of MSFT as files, by name. day: of the split, None for none."""
    new, old = ratio
    bars, chains = StringIO(), StringIO()
    lines = csv.writer(bars)
    lines.writerow(("symbol", "date", "open", "high", "low", "close", "volume"))
    for bar in _bars():
        after = day is not None and bar.session >= day
        prices = (one.scaled(old, new) if after else one for one in (bar.open, bar.high, bar.low, bar.close))
        lines.writerow(("MSFT", bar.session, *prices, bar.volume.scaled(new, old) if after else bar.volume))
    lines = csv.writer(chains)
    lines.writerow((*COLUMNS, "root"))
    for session, rows in _chains().items():
        if session <= quoted_until:
            lines.writerows(_adjusted(row, ratio) if day is not None and session >= day else (*row, "") for row in rows)
    told = [] if day is None else [f"MSFT,{day},{new},{old}"]
    splits = "\n".join(["symbol,effective,numerator,denominator", *told]) + "\n"
    return {"bars.csv": bars.getvalue(), "splits.csv": splits, "chains.csv": chains.getvalue()}


@cache
def _chains() -> Mapping[date, Sequence[tuple[object, ...]]]:
    """The chain of every session from FIRST on, as it is without a split."""
    return {bar.session: list(rows_on("MSFT", bar.session, float(bar.close.value))) for bar in _bars() if FIRST <= bar.session <= LAST}


def _adjusted(row: tuple[object, ...], ratio: Ratio) -> tuple[object, ...]:
    new, old = ratio
    if new % old:
        return (*row, "MSFT1")
    symbol, session, expires, kind, strike, bid, ask, *rest = row
    divided = (Decimal(str(one)) / (new // old) for one in (strike, bid, ask))
    return (symbol, session, expires, kind, *divided, *rest, "")
