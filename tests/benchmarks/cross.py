"""One piece of work for every engine: averages of 20 and 50 closes, decide on the close, buy or sell 1,000 at the next open, 0.1 %.

Run as a process of its own, so that it can be timed as a whole: `cross.py ENGINE FOLDER REPEATS` prints one line of JSON.
This file is read by the environments of the peers, too, and imports an engine only where it is run.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAST, SLOW, UNITS, FEE, CASH, DIGITS = 20, 50, 1_000, 0.001, 10_000_000, 8
Found = tuple[int, float]


def columns(folder: Path) -> Callable[[], Found]:
    """The product's column path: fills with the figures they were decided on, trades and curve as frames; no texts."""
    import polars as pl

    from quantmatrix.signals.backtest.columns import run_in_columns
    from quantmatrix.signals.strategies.moving_average_cross import STRATEGY

    strategy = STRATEGY(STRATEGY.parameters.model_validate({"fast": FAST, "slow": SLOW, "units": UNITS}))
    frame = pl.read_parquet(folder / "bars.parquet").rechunk()

    def run() -> Found:
        found = run_in_columns(strategy, _history(frame), *_terms())
        fills, _ = found.fills(), found.trades()
        return fills.height, found.curve.item(-1, "equity") / 10**found.digits

    return run


def events(folder: Path) -> Callable[[], Found]:
    """The product's event path: a class that computes its averages beforehand, as the peer's does, and decides bar by bar."""
    import polars as pl

    from quantmatrix.signals.adapters.events import Bar, Events, run_events

    frame = pl.read_parquet(folder / "bars.parquet").rechunk()
    history = _history(frame)
    averages = history.frame.select(fast=pl.col("close").rolling_mean(FAST), slow=pl.col("close").rolling_mean(SLOW))
    fast, slow = averages["fast"].to_list(), averages["slow"].to_list()

    class Cross(Events):
        number = -1

        def on_bar(self, bar: Bar) -> None:
            self.number += 1
            at = self.number
            if at < SLOW:
                return
            if self.position:
                if fast[at] < slow[at]:
                    self.sell()
            elif fast[at] > slow[at] and fast[at - 1] <= slow[at - 1]:
                self.buy(UNITS)

    def run() -> Found:
        found = run_events(Cross(), _history(frame), *_terms())
        fills, _ = found.fills(), found.trades()
        return fills.height, found.curve.item(-1, "equity") / 10**found.digits

    return run


def _history(frame: Any) -> Any:
    from quantmatrix.common.names import InstrumentId
    from quantmatrix.common.values import Price, Quantity
    from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory

    one = Quantity(1)
    return PackedHistory(InstrumentId("ID-WALK"), "WALK", "USD", Price.parse("0.01"), one, one, PackedBars(frame, DIGITS), ())


def _terms() -> tuple[Any, Any]:
    from decimal import Decimal

    from quantmatrix.common.values import Money
    from quantmatrix.signals.backtest.rules import Commission, FillRules

    nothing = Decimal(0)
    return Money(CASH, "USD"), FillRules(Commission(nothing, nothing, nothing, Decimal("0.1")))


def compiled(folder: Path) -> Callable[[], Found]:
    """The limit: a bare compiled loop with running sums, amounts as doubles, nothing kept but the count and the equity."""
    import numpy as np
    from numba import njit

    @njit
    def loop(opened, close):
        cash, held, fills, fast, slow, above_before = float(CASH), 0, 0, 0.0, 0.0, False
        for at in range(len(close)):
            fast += close[at]
            slow += close[at]
            if at >= FAST:
                fast -= close[at - FAST]
            if at >= SLOW:
                slow -= close[at - SLOW]
            if at < SLOW - 1:
                continue
            above = fast * SLOW > slow * FAST
            if at + 1 < len(close):
                price = opened[at + 1]
                if held and not above:
                    cash += UNITS * price * (1 - FEE)
                    held, fills = 0, fills + 1
                elif not held and above and not above_before and at >= SLOW:
                    cash -= UNITS * price * (1 + FEE)
                    held, fills = UNITS, fills + 1
            above_before = above
        return fills, cash + held * close[-1]

    opened, close = np.load(folder / "open.npy") / 10**DIGITS, np.load(folder / "close.npy") / 10**DIGITS
    return lambda: loop(opened, close)


def vectorbt(folder: Path) -> Callable[[], Found]:
    """Signals moved on by one bar, so that they fill at the open."""
    import numpy as np
    import pandas as pd
    import vectorbt as vbt

    index = pd.date_range("2010-01-04", periods=len(np.load(folder / "open.npy")), freq="min")
    opened = pd.Series(np.load(folder / "open.npy") / 10**DIGITS, index)
    close = pd.Series(np.load(folder / "close.npy") / 10**DIGITS, index)

    def run() -> Found:
        fast, slow = vbt.MA.run(close, FAST).ma, vbt.MA.run(close, SLOW).ma
        enter = (fast > slow) & (fast.vbt.fshift(1) <= slow.vbt.fshift(1))
        leave = fast < slow
        held = vbt.Portfolio.from_signals(
            close,
            enter.vbt.signals.fshift(1),
            leave.vbt.signals.fshift(1),
            price=opened,
            size=UNITS,
            fees=FEE,
            init_cash=CASH,
            direction="longonly",
        )
        return len(held.orders.records), float(held.value().iloc[-1])

    return run


def backtesting(folder: Path) -> Callable[[], Found]:
    """Its own event loop, averages computed beforehand."""
    import numpy as np
    import pandas as pd
    from backtesting import Backtest, Strategy

    opened, close = np.load(folder / "open.npy") / 10**DIGITS, np.load(folder / "close.npy") / 10**DIGITS
    index = pd.date_range("2010-01-04", periods=len(close), freq="min")
    bars = pd.DataFrame({"Open": opened, "High": np.maximum(opened, close), "Low": np.minimum(opened, close), "Close": close}, index)

    class Cross(Strategy):  # type: ignore[misc]  # its base has no types
        def init(self) -> None:
            series = pd.Series(close)
            self.fast = self.I(lambda: series.rolling(FAST).mean().to_numpy())
            self.slow = self.I(lambda: series.rolling(SLOW).mean().to_numpy())

        def next(self) -> None:
            if self.position:
                if self.fast[-1] < self.slow[-1]:
                    self.position.close()
            elif self.fast[-1] > self.slow[-1] and self.fast[-2] <= self.slow[-2]:
                self.buy(size=UNITS)

    def run() -> Found:
        stats = Backtest(bars, Cross, cash=CASH, commission=FEE).run()
        open_ones = stats["_strategy"]._broker.trades
        return 2 * len(stats["_trades"]) + len(open_ones), float(stats["Equity Final [$]"])

    return run


def nautilus(folder: Path) -> Callable[[], Found]:
    """Quotes at the opens, bars at the closes: a strategy decides on the bar and orders at the quote that follows."""
    from decimal import Decimal

    import numpy as np
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.data import Bar, BarType, QuoteTick
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import CurrencyPair
    from nautilus_trader.model.objects import Currency, Money, Price, Quantity
    from nautilus_trader.trading.strategy import Strategy

    minute, venue = 60_000_000_000, Venue("SIM")
    walk, money = Currency("WLK", 8, 0, "WLK", 1), Currency("EXACT", 8, 0, "money with as many digits as the prices have", 1)
    instrument = CurrencyPair(
        instrument_id=InstrumentId.from_str("WLK/EXACT.SIM"),
        raw_symbol=Symbol("WLKEXACT"),
        base_currency=walk,
        quote_currency=money,
        price_precision=DIGITS,
        size_precision=0,
        price_increment=Price(10**-DIGITS, DIGITS),
        size_increment=Quantity.from_int(1),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
        ts_event=0,
        ts_init=0,
    )
    kind = BarType.from_str("WLK/EXACT.SIM-1-MINUTE-LAST-EXTERNAL")
    opened, close = np.load(folder / "open.npy").tolist(), np.load(folder / "close.npy").tolist()
    plenty, one, data = Quantity.from_int(10**9), Quantity.from_int(1), []
    for at, (first, last) in enumerate(zip(opened, close, strict=True)):
        begin, end = (Price.from_str(f"{units / 10**DIGITS:.{DIGITS}f}") for units in (first, last))
        starts, ends = at * minute + 1, (at + 1) * minute
        data.append(QuoteTick(instrument.id, begin, begin, plenty, plenty, starts, starts))
        data.append(Bar(kind, begin, max(begin, end), min(begin, end), end, one, ends, ends))

    class Cross(Strategy):  # type: ignore[misc]  # its base has no types
        def on_start(self) -> None:
            self.fast, self.slow, self.wanted, self.held, self.above = (
                SimpleMovingAverage(FAST),
                SimpleMovingAverage(SLOW),
                None,
                False,
                None,
            )
            self.register_indicator_for_bars(kind, self.fast)
            self.register_indicator_for_bars(kind, self.slow)
            self.subscribe_quote_ticks(instrument.id)
            self.subscribe_bars(kind)

        def on_bar(self, bar: Bar) -> None:
            if not self.slow.initialized:
                return
            above = self.fast.value > self.slow.value
            if self.held:
                self.wanted = OrderSide.SELL if self.fast.value < self.slow.value else None
            else:
                self.wanted = OrderSide.BUY if above and self.above is False else None
            self.above = above

        def on_quote_tick(self, tick: QuoteTick) -> None:
            if self.wanted is not None:
                self.submit_order(self.order_factory.market(instrument.id, self.wanted, Quantity.from_int(UNITS)))
                self.held, self.wanted = self.wanted == OrderSide.BUY, None

    def run() -> Found:
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(venue, OmsType.NETTING, AccountType.CASH, [Money(CASH, money)], bar_execution=False)
        engine.add_instrument(instrument)
        engine.add_data(data)
        engine.add_strategy(Cross())
        engine.run()
        account = engine.portfolio.account(venue)
        held = account.balance_total(walk)
        equity = float(account.balance_total(money)) + (float(held) if held is not None else 0.0) * close[-1] / 10**DIGITS
        return sum(order.is_closed for order in engine.cache.orders()), equity

    return run


def freqtrade(folder: Path) -> Callable[[], Found]:
    """A class of frames by the loop of freqtrade."""
    from tests.benchmarks.freqtrades import frames_of_freqtrade

    return frames_of_freqtrade(folder, {"FAST": FAST, "SLOW": SLOW, "UNITS": UNITS, "FEE": FEE, "CASH": CASH}, DIGITS)


ENGINES = {one.__name__: one for one in (columns, events, compiled, vectorbt, backtesting, freqtrade, nautilus)}


def main() -> None:
    """Time the first run and the quickest of the others, by the wall and by the processor."""
    engine, folder, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    run = ENGINES[engine](folder)
    walls, processors, found = [], [], (0, 0.0)
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        found = run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    told = {
        "fills": int(found[0]),
        "equity": round(float(found[1]), 2),
        "first_s": walls[0],
        "warm_s": min(walls),
        "processor_s": min(processors),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
