"""How a lot is named, in orders, fills and what a person tells."""

import msgspec

from quantmatrix.common.names import LotId
from quantmatrix.common.values import Quantity


class NamedLotPart(msgspec.Struct, frozen=True):
    """quantity (above zero) units of a lot that a person names."""

    lot_id: LotId
    quantity: Quantity
