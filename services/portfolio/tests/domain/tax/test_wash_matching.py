"""Wash sales: the files of a public calculator, and what every match conserves."""

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, usd
from services.portfolio.tests.domain.tax.shared import shared
from services.portfolio.tests.domain.tax.washing import cents, held

from quantmatrix.common.names import AccountId
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import Line, WashReport, wash_sales

Row = tuple[str, date | None, Decimal, date | None, Decimal | None, Decimal]
CASES = (
    "fairmark_replace_2", "fairmark_sameday_1", "irs550_example_1", "irs550_example_2", "irs550_example_3", "irs550_example_4",
    "same_day_loss_compute", "two_lots_different_buy_days", "two_lots_same_days",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_files_of_a_public_calculator(case: str) -> None:
    """Input and expected output from the shared data; compared to the cent, as that calculator uses binary floats."""
    folder = shared("wash_sales")
    expected = sorted(_expected(folder / f"{case}_out.csv"), key=str)

    assert sorted(_found(wash_sales(_read(folder / f"{case}.csv")).lines), key=str) == expected


def test_a_longer_file_keeps_every_loss() -> None:
    """16 lots of one company, bought and sold within a year: what is disallowed is in the basis of replacements."""
    report = wash_sales(_read(shared("wash_sales") / "dummy_example.csv"))

    assert sum(line.disallowed.amount for line in report.lines) > 0
    assert sum(line.disallowed.amount for line in report.lines) == sum(line.added.amount for line in report.lines)


def _day(text: str) -> date | None:
    month, day, year = text.split("/") if text else ("", "", "")
    return date(int(year), int(month), int(day)) if text else None


def _amount(text: str) -> Decimal:
    return Decimal(text.replace("$", "").replace(",", ""))


def _read(path: Path) -> Iterable[Holding]:
    with path.open(encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file)):
            if number and row:
                units, _, _, bought, basis, sold, proceeds = row[:7]
                lot = row[10] if len(row) > 10 and row[10] else f"row {number}"
                cost, brought = str(_amount(basis)), str(_amount(proceeds)) if proceeds else None
                yield held(lot, int(units), cost, _day(bought), _day(sold), brought, place=number, bought_place=number)


def _expected(path: Path) -> Iterable[Row]:
    with path.open(encoding="utf-8") as file:
        for row in list(csv.reader(file))[1:]:
            proceeds = _amount(row[6]).quantize(Decimal("0.01")) if row[6] else None
            yield (
                row[0],
                _day(row[3]),
                _amount(row[4]).quantize(Decimal("0.01")),
                _day(row[5]),
                proceeds,
                _amount(row[8] or "0").quantize(Decimal("0.01")),
            )


def _found(lines: Iterable[Line]) -> Iterable[Row]:
    for line in lines:
        one = line.holding
        proceeds = cents(one.proceeds) if one.proceeds is not None else None
        yield str(one.quantity), line.acquired_on, cents(line.basis), one.disposed_on, proceeds, cents(line.disallowed)


# What every match conserves


@st.composite
def stories(draw: st.DrawFn) -> list[Holding]:
    """Lots of two accounts, one of them perhaps tax-deferred; some sold in parts."""
    found = []
    for number in range(draw(st.integers(1, 8))):
        bought = DAY + timedelta(days=draw(st.integers(0, 120)))
        account, treatment = draw(st.sampled_from([("A", Treatment.TAXABLE), ("B", Treatment.TAXABLE), ("I", Treatment.TAX_DEFERRED)]))
        more: dict[str, object] = {"account_id": AccountId(account), "treatment": treatment, "bought_place": number}
        for part in range(draw(st.integers(1, 3))):
            basis, units = str(draw(st.integers(1, 5_000))), draw(st.integers(1, 60))
            if draw(st.booleans()):
                sold = bought + timedelta(days=draw(st.integers(0, 60)))
                proceeds = str(draw(st.integers(1, 5_000)))
                found.append(held(f"lot {number}", units, basis, bought, sold, proceeds, place=number * 10 + part, **more))
            else:
                found.append(held(f"lot {number}", units, basis, bought, place=999, **more))
    return found


@settings(max_examples=150, deadline=None)
@given(stories())
def test_what_is_disallowed_is_in_a_basis_or_lost_for_good(story: list[Holding]) -> None:
    report = wash_sales(story)
    lines = report.lines
    disallowed = sum((line.disallowed.amount for line in lines), Decimal(0))
    lost = sum((line.disallowed.amount for line in lines if line.permanent), Decimal(0))

    assert disallowed - lost == sum((line.added.amount for line in lines), Decimal(0))
    assert sum(line.holding.quantity.value for line in lines) == sum(one.quantity.value for one in story)


@settings(max_examples=150, deadline=None)
@given(stories())
def test_every_match_keeps_the_rule(story: list[Holding]) -> None:
    """A loss is disallowed wholly or not at all, only in taxable accounts, each unit replaces once, within the window."""
    lines = wash_sales(story).lines
    replacing = {line.replaces: line for line in lines if line.replaces is not None}
    for line in lines:
        assert line.disallowed.amount >= 0
        if line.disallowed:
            assert line.gain == usd(0)
            assert line.holding.treatment is Treatment.TAXABLE
            assert line.replaced_by is not None and line.replaced_by != line.holding.lot_id
        if line.replaces is not None and line.holding.treatment is Treatment.TAX_DEFERRED:
            assert not line.added and not line.tacked_days
    assert sum((line.holding.quantity.value for line in lines if line.replaced_by), Decimal(0)) == sum(
        (line.holding.quantity.value for line in lines if line.replaces), Decimal(0)
    )
    assert all(derived is not None for derived in replacing)


@settings(max_examples=150, deadline=None)
@given(stories())
def test_no_replacement_is_left_beside_an_allowed_loss(story: list[Holding]) -> None:
    lines = wash_sales(story).lines
    free = [line for line in lines if line.replaces is None]
    for loss in lines:
        if loss.gain is None or loss.gain.amount >= 0 or loss.holding.treatment is not Treatment.TAXABLE:
            continue
        sold = loss.holding.disposed_on
        assert sold is not None
        for one in free:
            acquired, gone = one.holding.acquired_on, one.holding.disposed_on
            assert acquired is not None
            near = abs((acquired - sold).days) <= 30 and one.holding.lot_id != loss.holding.lot_id
            assert not (near and (gone is None or gone > sold)), (loss, one)


@settings(max_examples=100, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_the_order_in_which_holdings_are_given_changes_nothing(story: list[Holding], random: object) -> None:
    shuffled = list(story)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def sums(report: WashReport) -> list[tuple[str, Decimal, Decimal]]:
        return sorted((str(line.holding.lot_id), line.disallowed.amount, line.added.amount) for line in report.lines)

    assert sums(wash_sales(story)) == sums(wash_sales(shuffled))
