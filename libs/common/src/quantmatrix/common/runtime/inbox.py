"""The inbox: how far a service has heard under each key. It is what makes a second hearing harmless and a gap visible."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from quantmatrix.common.runtime.database import Connection, Pool
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.runtime.keys import KeysHeard

_LOAD = "select key, seq, message_id, stopped_by from inbox"
# A row changes only from the number we knew: two readers of one key cannot both take the next message.
_STORE = """
with n as (
    select * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[]) as n (key, seq, message_id, stopped_by, expected)
), moved as (
    update inbox i set seq = n.seq, message_id = n.message_id, stopped_by = n.stopped_by, heard_at = clock_timestamp()
    from n where i.key = n.key and i.seq = n.expected returning i.key
), started as (
    insert into inbox (key, seq, message_id, stopped_by)
    select key, seq, message_id, stopped_by from n where expected = 0 and key not in (select key from moved)
    on conflict do nothing returning key
)
select key from moved union all select key from started
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """The last number heard under a key, and whether the key stands still because a message of it was parked."""

    seq: int = 0
    message_id: UUID | None = None
    stopped_by: int | None = None

    @property
    def stopped(self) -> bool:
        return self.stopped_by is not None


@dataclass(slots=True)
class Place:
    """The inbox as one transaction sees and moves it."""

    known: Mapping[str, Standing]
    heard: KeysHeard
    moved: dict[str, Standing] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    @property
    def changed(self) -> bool:
        return bool(self.moved)

    def of(self, key: str) -> Standing:
        return self.moved.get(key) or self.known.get(key) or Standing()

    def advance(self, key: str, seq: int, message_id: UUID) -> None:
        self.moved[key] = replace(self.of(key), seq=seq, message_id=message_id)

    def stop(self, key: str, seq: int, parked_id: int) -> None:
        self.moved[key] = Standing(seq=seq, stopped_by=parked_id)

    def covered(self, covers: Mapping[str, int]) -> bool:
        """Whether everything that a watermark covers, and that this service listens to, has been heard or stands still."""
        for key, seq in covers.items():
            standing = self.of(key)
            if standing.seq < seq and not standing.stopped and self.heard.includes(key):
                return False
        return True


class Inbox:
    """How far this service has heard; a copy in memory of what its table says."""

    def __init__(self, heard: KeysHeard) -> None:
        self._heard = heard
        self._known: dict[str, Standing] = {}
        self._doubtful = True

    async def load(self, pool: Pool) -> None:
        """Read the table again."""
        async with pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(_LOAD)
        self._known = {row["key"]: Standing(row["seq"], row["message_id"], row["stopped_by"]) for row in rows}
        self._doubtful = False

    def standing(self, key: str) -> Standing:
        return self._known.get(key) or Standing()

    def view(self) -> Place:
        return Place(self._known, self._heard)

    async def store(self, connection: Connection, view: Place) -> None:
        """Write what moved. Raises TryLater when another reader of this service moved it first."""
        if not view.moved:
            return
        keys = list(view.moved)
        stored = await connection.fetch(
            _STORE,
            keys,
            [view.moved[key].seq for key in keys],
            [view.moved[key].message_id for key in keys],
            [view.moved[key].stopped_by for key in keys],
            [self.standing(key).seq for key in keys],
        )
        if len(stored) != len(keys):
            self._doubtful = True
            raise TryLater("another process of this service is ahead; reading the inbox again")

    def keep(self, view: Place) -> None:
        """The transaction is committed: this is where we stand now."""
        self._known.update(view.moved)

    def doubt(self) -> None:
        """The copy may be wrong (a commit without an answer): read the table before trusting it."""
        self._doubtful = True

    @property
    def doubtful(self) -> bool:
        return self._doubtful
