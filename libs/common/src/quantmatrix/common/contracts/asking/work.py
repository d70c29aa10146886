"""Questions to signals about workers, and of workers: whether a job is still wanted, the bars for it, and what came of it."""

from typing import Annotated

import msgspec

from quantmatrix.common.contracts.asking.question import Question

PARTS_MAX = 200


class CrewFound(msgspec.Struct, frozen=True):
    """is_there: whether any worker waits for jobs or is at one; code: the digest of the code that backtests are computed by."""

    is_there: bool
    code: str


class CrewAsked(Question[CrewFound], frozen=True, kw_only=True):
    """Whether sweeps can be handed to workers."""

    VERB = "crew"
    ANSWER = CrewFound


class JobHeard(msgspec.Struct, frozen=True):
    """wanted: whether to go on; false when the backtest was cancelled, failed or is finished."""

    wanted: bool


class JobBeat(Question[JobHeard], frozen=True, kw_only=True):
    """A worker is at it; asked every few seconds."""

    VERB = "job_beat"
    ANSWER = JobHeard

    backtest_id: int


class JobData(msgspec.Struct, frozen=True):
    """A piece of the compressed bars."""

    content: bytes


class JobDataAsked(Question[JobData], frozen=True, kw_only=True):
    """One piece of a backtest's bars, numbered from zero. A problem when the backtest ended meanwhile."""

    VERB = "job_data"
    ANSWER = JobData

    backtest_id: int
    number: int


class JobPart(msgspec.Struct, frozen=True):
    """One part that is finished: the values it was run with, and its figures, both as JSON; digest: of its whole result."""

    number: int
    chosen: str
    figures: str
    digest: str


class JobDone(Question[JobHeard], frozen=True, kw_only=True):
    """What came of a job so far. They are stored when this is answered; a part that is there already stays.

    problem: the sentence with which the backtest as a whole fails.
    """

    VERB = "job_done"
    ANSWER = JobHeard

    backtest_id: int
    parts: Annotated[tuple[JobPart, ...], msgspec.Meta(max_length=PARTS_MAX)] = ()
    problem: str = ""
