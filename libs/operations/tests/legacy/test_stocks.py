"""The traps of the single-user stock platform's tables."""

import pytest
from libs.operations.tests.legacy.making import execution, files, instrument, report, stocks

from quantmatrix.operations.legacy.reading import Choices


def notes(told: dict[str, object]) -> list[str]:
    found: list[dict[str, str]] = told["notes"]  # type: ignore[assignment]
    return [one["what"] for one in found]


def holding(symbol: str, quantity: float, **cells: object) -> dict[str, object]:
    made = {
        "id": 1,
        "account_id": 1,
        "symbol": symbol,
        "quantity": quantity,
        "average_cost": 20.0,
        "currency": "USD",
        "contract_type": "STK",
    }
    return made | cells


def test_an_account_lives_on_without_its_number_name_or_credentials() -> None:
    written = files(stocks(execution(1)))

    everything = b"".join(written.values())
    assert b"legacy-1" in everything
    assert all(secret not in everything for secret in (b"U0000001", b"a name", b"a secret"))


def test_accounts_are_kept_apart() -> None:
    told = report(
        {**stocks(execution(1), execution(2, account_id=2)), "accounts": [{"id": 1, "broker": "IBKR"}, {"id": 2, "broker": "IBKR"}]}
    )

    assert instrument(told, "ABC", "legacy-1")["after"]["quantity"] == "10"
    assert instrument(told, "ABC", "legacy-2")["after"]["quantity"] == "10"


def test_the_same_execution_id_in_two_accounts_is_two_trades() -> None:
    told = report(
        {
            **stocks(execution(1), execution(2, account_id=2, execution_id="execution-1")),
            "accounts": [{"id": 1, "broker": "A"}, {"id": 2, "broker": "A"}],
        }
    )

    assert (told["trades"], told["refused"]) == (2, [])


def test_who_wanted_a_trade_is_a_person_or_the_sync() -> None:
    told = report(stocks(execution(1), execution(2, source="manual_entry"), execution(3, source="realtime_api")))

    assert told["triggered_by"] == {"manual": 1, "sync": 2}


def test_of_an_execution_told_twice_the_official_statement_counts() -> None:
    database = stocks(
        execution(1, source="realtime_api", commission=0.0, execution_id="E"),
        execution(2, source="official_statement", commission=1.0, execution_id="E", transaction_date="2024-03-01 15:00:01"),
    )

    told = report(database)

    assert told["trades"] == 1
    assert instrument(told, "ABC")["after"]["open_cost"] == "201"
    assert told["kept"]["the same execution, told twice"] == 1
    assert "told twice with two fees, the more trusted source counts" in notes(told)


def test_an_execution_that_says_two_things_is_refused_by_name() -> None:
    told = report(stocks(execution(1), execution(2, execution_id="execution-1", quantity=11.0)))

    assert told["refused"] == ["transactions:2: has the execution of transactions:1 and says something else"]


def test_an_id_of_the_order_does_not_make_two_executions_one() -> None:
    fills = [execution(number, external_id="an order", transaction_date="2024-03-01 15:00:00") for number in (1, 2)]
    unnamed = execution(3, external_id="an order", execution_id=None, transaction_date="2024-03-01 15:00:00")

    told = report(stocks(*fills))
    again = report(stocks(*fills, unnamed))

    assert (told["trades"], told["refused"]) == (2, [])
    assert (again["trades"], again["refused"]) == (2, [])


def test_more_than_is_held_is_told() -> None:
    told = report(stocks(execution(1), execution(2), holdings=[holding("ABC", 10.0)]))

    assert told["held_otherwise"] == [{"account": "legacy-1", "symbol": "ABC", "there": "10", "here": "20"}]
    assert report(stocks(execution(1), holdings=[holding("ABC", 10.0)]))["held_otherwise"] == []


def test_equal_rows_without_any_id_are_two_trades() -> None:
    rows = [execution(number, execution_id=None, transaction_date="2024-03-01 15:00:00") for number in (1, 2)]

    assert report(stocks(*rows))["trades"] == 2


def test_two_fills_of_one_order_are_two_trades() -> None:
    assert report(stocks(execution(1, order_id="O"), execution(2, order_id="O")))["trades"] == 2


def test_a_sale_is_a_sale_with_or_without_a_minus() -> None:
    sold = {"transaction_type": "SELL", "action": "SLD"}

    told = report(stocks(execution(1), execution(2, quantity=4.0, **sold), execution(3, quantity=-4.0, **sold)))

    assert instrument(told, "ABC")["after"]["quantity"] == "2"


@pytest.mark.parametrize(
    ("amounts", "cost"),
    [
        ({"commission": -1.0}, "201"),
        ({"commission": 1.0, "fees": 0.25}, "201.25"),
        ({"commission": -1.0, "amount": -200.0, "net_amount": -201.0}, "201"),
        ({"commission": 0.5, "amount": 200.0, "net_amount": 199.5}, "199.5"),
        ({"commission": None, "fees": None}, "200"),
    ],
)
def test_fees_are_costs_whatever_their_sign_unless_the_net_amount_shows_a_rebate(amounts: dict[str, object], cost: str) -> None:
    assert instrument(report(stocks(execution(1, **amounts))), "ABC")["after"]["open_cost"] == cost


def test_an_amount_to_the_cent_is_what_was_paid_and_another_one_is_noted() -> None:
    near = report(stocks(execution(1, price=20.0004, amount=200.0, commission=0.0)))
    far = report(stocks(execution(1, amount=2000.0, commission=0.0)))

    assert instrument(near, "ABC")["after"]["open_cost"] == "200"
    assert instrument(far, "ABC")["after"]["open_cost"] == "200"
    assert notes(far) == ["amount is not quantity × price × multiplier"]


def test_an_option_counts_a_hundred_shares_and_may_be_sold_first() -> None:
    option = {"symbol": "ABC 19APR24 20 C", "contract_type": "OPT", "transaction_type": "SELL", "action": "SLD"}

    told = report(stocks(execution(1, quantity=1.0, price=2.5, commission=0.0, **option), holdings=[]))
    found = instrument(told, "ABC 19APR24 20 C")

    assert found["after"] == {"quantity": "-1", "realised": "0", "open_cost": "-250"}
    assert told["openings"] == []


def test_what_is_held_beyond_the_trades_was_there_before() -> None:
    told = report(stocks(execution(1), holdings=[holding("ABC", 25.0)]))

    assert told["openings"] == [{"account": "legacy-1", "symbol": "ABC", "quantity": "15", "basis": None}]
    assert instrument(told, "ABC")["after"]["quantity"] == "25"
    assert instrument(told, "ABC")["held_at_unknown_cost"] == "15"


def test_a_short_sale_that_the_holdings_know_is_no_missing_balance() -> None:
    sold = {"transaction_type": "SELL", "action": "SLD"}

    told = report(stocks(execution(1, **sold), holdings=[holding("ABC", -10.0)]))

    assert told["openings"] == []
    assert instrument(told, "ABC")["after"] == {"quantity": "-10", "realised": "0", "open_cost": "-199"}


def test_a_holding_without_trades_is_compared_and_not_invented() -> None:
    told = report(stocks(execution(1), holdings=[holding("ABC", 10.0), holding("XYZ", 5.0, id=2)]))

    assert instrument(told, "XYZ")["before"]["quantity"] == "5"
    assert instrument(told, "XYZ")["after"]["quantity"] == "0"
    assert told["kept"]["a holding: compared with what the trades give, then computed anew"] == 2


def test_dividends_come_over_with_the_tax_withheld() -> None:
    dividend = {
        "id": 1, "account_id": 1, "external_id": "D1", "symbol": "ABC", "pay_date": "2024-04-01", "total_dividend": 7.5,
        "tax_withheld": 1.125, "currency": "USD", "dividend_type": "ordinary",
    }  # fmt: skip

    written = files(
        stocks(execution(1), dividends=[dividend, {**dividend, "id": 2, "external_id": "D2", "dividend_type": "return_of_capital"}])
    )

    lines = written["legacy-1-01.csv"].decode().splitlines()
    assert lines[2] == "2024-04-01,dividend,USD,dividend-D1,legacy-1,,ABC,,,,,7.5,,type=ordinary"
    assert lines[3] == "2024-04-01,withholding_tax,USD,tax-D1,legacy-1,,ABC,,,,,-1.125,,type=ordinary"
    assert lines[4].startswith("2024-04-01,return_of_capital,USD,dividend-D2")


def test_the_day_of_a_trade_is_that_of_the_exchange() -> None:
    """01:30 UTC is still the evening before in New York; a plain date is the exchange's own."""
    written = files(stocks(execution(1, transaction_date="2024-03-05 01:30:00"), execution(2, transaction_date="2024-03-07")))

    assert [line.split(",")[0] for line in written["legacy-1-01.csv"].decode().splitlines()[1:]] == ["2024-03-04", "2024-03-07"]


def test_the_last_stored_gain_stands_beside_the_one_of_its_own_rows() -> None:
    snapshots = [
        {"id": 1, "account_id": 1, "snapshot_date": "2024-03-03", "realized_pnl": 1.0},
        {"id": 2, "account_id": 1, "snapshot_date": "2024-03-09", "realized_pnl": 60.0},
    ]
    sold = execution(2, transaction_type="SELL", action="SLD", price=25.0)

    told = report(stocks(execution(1), sold, portfolio_snapshots=snapshots))

    assert told["accounts"] == [
        {
            "account": "legacy-1", "currency": "USD", "stored": "60", "own_rows": "50", "stored_against_own_rows": "-10", "after": "48",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"quantity": None}, "quantity is missing"),
        ({"quantity": 0.0}, "quantity is zero"),
        ({"price": -1.0}, "price is below zero"),
        ({"price": "1,5"}, "price is not a number"),
        ({"action": "SLD"}, "transaction_type and action contradict each other"),
        ({"transaction_type": None, "action": None}, "transaction_type and action is missing"),
        ({"transaction_date": None}, "transaction_date is missing"),
        ({"currency": "dollars!"}, "currency is not the code of a currency"),
        ({"symbol": ""}, "symbol is missing"),
        ({"account_id": None}, "account_id is missing"),
        ({"contract_type": "OPT"}, "symbol stands for two different things in this account (currency or contract_type)"),
    ],
)
def test_a_half_written_row_is_refused_by_its_id(cells: dict[str, object], why: str) -> None:
    told = report(stocks(execution(1), execution(7, **cells)))

    assert told["refused"] == [f"transactions:7: {why}"]


def test_a_row_that_moves_cash_only_is_kept_and_one_that_moves_units_stands_in_the_way() -> None:
    cash = execution(7, transaction_type="DIVIDEND", action=None, quantity=0.0, price=None)

    kept = report(stocks(execution(1), cash))
    units = report(stocks(execution(1), {**cash, "quantity": 3.0}))

    assert kept["refused"] == [] and kept["kept"]["moves cash and no units, so it is no trade; kept in the backup"] == 1
    assert units["refused"] == ["transactions:7: transaction_type is neither a purchase nor a sale"]


def test_a_row_left_out_is_kept_and_its_part_of_the_old_figure_named() -> None:
    told = report(stocks(execution(1), execution(2)), Choices(left_out=frozenset({"transactions:2"})))

    assert told["refused"] == []
    assert {step["cause"]: step["quantity"] for step in instrument(told, "ABC")["differences"]}["rows left out on request"] == "-10"


def test_every_row_is_migrated_or_kept_and_the_counts_add_up() -> None:
    told = report(
        stocks(execution(1), execution(2, execution_id="execution-1", transaction_date="2024-03-01 15:00:00"), tax_lots=[{"id": 1}])
    )

    for one in told["tables"]:
        assert one["rows"] == one["migrated"] + one["kept"]
    assert {one["table"]: one.get("why") for one in told["tables"]}[
        "tax_lots"
    ] == "evidence beside what is computed anew, kept in the backup"
