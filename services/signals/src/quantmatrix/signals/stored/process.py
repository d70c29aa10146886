"""The process in which a backtest is computed for the signals service: bars on standard input, the end of it in the database."""

import asyncio
import os
import sys
from collections.abc import Sequence

import msgspec

from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.names import ActionKind
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.common.runtime.database import connect
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals import strategies
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.run import refuse_unless_possible
from quantmatrix.signals.domain.series import Split
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.stored.repeating import computed
from quantmatrix.signals.stored.store import BacktestStore
from quantmatrix.signals.stored.wanted import Wanted
from quantmatrix.signals.stored.working import AtWork, CancelledBacktestError, work_on

NICE = 10


class Start(msgspec.Struct, frozen=True):
    """The first line: which backtest, where it is stored, how long it may take in seconds."""

    backtest_id: int
    database_url: str
    limit_s: float
    wanted: Wanted


class Given(msgspec.Struct, frozen=True):
    """One instrument with its raw bars; sizes as decimal strings."""

    symbol: str
    currency: str
    tick_size: str
    lot_size: str
    multiplier: str
    bars: BarColumns


def history_of(given: Given) -> History:
    """The bars as a backtest takes them."""
    columns = given.bars
    rows = zip(columns.sessions, columns.open, columns.high, columns.low, columns.close, columns.volume, strict=True)
    price = Price.parse
    bars = tuple(
        PastBar(session, price(opened), price(high), price(low), price(close), Quantity.parse(volume))
        for session, opened, high, low, close, volume in rows
    )
    splits = tuple(
        Split(one.action_id, one.effective, one.numerator, one.denominator) for one in columns.actions if one.kind is ActionKind.SPLIT
    )
    sizes = (Price.parse(given.tick_size), Quantity.parse(given.lot_size), Quantity.parse(given.multiplier))
    return History(columns.instrument_id, given.symbol, given.currency, *sizes, bars, splits)


async def _work(start: Start, given: Sequence[bytes]) -> None:
    """Compute it and store its end."""
    connection = await connect(start.database_url, service="signals-backtest")
    asked = start.wanted

    def compute(at: AtWork) -> Record:
        strategy = _strategy(asked.strategy)
        histories = [history_of(decode_as(Given, line)) for line in given]
        if asked.kind == "run":
            refuse_unless_possible(strategy, histories, asked.job())
        return computed(strategy, histories, asked, at.progress, on_tried=at.keep)

    try:
        await work_on(BacktestStore(connection), start.backtest_id, compute, SystemClock(), limit_s=start.limit_s)
    except (BacktestError, CancelledBacktestError):
        return  # its end is stored
    finally:
        await connection.close()


def _strategy(name: str) -> type[Strategy]:
    for module in names_in(strategies):
        found: type[Strategy] = load(strategies, module).STRATEGY
        if found.name == name:
            return found
    raise BacktestError(f"there is no strategy {name!r} any more")


def main() -> None:
    """Give way to whatever trades, read, work, end at once: a computation that never returns holds nothing up."""
    os.nice(NICE)
    first, *given = sys.stdin.buffer.read().splitlines()
    asyncio.run(_work(decode_as(Start, first), given))
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
