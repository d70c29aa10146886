"""The traps of the bot-centric crypto trader's tables."""

import json

import pytest
from libs.operations.tests.legacy.making import BOT, crypto, files, fill, instrument, order, report, steps

from quantmatrix.operations.legacy.reading import Choices, Unit


def trades_of(written: dict[str, bytes]) -> list[dict[str, str]]:
    header, *lines = written["legacy-coinbase-01.csv"].decode().splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def notes(told: dict[str, object]) -> dict[str, list[str]]:
    found: list[dict[str, list[str]]] = told["notes"]  # type: ignore[assignment]
    return {str(one["what"]): one["rows"] for one in found}


def test_a_float_sum_becomes_the_number_that_was_meant() -> None:
    told = report(crypto(order(1, size=0.1 + 0.2), order(2, size=1e-05)))

    assert instrument(told, "BTC-USD")["after"]["quantity"] == "0.30001"


def test_the_exchanges_fills_win_for_amounts_and_the_row_tells_who_wanted_it() -> None:
    written = files(
        crypto(
            order(1, size=1.0, price=100.0, commission=0.9, combined_signal_score=0.7, signal_scores='{"RSI": 0.4}'),
            fills=[fill("F1", 1, size=0.6, price=100.0, commission=0.3), fill("F2", 1, size=0.4, price=101.0, commission=0.2)],
        )
    )

    assert [(one["id"], one["quantity"], one["price"], one["fee"]) for one in trades_of(written)] == [
        ("F1", "0.6", "100", "0.3"),
        ("F2", "0.4", "101", "0.2"),
    ]
    (told,) = (json.loads(line) for line in written["orders.jsonl"].splitlines())
    assert told["triggered_by"] == "bot:1" and len(told["trades"]) == 2
    assert json.loads(told["signal_context"]) == {"combined_score": "0.7", "scores": '{"RSI": 0.4}'}


def test_who_wanted_a_trade_is_a_bot_a_person_or_the_sync() -> None:
    told = report(crypto(order(1), order(2, bot_id=None), fills=[fill("F3", 3)]))

    assert told["triggered_by"] == {"bot:1": 1, "manual": 1, "sync": 1}


def test_a_bot_that_was_deleted_remains_the_trigger_of_its_trades() -> None:
    told = report(crypto(order(1, bot_id=9)))

    assert told["triggered_by"] == {"bot:9": 1}
    assert notes(told)["its bot is gone, the trade remains"] == ["trades:1 (bot:9)"]


def test_a_bot_comes_over_as_settings_without_trades() -> None:
    written = files(crypto(order(1), bots=[BOT, {"id": 2, "name": "two", "signal_config": "{not json"}]))

    (bot,) = (json.loads(line) for line in written["bots.jsonl"].splitlines())
    assert bot["settings"]["signals"] == {"RSI": {"weight": 0.4, "period": 14}}
    assert set(bot) == {"id", "name", "symbol", "settings"}
    assert b"bots:2" in written["kept.jsonl"]


@pytest.mark.parametrize("side", ["buy", "BUY", "Buy"])
def test_a_side_is_read_however_it_is_written(side: str) -> None:
    assert instrument(report(crypto(order(1, side=side))), "BTC-USD")["after"]["quantity"] == "1"


def test_a_size_in_dollars_becomes_coins_and_the_dollars_stay_exact() -> None:
    (trade,) = trades_of(files(crypto(order(1, size=100.0, price=30.0, size_in_quote=True))))

    assert (trade["quantity"], trade["amount"]) == ("3.333333333333", "-100")


@pytest.mark.parametrize("flag", [False, None])
def test_a_size_in_dollars_whose_flag_is_wrong_or_missing_is_seen_by_its_dollar_value(flag: bool | None) -> None:
    told = report(crypto(order(1, size=40.0, price=200.0, size_usd=40.0, size_in_quote=flag)))

    assert instrument(told, "BTC-USD")["after"]["quantity"] == "0.2"
    assert instrument(told, "BTC-USD")["before"]["quantity"] == "40"
    assert steps(told, "BTC-USD", "quantity") == {"size read as dollars, coins or contracts": "-39.8"}


def test_a_size_in_coins_whose_flag_says_dollars_is_seen_by_its_dollar_value() -> None:
    told = report(crypto(order(1, size=2.0, price=200.0, size_usd=400.0, size_in_quote=True)))

    assert instrument(told, "BTC-USD")["after"]["quantity"] == "2"


def test_a_flag_of_a_fill_that_is_missing_follows_the_orders_own_value() -> None:
    told = report(
        crypto(
            order(1, size=100.0, price=200.0, size_in_quote=True),
            fills=[fill("F1", 1, size=40.0, price=200.0, size_in_quote=None), fill("F2", 1, size=60.0, price=200.0, size_in_quote=None)],
        )
    )

    assert instrument(told, "BTC-USD")["after"]["quantity"] == "0.5"
    assert told["refused"] == []


def test_a_size_of_which_nothing_says_what_it_counts_is_refused_until_somebody_decides() -> None:
    database = crypto(order(1, size=40.0, price=200.0, size_in_quote=None))

    assert report(database)["refused"] == ["trades:1: size counts dollars or coins, and nothing says which; decide with --unsaid-size"]
    assert instrument(report(database, Choices(unsaid_unit=Unit.DOLLARS)), "BTC-USD")["after"]["quantity"] == "0.2"
    assert instrument(report(database, Choices(unsaid_unit=Unit.COINS)), "BTC-USD")["after"]["quantity"] == "40"


@pytest.mark.parametrize(("worth", "coins"), [(99.9, "100"), (100.0, "100.1001001001")])
def test_near_a_price_of_one_the_closer_dollar_value_decides(worth: float, coins: str) -> None:
    told = report(crypto(order(1, product_id="USDT-USD", size=100.0, price=0.999, size_usd=worth, size_in_quote=None)))

    assert instrument(told, "USDT-USD")["after"]["quantity"] == coins
    assert report(crypto(order(1, size=100.0, price=0.999, size_in_quote=None)))["refused"] != []
    assert report(crypto(order(1, size=100.0, price=1.0, size_in_quote=None)))["refused"] == []


def test_orders_that_filled_nothing_survive_as_orders_and_move_nothing() -> None:
    database = crypto(order(1), order(2, status="pending", filled_at=None), order(3, status="CANCELLED", size=None, price=None))
    told, written = report(database), files(database)

    assert (told["trades"], told["orders_without_fills"]) == (1, 2)
    assert instrument(told, "BTC-USD")["after"]["quantity"] == "1"
    orders = [json.loads(line) for line in written["orders.jsonl"].splitlines()]
    assert {one["order_id"]: one["status"] for one in orders} == {"order-1": "filled", "order-2": "pending", "order-3": "cancelled"}


def test_an_order_that_the_row_calls_cancelled_and_the_exchange_filled_is_a_trade() -> None:
    told = report(crypto(order(1, status="cancelled"), fills=[fill("F1", 1, size=0.25)]))

    assert instrument(told, "BTC-USD")["after"]["quantity"] == "0.25"
    assert told["orders_without_fills"] == 0
    assert notes(told)["the row said cancelled, the exchange has fills"] == ["trades:1"]
    assert steps(told, "BTC-USD", "quantity") == {"trades that the older system's own list did not have": "0.25"}


def test_a_fill_synced_twice_counts_once() -> None:
    told = report(crypto(order(1), fills=[fill("F1", 1), fill("F1", 1)]))

    assert instrument(told, "BTC-USD")["after"]["quantity"] == "1"


def test_a_fill_synced_twice_with_another_commission_counts_as_the_later_row_has_it() -> None:
    (trade,) = trades_of(files(crypto(order(1), fills=[fill("F1", 1, id=1, commission=0.0), fill("F1", 1, id=2, commission=0.7)])))

    assert trade["fee"] == "0.7"


def test_equal_fills_under_two_ids_count_as_the_orders_own_size_says() -> None:
    halves = [fill("F1", 1, size=0.5), fill("F2", 1, size=0.5)]

    both = report(crypto(order(1, size=1.0), fills=halves))
    one = report(crypto(order(1, size=0.5), fills=halves))
    unsaid = report(crypto(fills=halves))

    assert [instrument(told, "BTC-USD")["after"]["quantity"] for told in (both, one, unsaid)] == ["1", "0.5", "1"]


def test_a_fill_id_that_says_two_things_is_refused_by_name() -> None:
    told = report(crypto(fills=[fill("F1", 1, id=1), fill("F1", 1, id=2, size=3.0)]))

    assert told["refused"] == ["raw_trades:2: has the fill id of raw_trades:1 and says something else"]


def test_an_order_listed_twice_counts_once_and_one_that_says_two_things_is_refused() -> None:
    twice = report(crypto(order(1), order(2, order_id="order-1")))
    differing = report(crypto(order(1), order(2, order_id="order-1", size=5.0)))

    assert instrument(twice, "BTC-USD")["after"]["quantity"] == "1"
    assert steps(twice, "BTC-USD", "quantity") == {"rows that the older system counted twice": "-1"}
    assert differing["refused"] == ["trades:2: has the order id of trades:1 and says something else"]


def test_mixed_time_zones_put_trades_into_their_real_order() -> None:
    """The sale at 09:30 in New York comes after the purchase at 14:00 UTC, though its clock shows less."""
    database = crypto(
        order(1, filled_at="2024-03-01T14:00:00Z"),
        order(2, side="sell", filled_at="2024-03-01T09:30:00-05:00", price=110.0),
    )

    told = report(database)

    assert told["openings"] == []
    assert [one["time"] for one in trades_of(files(database))] == ["2024-03-01T14:00:00+00:00", "2024-03-01T14:30:00+00:00"]


@pytest.mark.parametrize(
    "written", ["2024-03-01T14:00:00.123456789Z", "2024-03-01 14:00:00.123456 UTC", "2024-03-01T09:00:00.123456-05:00", 1709301600.123456]
)
def test_a_time_is_read_however_it_is_written(written: object) -> None:
    (trade,) = trades_of(files(crypto(order(1, filled_at=written))))

    assert trade["time"] == "2024-03-01T14:00:00.123456+00:00"


def test_times_without_a_zone_are_counted_and_held_against_the_exchanges_own() -> None:
    told = report(crypto(order(1, filled_at="2024-03-01 05:00:05"), order(2), fills=[fill("F1", 1)]))

    assert told["times"] == {
        "without_zone": 2,
        "taken_as": "UTC",
        "away_from_the_exchange": [{"by": "-5 h", "orders": 1}],
    }


def test_a_fee_is_the_commission_or_else_the_old_column() -> None:
    fees = [
        one["fee"] for one in trades_of(files(crypto(order(1), order(2, commission=0.0, fee=0.3), order(3, commission=None, fee=None))))
    ]
    told = report(crypto(order(3, commission=None, fee=None)))

    assert fees == ["0.5", "0.3", "0"]
    assert notes(told)["no fee was stored, taken as none"] == ["trades:3"]


def test_sales_without_enough_purchases_come_out_of_an_opening_lot_of_unknown_cost() -> None:
    told = report(crypto(order(1, size=1.0), order(2, side="sell", size=3.0, price=110.0)))
    found = instrument(told, "BTC-USD")

    assert told["openings"] == [{"account": "legacy-coinbase", "symbol": "BTC-USD", "quantity": "2", "basis": None}]
    assert found["pending"] == {"quantity": "2", "proceeds": "219.666666666667"}
    assert found["after"] == {"quantity": "0", "realised": "9.333333333333", "open_cost": "0"}
    assert told["refused"] == []


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"price": None}, "price is missing"),
        ({"size": "much"}, "size is not a number"),
        ({"size": float("inf")}, "size is not a number that an amount can be"),
        ({"size": 0.0}, "size is not above zero"),
        ({"side": "hold"}, "side is neither a purchase nor a sale"),
        ({"side": None}, "side is missing"),
        ({"status": "half"}, "status is 'half', and nobody knows whether that is a trade"),
        ({"status": None}, "status is missing"),
        ({"product_id": "BTC"}, "product_id is not a pair such as BTC-USD"),
        ({"created_at": None, "filled_at": None}, "filled_at and created_at are missing"),
        ({"filled_at": "yesterday"}, "filled_at is not a date"),
    ],
)
def test_a_half_written_row_is_refused_by_its_id(cells: dict[str, object], why: str) -> None:
    told = report(crypto(order(1), order(7, **cells)))

    assert told["refused"] == [f"trades:7: {why}"]


def test_a_row_that_stands_in_the_way_can_be_left_out_by_name() -> None:
    database = crypto(order(1), order(7, price=None))

    told = report(database, Choices(left_out=frozenset({"trades:7"})))
    slip = report(database, Choices(left_out=frozenset({"trades:70"})))

    assert told["refused"] == [] and told["kept"] == {"left out on request": 1}
    assert "trades:70: is to be left out, and there is no such row" in slip["refused"]


@pytest.mark.parametrize("cells", [{"price": None}, {"status": "half"}, {"status": None}, {"size_in_quote": None}])
def test_a_half_written_row_whose_fills_are_there_is_taken_from_the_exchange(cells: dict[str, object]) -> None:
    told = report(crypto(order(1, **cells), fills=[fill("F1", 1)]))

    assert told["refused"] == []
    assert told["triggered_by"] == {"bot:1": 1}


def test_an_order_that_names_another_pair_than_its_fills_is_refused() -> None:
    told = report(crypto(order(1, product_id="ETH-USD"), fills=[fill("F1", 1)]))

    assert "trades:1: names another pair than its fills" in told["refused"]


def test_every_row_is_migrated_or_kept_and_the_counts_add_up() -> None:
    told = report(crypto(order(1), order(2, status="pending"), order(3, order_id="order-1"), fills=[fill("F1", 1), fill("F1", 1)]))

    assert {one["table"]: (one["rows"], one["migrated"], one["kept"]) for one in told["tables"]} == {
        "bots": (1, 1, 0),
        "trades": (3, 2, 1),
        "raw_trades": (2, 1, 1),
        "bot_signal_history": (1, 0, 1),
    }
