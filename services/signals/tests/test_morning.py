"""The figures of a morning and alerts of holdings from real bars, in today's units across a split, under a market's symbols."""

from typing import Any

import msgspec
import pytest

from quantmatrix.common.contracts.asking.briefing import Holding, HoldingAlertsAsked, MorningAsked
from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.prices import CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionKind, AssetClass, InstrumentId
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.scanning import Scanning
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.testing import FixedHistory

BARS = {"SPY": 315, "QQQ": 49, "IWM": 0, "AAPL": 315}
"""How many of Apple's bars each symbol has; the split of June 2000 lies within them."""


async def scanning(connection: Any, reference: Any) -> Scanning:
    """Over four symbols that are listed; of each the last bars of Apple's."""
    columns = {}
    for symbol, count in BARS.items():
        own = InstrumentId(symbol.lower())
        told = Instrument(own, symbol, AssetClass.STOCK, "USD", Quantity(1))
        await SignalsStore(connection).keep_instrument(msgspec.structs.replace(like(InstrumentListed), instrument=told, underlying=None))
        bars = reference.bars[len(reference.bars) - count :]
        split = reference.splits[0]
        action = msgspec.structs.replace(
            like(CorporateActionAnnounced), action_id=split.action_id, instrument=told, kind=ActionKind.SPLIT,
            effective=split.effective, numerator=2, denominator=1, becomes="",
        )  # fmt: skip
        values = {name: tuple(f"{getattr(bar, name):.4f}" for bar in bars) for name in ("open", "high", "low", "close", "volume")}
        actions = (action,) if bars and bars[0].session < split.effective else ()
        columns[own] = BarColumns(instrument_id=own, timeframe="1d", sessions=tuple(bar.session for bar in bars), actions=actions, **values)
    history = FixedHistory(columns)
    return Scanning(Slate(history), history)


async def test_an_index_that_is_there_moves_and_the_others_are_named(database: Any, reference: Any) -> None:
    connection = await database.connect("signals")
    desk = await scanning(connection, reference)

    found = await desk.morning(MorningAsked(), connection)

    last, before = reference.bars[-1], reference.bars[-2]
    moves = {one.symbol: one for one in found.indices}
    assert list(moves) == ["SPY", "QQQ", "IWM", "DIA", "VTI"]
    assert (moves["SPY"].session, moves["SPY"].why) == (last.session, "")
    assert moves["SPY"].change_pct == pytest.approx(100 * (last.close / before.close - 1))
    assert {symbol: (one.session, one.change_pct) for symbol, one in moves.items() if symbol != "SPY"} == dict.fromkeys(
        ("QQQ", "IWM", "DIA", "VTI"), (None, None)
    )
    assert [moves[symbol].why for symbol in ("QQQ", "IWM", "DIA")] == [
        "49 bars, a reading needs 50", "0 bars, a reading needs 50", "it is not listed here",
    ]  # fmt: skip
    assert found.scanned == 2 and [one.symbol for one in found.unread] == ["IWM", "QQQ"]


async def test_a_gain_is_told_in_todays_units(database: Any, reference: Any) -> None:
    """After a split the ledger holds more units at the same basis, and the last close is raw: nothing is scaled twice."""
    connection = await database.connect("signals")
    desk = await scanning(connection, reference)
    close = reference.bars[-1].close
    holdings = (
        Holding("AAPL", Quantity(100), Money(100 * round(close / 1.5), "USD")),
        Holding("SPY", Quantity(100), Money(100 * round(close * 1.5), "USD")),
    )

    found = await desk.holding_alerts(HoldingAlertsAsked(holdings=holdings), connection)

    of_gain = {(one.symbol, one.alert) for one in found.alerts if one.alert in ("STOP_LOSS", "PROFIT_TAKING")}
    assert of_gain == {("AAPL", "PROFIT_TAKING"), ("SPY", "STOP_LOSS")}
    assert found.alerts[0].urgency == "critical" and found.found == len(found.alerts)
