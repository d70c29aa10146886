"""What market needs from the outside: feeds that bring history, and the errors they may raise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.market.domain.listing import CorporateAction, DailyBar, Listing, Quote


class FeedError(ConfigurationError):
    """A feed cannot be used as it is; `lines` name the places, nothing of it is taken."""

    def __init__(self, what: str, lines: Sequence[str] = ()) -> None:
        super().__init__(what if not lines else what + ":\n  " + "\n  ".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class FeedContent:
    """Everything a feed brings, checked: bars ordered by session and instrument, splits as facts, quotes of options.

    An option has a listing like everything else, and for each of its quotes a bar.
    """

    listings: tuple[Listing, ...]
    bars: tuple[DailyBar, ...]
    actions: tuple[CorporateAction, ...]
    quotes: tuple[Quote, ...] = ()


class Feed(Protocol):
    """Where history comes from. One module in `feeds/` each, with a function `make(settings) -> Feed`."""

    @property
    def name(self) -> str:
        """How it is called in settings and on screen."""

    def content(self) -> FeedContent:
        """Read everything. Raises FeedError with the places of all that is wrong."""
