"""What signals does with prices: it keeps the series, and lets the strategies decide on each closed bar. Fills: `booking.py`."""

from collections.abc import Mapping

import structlog

from quantmatrix.common.contracts.fills import MatchedWatermark
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalsWatermark
from quantmatrix.common.names import ActionKind, RunState
from quantmatrix.common.runtime.page import Page
from quantmatrix.signals.aftermath import Following
from quantmatrix.signals.answers import Answers
from quantmatrix.signals.at_work import AtWork, Looked
from quantmatrix.signals.booking import Booking
from quantmatrix.signals.deciding import Moment, Turn
from quantmatrix.signals.domain.book import after_split
from quantmatrix.signals.domain.memory import after_adjustment
from quantmatrix.signals.domain.series import RawBar, Split
from quantmatrix.signals.engines import Engines
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.moving import Moving
from quantmatrix.signals.optioning import Contracts, options_of
from quantmatrix.signals.ports import OptionChains, Strategy
from quantmatrix.signals.scanning import Scanning
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.starting import Starting
from quantmatrix.signals.store import KnownInstrument, SignalsStore

log = structlog.get_logger(__name__)


class Handlers:
    """One method per message. The slate holds the series in memory; everything that decides anything else is in the tables."""

    def __init__(
        self, slate: Slate, strategies: Mapping[str, type[Strategy]], default_strategy: str, chains: OptionChains | None = None
    ) -> None:
        self._slate = slate
        self._chains = chains
        self._engines = Engines(strategies)
        self.booking = Booking(self._engines, default_strategy)
        self.starting = Starting(self._engines, slate)
        self.answers = Answers(self._engines)
        self.scanning = Scanning(slate, slate.history)
        self.moving = Moving(self.scanning, chains)
        self._known: dict[str, list[KnownInstrument]] = {}
        self.at_work = AtWork()
        self._looked: tuple[Page, Looked] | None = None
        self.following = Following(slate)

    async def instrument_listed(self, listed: InstrumentListed, page: Page) -> None:
        await SignalsStore(page.connection).keep_instrument(listed)
        self._known.clear()

    async def action_announced(self, action: CorporateActionAnnounced, page: Page) -> None:
        """A split: later bars are scaled, holdings and orders under way follow; of an option its symbol too. Dividends change no series."""
        if action.kind is not ActionKind.SPLIT:
            return
        instrument = action.instrument.instrument_id
        first = self._slate.split(instrument, Split(action.action_id, action.effective, action.numerator, action.denominator))
        store = SignalsStore(page.connection)
        if action.becomes:
            if first:
                self._slate.adjust_close(instrument, action.numerator, action.denominator)
            await self._adjust_contract(action, store)
        if action.numerator == action.denominator:
            return
        for run_id, holding in await store.holders_of(instrument):
            await store.keep_holding(run_id, instrument, after_split(holding, action.numerator, action.denominator))
            await LedgerStore(page.connection).keep_split(run_id, instrument, action.numerator, action.denominator)

    async def _adjust_contract(self, action: CorporateActionAnnounced, store: SignalsStore) -> None:
        """A contract goes on under its new symbol, also where a run is about to buy or sell it."""
        before = action.instrument.symbol
        await store.rename(action.instrument.instrument_id, action.becomes, action.deliverable)
        for run_id, underlying, memory in await store.pursuers_of(action.instrument.instrument_id, before):
            after = after_adjustment(memory, action.becomes, action.numerator, action.denominator)
            await store.keep_memory(run_id, underlying, after)

    async def bars_closed(self, closed: BarsClosed, page: Page) -> None:
        for bar in closed.bars:
            self._slate.append(
                bar.instrument_id,
                RawBar(
                    closed.session,
                    float(bar.open.value),
                    float(bar.high.value),
                    float(bar.low.value),
                    float(bar.close.value),
                    float(bar.volume.value),
                ),
                bar.close,
            )
        if closed.part == closed.parts:
            self._slate.reached(closed.calendar, closed.session)

    async def may_decide(self, watermark: PricesWatermark, page: Page) -> bool:
        """A run with an order under way, or with options, waits until execution has said what this moment's prices filled and what ended.

        The very first decision waits too, so that accounts opened before it have their runs.
        """
        decided = page.reached(PricesWatermark.key_for(watermark.calendar)).moment is not None
        looked = await self.at_work.look(page)
        self._looked = page, looked
        listed = self._known.get(watermark.calendar)
        stocks = {one.instrument.instrument_id for one in listed} if listed is not None else set()
        if decided and not any(working or not stocks.issuperset(holdings) for _, holdings, working in looked.runs):
            return True
        matched = page.reached(MatchedWatermark.key_for(watermark.calendar)).moment
        return matched is not None and matched >= watermark.moment

    async def decide(self, watermark: PricesWatermark, page: Page) -> None:
        """Let every run decide on this moment, in a fixed order, and say that all have."""
        store = SignalsStore(page.reading)
        # `may_decide` has just looked on this very page, and nothing was changed since.
        looked = self._looked[1] if self._looked is not None and self._looked[0] is page else await self.at_work.look(page)
        listed = await self._instruments(watermark.calendar, store)
        known = [*listed, *await options_of(looked.runs, listed, watermark.calendar, store)]
        await self._slate.load([one.instrument.instrument_id for one in known], watermark.calendar, watermark.session)
        moment = Moment(watermark.calendar, watermark.session, watermark.moment)
        decided = self.at_work.build_on(looked, page)
        for run, holdings, working in looked.runs:
            turn = Turn(run, holdings, working, known, self._slate, moment, page, Contracts(self._chains, known, holdings, working))
            if run.state is RunState.STOPPING:
                await turn.leave(run.reason, None)
            else:
                await turn.decide(self._engines.of(run))
        decided()
        page.say(
            SignalsWatermark(calendar=watermark.calendar, timeframe=watermark.timeframe, session=watermark.session, moment=watermark.moment)
        )
        page.after_commit(lambda: self.following.decided(watermark.head))

    async def _instruments(self, calendar: str, store: SignalsStore) -> list[KnownInstrument]:
        """What is listed; read again whenever a listing was heard."""
        if calendar not in self._known:
            self._known[calendar] = await store.instruments(calendar)
        return self._known[calendar]
