"""Ids follow from what they name, and an instrument's identity fits into a subject."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, NAMESPACE, derived_id, short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, InstrumentId, Side
from quantmatrix.common.values import Quantity

PARTS = st.lists(st.one_of(st.text(max_size=20), st.integers(), st.uuids()), min_size=1, max_size=5)


@given(PARTS)
def test_the_same_parts_have_the_same_id_by_the_standard_s_rule(parts: list[object]) -> None:
    made = derived_id(*parts)

    assert made == derived_id(*parts)
    assert made.version == 5
    assert made == uuid.uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


@pytest.mark.parametrize(
    ("left", "right"), [(("a", "b"), ("ab",)), (("a", "b"), ("b", "a")), (("1", "23"), ("12", "3")), (("a",), ("a", ""))]
)
def test_other_parts_have_another_id(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    assert derived_id(*left) != derived_id(*right)
    assert short_token(*left) != short_token(*right)


@given(PARTS, st.integers(1, 25))
def test_a_token_has_only_characters_that_nobody_confuses(parts: list[object], length: int) -> None:
    token = short_token(*parts, length=length)

    assert len(token) == length
    assert set(token) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert short_token(*parts, length=25).startswith(token)


def test_the_first_administrator_never_changes() -> None:
    """Ledgers that exist name this person."""
    assert str(FIRST_ADMINISTRATOR) == "9cc13e44-808b-5006-83c5-808708a7e01e"


@pytest.mark.parametrize("wrong", ["", "a.b", "*", "a b", "a\n", "x" * 41, "é", ">"])
def test_an_instrument_s_id_could_stand_in_a_subject(wrong: str) -> None:
    with pytest.raises(ValueError, match="an instrument id is 1 to 40 letters"):
        Instrument(InstrumentId(wrong), "ABC", AssetClass.STOCK, "USD", Quantity(1))


def test_a_purchase_adds_and_a_sale_takes_away() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
