"""The slate: every instrument's series in memory, loaded from market's history when it is missing or not up to date."""

from collections.abc import Sequence
from datetime import date

import structlog

from quantmatrix.common.contracts.asking.market import BarColumns, BarsAsked
from quantmatrix.common.names import ActionKind, InstrumentId
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.values import Price
from quantmatrix.signals.domain.series import RawBar, Series, Split, series_from
from quantmatrix.signals.ports import History

log = structlog.get_logger(__name__)
HISTORY_DEADLINE_S = 5.0
HISTORY_BARS_MAX = 5_000


class MarketHistory:
    """History over the bus."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def bars(self, instrument: InstrumentId, until: date) -> BarColumns:
        return await self._ask(
            "market",
            BarsAsked(instrument_id=instrument, until=until, limit=HISTORY_BARS_MAX),
            deadline_s=HISTORY_DEADLINE_S,
        )


class Slate:
    """A copy that may be thrown away at any time: the same bars and splits always make the same series."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._series: dict[InstrumentId, Series] = {}
        self._closes: dict[InstrumentId, Price] = {}
        self._reached: dict[str, date] = {}

    def series(self, instrument: InstrumentId) -> Series | None:
        return self._series.get(instrument)

    def has_bars(self, instrument: InstrumentId) -> bool:
        """Whether there is a latest close."""
        return instrument in self._closes

    def close(self, instrument: InstrumentId) -> Price:
        """The latest raw close, exactly as market told it. Raises KeyError for an instrument without bars."""
        return self._closes[instrument]

    def split(self, instrument: InstrumentId, split: Split) -> bool:
        """Let a split count from the next bar on; False where there is no series, or it has the split already."""
        series = self._series.get(instrument)
        if series is None or split.action_id in series.splits:
            return False
        series.apply(split)
        return True

    def adjust_close(self, instrument: InstrumentId, numerator: int, denominator: int) -> None:
        """The latest close of an option in the terms that a split gave it: it may not be quoted on that day."""
        if instrument in self._closes:
            self._closes[instrument] = self._closes[instrument].scaled(denominator, numerator)

    def append(self, instrument: InstrumentId, bar: RawBar, close: Price) -> None:
        """The next bar of a series that is loaded; others are loaded when somebody needs them."""
        series = self._series.get(instrument)
        if series is not None and (series.last_session is None or series.last_session < bar.session):
            series.append(bar)
            self._closes[instrument] = close

    def reached(self, calendar: str, session: date) -> None:
        """All bars of a session have been heard."""
        if calendar in self._reached:
            self._reached[calendar] = max(session, self._reached[calendar])

    async def load(self, instruments: Sequence[InstrumentId], calendar: str, session: date) -> None:
        """Make every series complete up to a session. Raises TryLater while market does not answer."""
        current = self._reached.get(calendar) == session
        missing = [instrument for instrument in instruments if not current or instrument not in self._series]
        for instrument in missing:
            columns = await self.history.bars(instrument, session)
            self._series[instrument] = series_of(columns)
            if columns.close:
                self._closes[instrument] = Price.parse(columns.close[-1])
            for action in columns.actions:
                if action.becomes and columns.sessions and action.effective > columns.sessions[-1]:
                    self.adjust_close(instrument, action.numerator, action.denominator)
        if missing:
            log.info("slate.loaded", instruments=len(missing), session=str(session))
        self._reached[calendar] = session


def series_of(columns: BarColumns) -> Series:
    bars = [
        RawBar(session, float(opened), float(high), float(low), float(close), float(volume))
        for session, opened, high, low, close, volume in zip(
            columns.sessions, columns.open, columns.high, columns.low, columns.close, columns.volume, strict=True
        )
    ]
    splits = [
        Split(action.action_id, action.effective, action.numerator, action.denominator)
        for action in columns.actions
        if action.kind is ActionKind.SPLIT
    ]
    return series_from(bars, splits)
