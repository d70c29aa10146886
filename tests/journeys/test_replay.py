"""Real bars of Apple and Microsoft from the feed to the inbox, steady and shaken."""

import json
from datetime import date
from typing import Any

import pytest
from tests.journeys.conftest import ACCOUNT, FIVE, USER, Platform

from quantmatrix.common.contracts.asking.messaging import TraceAsked
from quantmatrix.common.contracts.asking.notify import InboxAsked
from quantmatrix.common.contracts.asking.portfolio import ClosingsAsked, LotsAsked, SnapshotsAsked
from quantmatrix.common.contracts.asking.signals import SignalsAsked
from quantmatrix.common.names import SignalKind
from quantmatrix.operations.schemas import forget_replay

pytestmark = pytest.mark.long(20)


# What lies before the first session is history, so that there is enough of it to decide from the first day on.
HALF_A_YEAR = {
    "replay_symbols": ("AAPL", "MSFT"),
    "replay_from": date(2003, 4, 1),
    "replay_to": date(2003, 9, 30),
    "replay_pace_s": 0.0,
}


async def test_a_shaken_replay_makes_the_same_ledger(make_platform: Any, bus: Any, database: Any) -> None:
    """Every service is stopped and started on the way, one after the other, and the bus is emptied again and again, with whatever is under way."""
    shaken: Platform = make_platform(market=HALF_A_YEAR)
    await shaken.start()
    for number, service in enumerate(FIVE, start=1):
        await shaken.until(lambda status, day=18 * number: status.sessions_done >= day, f"{18 * number} sessions")
        await shaken.restart(service)
    for done in range(100, 120):
        await shaken.until(lambda status, day=done: status.sessions_done >= day, f"{done} sessions")
        await bus.purge()
        await bus.provision()
    await shaken.finished()
    await shaken.agree()
    after_shaking = await shaken.digests()
    for service in FIVE:
        await shaken.start_here.stop(service)

    await forget_replay(database.superuser_url)
    await bus.purge()
    await bus.provision()
    steady: Platform = make_platform(market=HALF_A_YEAR)
    await steady.start()
    await steady.finished()

    assert await steady.digests() == after_shaking
    assert after_shaking["execution"].counts["fills"] > 10
    assert after_shaking["notify"].counts["duplicate_notifications"] == 0
    await _valued_and_traced(steady)


async def _valued_and_traced(platform: Platform) -> None:
    """Every session is valued, and every lot leads back to its bar and on to the person."""
    _, ledger = await platform.agree()

    points = (await platform.asked("portfolio", SnapshotsAsked(user_id=USER, account_id=ACCOUNT, limit=5_000))).points
    assert len(points) == (await platform.status()).sessions_total
    assert points[0].equity == points[0].cash == ledger.opening_cash
    assert points[-1].cash == ledger.cash

    closing = (await platform.asked("portfolio", ClosingsAsked(user_id=USER))).closings[0]
    chain = await causes(platform, str(closing.lot_id))
    assert [message.type for message in chain][:5] == ["LotOpened", "OrderFilled", "OrderAccepted", "OrderSubmitted", "SignalRaised"]
    assert chain[-1].service == "market" and {message.type for message in chain[5:]} <= {"PricesWatermark", "BarsClosed"}
    assert len({message.trace for message in chain[:5]}) == 1
    times = [message.occurred_at for message in chain]
    assert times == sorted(times, reverse=True)
    told = (await platform.asked("notify", InboxAsked(user_id=USER, limit=500))).notifications
    assert [one.topic for one in told if str(one.about) == chain[1].message_id] == ["fill"]


async def causes(platform: Platform, lot: str) -> list[Any]:
    """From the opening of a lot back to the first cause, each told by the one service that said it."""
    (opened,) = [one for one in (await platform.asked("portfolio", TraceAsked(about=lot))).messages if one.type == "LotOpened"]
    chain = [opened]
    while chain[-1].caused_by is not None:
        found = [
            message
            for service in FIVE
            for message in (await platform.asked(service, TraceAsked(message_ids=(chain[-1].caused_by,)))).messages
            if message.message_id == chain[-1].caused_by
        ]
        assert len(found) == 1, f"the cause of {chain[-1].type} is told by {len(found)} services"
        chain += found
    return chain


async def test_a_split_doubles_what_is_held_and_frightens_nobody(make_platform: Any, database: Any) -> None:
    """AAPL, 28 February 2005, 2 for 1: the replay ends on the day of the split, with lots that were opened before it."""
    split = date(2005, 2, 28)
    told = {"replay_symbols": ("AAPL",), "replay_from": date(2004, 12, 1), "replay_to": split, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=told)
    await platform.start()
    await platform.finished()

    _, ledger = await platform.agree()

    rows = await database.fetch("portfolio", "select payload from outbox where type = 'LotAdjusted'")
    adjusted = [json.loads(row["payload"]) for row in rows]
    assert adjusted, "nothing was held over the split: the test shows nothing"
    assert all(int(one["quantity_after"]) == 2 * int(one["quantity_before"]) for one in adjusted)
    lots = (await platform.asked("portfolio", LotsAsked(user_id=USER))).lots
    assert {str(lot.lot_id) for lot in lots if lot.opened_on < split} <= {one["lot_id"] for one in adjusted}
    raised = (await platform.asked("signals", SignalsAsked(user_id=USER, limit=500))).signals
    assert [one.kind for one in raised if one.session == split and one.kind in (SignalKind.EXIT, SignalKind.STOP_LOSS)] == []
    assert ledger.differences == ()
