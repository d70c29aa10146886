"""Identities of orders and fills follow from their causes."""

import re
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.ids import order_of
from quantmatrix.common.names import AccountId
from quantmatrix.execution.domain.orders import client_ref_of, fill_of


@settings(max_examples=200, deadline=None)
@given(st.uuids())
def test_a_reference_fits_every_broker_and_is_always_the_same(intent: UUID) -> None:
    reference = client_ref_of(order_of(intent))

    assert re.fullmatch(r"[0-9A-Z]{20}", reference)
    assert reference == client_ref_of(order_of(intent))


@settings(max_examples=50, deadline=None)
@given(st.sets(st.uuids(), min_size=2, max_size=50))
def test_two_intents_never_share_a_reference(intents: set[UUID]) -> None:
    assert len({client_ref_of(order_of(intent)) for intent in intents}) == len(intents)


def test_the_same_execution_id_at_two_accounts_is_two_fills() -> None:
    assert fill_of(AccountId("A"), "1") != fill_of(AccountId("B"), "1")
    assert fill_of(AccountId("A"), "1") == fill_of(AccountId("A"), "1")
