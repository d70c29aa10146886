"""What signals can be told."""

from typing import ClassVar

from pydantic import Field

from quantmatrix.common.runtime.settings import ServiceSettings

BAR_LIMIT_S = 60.0
"""Seconds that a strategy may take over one bar before it is stopped, unless somebody says otherwise."""


class SignalsSettings(ServiceSettings):
    """Settings of the signals service, read from QM_SIGNALS_*."""

    SERVICE: ClassVar[str] = "signals"

    default_strategy: str = Field(
        "atr_matrix",
        description="The strategy that a new paper account runs, with its cash as envelope; empty for none.",
    )
    backtest_limit_s: float = Field(
        900.0, gt=0, le=86_400, description="Seconds that a backtest asked for over HTTP may take before it is stopped."
    )
    backtest_bar_limit_s: float = Field(
        BAR_LIMIT_S,
        gt=0,
        le=3_600,
        description="Seconds that a strategy may take over one bar of a backtest that this service computes, and never more than a quarter of"
        " QM_SIGNALS_BACKTEST_LIMIT_S; workers keep to the default.",
    )
