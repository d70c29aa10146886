"""Notify's face towards NATS. What it says stands in `contracts/notifications.py`."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from quantmatrix.common.contracts.asking.days import DaySummaryAsked
from quantmatrix.common.contracts.asking.ledger import LedgerDigest, LedgerDigestAsked
from quantmatrix.common.contracts.asking.notify import (
    DeliverySummary,
    InboxAnswer,
    InboxAsked,
    MarkReadAsked,
    NotificationSummary,
    ReadMarked,
)
from quantmatrix.common.contracts.orders import (
    AccountOpened,
    OrderAccepted,
    OrderAdjusted,
    OrderCancelled,
    OrderCancelling,
    OrderExpired,
    OrderSubmitted,
)
from quantmatrix.common.contracts.prices import SessionPhaseChanged
from quantmatrix.common.contracts.signals import RunStarted, SignalWithdrawn
from quantmatrix.common.names import AccountId, NotificationId, Priority
from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.hearing import Answers, Bus, Does, Hears
from quantmatrix.common.runtime.page import Page
from quantmatrix.notify.day_summary import DaySummaries
from quantmatrix.notify.handlers import Handlers
from quantmatrix.notify.letters import Letters
from quantmatrix.notify.store import NotifyStore
from quantmatrix.notify.wording import WORDS

LIMIT_MAX = 500
PATIENCE_S = 0.2
"""Nobody sees a fifth of a second; meanwhile the orders that people are told of go first."""


def bus(
    handlers: Handlers,
    letters: Letters,
    summaries: DaySummaries,
    clock: Clock,
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...],
) -> Bus:
    """The table of contents. Nobody is told of what they have just done themselves, such as starting a run."""

    async def mark_read(asked: MarkReadAsked, page: Page) -> ReadMarked:
        return ReadMarked(await NotifyStore(page.connection).mark_read(asked.user_id, clock.now(), asked.notification_id))

    return Bus(
        hears=(
            *(Hears(message, handlers.heard, patience_s=PATIENCE_S) for message in WORDS),
            Hears(AccountOpened, letters.account_opened),
            Hears(SessionPhaseChanged, letters.phase_changed),
        ),
        lets_past=(
            RunStarted,
            SignalWithdrawn,
            OrderSubmitted,
            OrderAccepted,
            OrderCancelling,
            OrderCancelled,
            OrderExpired,
            OrderAdjusted,
        ),
        answers=(
            Answers(InboxAsked, inbox),
            Answers(DaySummaryAsked, summaries.summary),
            Answers(LedgerDigestAsked, ledger_digest),
        ),
        does=(Does(MarkReadAsked, mark_read),),
        background=background,
    )


async def inbox(asked: InboxAsked, connection: Connection) -> InboxAnswer:
    rows = await connection.fetch(
        """
        select n.*, (select json_agg(json_build_array(channel, state, tries, error) order by channel) from delivery d
                     where d.notification_id = n.notification_id) as deliveries,
                    (select session from letter l where l.user_id = n.user_id and l.kind = n.topic and l.due_at = n.occurred_at
                     order by session limit 1) as session
        from notification n where user_id = $1
          and ($2::timestamptz is null or occurred_at < $2 or (occurred_at = $2 and notification_id > $3))
        order by occurred_at desc, notification_id limit $4
        """,
        asked.user_id,
        asked.before,
        asked.before_id,
        max(1, min(asked.limit, LIMIT_MAX)),
    )
    unread = await connection.fetchval("select count(*) from notification where user_id = $1 and read_at is null", asked.user_id)
    return InboxAnswer(
        tuple(
            NotificationSummary(
                notification_id=NotificationId(row["notification_id"]),
                account_id=AccountId(row["account_id"]) if row["account_id"] else None,
                topic=row["topic"],
                priority=Priority(row["priority"]),
                title=row["title"],
                body=row["body"],
                about=row["about"],
                occurred_at=row["occurred_at"],
                read_at=row["read_at"],
                deliveries=tuple(DeliverySummary(*item) for item in json.loads(row["deliveries"] or "[]")),
                session=row["session"],
            )
            for row in rows
        ),
        unread=unread,
    )


async def ledger_digest(_: LedgerDigestAsked, connection: Connection) -> LedgerDigest:
    """Notifications and the outcome of their deliveries, in canonical rows."""
    notifications = await connection.fetch(
        "select notification_id, user_id, account_id, topic, priority, title, body, about, occurred_at from notification order by notification_id"
    )
    deliveries = await connection.fetch("select notification_id, channel, state from delivery order by notification_id, channel")
    doubles = await connection.fetchval("select count(*) - count(distinct (user_id, about)) from notification")
    return LedgerDigest(
        digest=digest_rows({"notifications": notifications, "deliveries": deliveries}),
        counts={"notifications": len(notifications), "deliveries": len(deliveries), "duplicate_notifications": doubles},
    )
