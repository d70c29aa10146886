"""How a lot is named, in orders, fills and what a person tells."""

import msgspec

from quantmatrix.common.names import LotId
from quantmatrix.common.values import Quantity


def nothing() -> Quantity:
    """Zero units: what a quantity is where nobody says it."""
    return Quantity(0)


class NamedLotPart(msgspec.Struct, frozen=True):
    """quantity (above zero) units of a lot that a person names."""

    lot_id: LotId
    quantity: Quantity
