"""Jobs: parts of a sweep that whoever has time computes, handed out by a work queue. Not facts: what is lost is cut anew."""

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Some parts of a stored backtest, from `first` to `last` as their numbers go.

    wanted: the backtest as it is stored, JSON; code: the digest of the code that is to compute it; data: the digest under
    which the bars are asked for, in this many pieces; limit_s: seconds that one part may take.
    """

    backtest_id: int
    first: int
    last: int
    wanted: str
    code: str
    data: str
    pieces: int
    limit_s: float

    def subject(self) -> str:
        """Where it is published."""
        return f"work.job.{self.backtest_id}"
