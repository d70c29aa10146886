"""What market can be told."""

from datetime import date
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from quantmatrix.common.runtime.settings import ServiceSettings


class MarketSettings(ServiceSettings):
    """Settings of the market service, read from QM_MARKET_*."""

    SERVICE: ClassVar[str] = "market"

    feed: str = Field("replay", description="Which feed in the slot brings history: replay or csv.")
    csv_file: Path | None = Field(None, description="For the csv feed: the file of daily bars.")
    csv_splits_file: Path | None = Field(None, description="For the csv feed: a file of splits (symbol,effective,numerator,denominator).")
    chains_file: Path | None = Field(
        None, description="Beside any feed: a CSV or Parquet file of option chains on its stocks, one row per contract and session."
    )
    replay_symbols: tuple[str, ...] = Field((), description="Symbols to replay, separated by commas; empty for all of the feed.")
    replay_from: date | None = Field(None, description="First session to replay; earlier bars serve as history only.")
    replay_to: date | None = Field(None, description="Last session to replay.")
    replay_pace_s: float = Field(0.25, ge=0, le=3_600, description="Seconds between two sessions of the replay; 0 is as fast as possible.")
    phases: Literal["none", "replay", "clock"] = Field(
        "none",
        description="Which phases of a day are told, for the jobs that hang on them, such as letters: none, those of each replayed session, "
        "or those that the New York clock enters now.",
    )
    derive_dividends: bool = Field(
        False, description="Derive dividends from the adjusted column, marked as derived. They are never booked."
    )
