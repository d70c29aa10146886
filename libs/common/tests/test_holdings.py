"""What is held of each symbol over all accounts, as signals is asked about it."""

import pytest

from quantmatrix.common.contracts.asking.briefing import Holding, holdings_of
from quantmatrix.common.contracts.asking.portfolio import PositionSummary
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, InstrumentId
from quantmatrix.common.values import Money, Quantity


def held(
    symbol: str, quantity: int, basis: int | None, *, unknown: int = 0, account: str = "paper-1", kind: AssetClass = AssetClass.STOCK
) -> PositionSummary:
    return PositionSummary(
        account_id=AccountId(account),
        instrument=Instrument(InstrumentId(symbol.lower()), symbol, kind, "USD", Quantity(1)),
        quantity=Quantity(quantity),
        basis=None if basis is None else Money(basis, "USD"),
        realised=Money(0, "USD"),
        price=None,
        priced_on=None,
        value=None,
        unrealised=None,
        unknown=Quantity(unknown),
    )


@pytest.mark.parametrize(
    ("positions", "quantity", "basis"),
    [
        ((held("AAPL", 10, 1_000),), 10, 1_000),
        ((held("AAPL", 10, 1_000), held("AAPL", 30, 2_000, account="paper-2")), 40, 3_000),
        ((held("AAPL", 10, 400, unknown=6),), 4, 400),
        ((held("AAPL", 10, None, unknown=10),), 10, None),
        ((held("AAPL", 10, None, unknown=10), held("AAPL", 5, 600, account="paper-2")), 5, 600),
        ((held("AAPL", 5, 600, account="paper-2"), held("AAPL", 10, None, unknown=10)), 5, 600),
    ],
)
def test_the_cost_of_a_holding_is_that_of_the_units_whose_cost_is_known(
    positions: tuple[PositionSummary, ...], quantity: int, basis: int | None
) -> None:
    assert holdings_of(positions) == (Holding("AAPL", Quantity(quantity), None if basis is None else Money(basis, "USD")),)


def test_what_is_sold_short_and_what_is_no_share_is_no_holding() -> None:
    positions = (
        held("MSFT", 1, 50),
        held("AAPL", -10, -1_000),
        held("SPXW", 2, 900, kind=AssetClass.OPTION),
        held("ES", 1, 9_000, kind=AssetClass.FUTURE),
        held("IBM", 2, 80),
    )

    assert [one.symbol for one in holdings_of(positions)] == ["IBM", "MSFT"]
