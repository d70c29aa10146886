"""Market's face towards NATS: what it hears, what it answers. What it says stands in `contracts/prices.py`."""

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any

from quantmatrix.common.contracts.asking.market import (
    BarColumns,
    BarsAsked,
    ChainAsked,
    ContractQuote,
    Instruments,
    InstrumentsAsked,
    ListedInstrument,
    OptionChain,
    PastChains,
    PastChainsAsked,
    QuotedContract,
    ReplayControlAsked,
    ReplayStatusAsked,
)
from quantmatrix.common.contracts.portfolio import LedgerWatermark
from quantmatrix.common.options import terms_of
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.hearing import Answers, Bus, Does, Hears
from quantmatrix.common.values import plain
from quantmatrix.market.handlers import Replay, announced, until_published, wire_instrument
from quantmatrix.market.store import MarketStore

QUOTES_ANSWERED_MAX = 2_000


def bus(replay: Replay, background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()) -> Bus:
    """The table of contents; what else goes on in the background depends on the settings."""
    return Bus(
        hears=(Hears(LedgerWatermark, replay.ledger_settled),),
        answers=(
            Answers(InstrumentsAsked, instruments),
            Answers(BarsAsked, bars),
            Answers(ChainAsked, chain),
            Answers(PastChainsAsked, past_chains),
            Answers(ReplayStatusAsked, replay.status),
        ),
        does=(Does(ReplayControlAsked, replay.control),),
        background=(replay.pace, *background),
    )


async def instruments(asked: InstrumentsAsked, connection: Connection) -> Instruments:
    store = MarketStore(connection)
    today = until_published(await store.replay(), None) or date.min
    aliases = await store.aliases(today)
    return Instruments(
        tuple(
            ListedInstrument(
                wire_instrument(one),
                one.name,
                one.calendar,
                one.tick_size,
                one.lot_size,
                aliases.get(one.instrument_id, ()),
            )
            for one in await store.listings(today)
            if asked.symbol is None or asked.symbol == one.symbol
        )
    )


async def bars(asked: BarsAsked, connection: Connection) -> BarColumns:
    """History up to what has been published. Raises Refused for an instrument nobody listed."""
    store = MarketStore(connection)
    until = until_published(await store.replay(), asked.until)
    listing = next((one for one in await store.listings(until or date.min) if one.instrument_id == asked.instrument_id), None)
    if listing is None:
        raise Refused("INSTRUMENT_UNKNOWN", f"no instrument has the id {asked.instrument_id}")
    found = await store.history(asked.instrument_id, asked.timeframe, until or date.min, asked.limit)
    actions = await store.actions_of(asked.instrument_id, until or date.min)
    return BarColumns(
        instrument_id=asked.instrument_id,
        timeframe=asked.timeframe,
        sessions=tuple(bar.session for bar in found),
        open=tuple(str(bar.open) for bar in found),
        high=tuple(str(bar.high) for bar in found),
        low=tuple(str(bar.low) for bar in found),
        close=tuple(str(bar.close) for bar in found),
        volume=tuple(str(bar.volume) for bar in found),
        actions=announced(actions, listing),
    )


async def chain(asked: ChainAsked, connection: Connection) -> OptionChain:
    """The options on an instrument in a session; nothing of a session that was not published yet."""
    store = MarketStore(connection)
    until = until_published(await store.replay(), asked.session)
    found = await store.chain(asked.underlying_id, asked.session) if until == asked.session else []
    quotes = (
        ContractQuote(
            instrument=wire_instrument(listing),
            kind=terms.kind,
            expires=terms.expires,
            strike=terms.strike,
            tick_size=listing.tick_size,
            bid=quote.bid,
            ask=quote.ask,
            open_interest=quote.open_interest,
            volume=quote.volume,
            iv=quote.iv,
            delta=quote.delta,
        )
        for listing, quote in found
        for terms in (terms_of(listing.symbol),)
    )
    return OptionChain(asked.underlying_id, asked.session, tuple(sorted(quotes, key=lambda one: (one.expires, one.strike, one.kind))))


async def past_chains(asked: PastChainsAsked, connection: Connection) -> PastChains:
    """The options on an instrument from a session on, up to what has been published."""
    store = MarketStore(connection)
    until = until_published(await store.replay(), None)
    found, after = await store.quoted(asked.underlying_id, asked.since, until or date.min, QUOTES_ANSWERED_MAX)
    listings = {(one.instrument_id, one.symbol): one for one, _ in sorted(found, key=lambda pair: (pair[0].symbol, pair[0].instrument_id))}
    place = {key: number for number, key in enumerate(listings)}
    quotes = [quote for _, quote in found]
    contracts = (
        QuotedContract(wire_instrument(one), terms.kind, terms.expires, terms.strike, one.tick_size)
        for one in listings.values()
        for terms in (terms_of(one.symbol),)
    )
    return PastChains(
        underlying_id=asked.underlying_id,
        contracts=tuple(contracts),
        sessions=tuple(one.session for one in quotes),
        contract=tuple(place[one.instrument_id, one.symbol] for one, _ in found),
        bid=tuple(plain(one.bid.value) for one in quotes),
        ask=tuple(plain(one.ask.value) for one in quotes),
        open_interest=tuple(one.open_interest for one in quotes),
        delta=tuple(one.delta for one in quotes),
        next_session=after,
    )
