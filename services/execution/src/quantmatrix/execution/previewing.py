"""What the risk gate would say of an order that nobody has placed yet: the same look and the same check, and nothing is stored."""

from datetime import datetime

from quantmatrix.common.contracts.asking.execution import OrderLimits, OrderPreview, OrderPreviewAsked
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money, Price, notional, plain
from quantmatrix.execution.domain.orders import Intent
from quantmatrix.execution.domain.risk import Denial, Limits, assess, unowned
from quantmatrix.execution.store import ExecutionStore


async def preview(asked: OrderPreviewAsked, connection: Connection, limits: Limits, now: datetime) -> OrderPreview:
    """Raises Refused for an account that is not the asker's."""
    intent = _intent(asked, now)
    store = ExecutionStore(connection)
    look = await store.look(intent, await store.latest_moment(intent.instrument.instrument_id) or now, limits.tariff)
    if look is None or look.account.user_id != asked.user_id:
        no = unowned(intent)
        raise Refused(no.code, no.detail)
    standing, verdict = look.standing, assess(intent, look.standing, limits)
    denial = verdict if isinstance(verdict, Denial) else None
    return OrderPreview(
        code=denial.code if denial else None,
        detail=denial.detail if denial else None,
        price=standing.price,
        value=_value(intent, standing.price),
        free=standing.free,
        position=standing.position,
        open_orders=standing.open_orders,
        trading_state=standing.trading_state,
        limits=OrderLimits(
            order_quantity_max=limits.order_quantity_max,
            order_notional_max=limits.order_notional_max,
            position_notional_max=limits.position_notional_max,
            open_orders_max=limits.open_orders_max,
            price_collar_pct=plain(limits.price_collar_pct),
            price_age_days_max=limits.price_age_days_max,
            short_allowed=limits.short_allowed,
        ),
    )


def _value(intent: Intent, last: Price | None) -> Money | None:
    price = intent.limit_price or last
    return notional(price, intent.quantity, intent.instrument.multiplier, intent.instrument.currency) if price is not None else None


def _intent(asked: OrderPreviewAsked, now: datetime) -> Intent:
    wish = derived_id("preview", asked.user_id, asked.account_id)
    return Intent(
        intent_id=wish,
        order_id=order_of(wish),
        user_id=asked.user_id,
        account_id=asked.account_id,
        instrument=asked.instrument,
        side=asked.side,
        quantity=asked.quantity,
        order_type=asked.order_type,
        time_in_force=asked.time_in_force,
        limit_price=asked.limit_price,
        stop_price=asked.stop_price,
        price=None,
        triggered_by="manual",
        wanted_at=now,
        expires_at=None,
        session=now.date(),
    )
