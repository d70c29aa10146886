"""A finished backtest: what was asked, what happened, its figures, and one digest over all of it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.statistics import TradeFigures, Year
from quantmatrix.common.values import Money, plain
from quantmatrix.signals.backtest.collecting import seldom_collecting
from quantmatrix.signals.backtest.outcome import Fill, Outcome
from quantmatrix.signals.backtest.statistics import CurveFigures
from quantmatrix.signals.backtest.trades import Trade
from quantmatrix.signals.backtest.whole_fills import WholeFills


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that decides a backtest besides its data: repeating it with the same gives the same result."""

    strategy: str
    parameters: Mapping[str, Any]
    symbols: tuple[str, ...]
    first: date
    last: date
    cash: Money
    assumptions: tuple[str, ...]
    seed: int
    code_digest: str
    data_digest: str

    def rows(self) -> list[tuple[object, ...]]:
        """What a digest of the run covers of it."""
        return [
            (self.strategy, self.first, self.last, self.cash, self.seed, self.code_digest, self.data_digest),
            *((name, repr(self.parameters[name])) for name in sorted(self.parameters)),
            *((line,) for line in self.assumptions),
        ]


@dataclass(frozen=True, slots=True)
class SymbolFigures:
    """One instrument's part. profit is that of its closed trades, after commissions; held and value are what is left."""

    symbol: str
    trades: int
    won: int
    profit: Money
    fees: Money
    held: str
    value: Money
    price_change: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """exposure: mean invested share of equity; in_market: share of sessions with something held; turnover: traded value a year over mean equity."""

    asked: Asked
    outcome: Outcome
    trades: Sequence[Trade]
    curve: CurveFigures
    closed: TradeFigures
    benchmark: CurveFigures | None
    benchmark_equity: tuple[float, ...]
    symbols: tuple[SymbolFigures, ...]
    months: Sequence[Year]
    fees: Money
    exposure: float
    in_market: float
    turnover: float

    @property
    def digest(self) -> str:
        """SHA-256 over code, parameters, data, seed, assumptions, every fill, refusal and point of the curve."""
        with seldom_collecting():
            return digest_rows(
                {
                    "asked": self.asked.rows(),
                    "fills": _fill_rows(self.outcome.fills),
                    "refusals": [(one.session, one.symbol, one.code, one.detail) for one in self.outcome.refusals],
                    "curve": [(one.session, one.equity, one.cash) for one in self.outcome.curve],
                }
            )

    @property
    def trades_digest(self) -> str:
        """SHA-256 over what was traded alone: session, instrument, side, quantity, price. Equal wherever the same trades were made."""
        rows = sorted((str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price)) for one in self.outcome.fills)
        return hashlib.sha256("\n".join("\t".join(row) for row in rows).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints: figures, trades and digests, all of plain values."""
        asked, last = self.asked, self.outcome.curve[-1]
        return {
            "strategy": asked.strategy,
            "parameters": dict(asked.parameters),
            "symbols": list(asked.symbols),
            "first": str(asked.first),
            "last": str(asked.last),
            "sessions": len(self.outcome.curve),
            "opening_cash": plain(asked.cash.amount),
            "equity": plain(last.equity.amount),
            "cash": plain(last.cash.amount),
            "currency": asked.cash.currency,
            "fees": plain(self.fees.amount),
            "fills": len(self.outcome.fills),
            "refusals": len(self.outcome.refusals),
            "exposure": self.exposure,
            "in_market": self.in_market,
            "turnover": self.turnover,
            "curve": asdict(self.curve),
            "closed_trades": asdict(self.closed),
            "benchmark": asdict(self.benchmark) if self.benchmark else None,
            "months": [{"year": one.year, "months": list(one.months), "total": one.total} for one in self.months],
            "per_symbol": [_plain(asdict(one)) for one in self.symbols],
            "assumptions": list(asked.assumptions),
            "seed": asked.seed,
            "code_digest": asked.code_digest,
            "data_digest": asked.data_digest,
            "trades_digest": self.trades_digest,
            "digest": self.digest,
        }


def _fill_rows(fills: Sequence[Fill]) -> Iterable[tuple[object, ...] | str]:
    return fills.lines() if isinstance(fills, WholeFills) else map(_fill_row, fills)


def _fill_row(fill: Fill) -> tuple[object, ...]:
    return (
        fill.number,
        fill.session,
        fill.decided_on,
        fill.symbol,
        fill.side,
        fill.kind,
        fill.quantity,
        fill.price,
        fill.fee,
        fill.held_after,
        " | ".join(fill.reasons),
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value.amount) if isinstance(value, Money) else value for name, value in values.items()}
