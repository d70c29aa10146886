"""What must hold for every older database: no trade is lost, amounts are conserved, the order of rows does not matter."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from libs.operations.tests.legacy.making import crypto, execution, files, fill, order, report, snapshot, stocks

from quantmatrix.operations.legacy.crypto import read_crypto
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.legacy.stocks import read_stocks
from quantmatrix.portfolio.importing import File, Status, check_files

FIGURES = ("quantity", "realised", "open_cost")
amounts = some.floats(min_value=1e-4, max_value=1e6, allow_nan=False).map(lambda value: float(f"{value:.8g}"))
sides = some.sampled_from(["buy", "BUY", "sell", "SELL"])
pairs = some.sampled_from(["BTC-USD", "ETH-USD"])
numbered = some.lists(
    some.tuples(sides, amounts, amounts, pairs, some.booleans(), some.floats(0, 5, allow_nan=False)), min_size=1, max_size=8
)


@some.composite
def traders(draw: Callable[[Any], Any]) -> tuple[dict[str, Any], int]:
    """A crypto trader's database, and how many orders were filled in truth: each in `trades`, in `raw_trades`, or in both."""
    orders, fills, filled = [], [], 0
    for number, (side, size, price, pair, dollars, fee) in enumerate(draw(numbered), 1):
        known = draw(some.sampled_from(["row", "fills", "both", "pending"]))
        shape = {"side": side, "price": price, "product_id": pair, "commission": round(fee, 6)}
        if known in ("row", "both", "pending"):
            status = "pending" if known == "pending" else draw(some.sampled_from(["filled", "FILLED", "done"]))
            orders.append(order(number, size=size, size_in_quote=dollars, status=status, bot_id=draw(some.none() | some.just(1)), **shape))
        if known in ("fills", "both"):
            halves = [fill(f"F{number}-{part}", number, size=size / 2, size_in_quote=dollars, **shape) for part in "ab"]
            fills += halves + ([dict(halves[0])] if draw(some.booleans()) else [])
        filled += known != "pending"
    return crypto(*orders, fills=fills), filled


@some.composite
def platforms(draw: Callable[[Any], Any]) -> dict[str, Any]:
    """A stock platform's database, with executions told twice and holdings that may know of more."""
    rows = []
    for number, (side, size, price, _, again, fee) in enumerate(draw(numbered), 1):
        shape = {"transaction_type": side.upper(), "action": None, "quantity": size, "price": price, "commission": round(fee, 6)}
        rows.append(execution(number, symbol=draw(some.sampled_from(["ABC", "XYZ"])), **shape))
        if again:
            rows.append({**rows[-1], "id": 100 + number, "source": "realtime_api"})
    held = draw(some.lists(some.tuples(some.sampled_from(["ABC", "XYZ"]), amounts), max_size=2))
    holdings = [
        {
            "id": number,
            "account_id": 1,
            "symbol": symbol,
            "quantity": quantity,
            "average_cost": 10.0,
            "currency": "USD",
            "contract_type": "STK",
        }
        for number, (symbol, quantity) in enumerate(held, 1)
    ]
    return stocks(*rows, holdings=holdings) if draw(some.booleans()) else stocks(*rows)


def of_instruments(told: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((one["symbol"], one) for one in told["instruments"])


def cash(trades: Iterable[Any], *, fees: bool) -> dict[str, Decimal]:
    """What trades moved, by symbol."""
    moved: dict[str, Decimal] = {}
    for trade in trades:
        value = -trade.side.sign * trade.value.amount - (trade.fee.amount if fees else 0)
        moved[trade.instrument.symbol] = moved.get(trade.instrument.symbol, Decimal(0)) + value
    return moved


@given(traders())
def test_every_filled_order_becomes_trades_once(made: tuple[dict[str, Any], int]) -> None:
    database, filled = made
    found = read_crypto(snapshot(database), Choices())

    told = report(database)
    assert told["refused"] == []
    assert len({trade.order_id for trade in found.trades}) == filled
    assert len({trade.key for trade in found.trades}) == len(found.trades) == told["trades"]
    for table in told["tables"]:
        assert table["rows"] == table["migrated"] + table["kept"]


@given(traders())
def test_dollars_and_coins_are_conserved(made: tuple[dict[str, Any], int]) -> None:
    """Each order's dollars are those of its rows to a millionth, however they were cut into fills and whatever the size counted."""
    database, _ = made
    found = read_crypto(snapshot(database), Choices())

    worth: dict[str, float] = {}
    for row in (*[one for one in database["trades"] if one["status"] != "pending"], *database["raw_trades"]):
        value = row["size"] if row["size_in_quote"] else row["size"] * row["price"]
        twice = 2 if "fill_id" in row else 1
        worth[row["order_id"]] = value * twice
    for order_id, value in worth.items():
        total = sum(trade.value.amount for trade in found.trades if trade.order_id == order_id)
        assert abs(float(total) - value) <= 1e-6 * max(1.0, value)


@given(traders() | platforms().map(lambda database: (database, 0)))
def test_differences_add_up_and_cash_is_conserved(made: tuple[dict[str, Any], int]) -> None:
    """before + differences = after; and what trades paid = gains + pending proceeds - cost of what is held, to the last digit."""
    database, _ = made
    told = report(database)
    trades = (read_stocks if "accounts" in database else read_crypto)(snapshot(database), Choices()).trades
    moved = cash(trades, fees=True)

    assert told["refused"] == []
    for symbol, one in of_instruments(told):
        for figure in FIGURES:
            assert Decimal(one["before"][figure]) + sum(Decimal(step[figure]) for step in one["differences"]) == Decimal(
                one["after"][figure]
            )
        left = Decimal(one["after"]["realised"]) + Decimal(one["pending"]["proceeds"]) - Decimal(one["after"]["open_cost"])
        assert left == moved.get(symbol, 0)


@given(traders(), some.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(made: tuple[dict[str, Any], int], chance: Any) -> None:
    database, _ = made
    shuffled = {table: chance.sample(rows, len(rows)) for table, rows in database.items()}

    first, second = files(database), files(shuffled)

    assert {name: body for name, body in first.items() if name.endswith(".csv")} == {
        name: body for name, body in second.items() if name.endswith(".csv")
    }


@given(traders() | platforms().map(lambda database: (database, 0)))
def test_twice_gives_the_same_bytes_and_qm_import_takes_them_once(made: tuple[dict[str, Any], int]) -> None:
    database, _ = made
    first, second = files(database), files(database)
    given_files = [File(name, body) for name, body in first.items() if name.endswith(".csv")]

    assert first == second
    assert all(one.status is not Status.REJECTED for one in check_files(given_files))
    again = check_files([*given_files, *given_files])
    assert [one.status for one in again[len(given_files) :]] == [Status.REJECTED] * len(given_files)


@given(traders(), some.sampled_from(["size", "price", "side", "status", "product_id"]), some.sampled_from([None, "?", float("inf")]))
def test_a_broken_row_is_never_dropped(made: tuple[dict[str, Any], int], column: str, broken: object) -> None:
    """Whatever is broken in a row: it is named as standing in the way, or its fills tell what happened, or it filled nothing."""
    database, _ = made
    if not database["trades"]:
        return
    first = {**database["trades"][0], column: broken}
    database = {**database, "trades": [first, *database["trades"][1:]]}

    told = report(database)
    found = read_crypto(snapshot(database), Choices())

    named = any(one.startswith(f"trades:{first['id']}:") for one in told["refused"])
    taken = any(str(row) == f"trades:{first['id']}" for trade in (*found.trades, *found.unfilled) for row in trade.rows)
    assert named or taken
