"""Activity Statements: every section and layout, the identities with their exceptions, and the printed basis."""

from decimal import Decimal

import pytest
from services.portfolio.tests.importers.activity_samples import (
    BEFORE_ACTIONS,
    BEFORE_STOCKS,
    FUTURES,
    FUTURES_KNOWN,
    OTHER_LANGUAGE,
    STATEMENT,
    TWO_ACCOUNTS,
)  # fmt: skip

from quantmatrix.common.values import Money, Quantity, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Statement
from quantmatrix.portfolio.domain.statements_identities import Cause
from quantmatrix.portfolio.importers.ibkr_activity import IMPORTER
from quantmatrix.portfolio.importing import Checked, File, Status, check_files
from quantmatrix.portfolio.ports import StatementError
from quantmatrix.portfolio.testing import ImporterContract

KNOWN = STATEMENT.replace("Mystery Section,Header,Currency,Secret,Amount\nMystery Section,Data,USD,42,7\n", "")


class TestActivityStatements(ImporterContract):
    importer = IMPORTER()
    file_name = "U0000001_2024.csv"
    sample = KNOWN.encode()
    rows = KNOWN.count(",Data,")
    damaged = KNOWN.encode().replace(b"Electronic Fund Transfer,6000", b"Electronic Fund Transfer,6e999")
    damaged_line = next(line for line, text in enumerate(KNOWN.splitlines(), start=1) if "Electronic" in text)
    stranger = b"Date,Type,Sub Type\n"


def read(text: str = STATEMENT) -> Statement:
    return IMPORTER().read(text.encode())


def checked(*texts: str) -> list[Checked]:
    return check_files([File(f"{number}.csv", text.encode()) for number, text in enumerate(texts)])


def entries(kind: EntryKind, statement: Statement | None = None) -> list[Entry]:
    return [entry for entry in (statement or read()).entries if entry.kind is kind]


def line_of(text: str) -> int:
    return next(line for line, found in enumerate(STATEMENT.splitlines(), start=1) if text in found)


def identity(result: Checked, name: str) -> list[tuple[str, str, Cause | None]]:
    (found,) = [one for one in result.identities if one.name == name]
    return [(one.about, plain(one.amount.amount), one.cause) for one in found.differences]


def test_the_three_counts_add_up_to_the_data_rows() -> None:
    statement = read()

    assert statement.rows == STATEMENT.count(",Data,")
    assert len(statement.booked_lines) + len(statement.ignored) + len(statement.unread) == statement.rows


def test_what_nobody_taught_is_kept_raw_and_does_not_refuse_the_file() -> None:
    statement = read()

    assert [(one.place.section, one.damaged, one.raw[2:]) for one in statement.unread] == [("Mystery Section", False, ("USD", "42", "7"))]
    assert statement.figures.unknown_sections == ("Mystery Section",)


def test_executions_are_booked_once_and_orders_where_there_are_none() -> None:
    ceg = [entry for entry in entries(EntryKind.TRADE) if entry.symbol == "CEG"]
    gm = [entry for entry in entries(EntryKind.TRADE) if entry.symbol == "GM"]

    assert [str(entry.quantity) for entry in ceg] == ["60", "40", "1", "-101"]
    assert [str(entry.quantity) for entry in gm] == ["3000", "-3000"]


def test_executions_that_do_not_make_up_their_order_are_damaged() -> None:
    statement = read(STATEMENT.replace('CEG,"2024-09-19, 11:01:52",60,', 'CEG,"2024-09-19, 11:01:52",61,'))

    assert {one.damaged for one in statement.unread if one.place.section == "Trades"} == {True}


def test_equal_rows_of_one_file_are_both_kept_under_different_keys() -> None:
    interest = entries(EntryKind.INTEREST)
    sold = [entry for entry in entries(EntryKind.TRADE) if entry.symbol == "SRFM" and entry.amount == Money(500, "USD")]

    assert len(interest) == len({entry.broker_key for entry in interest}) == 2
    assert len(sold) == len({entry.broker_key for entry in sold}) == 5


def test_signs_rebates_and_reversals_stay_as_printed() -> None:
    dividends = entries(EntryKind.DIVIDEND) + entries(EntryKind.PAYMENT_IN_LIEU)
    rebate = next(entry for entry in entries(EntryKind.TRADE) if entry.symbol == "SRFM" and entry.quantity == Quantity(-100))

    assert sorted(str(entry.amount) for entry in dividends) == ["-0.7 USD", "0.76 USD", "75 USD"]
    assert {entry.symbol for entry in dividends} == {"F"}
    assert rebate.fee == Money(Decimal("-0.4463"), "USD")
    assert [str(entry.amount) for entry in entries(EntryKind.RETURN_OF_CAPITAL)] == ["12.45 USD"]


def test_rows_outside_the_period_are_booked_on_their_own_day() -> None:
    statement = read()

    assert (statement.first.isoformat(), statement.last.isoformat()) == ("2024-04-01", "2025-03-31")
    assert [entry.session.isoformat() for entry in entries(EntryKind.TRANSFER)] == ["2024-03-28"]
    assert {entry.session.isoformat() for entry in entries(EntryKind.WITHHOLDING_TAX)} == {"2023-06-14"}


def test_a_transferred_lot_has_no_basis() -> None:
    (transfer,) = entries(EntryKind.TRANSFER)

    assert (transfer.symbol, transfer.quantity, transfer.basis, transfer.acquired_on) == ("AAPL", Quantity(100), None, None)


def test_a_conversion_moves_both_currencies() -> None:
    (forex,) = entries(EntryKind.CONVERSION)

    assert (forex.symbol, forex.quantity, forex.amount, forex.fee) == ("EUR.USD", Quantity(1000), Money(-1080, "USD"), Money(2, "USD"))


def test_cash_positions_and_printed_sums_agree_with_what_was_read() -> None:
    (result,) = checked(STATEMENT)

    assert result.cash is not None and result.positions is not None and result.totals is not None
    assert (result.cash.checked, result.cash.differences) == (2, ())
    assert (result.positions.checked, result.positions.differences) == (3, ())
    assert (result.totals.checked, result.totals.differences) == (6, ())


def test_the_identities_hold_with_named_exceptions() -> None:
    (result,) = checked(STATEMENT)

    assert result.status is Status.EXPLAINED
    assert {one.name: (one.checked, len(one.differences)) for one in result.identities} == {
        "I1": (28, 0), "I2": (28, 0), "I3": (24, 0), "I4": (4, 3), "I5": (24, 1), "I6": (1, 0), "I7": (6, 0), "I8": (0, 0), "I9": (1, 0),
    }  # fmt: skip
    assert ("HIMS", "113.936763", Cause.OPTION_PREMIUM) in identity(result, "I4")
    assert identity(result, "I5") == [("GM", "4786.166752", Cause.WASH_SALE)]


def test_the_printed_basis_is_reproduced_and_each_exception_has_its_cause() -> None:
    (result,) = checked(STATEMENT)
    assert result.closings is not None
    by_symbol: dict[str, list[tuple[Decimal, Cause | None]]] = {}
    for one in result.closings.differences:
        by_symbol.setdefault(one.about, []).append((one.amount.amount, one.cause))

    assert (result.closings.checked, result.closings.equal, result.closings.pending) == (14, 6, 1)
    assert by_symbol["GM"] == [(Decimal("4786.16675"), Cause.WASH_SALE)]
    assert by_symbol["KWEB"] == [(Decimal("-4.016246"), Cause.COMMISSION_ADJUSTMENT)]
    assert {cause for _, cause in by_symbol["SRFM"]} == {Cause.SEVERAL_EXECUTIONS}
    assert set(by_symbol) == {"GM", "KWEB", "SRFM"}


def test_an_assigned_put_leaves_its_premium_in_the_stock() -> None:
    """The put's 230.93551 lowers 3,300 to 3,069.06449, which the later call assignment uses up as printed."""
    (result,) = checked(STATEMENT.replace("-3069.06449,344.855673", "-3300,113.920163"))
    assert result.closings is not None

    assert [one.amount.amount for one in result.closings.differences if one.about == "HIMS"] == [Decimal("230.93551")]


@pytest.mark.parametrize(
    ("printed", "changed", "name"),
    [
        ("-1230,-1.5066,1231.5066,0,0,O", "-1240,-1.5066,1241.5066,0,0,O", "I1"),
        ("54.03,54.03,-162090,-15.384,162105.384,0,0,O", "54.03,54.03,-162090,-15.384,162105.384,0,9,O", "I2"),
        (",-13983.94,8802.629687,0,C", ",-13983.94,8803.629687,0,C", "I3"),
        ("-3069.06449,344.855673", "-3069.06449,345.855673", "I4"),
        ("Ending Value,203799.992109877", "Ending Value,203799.98", "I6"),
        ("17203.8516,40,17341.584,137.7324", "17203.8516,40,17341.584,137.9324", "I7"),
        (",,,,,,,,,,,3.08,", ",,,,,,,,,,,4.08,", "I9"),
    ],
)
def test_a_figure_that_was_altered_rejects_the_file(printed: str, changed: str, name: str) -> None:
    (result,) = checked(STATEMENT.replace(printed, changed))

    broken = {one.name for one in result.identities if one.unexplained}
    assert broken == {name}
    assert result.status is Status.REJECTED
    assert name in result.why


def test_two_accounts_share_a_statement() -> None:
    statement = read(TWO_ACCOUNTS)

    assert statement.accounts == ("U0000001", "U0000002")
    assert [(entry.account, str(entry.quantity)) for entry in entries(EntryKind.TRADE, statement)] == [
        ("U0000001", "257"),
        ("U0000002", "-257"),
    ]
    assert [lot.codes for lot in statement.figures.closed_lots] == [("ST",)]
    assert (statement.first, statement.rows) == (statement.last, TWO_ACCOUNTS.count(",Data,"))


def test_another_language_is_refused_with_the_way_out() -> None:
    with pytest.raises(StatementError, match="export the statement in English") as caught:
        read(OTHER_LANGUAGE)

    assert caught.value.line == 3


def test_opening_inventory_is_found_and_never_sold_from_the_file_first() -> None:
    """50 CEG from before stand in front: 50 of the sale are of unknown basis, so the sale waits."""
    (result,) = checked(STATEMENT.replace("Stocks,CEG,0,0,--", "Stocks,CEG,50,50,--"))
    assert result.closings is not None

    assert result.closings.pending == 2
    assert not any(one.about == "CEG" for one in result.closings.differences)


def test_statements_chain_in_any_order_and_bring_rows_once() -> None:
    first = TWO_ACCOUNTS.replace("May 2, 2024", "May 1, 2024")

    earlier, later = checked(first, TWO_ACCOUNTS)
    later_again, earlier_again = checked(TWO_ACCOUNTS, first)

    assert (earlier.duplicates, later.duplicates) == (0, 3)
    assert (earlier_again.duplicates, later_again.duplicates) == (0, 3)


def test_a_future_moves_its_gain_and_no_notional_value() -> None:
    futures = STATEMENT.replace(BEFORE_ACTIONS, FUTURES + BEFORE_ACTIONS).replace(BEFORE_STOCKS, FUTURES_KNOWN + BEFORE_STOCKS)
    (result,) = checked(futures)
    assert result.cash is not None

    assert result.status is Status.EXPLAINED
    # 5 x (5310 - 5300) - 2 x 0.62: the printed gain has both commissions in it.
    assert [plain((one.expected - one.printed).amount) for one in result.cash.differences] == ["48.76"]


def test_some_of_the_refunds_together_explain_a_difference() -> None:
    """2.016246 of the two refunds stands in the lot, the other 2 in the sale's own commission."""
    (result,) = checked(STATEMENT.replace("-2996.983754,502.006246", "-2998.983754,500.006246"))
    assert result.closings is not None

    assert [one.cause for one in result.closings.differences if one.about == "KWEB"] == [Cause.COMMISSION_ADJUSTMENT]


def test_a_second_block_of_the_change_in_value_is_summed_with_the_first() -> None:
    """Statements that cover a closed account beside the open one print its block too, all zero."""
    empty = "Change in NAV,Header,Field Name,Field Value\nChange in NAV,Data,Starting Value,0\nChange in NAV,Data,Ending Value,0\n"

    (result,) = checked(
        STATEMENT.replace("Mark-to-Market Performance Summary,Header", f"{empty}Mark-to-Market Performance Summary,Header", 1)
    )

    assert identity(result, "I6") == []
    assert result.status is Status.EXPLAINED


def test_a_trade_of_nothing_is_ignored_by_name() -> None:
    nothing = 'Trades,Data,Order,Stocks,USD,MSFT,"2024-06-11, 10:30:00",0,400,400,0,0,0,0,0,\nTrades,Data,Order,Stocks,USD,GM,"2024-06-03'
    statement = read(STATEMENT.replace('Trades,Data,Order,Stocks,USD,GM,"2024-06-03', nothing))

    assert [one.rule for one in statement.ignored if one.rule.startswith("a trade")] == [
        "a trade of nothing: neither quantity nor proceeds"
    ]


def test_what_was_cancelled_and_booked_again_counts_once() -> None:
    """A spin-off restated the next day, and a sale that was cancelled: neither leaves a trace in lots or closings."""
    spin = next(line for line in STATEMENT.splitlines() if "Spinoff" in line)
    sale = next(line for line in STATEMENT.splitlines() if "KWEB" in line and "-100,35,35" in line)
    undone = sale.replace("-100,35,35,3500,-1.01,-2996.983754,502.006246,0,C", "100,35,35,-3500,1.01,2996.983754,-502.006246,0,Ca")
    restated = STATEMENT.replace(spin, "\n".join([spin, spin.replace(",1.75,0,0,0,", ",-1.75,0,0,0,Ca"), spin])).replace(
        sale, "\n".join([sale, undone, sale])
    )

    (result,) = checked(restated)

    assert result.closings is not None and result.positions is not None and result.cash is not None
    assert (result.closings.checked, result.closings.equal, result.closings.pending) == (14, 6, 1)
    assert result.positions.differences == result.cash.differences == ()
    assert result.status is Status.EXPLAINED
