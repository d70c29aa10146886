"""The United Kingdom's matching: the examples of HS284 and the files of a public calculator, and what matching conserves."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, on
from services.portfolio.tests.domain.tax.shared import shared

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.arrivals import NotEnoughHeldError
from quantmatrix.portfolio.domain.tax.uk_pool import Acquired, Disposal, Fact, Matched, Pool, PoolChanged, Reorganised, Sold, matched


def gbp(amount: str | int | Decimal) -> Money:
    return Money(Decimal(amount), "GBP")


def bought(day: str | date, units: str | int, cost: str) -> Acquired:
    return Acquired(on(day) if isinstance(day, str) else day, Quantity(Decimal(units)), gbp(cost))


def sold(day: str | date, units: str | int, proceeds: str, costs: str = "0", no_gain: bool = False) -> Sold:
    return Sold(on(day) if isinstance(day, str) else day, Quantity(Decimal(units)), gbp(proceeds), gbp(costs), no_gain)


def of(*facts: Fact) -> tuple[list[Disposal], Pool]:
    return matched(InstrumentId("FOO"), "GBP", facts)


def test_two_sales_from_a_pool() -> None:
    """HS284 example 3: 1000@4.00 + 150, 500@4.10 + 80; 700@4.80 - 100 gains 329; 400@5.20 - 105 gains 300; 4.18667 a share."""
    disposals, pool = of(
        bought("2014-04-01", 1_000, "4150"),
        bought("2017-09-01", 500, "2130"),
        sold("2018-05-01", 700, "3360", "100"),
        sold("2019-02-01", 400, "2080", "105"),
    )

    assert [one.gain.rounded(0) for one in disposals] == [gbp(329), gbp(300)]
    assert (pool.quantity, pool.cost.rounded(2)) == (Quantity(400), gbp("1674.67"))
    assert gbp("4.18667") == Money((pool.cost.amount / 400).quantize(Decimal("0.00001")), "GBP")


@pytest.mark.parametrize(
    ("again", "rule", "cost"),
    [("2024-03-31", Matched.THIRTY_DAYS, "900"), ("2024-04-01", Matched.POOL, "1000"), ("2024-03-01", Matched.SAME_DAY, "900")],
)
def test_the_thirtieth_day_matches_and_the_thirty_first_does_not(again: str, rule: Matched, cost: str) -> None:
    (disposal,), _ = of(bought("2023-01-03", 100, "1000"), sold("2024-03-01", 100, "800"), bought(again, 100, "900"))

    assert [(match.rule, match.cost) for match in disposal.matches] == [(rule, gbp(cost))]
    assert disposal.gain == gbp(800) - gbp(cost)


def test_same_day_comes_before_thirty_days_and_both_before_the_pool() -> None:
    (disposal,), pool = of(
        bought("2023-01-03", 100, "1000"),
        sold("2024-03-01", 60, "900"),
        bought("2024-03-01", 10, "140"),
        bought("2024-03-11", 20, "220"),
    )

    assert [(match.rule, match.quantity.value, match.cost) for match in disposal.matches] == [
        (Matched.SAME_DAY, 10, gbp(140)),
        (Matched.THIRTY_DAYS, 20, gbp(220)),
        (Matched.POOL, 30, gbp(300)),
    ]
    assert pool == Pool(Quantity(70), gbp(700))


def test_an_acquisition_is_matched_with_its_own_day_before_an_earlier_sale() -> None:
    first, second = of(
        bought("2023-01-03", 100, "1000"), sold("2024-03-01", 10, "150"), bought("2024-03-10", 10, "120"), sold("2024-03-10", 10, "130")
    )[0]

    assert [match.rule for match in first.matches] == [Matched.POOL]
    assert [match.rule for match in second.matches] == [Matched.SAME_DAY]


def test_the_earlier_sale_is_matched_first() -> None:
    first, second = of(
        bought("2023-01-03", 100, "1000"), sold("2024-03-01", 10, "150"), sold("2024-03-02", 10, "150"), bought("2024-03-10", 10, "120")
    )[0]

    assert [match.rule for match in first.matches] == [Matched.THIRTY_DAYS]
    assert [match.rule for match in second.matches] == [Matched.POOL]


def test_a_split_between_sale_and_repurchase_is_counted_in() -> None:
    """10 sold, 2 for 1, 10 bought back: they are 5 of the old."""
    (disposal,), pool = of(
        bought("2023-01-03", 100, "1000"),
        sold("2024-03-01", 10, "150"),
        Reorganised(on("2024-03-05"), 2, 1),
        bought("2024-03-10", 10, "60"),
    )

    assert [(match.rule, match.quantity.value, match.cost) for match in disposal.matches] == [
        (Matched.THIRTY_DAYS, 5, gbp(60)),
        (Matched.POOL, 5, gbp(50)),
    ]
    assert pool == Pool(Quantity(190), gbp(950))


def test_a_pool_takes_income_in_and_gives_capital_back() -> None:
    disposals, pool = of(
        bought("2023-01-03", 100, "1000"),
        PoolChanged(on("2023-06-30"), gbp(50)),
        PoolChanged(on("2023-07-31"), gbp(-10)),
        sold("2024-03-01", 50, "800"),
    )

    assert [one.gain for one in disposals] == [gbp(280)]
    assert pool == Pool(Quantity(50), gbp(520))


def test_more_than_the_pool_cannot_be_sold() -> None:
    with pytest.raises(NotEnoughHeldError, match="11 FOO were to go, 10 are held"):
        of(bought("2023-01-03", 10, "100"), sold("2024-03-01", 11, "150"))


# The files of a public calculator: those that need no rates of another source

Told = dict[str, list[Fact]]


def _rows(path: Path, skip: int = 0) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for _ in range(skip):
            next(file)
        yield from csv.DictReader(file)


def _number(text: str) -> str:
    return text.replace(",", "").replace("£", "").strip()


def _raw(path: Path) -> Told:
    """Rows of date, action, symbol, quantity, price and fees."""
    told: Told = {}
    for row in _rows(path):
        value, facts = str(Decimal(row["quantity"]) * Decimal(row["price"])), told.setdefault(row["symbol"], [])
        match row["action"]:
            case "BUY" | "TRANSFER_FROM_SPOUSE":
                facts.append(bought(row["date"], row["quantity"], value))
            case "SELL":
                facts.append(sold(row["date"], row["quantity"], value, row["fees"]))
            case "TRANSFER_TO_SPOUSE":
                facts.append(sold(row["date"], row["quantity"], "0", no_gain=True))
    return told


def _hargreaves(path: Path) -> Told:
    told: Told = {}
    for row in _rows(path, skip=5):
        kind, day = row["Reference"][:1], datetime.strptime(row["Trade date"], "%d/%m/%Y").date()  # noqa: DTZ007 - a day
        if not re.fullmatch(r"[BS]\d+", row["Reference"]):
            continue
        units, paid = (
            _number(row["Quantity"]),
            abs(Decimal(_number(next(value for name, value in row.items() if name.startswith("Value"))))),
        )
        gross = Decimal(units) * Decimal(_number(row["Unit cost (p)"])) / 100
        facts = told.setdefault("VHVG", [])
        facts.append(bought(day, units, str(paid)) if kind == "B" else sold(day, units, str(gross), str(gross - paid)))
    return told


def _freetrade(path: Path) -> Told:
    told: Told = {}
    for row in _rows(path):
        if row["Type"] in ("ORDER", "FREESHARE_ORDER") and row["Ticker"] == "SPXP":
            day, facts = row["Timestamp"][:10], told.setdefault(row["Ticker"], [])
            make: Callable[..., Fact] = bought if row["Buy / Sell"] == "BUY" else sold
            facts.append(make(day, row["Quantity"], row["Total Amount"]))
    return told


def _interactive_brokers(path: Path) -> Told:
    """With the excess reported income that the calculator found in its own table: 12.54 on what was then held."""
    facts: list[Fact] = [PoolChanged(on("2025-06-30"), gbp("12.54"))]
    for row in csv.reader(path.open(encoding="utf-8")):
        if row[:2] == ["Transaction History", "Data"] and row[5] in ("Buy", "Sell"):
            units, gross, fee = (str(abs(Decimal(row[place]))) for place in (7, 9, 10))
            facts.append(bought(row[2], units, str(Decimal(gross) + Decimal(fee))) if row[5] == "Buy" else sold(row[2], units, gross, fee))
    return {"CNX1": facts}


def _vanguard(path: Path) -> Told:
    """Dates and units are those of the trades, amounts those of the cash that they moved."""
    told: Told = {}
    cash_rows, trade_rows = (
        list(csv.reader(part.splitlines())) for part in path.read_text(encoding="utf-8").split("Investment Transactions")
    )
    cash = {row[1]: str(abs(Decimal(row[2]))) for row in cash_rows if len(row) > 2 and re.match(r"(Bought|Sold)", row[1])}
    for row in trade_rows:
        if len(row) == 6 and row[2] in cash:
            day = datetime.strptime(row[0], "%d/%m/%Y").date()  # noqa: DTZ007 - a day
            facts = told.setdefault(re.sub(r".*\((\w+)\)$", r"\1", row[1]), [])
            make: Callable[..., Fact] = bought if row[2].startswith("Bought") else sold
            facts.append(make(day, row[3], cash[row[2]]))
    return told


def _trading212(path: Path) -> Told:
    """Total is what was paid or received; charges of a sale are allowable costs."""
    told: Told = {}
    for row in _rows(path):
        if row["Ticker"] and row["Action"].endswith(("buy", "sell")):
            facts, total = told.setdefault(row["Ticker"], []), Decimal(row["Total"])
            charges = Decimal(row["Currency conversion fee"] or 0)
            charges += (Decimal(row.get("Finra fee") or 0) / Decimal(row["Exchange rate"])).quantize(Decimal("0.01"))
            day, units = row["Time"][:10], row["No. of shares"]
            is_purchase = row["Action"].endswith("buy")
            facts.append(bought(day, units, str(total)) if is_purchase else sold(day, units, str(total + charges), str(charges)))
    return told


FILES: list[tuple[str, str, Callable[[Path], Told], tuple[str, str]]] = [
    ("spouse_recipient.csv", "spouse_expected_output_recipient.txt", _raw, ("2024-04-06", "2025-04-05")),
    ("spouse_sender.csv", "spouse_expected_output_sender.txt", _raw, ("2024-04-06", "2025-04-05")),
    ("hl_hl-transaction-summary.csv", "hl_test_run_with_hl_files_no_balance_check_output.txt", _hargreaves, ("2025-04-06", "2026-04-05")),
    ("freetrade_transactions.csv", "freetrade_expected_output.txt", _freetrade, ("2023-04-06", "2024-04-05")),
    ("interactive_brokers_test_basic.csv", "interactive_brokers_expected_output.txt", _interactive_brokers, ("2025-04-06", "2026-04-05")),
    ("vanguard_cash_investment_report.csv", "vanguard_expected_output.txt", _vanguard, ("2022-04-06", "2023-04-05")),
    ("trading212_2024_transactions.csv", "trading212_2024_expected_output.txt", _trading212, ("2024-04-06", "2025-04-05")),
    ("trading212_2026_transactions.csv", "trading212_2026_expected_output.txt", _trading212, ("2024-04-06", "2025-04-05")),
]


@pytest.mark.parametrize(("given_file", "expected_file", "read", "year"), FILES, ids=[one[0] for one in FILES])
def test_the_files_of_a_public_calculator(given_file: str, expected_file: str, read: Callable[[Path], Told], year: tuple[str, str]) -> None:
    """Disposals, proceeds, allowable costs and gain of a tax year, and the cost of what is left."""
    folder = shared("uk_cgt")
    expected = (folder / expected_file).read_text(encoding="utf-8")
    results = {name: matched(InstrumentId(name), "GBP", facts) for name, facts in read(folder / given_file).items() if facts}
    disposals = [one for found, _ in results.values() for one in found if on(year[0]) <= one.on <= on(year[1]) and one.gain]

    assert len(disposals) == int(_printed(expected, "Disposals:"))
    assert _sum(one.proceeds for one in disposals) == _printed(expected, "Disposal proceeds:")
    assert _sum(one.allowable for one in disposals) == _printed(expected, "Allowable costs:")
    assert _sum(one.gain for one in disposals) == _printed(expected, "Total gain:")
    for name, (_, pool) in results.items():
        if pool.quantity:
            assert f"{name}: {pool.quantity.value:,.2f}, £{pool.cost.rounded(2).amount:,.2f}" in expected


def _printed(text: str, label: str) -> Decimal:
    found = re.search(rf"{label}\s+(\S+)", text)
    assert found is not None
    return Decimal(_number(found.group(1)))


def _sum(amounts: Iterable[Money]) -> Decimal:
    return sum((one.amount for one in amounts), Decimal(0)).quantize(Decimal("0.01"))


# What matching conserves


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """Purchases and sales that never go below zero, splits and changes of the pool in between."""
    found: list[Fact] = [bought(DAY, 1, "1")]
    held = Decimal(1)
    for number in range(draw(st.integers(1, 14))):
        day = DAY + timedelta(days=1 + number * draw(st.integers(0, 9)) + number)
        found.append(bought(day, draw(st.integers(1, 200)), str(draw(st.integers(1, 9_000)))))
    found.sort(key=lambda one: one.on)
    held, story = Decimal(0), list[Fact]()
    for one in found:
        story.append(one)
        assert isinstance(one, Acquired)
        held += one.quantity.value
        if draw(st.booleans()) and held > 1:
            units = draw(st.integers(1, int(held)))
            held -= units
            story.append(sold(one.on + timedelta(days=draw(st.integers(0, 1))), units, str(draw(st.integers(1, 9_000))), "1"))
        if draw(st.integers(0, 8)) == 0:
            story.append(PoolChanged(one.on + timedelta(days=1), gbp(draw(st.integers(0, 50)))))
    return story


def _cost_of(facts: Iterable[Fact]) -> Decimal:
    return sum(
        (one.cost.amount if isinstance(one, Acquired) else one.amount.amount for one in facts if isinstance(one, Acquired | PoolChanged)),
        Decimal(0),
    )


@settings(max_examples=200, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_cost_is_in_disposals_or_in_the_pool(story: list[Fact], random: object) -> None:
    try:
        disposals, pool = of(*story)
    except NotEnoughHeldError:
        return
    used = sum((match.cost.amount for one in disposals for match in one.matches), Decimal(0))
    units = sum((one.quantity.value for one in story if isinstance(one, Acquired)), Decimal(0))
    shuffled = list(story)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert used + pool.cost.amount == _cost_of(story)
    assert sum((one.quantity.value for one in disposals), Decimal(0)) + pool.quantity.value == units
    assert [one.gain for one in of(*shuffled)[0]] == [one.gain for one in disposals]
    for one in disposals:
        assert all(match.acquired_on is None or 0 <= (match.acquired_on - one.on).days <= 30 for match in one.matches)


@settings(max_examples=100, deadline=None)
@given(stories())
def test_a_split_before_everything_changes_no_gain(story: list[Fact]) -> None:
    """The whole story told in units after a split of 2 for 1 gives the same gains."""
    doubled: list[Fact] = [
        type(one)(**{**{name: getattr(one, name) for name in one.__slots__}, "quantity": one.quantity.scaled(2, 1)})
        if isinstance(one, Acquired | Sold)
        else one
        for one in story
    ]
    try:
        plain = of(*story)[0]
    except NotEnoughHeldError:
        return

    assert [one.gain for one in plain] == [one.gain for one in of(*doubled)[0]]
