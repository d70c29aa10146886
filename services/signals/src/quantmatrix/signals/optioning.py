"""The options that a run is concerned with, their chains from market, and what a decision about one of them is shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

from quantmatrix.common.contracts.asking.market import ChainAsked, PastChains, PastChainsAsked
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.signals.domain.decisions import FLAT, Holding, Leg, Options, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.ports import OptionChains
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import KnownInstrument, RunAtWork, SignalsStore

CHAIN_DEADLINE_S = 5.0


class MarketChains:
    """Chains over the bus."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def chain(self, underlying: InstrumentId, session: date) -> Sequence[OptionQuote]:
        """The options on an instrument as market published them; raises TryLater while it does not answer."""
        found = await self._ask("market", ChainAsked(underlying_id=underlying, session=session), deadline_s=CHAIN_DEADLINE_S)
        return [
            OptionQuote(
                contract=one.instrument.symbol,
                kind=one.kind,
                expires=one.expires,
                strike=one.strike,
                bid=one.bid,
                ask=one.ask,
                open_interest=one.open_interest,
                delta=one.delta,
                instrument_id=one.instrument.instrument_id,
                tick_size=one.tick_size,
            )
            for one in found.quotes
        ]

    async def past(self, underlying: InstrumentId) -> Sequence[PastChains]:
        """Everything that market has published of the options on an instrument; raises TryLater while it does not answer."""
        pages: list[PastChains] = []
        since: date | None = date.min
        while since is not None:
            page = await self._ask("market", PastChainsAsked(underlying_id=underlying, since=since), deadline_s=CHAIN_DEADLINE_S)
            pages, since = [*pages, page], page.next_session
        return [page for page in pages if page.sessions]


class Contracts:
    """One run's options by what they are on."""

    def __init__(
        self,
        chains: OptionChains | None,
        known: Sequence[KnownInstrument],
        holdings: Mapping[InstrumentId, Holding],
        working: Collection[InstrumentId],
    ) -> None:
        self._chains, self._holdings, self._working = chains, holdings, working
        self._legs: dict[InstrumentId, list[KnownInstrument]] = {}
        for one in known:
            own = one.instrument.instrument_id
            if one.underlying is not None and (own in holdings or own in working):
                self._legs.setdefault(one.underlying, []).append(one)

    def has_legs(self, one: KnownInstrument) -> bool:
        """Whether the run holds or has ordered options on an instrument."""
        return one.instrument.instrument_id in self._legs

    async def options(self, one: KnownInstrument, session: date) -> Options:
        """The options on an instrument in a session. Raises TryLater while their chain cannot be had."""
        underlying = one.instrument.instrument_id
        chain = await self._chains.chain(underlying, session) if self._chains is not None else ()
        quotes = {quote.instrument_id: quote for quote in chain}
        legs = [self._leg(leg, quotes.get(leg.instrument.instrument_id)) for leg in self._legs.get(underlying, ())]
        return Options(session, chain, legs)

    def _leg(self, one: KnownInstrument, quote: OptionQuote | None) -> Leg:
        own = one.instrument
        holding, pending = self._holdings.get(own.instrument_id, FLAT), own.instrument_id in self._working
        return Leg(own.instrument_id, own.symbol, own.multiplier, holding, pending, quote)

    def shown(self, one: KnownInstrument, situation: Situation, slate: Slate) -> Situation:
        """The situation from an option's point of view: its own price, holding and ticks."""
        own = one.instrument.instrument_id
        quotes = situation.options.chain if situation.options is not None else ()
        quote = next((quote for quote in quotes if quote.instrument_id == own), None)
        series = slate.series(own)
        return replace(
            situation,
            close=quote.mid if quote is not None else slate.close(own),
            holding=self._holdings.get(own, FLAT),
            pending=own in self._working,
            door=Door(one.tick_size, one.lot_size, one.instrument.multiplier, series.factor if series is not None else 1.0),
        )


async def options_of(
    runs: Sequence[RunAtWork], listed: Sequence[KnownInstrument], calendar: str, store: SignalsStore
) -> list[KnownInstrument]:
    """The options of a calendar that any run holds or has ordered; nothing is asked while none does."""
    strangers = {own for _, holdings, working in runs for own in (*holdings, *working)}
    strangers -= {one.instrument.instrument_id for one in listed}
    return await store.options(strangers, calendar) if strangers else []
