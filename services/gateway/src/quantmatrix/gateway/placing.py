"""A person's own order: what it comes to, what speaks against it, and how it is placed once however often it is asked for."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from quantmatrix.common.contracts.asking.execution import Accounts, AccountsAsked, OrderPreview, OrderPreviewAsked, OrdersAsked
from quantmatrix.common.contracts.asking.market import BarsAsked, InstrumentsAsked, ListedInstrument
from quantmatrix.common.contracts.asking.portfolio import LotsAsked, PortfolioAsked
from quantmatrix.common.contracts.commands import PlaceOrder
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.names import AccountId, LotId, OrderType, Side, TimeInForce
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.domain.sizing import WORKING, Wish, lots_refusal, quantity_for, refusal
from quantmatrix.gateway.exact import PLAIN, as_numbers
from quantmatrix.gateway.firsts import first_answer, keep_first
from quantmatrix.gateway.people import Person, Visit, actor_of
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.shapes import TradeShape, cents
from quantmatrix.gateway.store import Answered, GatewayStore

CREATED = 201
ORDERS_LOOKED_AT = 500
LOTS_LOOKED_AT = 1_000
CURRENCY = "USD"
MANUAL = "manual"
LATELY = timedelta(hours=1)
"""How long an order that was placed is told of, and can be cancelled, before execution has heard of it."""


class NamedLot(BaseModel):
    """Units of one of your lots."""

    model_config = ConfigDict(extra="forbid")

    lot_id: UUID
    quantity: Annotated[Decimal, Field(gt=0, max_digits=30, decimal_places=12), PLAIN]


class ExecuteTrade(BaseModel):
    """An order worth so many US dollars, or for the lots that it names: at the market, or at a limit where one is given."""

    model_config = ConfigDict(extra="forbid")

    product_id: Annotated[str, Field(min_length=1, max_length=40, description="Today's symbol, for example AAPL.")]
    side: Literal["BUY", "SELL"]
    size_usd: Annotated[
        Decimal | None, Field(gt=0, max_digits=14, decimal_places=2, description="Leave it out where lots are named."), PLAIN
    ] = None
    account_id: Annotated[str | None, Field(max_length=40, description="One of your accounts; your first one when left out.")] = None
    limit_price: Annotated[Decimal | None, Field(gt=0, max_digits=14, decimal_places=6, description="On the instrument's tick."), PLAIN] = (
        None
    )
    time_in_force: Literal["DAY", "GTC"] = "DAY"
    lots: Annotated[
        tuple[NamedLot, ...], Field(max_length=100, description="The lots to use up; their units are the order's quantity.")
    ] = ()


class TradePreview(msgspec.Struct, frozen=True):
    """What an order would be, and what the risk gate says of it now."""

    account_id: AccountId
    symbol: str
    side: Side
    quantity: Quantity
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None
    gate: OrderPreview


async def place_once(wanted: ExecuteTrade, key: str, gateway: Gateway, person: Person, visit: Visit) -> Answered:
    """Place an order. The same key with the same wish gives the first answer again, with another wish 422 is raised.

    The order's id follows from the request that was first, and not from the key: a key that was forgotten is a new one.
    """
    hashed = hashlib.sha256(wanted.model_dump_json().encode()).digest()
    before = await first_answer(gateway, person.user_id, key, hashed)
    if before is not None:
        return before
    command, price = await command_for(wanted, gateway, person, visit.request_id)
    answered = Answered(hashed, CREATED, as_numbers(pending_trade(command, price)))
    return await _place(command, answered, key, price, gateway, person, visit)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that execution may not have heard of yet."""

    account_id: AccountId
    trade: TradeShape


async def placed_lately(order_id: UUID, gateway: Gateway, person: Person) -> Placed | None:
    """A person's own order as it was answered, until execution tells of it; None for any other."""
    since = gateway.parts.clock.now() - LATELY
    async with gateway.parts.pool.acquire(timeout=5) as connection:
        told = await GatewayStore(connection).placed(person.user_id, order_id, since)
    if told is None:
        return None
    price, quantity, size = (Decimal(told[name]) for name in ("price", "quantity", "size_usd"))
    trade = TradeShape(
        id=str(order_id), product_id=told["symbol"], side=told["side"], size_usd=size, size_crypto=quantity, price=price,
        status="pending", filled_at=None, triggered_by=MANUAL,
    )  # fmt: skip
    return Placed(AccountId(told["account_id"]), trade)


async def preview_of(wanted: ExecuteTrade, gateway: Gateway, person: Person) -> TradePreview:
    """Raises ProblemError where nothing would be sent; what the risk gate says is part of the answer."""
    command, _ = await command_for(wanted, gateway, person, fresh_id())
    asked = OrderPreviewAsked(
        user_id=person.user_id,
        account_id=AccountId(command.account_id),
        instrument=command.instrument,
        side=command.side,
        quantity=command.quantity,
        order_type=command.order_type,
        time_in_force=command.time_in_force,
        limit_price=command.limit_price,
    )
    gate = await gateway.parts.ask("execution", asked)
    return TradePreview(
        asked.account_id,
        command.instrument.symbol,
        command.side,
        command.quantity,
        command.order_type,
        command.time_in_force,
        command.limit_price,
        gate,
    )


async def command_for(wanted: ExecuteTrade, gateway: Gateway, person: Person, request_id: UUID) -> tuple[PlaceOrder, Price]:
    """What is sent, and the price it was reckoned at. Raises ProblemError with the reason when nothing is."""
    listed, account = await asyncio.gather(_listed(wanted.product_id, gateway), _account(wanted.account_id, gateway, person))
    limit = _limit(wanted, listed)
    price = limit or await _last_price(listed, gateway)
    instrument = listed.instrument
    lots = await _named(wanted, listed, account, gateway, person)
    units = sum((one.quantity for one in lots), Quantity(0))
    size = Money(wanted.size_usd, CURRENCY) if wanted.size_usd is not None else notional(price, units, instrument.multiplier, CURRENCY)
    wish = Wish(
        instrument_id=instrument.instrument_id,
        symbol=instrument.symbol,
        side=Side(wanted.side),
        size=size,
        price=price,
        multiplier=instrument.multiplier,
        lot_size=listed.lot_size,
    )
    quantity = await _checked(wish, units if lots else quantity_for(wish), account, gateway, person)
    command = PlaceOrder(
        command_id=derived_id("trade", person.user_id, request_id),
        user_id=person.user_id,
        account_id=account,
        instrument=instrument,
        side=wish.side,
        quantity=quantity,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=TimeInForce(wanted.time_in_force),
        limit_price=limit,
        triggered_by=MANUAL,
        lots=lots,
    )
    return command, price


def _limit(wanted: ExecuteTrade, listed: ListedInstrument) -> Price | None:
    if wanted.limit_price is None:
        return None
    if wanted.limit_price % listed.tick_size.value:
        symbol = listed.instrument.symbol
        raise ProblemError(
            422, "PRICE_TICK", f"prices of {symbol} move by {listed.tick_size}; {wanted.limit_price} lies between two of them"
        )
    return Price(wanted.limit_price)


async def _listed(symbol: str, gateway: Gateway) -> ListedInstrument:
    found = (await gateway.parts.ask("market", InstrumentsAsked(symbol=symbol))).instruments
    if not found:
        raise ProblemError(404, "INSTRUMENT_UNKNOWN", f"no instrument has the symbol {symbol}")
    if found[0].instrument.currency != CURRENCY:
        raise ProblemError(422, "ORDER_CURRENCY", f"{symbol} trades in {found[0].instrument.currency}, and size_usd is in US dollars")
    return found[0]


async def _account(wanted: str | None, gateway: Gateway, person: Person) -> AccountId:
    known: Accounts = await gateway.parts.ask("execution", AccountsAsked(user_id=person.user_id))
    usable = [one.account_id for one in known.accounts if one.currency == CURRENCY and wanted in (None, one.account_id)]
    if not usable:
        raise ProblemError(404, "ACCOUNT_UNKNOWN", "there is no such account of yours in US dollars")
    return usable[0]


async def _last_price(listed: ListedInstrument, gateway: Gateway) -> Price:
    bars = await gateway.parts.ask("market", BarsAsked(instrument_id=listed.instrument.instrument_id, limit=1))
    if not bars.close:
        raise ProblemError(409, "PRICE_UNKNOWN", f"no price of {listed.instrument.symbol} has been seen yet")
    return Price.parse(bars.close[-1])


async def _named(
    wanted: ExecuteTrade, listed: ListedInstrument, account: AccountId, gateway: Gateway, person: Person
) -> tuple[NamedLotPart, ...]:
    """The lots that were named. Raises ProblemError when one is not of the account and instrument, or does not hold enough."""
    if (wanted.size_usd is None) is not bool(wanted.lots):
        raise ProblemError(422, "ORDER_SIZE", "give an amount in US dollars, or name lots, and not both")
    if not wanted.lots:
        return ()
    lots = tuple(NamedLotPart(LotId(one.lot_id), Quantity(one.quantity)) for one in wanted.lots)
    asked = LotsAsked(user_id=person.user_id, account_id=account, instrument_id=listed.instrument.instrument_id, limit=LOTS_LOOKED_AT)
    held = {one.lot_id: one.quantity for one in (await gateway.parts.ask("portfolio", asked)).lots}
    no = lots_refusal([(one.lot_id, one.quantity) for one in lots], held, Side(wanted.side), listed.instrument.symbol, listed.lot_size)
    if no is not None:
        raise ProblemError(422, no.code, no.detail)
    return lots


async def _checked(wish: Wish, quantity: Quantity, account: AccountId, gateway: Gateway, person: Person) -> Quantity:
    """The quantity, if nothing speaks against it. Raises ProblemError when cash or position do not suffice."""
    portfolio, orders = await asyncio.gather(
        gateway.parts.ask("portfolio", PortfolioAsked(user_id=person.user_id, account_id=account)),
        gateway.parts.ask("execution", OrdersAsked(user_id=person.user_id, account_id=account, limit=ORDERS_LOOKED_AT)),
    )
    cash = portfolio.accounts[0].cash if portfolio.accounts else Money.zero(CURRENCY)
    held = next((one.quantity for one in portfolio.positions if one.instrument.instrument_id == wish.instrument_id), Quantity(0))
    working = [one for one in orders.orders if one.state in WORKING]
    no = refusal(wish, quantity, cash, held, working, Money(gateway.settings.order_usd_min, CURRENCY))
    if no is not None:
        raise ProblemError(422, no.code, no.detail)
    return quantity


async def _place(
    command: PlaceOrder, answered: Answered, key: str, price: Price, gateway: Gateway, person: Person, visit: Visit
) -> Answered:
    """Store the answer and the audit row and send the command, all or nothing; whoever was first under this key wins."""
    now = gateway.parts.clock.now()

    async def place(page: Page) -> Answered:
        first = await keep_first(page, gateway, person.user_id, key, answered, now)
        if first is not None:
            return first
        after: dict[str, object] = {
            "account_id": command.account_id,
            "symbol": command.instrument.symbol,
            "side": command.side.value,
            "quantity": str(command.quantity),
            "price": str(price),
            "size_usd": str(cents(notional(price, command.quantity, command.instrument.multiplier, CURRENCY))),
            "lots": [str(one.lot_id) for one in command.lots],
        }
        about = str(order_of(command.command_id))
        await GatewayStore(page.connection).add_audit(actor_of(person, visit).wrote(now, "order.placed", about, after=after))
        page.say(command, identity=command.command_id)
        return answered

    return await gateway.parts.desk.do(place, origin("trade", person.user_id, visit.request_id, occurred_at=now))


def pending_trade(command: PlaceOrder, price: Price) -> TradeShape:
    """The trade as it stands when its command has been stored."""
    value = notional(price, command.quantity, command.instrument.multiplier, command.instrument.currency)
    return TradeShape(
        id=str(order_of(command.command_id)),
        product_id=command.instrument.symbol,
        side=command.side.value,
        size_usd=cents(value),
        size_crypto=command.quantity.value,
        price=price.value,
        status="pending",
        filled_at=None,
        triggered_by=command.triggered_by,
    )
