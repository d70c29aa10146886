"""Puts portfolio together."""

from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.portfolio.bus import bus
from quantmatrix.portfolio.settings import PortfolioSettings


async def serve(settings: PortfolioSettings) -> None:
    """Run portfolio until it is asked to stop."""

    async def build(_: Parts) -> Bus:
        return bus()

    await run_service(settings, build)
