"""How far the replay has come, for people and other services."""

from dataclasses import dataclass
from datetime import date, timedelta

from quantmatrix.common.contracts.asking.market import ReplayStatus
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.market.rows import ReplayRow
from quantmatrix.market.store import MarketStore


@dataclass(frozen=True, slots=True)
class _Counted:
    """So many sessions of this content, from its first one, up to one."""

    content: str
    first: date
    upto: date
    sessions: int


class Progress:
    """Counts on from the session that was counted to last: history never changes, and people look often."""

    def __init__(self) -> None:
        self._counted: _Counted | None = None

    async def status(self, connection: Connection) -> ReplayStatus:
        """Where the replay stands. Raises Refused when none is loaded."""
        store = MarketStore(connection)
        replay = await store.replay()
        if replay is None:
            raise Refused("REPLAY_ABSENT", "no replay is loaded")
        return ReplayStatus(
            feed=replay.feed,
            state=replay.state,
            pace_s=replay.pace_s,
            session=replay.published,
            settled=replay.settled,
            first=replay.first,
            last=replay.last,
            sessions_done=await self._sessions_done(replay, store),
            sessions_total=replay.sessions,
            bars_published=replay.bars_published,
            as_of=replay.published_at,
        )

    async def _sessions_done(self, replay: ReplayRow, store: MarketStore) -> int:
        if replay.published is None:
            return 0
        before = self._counted
        if before is None or (before.content, before.first) != (replay.content, replay.first) or before.upto > replay.published:
            before = _Counted(replay.content, replay.first, replay.first - timedelta(days=1), 0)
        if before.upto == replay.published:
            return before.sessions
        done = before.sessions + await store.sessions_between(before.upto, replay.published)
        self._counted = _Counted(replay.content, replay.first, replay.published, done)
        return done
