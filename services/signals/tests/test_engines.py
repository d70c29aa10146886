"""What runs have in common: many instruments take up their past in parts, so that a service answers meanwhile."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.signals.domain.carrying import Counting, State, Values, carried
from quantmatrix.signals.domain.series import RawBar, Series, series_from
from quantmatrix.signals.domain.tails import PART, Tails
from quantmatrix.signals.engines import Made
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

INSTRUMENTS = 42


@dataclass
class Noted:
    """Counts bars, and the instruments that take up their past since the last turn of others."""

    rule: Counting = field(default_factory=Counting)
    since: int = 0

    def start(self, values: Values, whole: Values) -> State | None:
        self.since += 1
        return self.rule.start(values, whole)


def walk(number: int) -> Series:
    closes = [100.0 + (day * (number + 3)) % 11 for day in range(30 + number)]
    return series_from([RawBar(date(2010, 1, 4) + timedelta(days=day), one, one, one, one, 1_000.0) for day, one in enumerate(closes)], ())


async def test_others_have_their_turn_while_many_instruments_take_up_their_past() -> None:
    noted, between = Noted(), list[int]()

    def columns() -> Mapping[str, pl.Expr]:
        return {"bars": carried(noted, pl.col("close"), pl.col("close").cum_count())}

    async def others() -> None:
        while True:
            between.append(noted.since)
            noted.since = 0
            await asyncio.sleep(0)

    made = Made(AtrMatrix(AtrMatrix.parameters.model_validate({})), {}, Tails({"all": columns}, 1), None)  # type: ignore[arg-type]  # its own parameters
    series = {InstrumentId(f"ID-{number:02}"): walk(number) for number in range(INSTRUMENTS)}
    waiting = asyncio.create_task(others())
    await made.advance(series)
    waiting.cancel()

    assert max(between) == PART
    assert sum(between) + noted.since == INSTRUMENTS
    assert made.tails is not None
    assert [made.tails.row("all", one) for one in series] == [{"bars": 30.0 + number} for number in range(INSTRUMENTS)]
