"""The process in which a backtest is computed for the signals service: bars on standard input, the end of it in the database."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence

import msgspec

from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.common.runtime.database import connect
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.run import refuse_unless_possible
from quantmatrix.signals.stored.handed import histories_of, lines_of, strategy_in_slot
from quantmatrix.signals.stored.repeating import computed
from quantmatrix.signals.stored.store import BacktestStore
from quantmatrix.signals.stored.wanted import Wanted
from quantmatrix.signals.stored.working import AtWork, CancelledBacktestError, work_on

NICE = 10
BARS_IN_A_LIMIT = 4
"""A bar is told to be at fault after twice its own limit at most, and well before the whole is."""
END = b"\n"
"""The line after the last one."""


class Start(msgspec.Struct, frozen=True):
    """The first line: which backtest, where it is stored, how long it and one bar of it may take in seconds; whether its bars are stored there too."""

    backtest_id: int
    database_url: str
    limit_s: float
    bar_limit_s: float
    wanted: Wanted
    is_packed: bool = False


async def _work(start: Start, given: Sequence[bytes]) -> None:
    """Compute it and store its end."""
    connection = await connect(start.database_url, service="signals-backtest")
    asked, store = start.wanted, BacktestStore(connection)
    known = await store.parts(start.backtest_id)
    pieces = await store.data(start.backtest_id) if start.is_packed else []

    def compute(at: AtWork) -> Record:
        strategy = strategy_in_slot(asked.strategy)
        histories = histories_of(lines_of(pieces) if start.is_packed else given)
        if asked.kind == "run":
            refuse_unless_possible(strategy, histories, asked.job())
        bar_limit_s = min(start.bar_limit_s, start.limit_s / BARS_IN_A_LIMIT)
        return computed(strategy, histories, asked, at.progress, on_tried=at.keep, known=known, bar_limit_s=bar_limit_s)

    try:
        await work_on(store, start.backtest_id, compute, SystemClock(), limit_s=start.limit_s)
    except (BacktestError, CancelledBacktestError):
        return  # its end is stored
    finally:
        await connection.close()


def _end_with_the_service() -> None:
    """Nothing comes after the bars but the pipe's end: then the service is gone, and another one begins with this backtest."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Give way to whatever trades, read, work, end at once: a computation that never returns holds nothing up."""
    os.nice(NICE)
    first, *given = iter(sys.stdin.buffer.readline, END)
    threading.Thread(target=_end_with_the_service, name="the service", daemon=True).start()
    asyncio.run(_work(decode_as(Start, first), given))
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
