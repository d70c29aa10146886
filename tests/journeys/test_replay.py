"""Real bars of Apple and Microsoft from the feed to the inbox, steady and shaken."""

from datetime import date
from typing import Any

from quantmatrix.common.contracts.asking.messaging import TraceAsked
from quantmatrix.common.contracts.asking.notify import InboxAsked
from quantmatrix.common.contracts.asking.portfolio import LotsAsked, SnapshotsAsked
from tests.journeys.conftest import ACCOUNT, FIVE, USER, Platform

MARKET = {"replay_symbols": ("AAPL", "MSFT"), "replay_to": date(2001, 12, 31), "replay_pace_s": 0.0}


async def test_a_shaken_replay_makes_the_same_ledger(make_platform: Any, bus: Any, database: Any, servers: Any) -> None:
    """Every service is stopped and started on the way, one after the other, and the bus is emptied once."""
    shaken: Platform = make_platform(market=MARKET)
    await shaken.start()
    for number, service in enumerate(FIVE):
        await shaken.until(lambda status, day=30 * (number + 1): status.sessions_done >= day, f"{30 * (number + 1)} sessions")
        await shaken.restart(service)
    await shaken.until(lambda status: status.sessions_done >= 250, "250 sessions")
    await bus.purge()
    await bus.provision()
    await shaken.finished()
    await shaken.agree()
    after_shaking = await shaken.digests()
    for service in FIVE:
        await shaken.start_here.stop(service)

    await _forget(database)
    await bus.purge()
    await bus.provision()
    steady: Platform = make_platform(market=MARKET)
    await steady.start()
    await steady.finished()

    assert await steady.digests() == after_shaking
    assert after_shaking["execution"].counts["fills"] > 10
    assert after_shaking["notify"].counts["duplicate_notifications"] == 0


async def _forget(database: Any) -> None:
    """Empty every table, so that the same database serves a second replay."""
    from quantmatrix.operations.schemas import forget_replay

    await forget_replay(database.superuser_url)


async def test_from_a_lot_back_to_the_bar_and_forward_to_the_person(make_platform: Any) -> None:
    """One chain of causes: the bars' watermark, the signal, the order, the fill, the lot; and the notification about the fill."""
    platform: Platform = make_platform(market=MARKET)
    await platform.start()
    await platform.finished()
    book, _ = await platform.agree()
    assert book.executions > 10
    lots = (await platform.asked("portfolio", LotsAsked(user_id=USER))).lots
    lot = lots[0] if lots else None
    assert lot is not None, "this replay ends with something held"

    (opened,) = [one for one in (await platform.asked("portfolio", TraceAsked(about=str(lot.lot_id)))).messages if one.type == "LotOpened"]
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

    assert [message.type for message in chain][:5] == ["LotOpened", "OrderFilled", "OrderAccepted", "OrderSubmitted", "SignalRaised"]
    assert chain[-1].service == "market" and {message.type for message in chain[5:]} <= {"PricesWatermark", "BarsClosed"}
    assert len({message.trace for message in chain[:5]}) == 1
    times = [message.occurred_at for message in chain]
    assert times == sorted(times, reverse=True)
    told = (await platform.asked("notify", InboxAsked(user_id=USER, limit=500))).notifications
    assert [one.topic for one in told if str(one.about) == chain[1].message_id] == ["fill"]


async def test_every_session_has_a_snapshot_and_the_last_one_is_cash_and_value(make_platform: Any) -> None:
    platform: Platform = make_platform(market={**MARKET, "replay_to": date(2000, 12, 29)})
    await platform.start()
    await platform.finished()

    points = (await platform.asked("portfolio", SnapshotsAsked(user_id=USER, account_id=ACCOUNT, limit=5_000))).points

    assert len(points) == (await platform.status()).sessions_total
    assert (points[0].equity, points[0].cash) == (points[0].cash, points[0].equity)
    _, ledger = await platform.agree()
    assert points[-1].cash == ledger.cash


async def test_no_lot_was_opened_or_closed_by_the_split(make_platform: Any) -> None:
    """The split of June 2000 halves the raw price. Nothing is sold in a panic, and what is held is doubled at the venue too."""
    platform: Platform = make_platform(market={**MARKET, "replay_symbols": ("AAPL",), "replay_to": date(2000, 6, 30)})
    await platform.start()
    await platform.pause_at(date(2000, 6, 16))
    before, _ = await platform.agree()
    await platform.go_on()
    await platform.finished()

    after, ledger = await platform.agree()

    assert ledger.differences == ()
    assert after.executions - before.executions <= 2
    assert before.positions.keys() >= after.positions.keys() or after.executions > before.executions
