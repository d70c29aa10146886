"""The same work as a class of frames in freqtrade, by its own loop and on its own exchange, which is told of one market instead of asking for them.

Its program looks up markets of a real exchange before it does anything; here nothing leaves the machine. It is installed beside the
other peers only, and is imported where it is run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

PAIR = "WALK/USD"
STRATEGY = """
from freqtrade.strategy import IStrategy

class Cross(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {"0": 1000.0}
    stoploss = -0.99

    def populate_indicators(self, df, metadata):
        df["fast"] = df["close"].rolling(FAST).mean()
        df["slow"] = df["close"].rolling(SLOW).mean()
        return df

    def populate_entry_trend(self, df, metadata):
        crossed = (df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))
        df.loc[crossed, "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df

    def custom_stake_amount(self, current_rate, **kwargs):
        return (UNITS + 1e-7) * current_rate
"""
"""A little more money than the units cost, because amounts are cut to the market's step."""


def frames_of_freqtrade(folder: Path, terms: dict[str, Any], digits: int) -> Callable[[], tuple[int, float]]:
    """terms: FAST, SLOW, UNITS, FEE and CASH. The run tells the number of fills and the final equity."""
    import numpy as np
    import pandas as pd
    from freqtrade.enums import CandleType, RunMode
    from freqtrade.exchange import Exchange
    from freqtrade.optimize.backtesting import Backtesting

    home = folder / "freqtrade"
    (home / "data").mkdir(parents=True, exist_ok=True)
    text = STRATEGY
    for name, value in terms.items():
        text = text.replace(name, str(value))
    (home / "cross_strategy.py").write_text(text, encoding="utf-8")
    told = _settings(home, terms) | {"runmode": RunMode.BACKTEST, "candle_type_def": CandleType.SPOT}
    exchange = Exchange(told, validate=False, load_leverage_tiers=False)
    exchange._markets = {PAIR: _market(digits)}
    exchange.validate_required_startup_candles = lambda *_: 0

    opened, close = (np.load(folder / f"{name}.npy") / 10**digits for name in ("open", "close"))
    when = pd.date_range("2010-01-04", periods=len(opened), freq="min", tz="UTC")
    highs_and_lows = {"high": np.maximum(opened, close), "low": np.minimum(opened, close)}
    frame = pd.DataFrame({"date": when, "open": opened, **highs_and_lows, "close": close, "volume": 1_000.0})

    def run() -> tuple[int, float]:
        engine = Backtesting(told, exchange)
        engine._set_strategy(engine.strategylist[0])
        processed = engine.strategy.advise_all_indicators({PAIR: frame.copy()})
        found = engine.backtest(processed=processed, start_date=when[0].to_pydatetime(), end_date=when[-1].to_pydatetime())
        return 2 * len(found["results"]), float(found["final_balance"])

    return run


def _settings(home: Path, terms: dict[str, Any]) -> dict[str, Any]:
    pricing = {"price_side": "same", "use_order_book": False}
    return {
        "max_open_trades": 1,
        "stake_currency": "USD",
        "stake_amount": terms["CASH"] / 10,
        "dry_run": True,
        "dry_run_wallet": terms["CASH"],
        "tradable_balance_ratio": 1.0,
        "trading_mode": "spot",
        "timeframe": "1m",
        "fee": terms["FEE"],
        "exchange": {"name": "binance", "key": "", "secret": "", "pair_whitelist": [PAIR], "pair_blacklist": [], "ccxt_config": {}},
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "pairlists": [{"method": "StaticPairList"}],
        "user_data_dir": home,
        "datadir": home / "data",
        "strategy": "Cross",
        "strategy_path": str(home),
        "export": "none",
        "backtest_cache": "none",
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "original_config": {},
        "internals": {},
    }


def _market(digits: int) -> dict[str, Any]:
    limits = {"amount": {"min": 0.001, "max": 1e12}, "cost": {"min": 0.01, "max": 1e12}, "price": {"min": 10**-digits, "max": 1e9}}
    kind = {"active": True, "spot": True, "swap": False, "future": False, "type": "spot", "contractSize": None}
    names = {"symbol": PAIR, "base": "WALK", "quote": "USD"}
    return {**names, **kind, "precision": {"price": 10**-digits, "amount": 1e-3}, "limits": limits, "maker": 0.001, "taker": 0.001}
