"""The risk gate: each limit denies with its name and the figures, and nothing passes that breaks one."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, InstrumentId, OrderId, OrderType, Side, TimeInForce, TradingState, UserId
from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.execution.domain.commission import CommissionSchedule, Tariff
from quantmatrix.execution.domain.orders import Intent
from quantmatrix.execution.domain.risk import ApprovedOrder, Denial, Limits, Standing, assess, is_reducing, surely_held

NOW = datetime(2024, 3, 5, 21, tzinfo=UTC)
STOCK = Instrument(InstrumentId("ABC"), "ABC", AssetClass.STOCK, "USD", Quantity(1))
FIXED = CommissionSchedule(per_unit=Decimal("0.005"), minimum=Decimal(1), maximum_pct=Decimal(1))
TARIFF = Tariff(FIXED, replace(FIXED, per_unit=Decimal("0.65"), maximum_pct=Decimal(100)))
LIMITS = Limits(
    order_quantity_max=Quantity(1_000),
    order_notional_max=Money(50_000, "USD"),
    position_notional_max=Money(80_000, "USD"),
    open_orders_max=3,
    price_collar_pct=Decimal(10),
    price_age_days_max=7,
    short_allowed=False,
    tariff=TARIFF,
)
STANDING = Standing(
    trading_state=TradingState.ACTIVE,
    cash=Money(100_000, "USD"),
    reserved=Money(0, "USD"),
    position=Quantity(0),
    working_buys=Quantity(0),
    working_sells=Quantity(0),
    open_orders=0,
    open_breaks=0,
    price=Price(100),
    priced_at=NOW,
    instrument_known=True,
    now=NOW,
)


def intent(quantity: int = 100, side: Side = Side.BUY, **changes: object) -> Intent:
    made = Intent(
        intent_id=derived_id("intent"),
        order_id=OrderId(derived_id("order")),
        user_id=UserId(derived_id("user")),
        account_id=AccountId("A"),
        instrument=STOCK,
        side=side,
        quantity=Quantity(quantity),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        limit_price=None,
        stop_price=None,
        price=None,
        triggered_by="manual",
        wanted_at=NOW,
        expires_at=None,
        session=date(2024, 3, 5),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def denial(wanted: Intent, limits: Limits = LIMITS, **standing: object) -> Denial:
    verdict = assess(wanted, replace(STANDING, **standing), limits)  # type: ignore[arg-type]
    assert isinstance(verdict, Denial), f"approved: {wanted}"
    return verdict


def approved(wanted: Intent, limits: Limits = LIMITS, **standing: object) -> ApprovedOrder:
    verdict = assess(wanted, replace(STANDING, **standing), limits)  # type: ignore[arg-type]
    assert isinstance(verdict, ApprovedOrder), f"denied: {verdict}"
    return verdict


def test_limits_in_another_currency_open_no_risk_and_close_no_way_out() -> None:
    """The currency of the settings was changed after the account was opened."""
    euros = replace(LIMITS, order_notional_max=Money(50_000, "EUR"), position_notional_max=Money(80_000, "EUR"))

    assert denial(intent(), euros).code == "LIMITS_CURRENCY"
    assert approved(intent(100, Side.SELL), euros, position=Quantity(100))


def test_a_price_too_old_opens_no_risk_and_closes_no_way_out() -> None:
    stale = {"priced_at": NOW - timedelta(days=8), "position": Quantity(100)}

    assert approved(intent(), priced_at=NOW - timedelta(days=7))
    assert (
        denial(intent(), **stale).code == denial(intent(101, Side.SELL), replace(LIMITS, short_allowed=True), **stale).code == "PRICE_STALE"
    )
    assert approved(intent(100, Side.SELL), **stale)
    assert denial(intent(), replace(LIMITS, price_age_days_max=1), priced_at=NOW - timedelta(days=2)).code == "PRICE_STALE"


def test_a_stop_to_buy_is_worth_what_it_costs_once_it_is_touched() -> None:
    """460 at the last price of 100 are within 50,000, at the stop of 109 they are not; a stop to sell is worth the last price."""
    stop = {"order_type": OrderType.STOP, "stop_price": Price(109)}

    assert denial(intent(460, **stop)).code == "ORDER_NOTIONAL"
    assert denial(intent(460, **stop), cash=Money(50_000, "USD"), position=Quantity(0)).code == "ORDER_NOTIONAL"
    assert denial(intent(450, **stop), cash=Money(46_000, "USD")).code == "BUYING_POWER"
    assert approved(intent(450, **stop))
    assert approved(intent(460, Side.SELL, order_type=OrderType.STOP, stop_price=Price(91)), position=Quantity(460))


def test_an_intent_within_every_limit_is_approved_at_the_last_price() -> None:
    order = approved(intent())

    assert (order.intent, order.reference_price) == (intent(), Price(100))


def test_only_the_gate_makes_approved_orders() -> None:
    with pytest.raises(TypeError, match="only the risk gate"):
        ApprovedOrder(intent(), Price(100), object())


@pytest.mark.parametrize(
    ("wanted", "standing", "code", "figures"),
    [
        (intent(), {"instrument_known": False}, "INSTRUMENT_UNKNOWN", ("ABC",)),
        (intent(), {"trading_state": TradingState.HALTED}, "TRADING_HALTED", ("halted",)),
        (intent(), {"trading_state": TradingState.REDUCING}, "TRADING_REDUCING", ("reduce",)),
        (intent(), {"open_breaks": 2}, "ACCOUNT_BREAK", ("2 open",)),
        (intent(expires_at=NOW - timedelta(minutes=1)), {}, "INTENT_EXPIRED", ("2024-03-05 20:59Z", "2024-03-05 21:00Z")),
        (intent(), {"price": None, "priced_at": None}, "PRICE_UNKNOWN", ("ABC",)),
        (intent(), {"priced_at": NOW - timedelta(days=7, minutes=1)}, "PRICE_STALE", ("2024-02-27 20:59Z", "2024-03-05 21:00Z", "limit=7 days")),
        (intent(0), {}, "ORDER_QUANTITY", ("quantity=0",)),
        (intent(-5), {}, "ORDER_QUANTITY", ("quantity=-5",)),
        (intent(1_001), {}, "ORDER_QUANTITY", ("quantity=1001", "limit=1000")),
        (intent(), {"open_orders": 3}, "ORDERS_OPEN", ("open=3", "limit=3")),
        (intent(501), {}, "ORDER_NOTIONAL", ("50100 USD", "50000 USD")),
        (intent(400), {"position": Quantity(401)}, "POSITION_NOTIONAL", ("80100 USD", "80000 USD")),
        (intent(400), {"position": Quantity(301), "working_buys": Quantity(100)}, "POSITION_NOTIONAL", ("80100 USD", "80000 USD")),
        (intent(10, Side.SELL), {}, "POSITION_SHORT", ("held=0", "selling=10")),
        (intent(60, Side.SELL), {"position": Quantity(100), "working_sells": Quantity(50)}, "POSITION_SHORT", ("held=100", "selling=110")),
        (intent(order_type=OrderType.LIMIT), {}, "ORDER_PRICE", ("limit price",)),
        (intent(order_type=OrderType.STOP), {}, "ORDER_PRICE", ("stop price",)),
        (intent(order_type=OrderType.LIMIT, limit_price=Price.parse("110.01")), {}, "PRICE_COLLAR", ("limit=110.01", "last=100", "off=10.01%", "limit=10%")),
        (intent(order_type=OrderType.STOP, stop_price=Price.parse("89.99")), {}, "PRICE_COLLAR", ("stop=89.99", "off=10.01%")),
        (intent(price=Price(111)), {}, "PRICE_COLLAR", ("decided=111", "off=11.00%")),
        (intent(), {"cash": Money(9_999, "USD")}, "BUYING_POWER", ("needed=10001 USD", "free=9999 USD")),
        (intent(), {"cash": Money.parse("10000.99", "USD")}, "BUYING_POWER", ("needed=10001 USD", "free=10000.99 USD")),
        (intent(), {"reserved": Money(90_000, "USD")}, "BUYING_POWER", ("needed=10001 USD", "free=10000 USD")),
        (intent(instrument=replace(STOCK, currency="EUR")), {}, "CURRENCY_OTHER", ("EUR", "USD")),
    ],
)  # fmt: skip
def test_each_denial_names_the_limit_and_the_figures(
    wanted: Intent, standing: dict[str, object], code: str, figures: tuple[str, ...]
) -> None:
    refused = denial(wanted, **standing)

    assert refused.code == code
    for figure in figures:
        assert figure in refused.detail


@pytest.mark.parametrize(
    ("wanted", "standing"),
    [
        (intent(500), {}),
        (intent(400), {"position": Quantity(400)}),
        (intent(), {"open_orders": 2}),
        (intent(order_type=OrderType.LIMIT, limit_price=Price(110)), {}),
        (intent(order_type=OrderType.STOP, stop_price=Price(90)), {}),
        (intent(), {"cash": Money(10_001, "USD")}),
        (intent(expires_at=NOW), {}),
        (intent(100, Side.SELL), {"position": Quantity(100)}),
    ],
)
def test_exactly_the_limit_is_within_it(wanted: Intent, standing: dict[str, object]) -> None:
    assert approved(wanted, **standing)


def test_a_way_out_is_never_closed_by_the_limits_on_money() -> None:
    """A reduction passes although it is larger than the notional limits, in a break, in REDUCING, and without cash."""
    out = approved(
        intent(900, Side.SELL),
        position=Quantity(900),
        trading_state=TradingState.REDUCING,
        open_breaks=1,
        cash=Money(0, "USD"),
    )

    assert out.intent.quantity == Quantity(900)


def test_a_halt_closes_also_the_way_out() -> None:
    assert denial(intent(10, Side.SELL), position=Quantity(10), trading_state=TradingState.HALTED).code == "TRADING_HALTED"


@pytest.mark.parametrize(
    ("ours", "gap", "there"),
    [(10, 0, 10), (10, 7, 10), (10, -4, 6), (10, -10, 0), (10, -15, 0), (0, 5, 0), (0, -5, 0), (-3, 1, -2), (-3, 5, 0), (-3, -2, -3)],
)
def test_what_the_broker_does_not_hold_is_not_there_and_what_it_holds_besides_is_not_ours(ours: int, gap: int, there: int) -> None:
    assert surely_held(Quantity(ours), Quantity(gap)) == Quantity(there)


def test_reducing_counts_what_is_under_way() -> None:
    held = replace(STANDING, position=Quantity(100), working_sells=Quantity(50))
    short = replace(STANDING, position=Quantity(-100), working_buys=Quantity(50))

    assert is_reducing(intent(50, Side.SELL), held)
    assert not is_reducing(intent(51, Side.SELL), held)
    assert is_reducing(intent(50), short)
    assert not is_reducing(intent(51), short)


def test_shorts_pass_where_they_are_allowed() -> None:
    assert approved(intent(10, Side.SELL), replace(LIMITS, short_allowed=True))


def test_a_purchase_needs_its_commission_too() -> None:
    """1,000 shares at 5 cost 5.00 in commission; 4 contracts at 2.50 cost 2.60, of which the multiplier is no part."""
    option = replace(STOCK, symbol="ABC   240621C00100000", asset_class=AssetClass.OPTION, multiplier=Quantity(100))
    shares = {"price": Price(5), "wanted": intent(1_000)}
    contracts = {"price": Price.parse("2.5"), "wanted": intent(4, instrument=option)}

    for case, enough in ((shares, "5005"), (contracts, "1002.6")):
        wanted, price = case["wanted"], case["price"]
        assert isinstance(wanted, Intent)
        assert approved(wanted, cash=Money.parse(enough, "USD"), price=price)
        assert denial(wanted, cash=Money.parse(enough, "USD") - Money.parse("0.01", "USD"), price=price).code == "BUYING_POWER"


def test_beside_a_last_price_of_nothing_every_other_price_lies_outside_the_collar() -> None:
    """A contract may have closed at zero; its sale at the market stays open."""
    assert denial(intent(order_type=OrderType.LIMIT, limit_price=Price(1)), price=Price(0)).code == "PRICE_COLLAR"
    assert approved(intent(100, Side.SELL), position=Quantity(100), price=Price(0))


def test_the_multiplier_counts_in_every_limit_on_money() -> None:
    contracts = intent(6, instrument=replace(STOCK, asset_class=AssetClass.OPTION, multiplier=Quantity(100)))

    assert denial(contracts).code == "ORDER_NOTIONAL"


quantities = st.integers(-10, 1_500)
standings = st.builds(
    replace,
    st.just(STANDING),
    trading_state=st.sampled_from(list(TradingState)),
    cash=st.integers(0, 200_000).map(lambda amount: Money(amount, "USD")),
    reserved=st.integers(0, 60_000).map(lambda amount: Money(amount, "USD")),
    position=st.integers(-500, 1_200).map(Quantity),
    working_buys=st.integers(0, 300).map(Quantity),
    working_sells=st.integers(0, 300).map(Quantity),
    open_orders=st.integers(0, 5),
    open_breaks=st.integers(0, 1),
    price=st.one_of(st.none(), st.decimals("0.5", "400", places=2).map(Price)),
    instrument_known=st.booleans(),
)
limit_prices = st.one_of(st.none(), st.decimals("0.5", "400", places=2).map(Price))


@settings(max_examples=600, deadline=None)
@given(standings, quantities, st.sampled_from(list(Side)), limit_prices, st.booleans())
def test_whatever_passes_keeps_every_limit(standing: Standing, quantity: int, side: Side, limit: Price | None, short: bool) -> None:
    wanted = intent(quantity, side, order_type=OrderType.LIMIT if limit else OrderType.MARKET, limit_price=limit)
    limits = replace(LIMITS, short_allowed=short)

    verdict = assess(wanted, standing, limits)

    if isinstance(verdict, Denial):
        assert verdict.code == verdict.code.upper() and verdict.detail
        return
    price = standing.price
    assert price is not None and standing.instrument_known
    assert standing.trading_state is not TradingState.HALTED
    assert 0 < quantity <= 1_000
    assert standing.open_orders < 3
    if limit is not None:
        assert abs(limit.value - price.value) <= price.value / 10
    if not is_reducing(wanted, standing):
        after = standing.position.value + (
            standing.working_buys.value + quantity if side is Side.BUY else -standing.working_sells.value - quantity
        )
        value = quantity * (limit or price).value
        assert standing.trading_state is TradingState.ACTIVE and not standing.open_breaks
        assert short or after >= 0
        assert value <= 50_000
        assert abs(after) * price.value <= 80_000
        if side is Side.BUY:
            assert value + FIXED.of_order(Decimal(quantity), Money(value, "USD")).amount <= (standing.cash - standing.reserved).amount


PUT = Instrument(InstrumentId("P"), "ABC   240419P00095000", AssetClass.OPTION, "USD", Quantity(100))
CALL = replace(PUT, symbol="ABC   240419C00095000")
OF_PUTS: dict[str, object] = {"price": Price(2), "cash": Money(20_000, "USD")}


def test_puts_are_sold_against_the_cash_of_their_strikes() -> None:
    """A put at 95 binds 9,500: two fit into 20,000 and three do not; of what is reserved or sold before, the rest."""
    assert approved(intent(2, Side.SELL, instrument=PUT), **OF_PUTS)
    refused = denial(intent(3, Side.SELL, instrument=PUT), **OF_PUTS)

    assert (refused.code, "needed=28500 USD free=20000 USD" in refused.detail) == ("CASH_SECURED", True)
    assert denial(intent(2, Side.SELL, instrument=PUT), **OF_PUTS, reserved=Money(1_001, "USD")).code == "CASH_SECURED"
    sold: dict[str, object] = {"position": Quantity(-1), "shorts": ((PUT.symbol, Quantity(-1)),)}
    assert approved(intent(1, Side.SELL, instrument=PUT), **OF_PUTS, **sold)
    assert denial(intent(2, Side.SELL, instrument=PUT), **OF_PUTS, **sold).code == "CASH_SECURED"
    assert approved(intent(3, Side.SELL, instrument=PUT), **OF_PUTS, position=Quantity(1))


def test_what_sold_puts_bind_buys_nothing_else_and_the_way_out_of_them_stays_open() -> None:
    bound: dict[str, object] = {"cash": Money(20_000, "USD"), "shorts": ((PUT.symbol, Quantity(-2)),)}

    assert denial(intent(11), **bound).detail.endswith("free=1000 USD")
    assert approved(intent(9), **bound)
    assert approved(intent(2, instrument=PUT), price=Price(60), position=Quantity(-2), **bound)


@pytest.mark.parametrize("short", [True, False])
def test_calls_are_never_sold_without_being_held(short: bool) -> None:
    refused = denial(intent(1, Side.SELL, instrument=CALL), replace(LIMITS, short_allowed=short), **OF_PUTS)

    assert (refused.code, refused.detail) == (
        "CALL_NOT_COVERED",
        "held=0 selling=1 free shares cover=0: calls are sold against shares alone",
    )


def test_calls_are_sold_as_far_as_free_shares_cover_them() -> None:
    covered: dict[str, object] = {**OF_PUTS, "cover": Quantity(2)}

    assert approved(intent(2, Side.SELL, instrument=CALL), **covered)
    assert denial(intent(3, Side.SELL, instrument=CALL), **covered).code == "CALL_NOT_COVERED"
    assert approved(intent(3, Side.SELL, instrument=CALL), **covered, position=Quantity(1))
    assert (
        denial(intent(3, Side.SELL, instrument=CALL), **covered, position=Quantity(1), working_sells=Quantity(1)).code == "CALL_NOT_COVERED"
    )
    assert approved(intent(2, instrument=CALL), **OF_PUTS, position=Quantity(-2)), "the way out stays open"


def test_shares_that_sold_calls_bind_are_not_sold() -> None:
    bound: dict[str, object] = {"position": Quantity(350), "working_sells": Quantity(50), "bound": Quantity(200)}

    assert approved(intent(100, Side.SELL), **bound)
    refused = denial(intent(101, Side.SELL), **bound)
    assert (refused.code, refused.detail) == (
        "SHARES_BOUND",
        "selling=101 free=100 bound by sold calls=200: buy the calls back first",
    )
    assert approved(intent(101), **bound)


def test_the_limits_on_money_count_the_strike_of_what_is_sold() -> None:
    rich: dict[str, object] = {"price": Price(2), "cash": Money(200_000, "USD")}

    assert denial(intent(6, Side.SELL, instrument=PUT), **rich).detail == "notional=57000 USD limit=50000 USD"
    sold: dict[str, object] = {"position": Quantity(-4), "shorts": ((PUT.symbol, Quantity(-4)),)}
    assert denial(intent(5, Side.SELL, instrument=PUT), **rich, **sold).detail == "position=85500 USD limit=80000 USD"


wishes = st.tuples(st.sampled_from(["sell", "buy back", "stock"]), st.integers(1, 9), st.integers(1, 60))


@settings(max_examples=300, deadline=None)
@given(st.integers(5_000, 60_000), st.lists(wishes, max_size=12), st.integers(0, 200))
def test_over_any_course_that_the_gate_allows_the_cash_pays_for_the_end(opening: int, course: list[tuple[str, int, int]], end: int) -> None:
    """Puts at 95 are sold and bought back, stocks bought at 100; at the end the stock closes anywhere, and the puts are settled."""
    cash, sold = Money(opening, "USD"), 0
    for what, quantity, premium in course:
        stock = what == "stock"
        price, instrument = Price(100 if stock else premium), STOCK if stock else PUT
        side = Side.SELL if what == "sell" else Side.BUY
        if what == "buy back" and quantity > sold:
            continue
        wanted = intent(quantity, side, instrument=instrument, order_type=OrderType.LIMIT, limit_price=price)
        standing = replace(
            STANDING,
            cash=cash,
            price=price,
            position=Quantity(0 if stock else -sold),
            shorts=((PUT.symbol, Quantity(-sold)),) if sold else (),
        )
        if isinstance(assess(wanted, standing, replace(LIMITS, order_quantity_max=Quantity(10**6))), Denial):
            continue
        value = notional(price, Quantity(quantity), instrument.multiplier, "USD")
        fee = TARIFF.schedule(instrument.symbol).of_order(Decimal(quantity), value)
        cash = cash - fee + (value if side is Side.SELL else -value)
        sold += quantity if what == "sell" else -quantity if what == "buy back" else 0

    inside = Money(max(95 - end, 0) * 100 * sold, "USD")
    settled = cash - inside - TARIFF.options.of_order(Decimal(sold), inside) if sold else cash
    assert settled >= Money.zero("USD")
