"""What notify does with what it hears: it finds words for it, stores them for the user, and lets the channels carry them."""

from collections.abc import Sequence

from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled
from quantmatrix.common.contracts.notifications import NotificationRaised
from quantmatrix.common.contracts.orders import (
    BreakFound,
    BreakResolved,
    OrderDenied,
    OrderRejected,
    OrderUnknown,
    TradingStateChanged,
)
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.contracts.portfolio import LotChoiceFailed
from quantmatrix.common.contracts.signals import CycleCompleted, RunChanged, RunFunded, RunRefused, RunStarted, SignalRaised
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import Priority, Side, SignalKind, TradingState
from quantmatrix.common.runtime.page import Page
from quantmatrix.notify.domain.telling import Telling
from quantmatrix.notify.ports import Channel
from quantmatrix.notify.send import Sender
from quantmatrix.notify.store import NotifyStore

_DONE = {Side.BUY: "Bought", Side.SELL: "Sold"}
_DO = {Side.BUY: "buy", Side.SELL: "sell"}
_SIGNAL_WORDS = {
    SignalKind.ENTRY: "Entry",
    SignalKind.SCALE_OUT: "Scale-out",
    SignalKind.EXIT: "Exit",
    SignalKind.STOP_LOSS: "Stop",
    SignalKind.TAKE_PROFIT: "Take profit",
    SignalKind.ALERT: "Alert",
    SignalKind.RISK_WARNING: "Risk warning",
}


class Handlers:
    """One method per message."""

    def __init__(self, channels: Sequence[Channel], sender: Sender) -> None:
        self._channels = channels
        self._sender = sender

    async def signal_raised(self, signal: SignalRaised, page: Page) -> None:
        size = f" {_DO[signal.side]} {signal.quantity}" if signal.side and signal.quantity else ""
        price = f" at {signal.price}" if signal.price else ""
        reasons = "; ".join(reason.text for reason in signal.reasons if reason.met)
        stop = f" Stop {signal.stop}." if signal.stop else ""
        targets = f" Targets {', '.join(map(str, signal.targets))}." if signal.targets else ""
        await self._tell(
            Telling(
                user_id=signal.user_id,
                account_id=signal.account_id,
                topic="signal",
                priority=Priority.HIGH
                if signal.kind in (SignalKind.EXIT, SignalKind.STOP_LOSS, SignalKind.RISK_WARNING)
                else Priority.NORMAL,
                title=f"{_SIGNAL_WORDS[signal.kind]} {signal.instrument.symbol}:{size}{price}",
                body=f"{signal.strategy}, strength {signal.strength:g}. {reasons}.{stop}{targets}",
                about=signal.head.message_id,
            ),
            page,
        )

    async def run_started(self, started: RunStarted, page: Page) -> None:
        """Nobody is told of what they have just done; it is heard so that nothing under its key is missing here."""

    async def run_refused(self, refused: RunRefused, page: Page) -> None:
        title, nothing = f"No run of {refused.strategy}", "Nothing was started"
        if refused.what == "capital":
            title, nothing = f"The capital of {refused.strategy} stays as it is", "Nothing was moved"
        body = f"{refused.code}: {refused.detail}. {nothing} on account {refused.account_id}."
        await self._tell(_of_a_run(refused, Priority.HIGH, title, body), page)

    async def run_changed(self, changed: RunChanged, page: Page) -> None:
        title, body = f"The run of {changed.strategy} is {changed.state}", f"{changed.reason}. Account {changed.account_id}."
        await self._tell(_of_a_run(changed, Priority.NORMAL, title, body), page)

    async def run_funded(self, funded: RunFunded, page: Page) -> None:
        body = f"{funded.amount}: {funded.reason}. Its capital is {funded.base}. Account {funded.account_id}."
        await self._tell(_of_a_run(funded, Priority.NORMAL, f"The capital of {funded.strategy} was changed", body), page)

    async def cycle_completed(self, done: CycleCompleted, page: Page) -> None:
        moved = f"{done.reinvested} join the capital, {done.reserved} are put aside"
        body = f"Profit {done.profit}: {moved}. Capital {done.base}, put aside {done.reserve}. Account {done.account_id}."
        await self._tell(_of_a_run(done, Priority.NORMAL, f"Cycle {done.cycle} of {done.strategy} is complete", body), page)

    async def order_filled(self, fill: OrderFilled, page: Page) -> None:
        rest = f", {fill.leaves} left" if fill.leaves else ""
        await self._tell(
            Telling(
                user_id=fill.user_id,
                account_id=fill.account_id,
                topic="fill",
                priority=Priority.NORMAL,
                title=f"{_DONE[fill.side]} {fill.quantity} {fill.instrument.symbol} at {fill.price}",
                body=f"{fill.session}, fee {fill.fee}{rest}. Account {fill.account_id}, triggered by {fill.triggered_by}.",
                about=fill.head.message_id,
            ),
            page,
        )

    async def fill_corrected(self, fill: FillCorrected, page: Page) -> None:
        what = f"now {fill.quantity} at {fill.price}" if fill.quantity else "taken back"
        await self._tell(
            Telling(
                user_id=fill.user_id,
                account_id=fill.account_id,
                topic="fill",
                priority=Priority.HIGH,
                title=f"Execution of {fill.instrument.symbol} corrected: {what}",
                body=f"{fill.session}, account {fill.account_id}. Lots and cash were booked again.",
                about=fill.head.message_id,
            ),
            page,
        )

    async def order_refused(self, order: OrderDenied | OrderRejected, page: Page) -> None:
        who = "Denied" if isinstance(order, OrderDenied) else "Rejected by the broker"
        await self._tell(
            Telling(
                user_id=order.user_id,
                account_id=order.account_id,
                topic="order",
                priority=Priority.HIGH,
                title=f"{who}: {_DO[order.side]} {order.quantity} {order.instrument.symbol}",
                body=f"{order.code}: {order.detail}. Triggered by {order.triggered_by}.",
                about=order.head.message_id,
            ),
            page,
        )

    async def order_unknown(self, order: OrderUnknown, page: Page) -> None:
        await self._tell(
            Telling(
                user_id=order.user_id,
                account_id=order.account_id,
                topic="order",
                priority=Priority.CRITICAL,
                title=f"No answer: {_DO[order.side]} {order.quantity} {order.instrument.symbol}",
                body=f"The broker has not said whether it took the order {order.client_ref}. It is being asked; nothing is sent again meanwhile.",
                about=order.head.message_id,
            ),
            page,
        )

    async def lot_choice_failed(self, failed: LotChoiceFailed, page: Page) -> None:
        await self._tell(
            Telling(
                user_id=failed.user_id,
                account_id=failed.account_id,
                topic="fill",
                priority=Priority.HIGH,
                title=f"Other lots of {failed.instrument.symbol} than named",
                body=f"{failed.reason}. The account's own method chose instead; see the closings of {failed.account_id}.",
                about=failed.head.message_id,
            ),
            page,
        )

    async def break_found(self, found: BreakFound, page: Page) -> None:
        await self._tell(
            Telling(
                user_id=found.user_id,
                account_id=found.account_id,
                topic="order",
                priority=Priority.CRITICAL,
                title=f"Books differ: {found.subject_of_break}",
                body=f"Ours {found.ours}, the broker's {found.theirs}. Account {found.account_id} opens no new risk until this is settled.",
                about=found.head.message_id,
            ),
            page,
        )

    async def break_resolved(self, resolved: BreakResolved, page: Page) -> None:
        await self._tell(
            Telling(
                user_id=resolved.user_id,
                account_id=resolved.account_id,
                topic="order",
                priority=Priority.NORMAL,
                title=f"{'Difference accepted' if resolved.accepted else 'Books agree again'}: {resolved.subject_of_break}",
                body=f"{resolved.resolution}. Account {resolved.account_id}.",
                about=resolved.head.message_id,
            ),
            page,
        )

    async def trading_state_changed(self, changed: TradingStateChanged, page: Page) -> None:
        await self._tell(
            Telling(
                user_id=changed.user_id,
                account_id=changed.account_id,
                topic="system",
                priority=Priority.NORMAL if changed.state is TradingState.ACTIVE else Priority.CRITICAL,
                title=f"Account {changed.account_id} is {changed.state}",
                body=changed.reason,
                about=changed.head.message_id,
            ),
            page,
        )

    async def message_parked(self, parked: MessageParked, page: Page) -> None:
        stands = f"{parked.stopped_key} stands still until somebody decides." if parked.stopped_key else "Everything else goes on."
        await self._tell(
            Telling(
                user_id=FIRST_ADMINISTRATOR,
                account_id=None,
                topic="system",
                priority=Priority.CRITICAL,
                title=f"{parked.service} put a message aside",
                body=f"{parked.subject_of_message}: {parked.error[:400]}. {stands} See 'qm parked'.",
                about=parked.head.message_id,
            ),
            page,
        )

    async def _tell(self, telling: Telling, page: Page) -> None:
        """Store it once for its user, with one delivery per channel; what waits is sent after the commit."""
        store = NotifyStore(page.connection)
        if not await store.keep(telling, page.cause.occurred_at):
            return
        channels = [channel for channel in self._channels if channel.immediate or telling.user_id == FIRST_ADMINISTRATOR]
        await store.add_deliveries(telling.notification_id, [(channel.name, channel.immediate) for channel in channels])
        page.say(
            NotificationRaised(
                notification_id=telling.notification_id,
                user_id=telling.user_id,
                topic=telling.topic,
                priority=telling.priority,
                title=telling.title,
                body=telling.body,
                about=telling.about,
            ),
            identity=telling.notification_id,
        )
        if any(not channel.immediate for channel in channels):
            page.after_commit(self._sender.wake)


def _of_a_run(told: RunRefused | RunChanged | RunFunded | CycleCompleted, priority: Priority, title: str, body: str) -> Telling:
    return Telling(
        user_id=told.user_id,
        account_id=told.account_id,
        topic="run",
        priority=priority,
        title=title,
        body=body,
        about=told.head.message_id,
    )
