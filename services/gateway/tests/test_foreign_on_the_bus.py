"""One user never sees or moves another's things on the bus either: every question and command that names a user, with somebody else's ids."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, get_args, get_origin
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from services.gateway.tests.foreign import marks_of, rows_of
from services.gateway.tests.running import Desk, drained
from services.gateway.tests.test_statements import hand_in

from quantmatrix.common.contracts import asking, commands
from quantmatrix.common.contracts.asking.acts import UnitsArrived
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, InstrumentId, UserId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import EXAMPLES
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until
from quantmatrix.common.values import Money, Quantity
from quantmatrix.operations.documents.sources import answering, changes_something
from quantmatrix.operations.testing import FreshBus, Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")
MALLORY = UserId(derived_id("user", "mallory"))
DAY = date(2004, 4, 30)
AT = datetime(2004, 4, 30, 20, tzinfo=UTC)
STOCK = Instrument(InstrumentId("AAPL"), "AAPL", AssetClass.STOCK, "USD", Quantity(1))
NEEDED: Mapping[str, Any] = {
    "instrument": STOCK,
    "act": UnitsArrived(origin="transfer", instrument=STOCK, quantity=Quantity(1), basis=None, acquired_on=None, session=DAY, at=AT),
    "account": None, "grid": {}, "sentence": "", "at": AT, "sector": None, "uploads": (), "text": "AAPL,Tech", "strategy": "no such strategy",
    "body": b"x", "part": 1, "method": "fifo",
}  # fmt: skip
"""Values that belong to nobody, where the first that fits the type would not be understood."""
COMMANDS = tuple(one for one in EXAMPLES if one.__module__ == commands.__name__)


@dataclass(frozen=True, slots=True)
class Things:
    """What the first administrator has, by the names that contracts give it."""

    by_name: Mapping[str, Any]
    marks: frozenset[str]

    def nobodys(self) -> "Things":
        """The same names, with what nobody has."""
        return Things({name: _nobodys(value) for name, value in self.by_name.items()}, frozenset())


def _nobodys(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_nobodys(one) for one in value)
    if isinstance(value, UUID):
        return derived_id("nobody's", value)
    return value + 1_000_000 if isinstance(value, int) else value[::-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def things(desk: Desk) -> Things:
    """An order, a run with its decisions, lots, sales, notifications, a backtest, a file that waits."""
    asked = {"strategy": "moving_average_cross", "symbols": ["AAPL"], "capital": "50000", "parameters": {"fast": 2, "slow": 6}}
    number = (await desk.post("/api/v1/backtests/", asked)).json()["backtest_id"]

    async def computed() -> bool:
        return bool((await desk.get(f"/api/v1/backtests/{number}")).json()["line"]["state"] == "done")

    await wait_until(computed, "the backtest is done", within_s=GIVES_WAY_S)
    upload = await hand_in(desk, "waiting.csv", "handed in and not booked yet")
    await wait_until(lambda: drained(desk.ask), "everything was heard")

    async def first(service: str, table: str, column: str) -> Any:
        return (await desk.database.fetch(service, f"select {column} from {table} order by 1 limit 1"))[0][0]

    account = await first("execution", "account", "account_id")
    order, signal = await first("execution", "orders", "order_id"), await first("signals", "signal", "signal_id")
    found = {
        "account_id": account, "order_id": order, "run_id": await first("signals", "run", "run_id"),
        "notification_id": await first("notify", "notification", "notification_id"), "closing_id": await first("portfolio", "closing", "closing_id"),
        "lot_id": await first("portfolio", "lot", "lot_id"), "fills": (await first("execution", "execution", "fill_id"),),
        "signal_ids": (signal,), "decisions": (signal,), "wanted": (signal,), "backtest_id": number, "backtest_ids": (number, number + 7),
        "uploads": (UUID(upload),), "upload_id": UUID(upload), "break_id": derived_id("a break"),
    }  # fmt: skip
    return Things(found, await marks_of(desk, FIRST_ADMINISTRATOR))


def _questions() -> Iterator[type[Question[Any]]]:
    """Every question that says for whom it asks."""
    for module in pkgutil.iter_modules(asking.__path__):
        for value in vars(importlib.import_module(f"{asking.__name__}.{module.name}")).values():
            own = isinstance(value, type) and issubclass(value, Question) and value.__module__.endswith(f".{module.name}")
            if own and "user_id" in value.__struct_fields__:
                yield value


def _asked(kind: type[Question[Any]], user: UserId, things: Things) -> Question[Any]:
    given: dict[str, Any] = {"user_id": user}
    for field in msgspec.structs.fields(kind):
        if field.name in things.by_name:
            given[field.name] = things.by_name[field.name]
        elif field.required and field.name != "user_id":
            given[field.name] = NEEDED[field.name] if field.name in NEEDED else _plain(field.name, field.type)
    return kind(**given)


def _plain(name: str, kind: Any) -> Any:
    """The first value that fits a type; a field whose type has none here must be placed in NEEDED, or among what belongs to somebody."""
    kind = getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind
    kind = getattr(kind, "__supertype__", kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    plain: dict[Any, Any] = {
        str: "x",
        int: 1,
        float: 1.0,
        bool: False,
        date: DAY,
        datetime: AT,
        Money: Money(1, "USD"),
        Quantity: Quantity(1),
    }
    plain |= {UUID: derived_id("nobody's", name)}
    if kind in plain and (name == "command_id" or not name.endswith(("_id", "_ids"))):
        return plain[kind]
    if get_args(kind):
        return () if get_origin(kind) is tuple else get_args(kind)[0]
    raise LookupError(f"no value for {name!r}: place it among what belongs to somebody, or in NEEDED")


async def _answer(desk: Desk, question: Question[Any]) -> bytes:
    """What comes back, a refusal too, without the ids that were asked about."""
    service = answering(type(question).__name__)[0]
    try:
        text = encode(await desk.ask(service, question))
    except Refused as no:
        text = f"{no.code} {no.detail}".encode()
    for name in question.__struct_fields__:
        value = getattr(question, name)
        for one in value if isinstance(value, tuple) else (value,):
            text = text.replace(str(one).encode(), b"?") if name.endswith(("_id", "_ids")) else text
    return text


async def test_every_question_answers_nobody_about_somebody_else(desk: Desk, things: Things) -> None:
    before = await rows_of(desk, things.marks, MALLORY)
    wrong, differs = list[tuple[object, ...]](), 0
    for kind in _questions():
        theirs = await _answer(desk, _asked(kind, MALLORY, things))
        nobodys = await _answer(desk, _asked(kind, MALLORY, things.nobodys()))
        wrong += [(kind.__name__, mark, theirs[:300]) for mark in things.marks if mark.encode() in theirs]
        wrong += [(kind.__name__, theirs[:300], nobodys[:300])] * (theirs != nobodys)
        if not changes_something(kind.__name__):
            differs += await _answer(desk, _asked(kind, FIRST_ADMINISTRATOR, things)) != theirs

    assert wrong == []
    assert differs > 20, "to their owner the same questions answer something else"
    assert await rows_of(desk, things.marks, MALLORY) == before


async def test_every_command_of_somebody_else_changes_nothing(desk: Desk, things: Things, servers: Servers) -> None:
    """Said as the gateway would, by a user who owns none of it; then by the owner, so that it shows that they could be understood."""
    bus = FreshBus(servers)
    saying = Saying(bus.connect)
    for row in await desk.database.fetch("gateway", "select key, seq from outbox_key"):
        saying.skip(row["key"], row["seq"])
    before = await _things_only(desk, things)
    for user, changed in ((MALLORY, False), (FIRST_ADMINISTRATOR, True)):
        for kind in COMMANDS:
            own = {name: value for name, value in things.by_name.items() if name in kind.__struct_fields__}
            head = msgspec.structs.replace(EXAMPLES[kind].head, occurred_at=AT)
            told = derived_id("told", kind.__name__, user)
            said = msgspec.structs.replace(EXAMPLES[kind], **own, user_id=user, command_id=told, head=head)
            await saying(said)
        for service in ("execution", "signals"):
            await saying.heard_by(service, desk.ask)

        differs = sorted(set(await _things_only(desk, things)) ^ set(before))
        assert (differs != []) is changed, differs
    await bus.close()


async def _things_only(desk: Desk, things: Things) -> list[str]:
    """The rows of what the owner has; what the services said, and to whom they denied it, are not among them."""
    found = await rows_of(desk, things.marks, MALLORY)
    said = (".outbox", ".outbox_key", ".outbox_waiting")
    rows = [f"{table} {row}" for table, rows in found.items() if not table.endswith(said) for row in rows]
    return [row for row in rows if "ACCOUNT_UNKNOWN" not in row]
