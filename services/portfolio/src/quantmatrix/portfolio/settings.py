"""What portfolio can be told."""

from typing import ClassVar

from quantmatrix.common.runtime.settings import ServiceSettings


class PortfolioSettings(ServiceSettings):
    """Settings of the portfolio service, read from QM_PORTFOLIO_*."""

    SERVICE: ClassVar[str] = "portfolio"
