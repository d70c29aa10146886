"""Scans and advice as people ask for them: a universe is read from the slate, and from market's history where it is not there."""

import asyncio
import math
from collections.abc import Mapping
from datetime import date

import polars as pl

from quantmatrix.common.contracts.asking.scans import Advice, AdviceAsked, AdviceTold, Hit, ScanAsked, Scanned, Unread
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused, TryLater
from quantmatrix.signals.domain.advice import Kept, Style, advise
from quantmatrix.signals.ports import History
from quantmatrix.signals.scanners.reading import Reading
from quantmatrix.signals.scanners.scan import PRESETS, scan
from quantmatrix.signals.slate import Slate, series_of
from quantmatrix.signals.store import SignalsStore

SYMBOLS_MAX = 2_000
_FAR = date(9999, 12, 31)
_PRICES = ("open", "high", "low", "close")


class Scanning:
    """Answers from a read-only view."""

    def __init__(self, slate: Slate, history: History) -> None:
        self._slate, self._history = slate, history

    async def scanned(self, asked: ScanAsked, connection: Connection) -> Scanned:
        """What fits a preset. Raises Refused for a preset that there is not, with those there are."""
        wanted = PRESETS.get(asked.preset)
        if wanted is None:
            raise Refused("PRESET_UNKNOWN", f"there is no preset {asked.preset!r}; there is {', '.join(PRESETS)}")
        if len(asked.symbols) > SYMBOLS_MAX:
            raise Refused("SCAN_TOO_LARGE", f"{len(asked.symbols)} symbols, at most {SYMBOLS_MAX}")
        known = await SignalsStore(connection).instruments_by_id()
        listed = {one.instrument.symbol: own for own, one in sorted(known.items()) if one.underlying is None}
        symbols = [one.strip().upper() for one in asked.symbols] or sorted(listed)
        bars, failed = await self._bars({symbol: listed[symbol] for symbol in symbols if symbol in listed})
        readable = [symbol for symbol in symbols if symbol not in failed and symbol in listed]
        found = await asyncio.to_thread(scan, readable, lambda batch: {one: bars[one] for one in batch}, wanted)
        strangers = [Unread(symbol, "it is not listed here") for symbol in dict.fromkeys(symbols) if symbol not in listed]
        unread = (*(Unread(one.symbol, one.why) for one in found.unread), *(Unread(*one) for one in failed.items()), *strangers)
        return Scanned(
            preset=asked.preset,
            scanned=found.scanned,
            hits=tuple(_hit(one) for one in found.hits),
            unread=tuple(sorted(unread, key=lambda one: one.symbol)),
            presets=tuple(PRESETS),
        )

    async def _bars(self, instruments: Mapping[str, InstrumentId]) -> tuple[dict[str, pl.DataFrame], dict[str, str]]:
        """The series in today's units by symbol, and the symbols whose history cannot be had now with the reason."""
        found: dict[str, pl.DataFrame] = {}
        failed: dict[str, str] = {}
        for symbol, own in instruments.items():
            series = self._slate.series(own)
            try:
                series = series if series is not None else series_of(await self._history.bars(own, _FAR))
            except (Refused, TryLater, ValueError) as error:
                failed[symbol] = getattr(error, "detail", "") or str(error)
                continue
            today = series.factor
            found[symbol] = series.frame.with_columns(*(pl.col(name) / today for name in _PRICES), pl.col("volume") * today)
        return found, failed

    async def advice(self, asked: AdviceAsked, _: Connection) -> Advice:
        """What the rules say. Raises Refused for a style that there is not, and for figures that are none."""
        styles = [style for style in Style if asked.style in ("", style)]
        if not styles:
            raise Refused("STYLE_UNKNOWN", f"there is no style {asked.style!r}; there is {', '.join(Style)}")
        if not (math.isfinite(asked.market_cap) and asked.market_cap > 0 and math.isfinite(asked.unrealised_pct)):
            raise Refused("ADVICE_FIGURES", "a market value is above zero, and both figures are numbers")
        kept = Kept(asked.market_cap, asked.unrealised_pct, asked.growth_sector)
        return Advice(
            tuple(
                AdviceTold(one.style, one.action, one.percent, one.confidence, one.reason)
                for one in (advise(style, kept) for style in styles)
            )
        )


def _hit(one: Reading) -> Hit:
    entry = one.entry
    return Hit(
        symbol=one.symbol,
        session=one.session,
        close=one.close,
        atr_distance=one.atr_distance,
        atr_pct=one.atr_pct,
        position_20d=one.position_20d,
        rsi=one.rsi,
        aligned=one.aligned,
        zone=one.zone,
        recommendation=one.recommendation,
        score=one.score,
        confidence=one.confidence,
        stop=float(entry.stop.value) if entry is not None and entry.stop is not None else None,
        target=float(entry.targets[0].value) if entry is not None and entry.targets else None,
    )
