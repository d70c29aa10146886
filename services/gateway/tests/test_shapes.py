"""Worked examples of what is computed here without any service: older shapes, sizes of orders, cursors, figures on pages."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from quantmatrix.common.contracts.asking.execution import OrderSummary
from quantmatrix.common.contracts.asking.portfolio import AccountValue, Portfolio, PositionSummary, SnapshotPoint
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    AssetClass,
    InstrumentId,
    OrderId,
    OrderState,
    OrderType,
    RunId,
    Side,
    SignalId,
    SignalKind,
    TimeInForce,
)
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.gateway.domain.sizing import No, Wish, quantity_for, refusal
from quantmatrix.gateway.exact import Cursor, as_numbers, paged, parse_cursor
from quantmatrix.gateway.figures import totals
from quantmatrix.gateway.placing import NamedLot
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.render import at, figure, money, pct, price, qty, signed
from quantmatrix.gateway.shapes import TRADE_STATES, portfolio_shape, signal_shape, trade_shape

ACCOUNT = AccountId("PAPER-1")
AAPL = Instrument(InstrumentId("AAPL1"), "AAPL", AssetClass.STOCK, "USD", Quantity(1))
NOON = datetime(2024, 3, 5, 17, 0, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def account(**more: Money) -> AccountValue:
    values = {"cash": usd("99900.10"), "market_value": usd("300"), "realised": usd("0"), "unrealised": usd("50.05"), **more}
    return AccountValue(
        account_id=ACCOUNT,
        broker="paper",
        paper=True,
        opening_cash=usd("100000"),
        equity=values["cash"] + values["market_value"],
        session=date(2024, 3, 5),
        **values,
    )


def position(**more: object) -> PositionSummary:
    fields: dict[str, object] = {
        "account_id": ACCOUNT,
        "instrument": AAPL,
        "quantity": Quantity(Decimal("1.5")),
        "basis": usd("249.95"),
        "realised": usd("0"),
        "price": Price(Decimal(200)),
        "priced_on": date(2024, 3, 5),
        "value": usd("300"),
        "unrealised": usd("50.05"),
    }
    return PositionSummary(**{**fields, **more})  # type: ignore[arg-type]


def order(**more: object) -> OrderSummary:
    fields: dict[str, object] = {
        "order_id": OrderId(UUID(int=7)),
        "account_id": ACCOUNT,
        "client_ref": "REF",
        "broker_order_id": "",
        "instrument": AAPL,
        "side": Side.BUY,
        "quantity": Quantity(10),
        "filled": Quantity(0),
        "average_price": None,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "limit_price": None,
        "stop_price": None,
        "reference_price": Price(Decimal("12.34")),
        "state": OrderState.ACCEPTED,
        "code": None,
        "detail": None,
        "triggered_by": "manual",
        "session": date(2024, 3, 5),
        "created_at": NOON,
        "filled_at": None,
    }
    return OrderSummary(**{**fields, **more})  # type: ignore[arg-type]


def test_the_portfolio_in_its_older_shape() -> None:
    written = as_numbers(portfolio_shape(Portfolio((account(),), (position(),)))).decode()

    assert written == (
        '{"total_usd_balance":100200.10,"positions":[{"product_id":"AAPL","crypto_balance":1.5,"usd_invested":249.95,'
        '"current_value":300.00,"unrealized_pnl":50.05,"pnl_pct":20.0240}],"total_pnl":50.05}'
    )


def test_a_position_without_a_price_is_null_and_not_zero() -> None:
    shape = portfolio_shape(Portfolio((account(),), (position(price=None, value=None, unrealised=None),)))

    assert (shape.positions[0].current_value, shape.positions[0].unrealized_pnl, shape.positions[0].pnl_pct) == (None, None, None)


@pytest.mark.parametrize("sent", ["0.1", "12.50", "999999999999.99", "0.000000000001", "123456.123456789"])
def test_a_number_that_binary_keeps_is_taken_as_it_was_written(sent: str) -> None:
    body = json.loads(f'{{"lot_id": "{UUID(int=1)}", "quantity": {sent}}}')

    assert NamedLot(**body).quantity == Decimal(sent)


@pytest.mark.parametrize("sent", ["123456789012.123456789", "12345678.123456789012", "1234567.1234567891"])
def test_a_number_that_was_rounded_on_its_way_is_refused_and_taken_as_a_text(sent: str) -> None:
    with pytest.raises(ValidationError, match="send it as a text"):
        NamedLot(**json.loads(f'{{"lot_id": "{UUID(int=1)}", "quantity": {sent}}}'))

    wanted = json.loads(f'{{"lot_id": "{UUID(int=1)}", "quantity": "{sent}"}}')
    assert NamedLot(**wanted).quantity == Decimal(sent)


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False, allow_infinity=False))
def test_numbers_are_written_digit_by_digit(amount: Decimal) -> None:
    written = as_numbers({"amount": amount}).decode()

    assert Decimal(written.removeprefix('{"amount":').removesuffix("}")) == amount


def test_a_number_that_binary_cannot_hold_is_written_exactly() -> None:
    assert as_numbers(Decimal("90071992547409.93")) == b"90071992547409.93"  # as a float it would end in .94


def test_a_filled_trade_tells_what_was_filled_at_its_average() -> None:
    filled = order(state=OrderState.FILLED, filled=Quantity(10), average_price=Price(Decimal("12.5")), filled_at=NOON)

    shape = trade_shape(filled)

    assert (shape.status, shape.size_usd, shape.size_crypto, shape.price, shape.filled_at) == (
        "filled", Decimal("125.00"), Decimal(10), Decimal("12.5"), NOON,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("submitting", "pending"),
        ("accepted", "pending"),
        ("partially_filled", "pending"),
        ("cancelling", "pending"),
        ("unknown", "pending"),
        ("filled", "filled"),
        ("cancelled", "cancelled"),
        ("expired", "cancelled"),
        ("rejected", "cancelled"),
        ("denied", "cancelled"),
    ],
)
def test_every_state_has_its_older_name(state: str, status: str) -> None:
    assert trade_shape(order(state=OrderState(state))).status == status
    assert set(TRADE_STATES) == set(OrderState)


@pytest.mark.parametrize(
    ("strength", "temperature"),
    [(0.85, "HOT"), (0.3, "HOT"), (0.299, "WARM"), (0.15, "WARM"), (0.149, "COOL"), (0.05, "COOL"), (0.049, "FROZEN")],
)
def test_a_signal_in_its_older_shape(strength: float, temperature: str) -> None:
    raised = SignalRaised(
        signal_id=SignalId(UUID(int=1)),
        run_id=RunId(UUID(int=2)),
        user_id=FIRST_ADMINISTRATOR,
        account_id=ACCOUNT,
        strategy="atr_matrix",
        triggered_by="bot:1",
        instrument=AAPL,
        kind=SignalKind.ENTRY,
        calendar="XNYS",
        session=date(2024, 3, 5),
        decided_at=NOON,
        expires_at=NOON,
        side=Side.BUY,
        quantity=Quantity(3),
        strength=strength,
    )

    shape = signal_shape(raised, as_of=NOON)

    assert (shape.bot_id, shape.product_id, shape.temperature) == ("bot:1", "AAPL", temperature)
    assert (shape.combined_score, shape.recommended_action, shape.ready_to_trade) == (Decimal(repr(strength)), "BUY", True)
    assert not signal_shape(raised, as_of=datetime(2024, 3, 6, tzinfo=UTC)).ready_to_trade
    sold, warned = (signal_shape(replace(raised, side=side), as_of=NOON) for side in (Side.SELL, None))
    assert (sold.combined_score, sold.temperature, sold.recommended_action) == (-Decimal(repr(strength)), temperature, "SELL")
    assert (warned.combined_score, warned.temperature, warned.recommended_action) == (0, "FROZEN", "HOLD")
    scored = signal_shape(replace(raised, metrics={"score": 0.4881}), as_of=NOON)
    assert (scored.combined_score, scored.temperature) == (Decimal("0.4881"), "HOT")


def wish(size: str, last: str = "20", side: Side = Side.BUY, lot: str = "1") -> Wish:
    return Wish(AAPL.instrument_id, "AAPL", side, usd(size), Price(Decimal(last)), Quantity(1), Quantity(Decimal(lot)))


@pytest.mark.parametrize(
    ("size", "last", "lot", "quantity"),
    [("100", "20", "1", "5"), ("99.99", "20", "1", "4"), ("100", "33.33", "0.0001", "3.0003"), ("19.99", "20", "1", "0")],
)
def test_an_amount_buys_whole_lots_and_never_more_than_it_is_worth(size: str, last: str, lot: str, quantity: str) -> None:
    assert quantity_for(wish(size, last, lot=lot)) == Quantity(Decimal(quantity))


@given(st.integers(1_000, 10**9), st.integers(1, 10**7))
def test_an_order_never_costs_more_than_was_wished(cents: int, price_cents: int) -> None:
    wanted = wish(str(Decimal(cents) / 100), str(Decimal(price_cents) / 100))
    quantity = quantity_for(wanted)

    assert quantity.value * wanted.price.value <= wanted.size.amount < (quantity.value + 1) * wanted.price.value


def _no(wanted: Wish, cash: str = "1000", held: str = "0", working: tuple[OrderSummary, ...] = ()) -> str | None:
    found = refusal(wanted, quantity_for(wanted), usd(cash), Quantity(Decimal(held)), working, usd("10"))
    return found.code if isinstance(found, No) else None


def test_what_speaks_against_an_order() -> None:
    buying = order(quantity=Quantity(40), reference_price=Price(Decimal(20)))
    selling = order(side=Side.SELL, quantity=Quantity(6), filled=Quantity(2))

    assert _no(wish("9.99", last="1")) == "ORDER_TOO_SMALL"
    assert _no(wish("10", last="1")) is None
    assert _no(wish("10", last="20")) == "ORDER_TOO_SMALL"
    assert _no(wish("1000"), cash="1000") is None
    assert _no(wish("1000"), cash="999.99") == "BALANCE_INSUFFICIENT"
    assert _no(wish("220"), cash="1000", working=(buying,)) == "BALANCE_INSUFFICIENT"
    assert _no(wish("200"), cash="1000", working=(buying,)) is None
    assert _no(wish("200", side=Side.SELL), held="10") is None
    assert _no(wish("220", side=Side.SELL), held="10") == "BALANCE_INSUFFICIENT"
    assert _no(wish("140", side=Side.SELL), held="10", working=(selling,)) == "BALANCE_INSUFFICIENT"


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was(moment: datetime, number: UUID) -> None:
    assert parse_cursor(str(Cursor(moment, number))) == Cursor(moment, number)


@given(st.text(max_size=60))
def test_any_other_text_is_no_cursor(text: str) -> None:
    try:
        parse_cursor(text)
    except ProblemError as error:
        assert (error.status, error.code) == (422, "CURSOR_INVALID")


def test_the_last_page_has_no_cursor() -> None:
    place = lambda number: (NOON, UUID(int=number))  # noqa: E731

    assert paged([1, 2, 3], 3, place) == ((1, 2, 3), None)
    shown, following = paged([1, 2, 3, 4], 3, place)
    assert shown == (1, 2, 3) and parse_cursor(following) == Cursor(NOON, UUID(int=3))


def test_totals_of_an_account_by_hand() -> None:
    points = (
        SnapshotPoint(date(2024, 3, 4), usd("100100"), usd("99900")),
        SnapshotPoint(date(2024, 3, 5), usd("100200.10"), usd("99900.10")),
    )

    found = totals([account()], [points], 1)

    assert found is not None
    assert (found.equity, found.total, found.day) == (usd("100200.10"), usd("200.10"), usd("100.10"))
    assert (found.total_pct, found.day_pct, found.exposure_pct) == (Decimal("0.200100"), Decimal("0.100000"), Decimal("0.299401"))
    assert totals([], [], 0) is None


def test_figures_on_pages() -> None:
    assert [money(usd("-1234.5")), money(usd("-0.001")), money(Money(5, "EUR")), money(None)] == ["−$1,234.50", "$0.00", "5.00 EUR", "–"]
    assert [signed(usd("0.004")), signed(usd("7")), signed(usd("-7"))] == ["$0.00", "+$7.00", "−$7.00"]
    assert [pct(Decimal("1.235")), pct(-0.001), pct(None), pct(float("nan"))] == ["+1.24 %", "0.00 %", "–", "–"]
    assert [qty(Quantity(1234567)), qty(Quantity(Decimal("-0.5"))), price(Price(Decimal("3.5"))), price(Price(1000))] == [
        "1,234,567",
        "−0.5",
        "3.50",
        "1,000.00",
    ]
    assert [figure(-1.5), figure(None), at(datetime(2024, 7, 1, 20, 0, tzinfo=UTC))] == ["−1.50", "–", "2024-07-01 16:00"]
