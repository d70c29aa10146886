"""Derived ids are those of RFC 9562 version 5, as the standard library makes them."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.ids import NAMESPACE, derived_id, short_token


@given(st.lists(st.one_of(st.text(), st.integers(), st.uuids()), max_size=5))
def test_an_id_is_that_of_the_standard_library(parts: list[str | int | UUID]) -> None:
    found = derived_id(*parts)

    assert found == uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))
    assert (found.version, found.variant) == (5, "specified in RFC 4122")


def test_a_token_is_read_off_the_id() -> None:
    assert short_token("a", 1, length=25)[:5] == short_token("a", 1, length=5)
    assert len({short_token("a", number) for number in range(1_000)}) == 1_000
