"""What is traded, as every fact carries it."""

from dataclasses import dataclass

from quantmatrix.common.names import AssetClass, InstrumentId
from quantmatrix.common.values import Quantity


@dataclass(frozen=True, slots=True)
class Instrument:
    """The lasting identity, today's symbol, and what turns a price into money: currency and contract multiplier."""

    instrument_id: InstrumentId
    symbol: str
    asset_class: AssetClass
    currency: str
    multiplier: Quantity
