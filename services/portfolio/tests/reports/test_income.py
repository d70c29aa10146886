"""Income and costs by year, with signs kept."""

from datetime import date
from decimal import Decimal

from services.portfolio.tests.domain.making import usd

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place
from quantmatrix.portfolio.reports.income import IncomeKind, income_by_year, income_of


def entry(kind: EntryKind, amount: str | None, day: str = "2024-05-01", fee: str | None = None, currency: str = "USD") -> Entry:
    money = None if amount is None else Money(Decimal(amount), currency)
    return Entry(
        kind, f"{kind}-{amount}-{day}", Place(1), "A", date.fromisoformat(day), None, money, None if fee is None else usd(fee), "ABC"
    )


def test_a_reversed_dividend_leaves_nothing() -> None:
    # A dividend of 0.70, its correction to 0.76 and the reversal of 0.06: 0.70 - 0.70 + 0.76 - 0.06 is what was kept.
    entries = [entry(EntryKind.DIVIDEND, amount) for amount in ("0.70", "-0.70", "0.76", "-0.06", "-0.70")]

    (found,) = income_by_year(income_of(entries))

    assert (found.kind, found.total, found.lines) == (IncomeKind.DIVIDEND, usd(0), 5)


def test_every_kind_has_its_own_sum_by_year_and_currency() -> None:
    entries = [
        entry(EntryKind.DIVIDEND, "10"), entry(EntryKind.WITHHOLDING_TAX, "-1.50"), entry(EntryKind.INTEREST, "-3"),
        entry(EntryKind.PAYMENT_IN_LIEU, "2"), entry(EntryKind.FEE, "-4"), entry(EntryKind.COMMISSION_ADJUSTMENT, "0.25"),
        entry(EntryKind.TRADE, "-1000", fee="1.10"), entry(EntryKind.DIVIDEND, "7", day="2023-05-01"),
        entry(EntryKind.DIVIDEND, "8", currency="EUR"),
    ]  # fmt: skip

    found = {(one.year, one.kind, one.total.currency): one.total.amount for one in income_by_year(income_of(entries))}

    assert found == {
        (2024, IncomeKind.DIVIDEND, "EUR"): Decimal(8),
        (2024, IncomeKind.DIVIDEND, "USD"): Decimal(10),
        (2024, IncomeKind.PAYMENT_IN_LIEU, "USD"): Decimal(2),
        (2024, IncomeKind.INTEREST, "USD"): Decimal(-3),
        (2024, IncomeKind.WITHHOLDING_TAX, "USD"): Decimal("-1.50"),
        (2024, IncomeKind.COMMISSION, "USD"): Decimal("-0.85"),
        (2024, IncomeKind.FEE, "USD"): Decimal(-4),
        (2023, IncomeKind.DIVIDEND, "USD"): Decimal(7),
    }


def test_deposits_and_returned_capital_are_no_income() -> None:
    entries = [
        entry(EntryKind.DEPOSIT, "100"),
        entry(EntryKind.WITHDRAWAL, "-5"),
        entry(EntryKind.RETURN_OF_CAPITAL, "3"),
        entry(EntryKind.EXPIRY, None),
    ]

    assert income_of(entries) == []
