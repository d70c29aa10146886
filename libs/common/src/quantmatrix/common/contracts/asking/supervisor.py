"""Questions to whoever started the services, where somebody did: the embedded supervisor."""

import msgspec

from quantmatrix.common.contracts.asking.question import Question

SUPERVISOR = "supervisor"


class RestartTaken(msgspec.Struct, frozen=True):
    """The replay is about to start from its beginning; the services will be away for some seconds."""

    taken: bool


class RestartReplayAsked(Question[RestartTaken], frozen=True, kw_only=True):
    """Forget the paper ledger and replay from the first session. People, sessions and the audit trail are kept."""

    VERB = "replay.restart"
    ANSWER = RestartTaken

    asked_by: str
