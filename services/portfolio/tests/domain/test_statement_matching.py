"""A broker's executions against reported fills: by id, by content, in sum; each difference with both figures."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.ids import derived_id
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements_matching import BreakKind, Told, breaks_of

DAY = date(2024, 3, 4)


def told(quantity: str, price: str, fee: str | None = "1", key: str = "", symbol: str = "ABC", day: int = 0) -> Told:
    cost = None if fee is None else Money(Decimal(fee), "USD")
    ids = frozenset({key} if key else ())
    reference = str(derived_id("told", quantity, price, fee, key, symbol, day))
    return Told(ids, symbol, DAY + timedelta(days=day), Quantity(Decimal(quantity)), Price(Decimal(price)), cost, reference)


def test_equal_executions_are_no_break_whatever_their_ids() -> None:
    assert breaks_of([told("10", "20"), told("-5", "21", key="a")], [told("-5", "21", key="b"), told("10", "20.0")]) == []


def test_one_row_of_a_statement_stands_for_several_executions() -> None:
    assert breaks_of([told("100", "20.3", "2")], [told("60", "20.5"), told("40", "20")]) == []


def test_a_trade_that_was_never_reported_is_missing_and_one_that_the_broker_does_not_know_is_extra() -> None:
    found = breaks_of([told("10", "20", symbol="XYZ")], [told("10", "20", day=1)])

    assert [(one.kind, one.symbol) for one in found] == [(BreakKind.MISSING, "XYZ"), (BreakKind.EXTRA, "ABC")]
    assert (found[0].said(found[0].statement), found[0].said(found[0].ledger)) == ("10 at 20, fee 1 USD", None)


def test_one_id_with_another_price_is_different_with_both_figures() -> None:
    (found,) = breaks_of([told("10", "20", key="x1")], [told("10", "20.5", key="x1")])

    assert found.kind is BreakKind.DIFFERENT
    assert (found.said(found.statement), found.said(found.ledger)) == ("10 at 20, fee 1 USD", "10 at 20.5, fee 1 USD")


def test_a_commission_counts_where_both_sides_tell_it() -> None:
    assert breaks_of([told("10", "20", None)], [told("10", "20", "3")]) == []
    assert [one.kind for one in breaks_of([told("10", "20", "1")], [told("10", "20", "3")])] == [BreakKind.DIFFERENT]


EXECUTIONS = st.lists(
    st.tuples(st.integers(-20, 20).filter(bool), st.integers(1, 9), st.sampled_from(["ABC", "XYZ"]), st.integers(0, 3)), max_size=12
)


@given(EXECUTIONS, st.randoms(use_true_random=False), st.data())
def test_the_same_executions_agree_and_one_that_is_taken_away_is_found(
    made: list[tuple[int, int, str, int]], shuffled: object, data: st.DataObject
) -> None:
    one_side = [told(str(units), str(price), symbol=symbol, day=day) for units, price, symbol, day in made]
    other = data.draw(st.permutations(one_side))
    assert breaks_of(one_side, other) == []
    for gone in range(len(other)):
        left = [*other[:gone], *other[gone + 1 :]]
        assert breaks_of(one_side, left) != []
        assert breaks_of(left, one_side) != []


def test_references_of_fills_are_ids() -> None:
    assert UUID(told("1", "1").reference)
