"""Where numbers come from: every sum is that of its lines, every end is an execution, a rule or a price."""

from datetime import date

import pytest
from hypothesis import given
from services.portfolio.tests.domain.making import fill, usd
from services.portfolio.tests.reports.disposing import bought, disposed, ledger, plain, sold
from services.portfolio.tests.reports.test_disposals import trades

from quantmatrix.common.names import FillId
from quantmatrix.common.values import Price
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.reports.derivation import (
    Derived,
    Execution,
    Source,
    SourceKind,
    faults,
    flat,
    of_disposal,
    of_unrealised,
    of_year,
)
from quantmatrix.portfolio.reports.disposals import realised_by_year


def executions(*fills: Fill) -> dict[FillId, Execution]:
    return {
        one.fill_id: Execution(one.fill_id, f"E-{number}", one.session, one.side, one.quantity, one.price, one.fee)
        for number, one in enumerate(fills, start=1)
    }


def test_a_realised_gain_comes_from_two_executions() -> None:
    fills = (bought("2024-01-02", 100, "10.20", "1"), sold("2024-06-03", 40, "12", "0.80"))
    (one,) = disposed(*fills)

    tree = of_disposal(one, ledger(*fills).lots[one.lot_id], executions(*fills))

    assert tree.amount == usd("70.80")  # 40 × 12 - 0.80 less 40 % of 1,021
    assert [(line.amount, line.source) for line in tree.lines] == [
        (usd("479.20"), Source(SourceKind.EXECUTION, "E-2")),
        (usd("-408.4"), Source(SourceKind.EXECUTION, "E-1")),
    ]
    assert "SELL 40 at 12, fee 0.8, on 2024-06-03" in tree.lines[0].what
    assert faults(tree) == []


def test_a_wash_sale_is_a_line_of_its_own() -> None:
    fills = (
        bought("2024-01-02", 100, "10"),
        sold("2024-02-01", 100, "7.50"),
        bought("2024-02-15", 100, "8"),
        sold("2024-06-03", 100, "12"),
    )
    first, second = (of_disposal(one, ledger(*fills).lots[one.lot_id], executions(*fills)) for one in disposed(*fills))

    assert [line.amount for line in first.lines] == [usd(750), usd(-1_000), usd(250)]
    assert [line.amount for line in second.lines] == [usd(1_200), usd(-800), usd(-250)]
    assert faults(first) == faults(second) == []


def test_a_fill_without_an_execution_id_is_said_and_not_made_up() -> None:
    fills = (bought("2024-01-02", 10, "10"), sold("2024-06-03", 10, "12"))
    (one,) = disposed(*fills)

    tree = of_disposal(one, ledger(*fills).lots[one.lot_id], executions(fills[0]))

    assert len(faults(tree)) == 1 and "no source" in faults(tree)[0]


def test_an_unrealised_gain_comes_from_a_close_and_the_lots() -> None:
    fills = (bought("2024-01-02", 10, "10"), bought("2024-01-03", 5, "11", "0.50"))
    lots = sorted(ledger(*fills).lots.values(), key=lambda lot: lot.opened_at)

    tree = of_unrealised("ABC", usd(180), Price(12), date(2024, 1, 4), lots, executions(*fills))

    assert tree.amount == usd("24.50") and faults(tree) == []
    assert [depth for depth, _ in flat(tree)] == [0, 1, 1, 1]


def test_a_pending_gain_is_not_derived() -> None:
    one = plain("100", None)

    with pytest.raises(ValueError, match="pending"):
        of_disposal(one, None, {})  # type: ignore[arg-type]


def test_a_wrong_sum_and_a_loose_end_are_found() -> None:
    tree = Derived("whole", usd(3), (Derived("one", usd(1)), Derived("two", usd(1), source=Source(SourceKind.RULE, "r"))))

    assert faults(tree) == ["whole: 3 USD, its lines sum to 2 USD", "one: no source"]


@given(trades)
def test_every_year_is_derived_completely(dealt: list[tuple[int, int, int, int]]) -> None:
    fills = [fill(day * 100 + number, quantity, str(price), str(fee), date.fromordinal(738_000 + day), minute=number)
             for number, (day, quantity, price, fee) in enumerate(dealt)]  # fmt: skip
    found = disposed(*fills)
    lots = ledger(*fills).lots

    for year in realised_by_year(found):
        tree = of_year(year, found, lots, executions(*fills))
        assert faults(tree) == [] and tree.amount == year.gain
