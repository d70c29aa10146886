"""Wash sales where one condition of the rule decides alone: each test fails when that condition is left out."""

from dataclasses import replace

import pytest
from services.portfolio.tests.domain.making import on, usd
from services.portfolio.tests.domain.tax.washing import held, rows

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import Line, wash_sales
from quantmatrix.portfolio.domain.terms import Term

OPTION = {"security": InstrumentId("X CALL"), "family": "X"}


def loss(name: str = "old", **more: object) -> Holding:
    return held(name, 10, "1000", "2014-05-01", "2014-07-01", "750", **more)


def test_the_rest_of_a_larger_replacement_replaces_the_next_loss() -> None:
    """18 bought: 10 replace the first loss, the other 8 the second."""
    second = held("second", 8, "800", "2014-05-02", "2014-07-02", "600", place=1, bought_place=1)

    report = wash_sales([loss(), second, held("new", 18, "1800", "2014-07-10", bought_place=2)])

    assert [one[:3] for one in rows(report, "old", "second")] == [(10, 1_000, 250), (8, 800, 200)]
    assert sorted(one[:2] for one in rows(report, "new")) == [(8, 1_000), (10, 1_250)]


def test_of_one_lot_the_units_that_go_first_replace_first() -> None:
    """20 bought together, 10 of them sold later: those take the loss of 10, and the 10 that stay do not."""
    sold = held("new", 10, "900", "2014-07-10", "2014-12-01", "1000", place=5)
    stays = held("new", 10, "900", "2014-07-10")

    lines = [one for one in wash_sales([stays, loss(), sold]).lines if one.holding.lot_id == stays.lot_id]

    assert {one.holding.disposed_on: one.added for one in lines} == {None: usd(0), on("2014-12-01"): usd(250)}


def test_money_that_came_without_units_replaces_nothing() -> None:
    nothing = replace(held("gift", 1, "0", "2014-07-02", "2014-12-01", "5", place=3), quantity=Quantity(0))

    report = wash_sales([loss(), nothing, held("new", 10, "800", "2014-07-10", bought_place=1)])

    assert [one[2] for one in rows(report, "old")] == [250]
    assert [one[1] for one in rows(report, "new")] == [1_050]


def test_a_share_of_a_loss_too_small_for_digits_leaves_the_replacement_to_the_rest() -> None:
    """A loss of 10^-12 over two units, one of which is replaced: half of it rounds to nothing, and the other half is all of it."""
    tiny = held("tiny", 2, "0.000000000001", "2014-05-01", "2014-07-01", "0")

    report = wash_sales([tiny, held("new", 1, "5", "2014-07-10")])

    smallest = usd("0.000000000001")
    assert sorted((one.disallowed, one.added) for one in report.lines) == [(usd(0), usd(0)), (usd(0), smallest), (smallest, usd(0))]


def test_a_lot_without_basis_has_none_after_the_rule() -> None:
    (line,) = wash_sales([held("gift", 1, None, "2014-07-02")]).lines

    assert line.basis is None and line.gain is None and not line.disallowed


def test_what_has_basis_and_date_is_decided() -> None:
    assert wash_sales([loss(), held("new", 10, "800", "2014-07-10")]).undecided == ()


def test_losses_of_a_tax_deferred_account_are_not_flagged() -> None:
    option = held("call", 1, "500", "2014-05-01", "2014-07-01", "0", **OPTION)
    shares = held("new", 10, "800", "2014-07-10")

    assert len(wash_sales([option, shares]).flags) == 1
    assert wash_sales([replace(option, treatment=Treatment.TAX_DEFERRED), shares]).flags == ()


@pytest.mark.parametrize("other", [{"is_short": True}, {"acquired_on": None}], ids=["a short sale", "a lot of unknown date"])
def test_what_is_no_known_purchase_is_not_flagged(other: dict[str, object]) -> None:
    option = held("call", 1, "500", "2014-05-01", "2014-07-01", "0", **OPTION)

    assert wash_sales([option, replace(held("new", 10, "800", "2014-07-10"), **other)]).flags == ()  # type: ignore[arg-type]


def test_a_line_is_not_tacked_and_not_lost_unless_a_match_says_so() -> None:
    line = Line(loss(), Money.zero("USD"), Money.zero("USD"))

    assert (line.acquired_on, line.permanent, line.gain) == (on("2014-05-01"), False, usd(-250))


@pytest.mark.parametrize(
    ("changed", "term"),
    [({}, Term.LONG), ({"is_short": True}, Term.SHORT), ({"ruled_term": Term.SHORT}, Term.SHORT), ({"disposed_on": None}, Term.UNKNOWN)],
    ids=["by the adjusted date", "a short sale", "a rule settled it", "still held"],
)
def test_the_term_after_a_match(changed: dict[str, object], term: Term) -> None:
    """Held for eight months, and 300 days taken over."""
    one = replace(held("new", 10, "800", "2014-01-02", "2014-09-01", "900"), **changed)  # type: ignore[arg-type]

    assert Line(one, usd(0), usd(0), tacked_days=300).term is term
