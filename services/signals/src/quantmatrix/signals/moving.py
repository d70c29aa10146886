"""How much prices move, as people ask for it: every ATR method of an instrument, and what a portfolio moves in a day."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from itertools import combinations
from typing import Any

import polars as pl

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.scans import Unread
from quantmatrix.common.contracts.asking.volatility import (
    AtrAsked,
    AtrReading,
    AtrReadings,
    Exposure,
    InstrumentAtr,
    MatrixAtr,
    OptionsAtr,
    PortfolioAtr,
    PortfolioAtrAsked,
    PositionAtr,
)
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused, TryLater
from quantmatrix.common.values import Quantity
from quantmatrix.signals.domain.heat import Exposed, correlation, portfolio_atr
from quantmatrix.signals.domain.volatility import AtrReading as Enhanced
from quantmatrix.signals.domain.volatility import atr_reading, matrix_atr, options_atr
from quantmatrix.signals.ports import OptionChains
from quantmatrix.signals.scanning import Scanning, Universe
from quantmatrix.signals.store import SignalsStore

POSITIONS_MAX, SYMBOLS_MAX = 100, 500
DAYS_MAX = 252
_NONE = Quantity(0)


class Moving:
    """Answers from the series that scans read, and from the option chains of market."""

    def __init__(self, scanning: Scanning, chains: OptionChains | None) -> None:
        self._scanning, self._chains = scanning, chains

    async def readings(self, asked: AtrAsked, connection: Connection) -> AtrReadings:
        """Every method of each symbol. Raises Refused for days that are none."""
        if not 1 <= asked.trading_days <= DAYS_MAX:
            raise Refused("TRADING_DAYS_INVALID", f"an expected move is for 1 to {DAYS_MAX} trading days, got {asked.trading_days}")
        if len(asked.symbols) > SYMBOLS_MAX:
            raise Refused("ATR_TOO_LARGE", f"{len(asked.symbols)} symbols, at most {SYMBOLS_MAX}")
        universe = await self._scanning.universe(asked.symbols, connection)
        latest = max((one["session"][-1] for one in universe.bars.values() if one.height), default=None)
        found, unread = [], dict(universe.failed)
        for symbol, bars in universe.bars.items():
            if not bars.height:
                unread[symbol] = "there are no bars"
                continue
            try:
                strikes = await self._strikes(universe, symbol, bars["session"][-1])
            except (Refused, TryLater) as error:
                unread[symbol] = str(error)
                continue
            found.append(await asyncio.to_thread(reading_of, symbol, bars, asked.trading_days, strikes, latest))
        return AtrReadings(tuple(found), _told(unread))

    async def _strikes(self, universe: Universe, symbol: str, session: date) -> Sequence[float]:
        if self._chains is None:
            return ()
        chain = await self._chains.chain(universe.listed[symbol], session)
        return sorted({float(one.strike.value) for one in chain if not one.is_adjusted})

    async def portfolio(self, asked: PortfolioAtrAsked, connection: Connection) -> PortfolioAtr:
        """What the positions move. Raises Refused where there is no value to compare with, and for too many positions."""
        if asked.value.amount <= 0:
            raise Refused("PORTFOLIO_EMPTY", f"what moves is told in percent of the portfolio's value, and that is {asked.value}")
        if len(asked.positions) > POSITIONS_MAX:
            raise Refused("PORTFOLIO_TOO_LARGE", f"{len(asked.positions)} positions, at most {POSITIONS_MAX}")
        if not asked.positions:
            return PortfolioAtr("ok", asked.value, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (), (), asked.left_out)
        universe = await self._scanning.universe(tuple(one.symbol for one in asked.positions), connection)
        stops = await self._stops(universe, asked.user_id, connection)
        return await asyncio.to_thread(_portfolio_of, asked, universe, stops)

    async def _stops(self, universe: Universe, user: UserId, connection: Connection) -> Mapping[str, tuple[Quantity, float]]:
        """By symbol, how many units the stops of a user's runs cover, and their mean price in today's units, weighted by units."""
        symbols = {own: symbol for symbol, own in universe.listed.items()}
        found: dict[str, tuple[Quantity, float]] = {}
        for own, quantity, level in await SignalsStore(connection).stops_of(user):
            symbol = symbols.get(own)
            if symbol is None or symbol not in universe.factors:
                continue
            price, (before, mean) = level / universe.factors[symbol], found.get(symbol, (_NONE, 0.0))
            units = before + quantity
            found[symbol] = units, (mean * float(before.value) + price * float(quantity.value)) / float(units.value)
        return found


def reading_of(symbol: str, bars: pl.DataFrame, trading_days: int, strikes: Sequence[float], latest: date | None) -> AtrReading:
    """One instrument's bars in today's units by every method; latest: the newest session of all that was read."""
    session, close = bars["session"][-1], float(bars["close"][-1])
    old = sum(one.day > session for one in TradingCalendar().sessions(session, latest)) if latest is not None else 0
    enhanced, matrix = atr_reading(bars, sessions_old=old), matrix_atr(bars)
    options = options_atr(close, enhanced, trading_days, strikes)
    ladder = {str(level): price for level, price in matrix.ladder.items()} if matrix.ladder is not None else None
    return AtrReading(
        symbol=symbol,
        status=enhanced.status,
        session=session,
        bars=enhanced.bars,
        close=close,
        enhanced=InstrumentAtr(**_fields(InstrumentAtr, enhanced)),
        options=OptionsAtr(**_fields(OptionsAtr, options)),
        matrix=MatrixAtr(**{**_fields(MatrixAtr, matrix), "ladder": ladder}),
    )


def _fields(told: type[Any], reading: Any) -> dict[str, Any]:
    values = asdict(reading)
    return {name: values[name] for name in told.__struct_fields__}


def _portfolio_of(asked: PortfolioAtrAsked, universe: Universe, stops: Mapping[str, tuple[Quantity, float]]) -> PortfolioAtr:
    unread = {**universe.failed, **{one.symbol: one.why for one in asked.left_out}}
    read: list[tuple[Exposure, Enhanced, float]] = []
    for one in asked.positions:
        bars = universe.bars.get(one.symbol)
        if bars is None:
            continue
        found = atr_reading(bars)
        if found.atr is None:
            unread[one.symbol] = f"{bars.height} bars, an ATR needs 14"
            continue
        read.append((one, found, float(bars["close"][-1])))
    positions = tuple(_position(one, found, price, stops.get(one.symbol)) for one, found, price in read)
    pairs = {
        (left, right): known
        for left, right in combinations([one.symbol for one in positions], 2)
        if (known := correlation(universe.bars[left], universe.bars[right])) is not None
    }
    value, exposed = (
        float(asked.value.amount),
        [part for (one, *_), told in zip(read, positions, strict=True) for part in _parts(one, told)],
    )
    found_of = portfolio_atr(exposed, value, pairs)
    return PortfolioAtr(
        status=found_of.status,
        value=asked.value,
        gross=found_of.gross,
        gross_pct=found_of.gross_pct,
        diversified=found_of.diversified,
        diversified_pct=found_of.diversified_pct,
        heat=found_of.heat,
        heat_pct=100 * found_of.heat / value,
        positions=positions,
        without_correlation=found_of.without_correlation,
        unread=_told(unread),
    )


def _position(one: Exposure, found: Enhanced, price: float, stop: tuple[Quantity, float] | None) -> PositionAtr:
    """A run's stop covers what is held long, and no more of it than there is."""
    moves = found.atr or 0.0
    units = min(stop[0], one.quantity) if stop is not None and one.quantity > _NONE else _NONE
    amount = abs(float(one.quantity.value)) * float(one.multiplier.value) * moves
    return PositionAtr(one.symbol, one.quantity, price, moves, amount, units, stop[1] if stop is not None and units else None)


def _parts(one: Exposure, told: PositionAtr) -> list[Exposed]:
    """What the stop covers, and the rest."""
    multiplier, rest = float(one.multiplier.value), one.quantity - told.stopped
    kinds = ((told.stopped, told.stop), (rest, None))
    return [Exposed(one.symbol, float(units.value), told.atr, told.price, multiplier, stop=stop) for units, stop in kinds if units]


def _told(unread: Mapping[str, str]) -> tuple[Unread, ...]:
    return tuple(Unread(symbol, unread[symbol]) for symbol in sorted(unread))
