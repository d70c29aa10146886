"""Brings market's feeds and signals' backtests together: neither knows the other, so the command does it."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from quantmatrix.common.names import ActionKind
from quantmatrix.common.options import terms_of
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.market import feeds
from quantmatrix.market.domain.listing import Listing
from quantmatrix.market.feeds._chains import with_chains
from quantmatrix.market.ports import Feed, FeedContent
from quantmatrix.market.settings import MarketSettings
from quantmatrix.signals import strategies
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.series import Split
from quantmatrix.signals.ports import Strategy


def _slot() -> dict[str, type[Strategy]]:
    found: list[type[Strategy]] = [load(strategies, module).STRATEGY for module in names_in(strategies)]
    return {strategy.name: strategy for strategy in found}


def catalogue() -> list[dict[str, Any]]:
    """What a person is told about every strategy of the slot, with the JSON schema of its parameters."""
    return [
        {
            "name": name,
            "title": one.title,
            "summary": one.catalogue.summary,
            "category": str(one.catalogue.category),
            "complexity": str(one.catalogue.complexity),
            "capital_min": str(one.catalogue.capital_min),
            "horizon": one.catalogue.horizon,
            "needs": list(one.catalogue.needs),
            "bars_min": one.catalogue.bars_min,
            "parameters": one.parameters.model_json_schema(),
        }
        for name, one in sorted(_slot().items())
    ]


def titles() -> dict[str, str]:
    """What the strategies of the slot are called by people, by name."""
    return {name: strategy.title for name, strategy in _slot().items()}


def strategy_called(name: str) -> type[Strategy]:
    """The strategy of the slot. Raises BacktestError with what there is."""
    known = _slot()
    if name not in known:
        raise BacktestError(f"there is no strategy {name!r}; there is {', '.join(sorted(known))}")
    return known[name]


def histories(symbols: Sequence[str], *, chains: bool = True) -> tuple[str, list[History]]:
    """The name of the feed that market is set to, and its bars as backtests take them; all symbols when none is named.

    chains: with the options on them, where market is set to a file of their quotes.
    Raises FeedError when the feed cannot be read or lacks a symbol, SettingsError when QM_MARKET_* is wrong.
    """
    settings = MarketSettings.read().model_copy(update={"replay_symbols": tuple(symbols)} if symbols else {})
    feed: Feed = load(feeds, settings.feed).make(settings)
    content = with_chains(feed.content(), settings) if chains else feed.content()
    return feed.name, [_history(listing, content) for listing in content.listings if listing.underlying is None]


def _history(listing: Listing, content: FeedContent) -> History:
    bars = tuple(
        PastBar(bar.session, bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in content.bars
        if bar.instrument_id == listing.instrument_id
    )
    splits = tuple(
        Split(action.action_id, action.effective, action.numerator, action.denominator)
        for action in content.actions
        if action.instrument_id == listing.instrument_id and action.kind is ActionKind.SPLIT
    )
    return History(
        instrument_id=listing.instrument_id,
        symbol=listing.symbol,
        currency=listing.currency,
        tick_size=listing.tick_size,
        lot_size=listing.lot_size,
        multiplier=listing.multiplier,
        bars=bars,
        splits=splits,
        chains=_chains(listing, content),
    )


def _chains(listing: Listing, content: FeedContent) -> dict[date, tuple[OptionQuote, ...]]:
    """The options on an instrument by session, as the service is shown them."""
    options = {one.instrument_id: one for one in content.listings if one.underlying == listing.instrument_id}
    found: dict[date, list[OptionQuote]] = {}
    for quote in content.quotes:
        if quote.instrument_id in options:
            one, terms = options[quote.instrument_id], terms_of(quote.symbol)
            found.setdefault(quote.session, []).append(
                OptionQuote(
                    contract=quote.symbol,
                    kind=terms.kind,
                    expires=terms.expires,
                    strike=terms.strike,
                    bid=quote.bid,
                    ask=quote.ask,
                    open_interest=quote.open_interest,
                    delta=quote.delta,
                    instrument_id=one.instrument_id,
                    tick_size=one.tick_size,
                )
            )
    return {session: tuple(sorted(own, key=lambda one: (one.expires, one.strike, one.kind))) for session, own in found.items()}


def parameters_of(given: Sequence[str]) -> dict[str, Any]:
    """`name=value` as a person writes it; the value is JSON where it reads as such, else a word. Raises BacktestError."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise BacktestError(f"expected name=value, got {one!r}")
        if name.strip() in found:
            raise BacktestError(f"{name.strip()} is given twice")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found


def parameters_as_json(given: Sequence[str]) -> dict[str, str]:
    """The same, each value as JSON: what questions and commands carry."""
    return {name: json.dumps(value) for name, value in parameters_of(given).items()}
