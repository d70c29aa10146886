"""Two processes of the real runtime with empty handlers: one says BarsClosed page by page, one hears it.

Usage: pump.py say|hear COUNT PER_PAGE (addresses come from the environment, as for every service)
"""

import sys
from datetime import UTC, date, datetime

from quantmatrix.common.contracts.prices import BarsClosed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.hearing import Bus, Hears
from quantmatrix.common.runtime.main import main
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.settings import ServiceSettings

MOMENT = datetime(2013, 3, 1, 21, 0, tzinfo=UTC)
EMPTY = BarsClosed(calendar="XNYS", timeframe="1d", session=date(2013, 3, 1), opened_at=MOMENT, closed_at=MOMENT, part=1, parts=1, bars=())


class SayingSettings(ServiceSettings):
    """The pump speaks as market."""

    SERVICE = "market"


class HearingSettings(ServiceSettings):
    """The sink hears as signals."""

    SERVICE = "signals"


async def say(settings: SayingSettings) -> None:
    count, per_page = int(sys.argv[2]), int(sys.argv[3])

    async def build(parts: Parts) -> Bus:
        async def work() -> None:
            for first in range(0, count, per_page):
                start = origin("pump", derived_id("pump", str(first)), occurred_at=MOMENT)

                async def page(sheet: Page, first: int = first) -> None:
                    for number in range(first, min(first + per_page, count)):
                        sheet.say(EMPTY, identity=number)

                await parts.desk.do(page, start)

        return Bus(background=(work,))

    await run_service(settings, build)


async def hear(settings: HearingSettings) -> None:
    async def handled(_: BarsClosed, __: Page) -> None:
        return

    async def build(_: Parts) -> Bus:
        return Bus(hears=(Hears(BarsClosed, handled),))

    await run_service(settings, build)


if __name__ == "__main__":
    if sys.argv[1] == "say":
        main(SayingSettings, say)
    else:
        main(HearingSettings, hear)
