"""Scans and advice as people ask for them: a universe is read from the slate, and from market's history where it is not there."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from pydantic import ValidationError

from quantmatrix.common.contracts.asking.briefing import (
    Holding,
    HoldingAlerts,
    HoldingAlertsAsked,
    HoldingTold,
    IndexMove,
    Morning,
    MorningAsked,
    MorningSetup,
)
from quantmatrix.common.contracts.asking.scans import (
    Advice,
    AdviceAsked,
    AdviceTold,
    Component,
    Hit,
    ScanAsked,
    Scanned,
    Unread,
    WatchedSymbol,
    Watchlist,
    WatchlistAsked,
)
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused, TryLater
from quantmatrix.signals.advising import AdviceParameters
from quantmatrix.signals.answers import inputs_of
from quantmatrix.signals.domain.advice import Kept, Style, advise, looked_at_next, within
from quantmatrix.signals.ports import History
from quantmatrix.signals.scanners.holdings import INDICES, alerts_of, morning, most_urgent
from quantmatrix.signals.scanners.reading import Reading
from quantmatrix.signals.scanners.scan import PRESETS, Filter, filter_of, scan
from quantmatrix.signals.scanners.scan import Unread as SymbolUnread
from quantmatrix.signals.scanners.watchlist import WEIGHTS, Watched, watch
from quantmatrix.signals.scanners.watchlist import Watchlist as Ranked
from quantmatrix.signals.slate import Slate, series_of
from quantmatrix.signals.store import SignalsStore

SYMBOLS_MAX = 2_000
MORNING_PRESET = "atr_matrix"
_FAR = date(9999, 12, 31)
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Universe:
    """Series by symbol in today's units, what they were divided by, and why those that are missing are. listed: every symbol's own id."""

    bars: Mapping[str, pl.DataFrame]
    factors: Mapping[str, float]
    failed: Mapping[str, str]
    listed: Mapping[str, InstrumentId]

    def batch(self, symbols: Sequence[str]) -> Mapping[str, pl.DataFrame]:
        return {symbol: self.bars[symbol] for symbol in symbols}

    def with_unread(self, found: Sequence[SymbolUnread]) -> tuple[Unread, ...]:
        """Everything that could not be read, by symbol."""
        unread = [*(Unread(one.symbol, one.why) for one in found), *(Unread(*one) for one in self.failed.items())]
        return tuple(sorted(unread, key=lambda one: one.symbol))


class Scanning:
    """Answers from a read-only view."""

    def __init__(self, slate: Slate, history: History) -> None:
        self._slate, self._history = slate, history

    async def scanned(self, asked: ScanAsked, connection: Connection) -> Scanned:
        """What fits a preset. Raises Refused for a preset or filter that there is not, with those there are."""
        wanted = PRESETS.get(asked.preset)
        if wanted is None:
            raise Refused("PRESET_UNKNOWN", f"there is no preset {asked.preset!r}; there is {', '.join(PRESETS)}")
        wanted = _filtered(wanted, asked.filters)
        universe = await self.universe(asked.symbols, connection)
        found = await asyncio.to_thread(scan, universe.bars, universe.batch, wanted)
        return Scanned(
            preset=asked.preset,
            scanned=found.scanned,
            hits=tuple(_hit(one) for one in found.hits),
            unread=universe.with_unread(found.unread),
            presets=tuple(PRESETS),
            filters={name: json.dumps(value) for name, value in wanted.model_dump(exclude_defaults=True).items()},
            inputs=inputs_of(Filter),
        )

    async def watchlist(self, asked: WatchlistAsked, connection: Connection) -> Watchlist:
        """The best of a universe by watchlist score. Nothing here says what people think of a symbol, so no sentiment is known."""
        universe = await self.universe(asked.symbols, connection)
        found = await asyncio.to_thread(watch, universe.bars, universe.batch)
        return Watchlist(
            scanned=len(found.figures),
            watched=tuple(_watched(one, found) for one in found.watched),
            unread=universe.with_unread(found.unread),
            weights=dict(WEIGHTS),
        )

    async def morning(self, asked: MorningAsked, connection: Connection) -> Morning:
        """The figures of a morning's letter, from the scan of the schedule over all that is listed."""
        universe = await self.universe((), connection, asked.before)
        indices = await self.universe(INDICES, connection, asked.before)
        found = await asyncio.to_thread(scan, universe.bars, universe.batch, PRESETS[MORNING_PRESET])
        seen = await asyncio.to_thread(scan, indices.bars, indices.batch, PRESETS["all"])
        readings = {one.symbol: one for one in seen.hits}
        told = morning(found, readings)
        why = {one.symbol: one.why for one in indices.with_unread(seen.unread)}
        return Morning(
            preset=MORNING_PRESET,
            indices=tuple(_index_move(symbol, readings.get(symbol), told.index_moves.get(symbol), why) for symbol in INDICES),
            setups=tuple(
                MorningSetup(one.symbol, one.session, one.entry, one.stop, one.targets, one.risk_reward, one.horizon_days)
                for one in told.setups
            ),
            scanned=told.scanned,
            hits=told.hits,
            unread=universe.with_unread(found.unread),
        )

    async def holding_alerts(self, asked: HoldingAlertsAsked, connection: Connection) -> HoldingAlerts:
        """The most urgent of what the readings of holdings say at their cost."""
        costs = {one.symbol: cost for one in asked.holdings if (cost := _cost(one)) is not None}
        unpriced = {one.symbol: "nobody knows what it cost" for one in asked.holdings if one.symbol not in costs}
        if not costs:
            return HoldingAlerts((), 0, tuple(Unread(*one) for one in sorted(unpriced.items())))
        universe = await self.universe(tuple(costs), connection)
        found = await asyncio.to_thread(scan, universe.bars, universe.batch, PRESETS["all"])
        told = [alert for one in found.hits for alert in alerts_of(one, costs[one.symbol])]
        unread = (*universe.with_unread(found.unread), *(Unread(*one) for one in unpriced.items()))
        return HoldingAlerts(
            alerts=tuple(HoldingTold(one.symbol, one.alert, one.urgency, one.text) for one in most_urgent(told)),
            found=len(told),
            unread=tuple(sorted(unread, key=lambda one: one.symbol)),
        )

    async def universe(self, named: Sequence[str], connection: Connection, before: date | None = None) -> "Universe":
        """The series of the symbols that are named, or of all that is listed, up to a session. Raises Refused for too many."""
        if len(named) > SYMBOLS_MAX:
            raise Refused("SCAN_TOO_LARGE", f"{len(named)} symbols, at most {SYMBOLS_MAX}")
        known = await SignalsStore(connection).instruments_by_id()
        listed = {one.instrument.symbol: own for own, one in sorted(known.items()) if one.underlying is None}
        symbols = dict.fromkeys([one.strip().upper() for one in named] or sorted(listed))
        bars, factors, failed = await self._bars({symbol: listed[symbol] for symbol in symbols if symbol in listed}, before)
        unlisted = {symbol: "it is not listed here" for symbol in symbols if symbol not in listed}
        return Universe(bars, factors, {**failed, **unlisted}, listed)

    async def _bars(
        self, instruments: Mapping[str, InstrumentId], before: date | None
    ) -> tuple[dict[str, pl.DataFrame], dict[str, float], dict[str, str]]:
        """The series in today's units (those of the day `before`) by symbol, and the symbols whose history cannot be had with the reason."""
        found: dict[str, pl.DataFrame] = {}
        factors: dict[str, float] = {}
        failed: dict[str, str] = {}
        for symbol, own in instruments.items():
            series = self._slate.series(own)
            try:
                series = series if series is not None else series_of(await self._history.bars(own, _FAR))
            except (Refused, TryLater, ValueError) as error:
                failed[symbol] = getattr(error, "detail", "") or str(error)
                continue
            frame, today = series.frame, series.factor
            if before is not None:
                frame, today = frame.filter(pl.col("session") < before), series.factor_until(before)
            found[symbol] = frame.with_columns(*(pl.col(name) / today for name in _PRICES), pl.col("volume") * today)
            factors[symbol] = today
        return found, factors, failed

    async def advice(self, asked: AdviceAsked, _: Connection) -> Advice:
        """What the rules say. Raises Refused for a style that there is not, and for figures that are none."""
        styles = [style for style in Style if asked.style in ("", style)]
        if not styles:
            raise Refused("STYLE_UNKNOWN", f"there is no style {asked.style!r}; there is {', '.join(Style)}")
        if not (math.isfinite(asked.market_cap) and asked.market_cap > 0 and math.isfinite(asked.unrealised_pct)):
            raise Refused("ADVICE_FIGURES", "a market value is above zero, and both figures are numbers")
        kept, bounds = Kept(asked.market_cap, asked.unrealised_pct, asked.growth_sector), _bounds(asked.settings)
        found = [advise(style, kept) for style in styles]
        if asked.settings:
            increase, profit = bounds.max_position_increase, bounds.profit_taking
            found = [within(one, kept.unrealised_pct, increase_max_pct=increase, profit_from_pct=profit) for one in found]
        return Advice(
            tuple(AdviceTold(one.style, one.action, one.percent, one.confidence, one.reason, one.urgency) for one in found),
            inputs_of(AdviceParameters),
            None if asked.as_of is None else looked_at_next(bounds.rebalance_frequency, asked.as_of),
        )


def _filtered(preset: Filter, given: Mapping[str, str]) -> Filter:
    told = _plain(given, "FILTER_INVALID")
    try:
        return filter_of(preset, told)
    except ValidationError as error:
        raise Refused("FILTER_INVALID", f"{_wrong(error)}; there is {', '.join(Filter.model_fields)}") from error


def _bounds(given: Mapping[str, str]) -> AdviceParameters:
    told = _plain(given, "ADVICE_INVALID")
    try:
        return AdviceParameters.model_validate(told)
    except ValidationError as error:
        raise Refused("ADVICE_INVALID", f"{_wrong(error)}; there is {', '.join(AdviceParameters.model_fields)}") from error


def _plain(given: Mapping[str, str], code: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, text in given.items():
        try:
            told[name] = json.loads(text)
        except ValueError as error:
            raise Refused(code, f"{name} is no JSON: {text[:80]!r}") from error
    return told


def _wrong(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())


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


def _index_move(symbol: str, reading: Reading | None, change: float | None, why: Mapping[str, str]) -> IndexMove:
    if reading is None or change is None:
        return IndexMove(symbol, None, None, why.get(symbol, "there is no session before its last one"))
    return IndexMove(symbol, reading.session, change)


def _cost(one: Holding) -> float | None:
    """What one unit cost; none where nobody knows, and where it cost nothing there is no gain to compare with."""
    if one.basis is None or one.basis.amount <= 0 or one.quantity.value <= 0:
        return None
    return float(one.basis.amount / one.quantity.value)


def _watched(one: Watched, found: Ranked) -> WatchedSymbol:
    figures = found.figures[one.symbol]
    parts = tuple(Component(name, figures[name] if name in one.points else None, one.points.get(name)) for name in WEIGHTS)
    return WatchedSymbol(one.symbol, found.sessions[one.symbol], one.score, parts)
