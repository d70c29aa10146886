"""Holdings with made-up names, for the tests of the wash-sale rule."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from services.portfolio.tests.domain.making import on, usd

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, InstrumentId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.tax.wash_sales import WashReport


def held(
    name: str,
    quantity: int,
    basis: str | None,
    bought: str | date | None,
    sold: str | date | None = None,
    proceeds: str | None = None,
    **more: object,
) -> Holding:
    plain = Holding(
        lot_id=LotId(derived_id("lot", name)),
        account_id=AccountId("A"),
        treatment=Treatment.TAXABLE,
        security=InstrumentId("X"),
        family="X",
        is_short=False,
        quantity=Quantity(quantity),
        basis=None if basis is None else usd(basis),
        acquired_on=on(bought) if isinstance(bought, str) else bought,
        disposed_on=on(sold) if isinstance(sold, str) else sold,
        proceeds=None if proceeds is None else usd(proceeds),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def rows(report: WashReport, *names: str) -> list[tuple[Decimal, Decimal, Decimal, str]]:
    """Units, adjusted basis, disallowed loss and adjusted date of the lots of these names."""
    wanted = {derived_id("lot", name) for name in names}
    return [
        (line.holding.quantity.value, cents(line.basis), cents(line.disallowed), str(line.acquired_on))
        for line in report.lines
        if line.holding.lot_id in wanted
    ]


def cents(amount: Money | None) -> Decimal:
    assert amount is not None
    return amount.rounded(2).amount
