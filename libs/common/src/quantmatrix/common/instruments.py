"""What is traded, as every fact carries it."""

import re
from dataclasses import dataclass

from quantmatrix.common.names import TOKEN, AssetClass, InstrumentId
from quantmatrix.common.values import Quantity

_TOKEN = re.compile(TOKEN)


@dataclass(frozen=True, slots=True)
class Instrument:
    """The lasting identity, today's symbol, and what turns a price into money: currency and contract multiplier."""

    instrument_id: InstrumentId
    symbol: str
    asset_class: AssetClass
    currency: str
    multiplier: Quantity

    def __post_init__(self) -> None:
        """Raises ValueError when the identity could not stand in a subject."""
        if not _TOKEN.match(self.instrument_id):
            raise ValueError(f"an instrument id is 1 to 40 letters, digits, '_' or '-', got {self.instrument_id[:60]!r}")
