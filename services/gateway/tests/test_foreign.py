"""One user never sees or moves another's things: every route there is, asked with somebody else's ids."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from services.gateway.tests.foreign import OPEN, OWNED, SIMPLEST, Called, all_routes, calls, marks_of, names_taken, rows_of, told
from services.gateway.tests.running import Console, Desk, add_user, drained
from services.gateway.tests.test_statements import book, hand_in
from services.portfolio.tests.importers.chained_samples import FEBRUARY

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import UserId
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(60)]
ROLES = {"tara": "trader", "vera": "viewer", "adam": "admin"}
NOON = datetime(2004, 4, 30, 16, tzinfo=UTC)


@dataclass(slots=True)
class Things:
    """What the first administrator has, under the names that routes take, and the same names with what nobody has."""

    theirs: Mapping[str, Any]
    nobodys: Mapping[str, Any]
    marks: frozenset[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def things(desk: Desk) -> AsyncIterator[Things]:
    """An open order, a run, lots, sales, a backtest, a statement, differences of both kinds, notifications."""
    for name, role in ROLES.items():
        await add_user(desk.database, name, role, _user(name))
    order = await desk.post(
        "/api/v1/trades/execute",
        {"product_id": "AAPL", "side": "BUY", "size_usd": 100, "time_in_force": "GTC"},
        **{"Idempotency-Key": "an open order"},
    )
    backtest = await desk.post(
        "/api/v1/backtests/",
        {"strategy": "moving_average_cross", "symbols": ["AAPL"], "capital": "50000", "parameters": {"fast": 2, "slow": 6}},
    )
    number = backtest.json()["backtest_id"]

    async def computed() -> bool:
        return bool((await desk.get(f"/api/v1/backtests/{number}")).json()["line"]["state"] == "done")

    await wait_until(computed, "the backtest is done", within_s=GIVES_WAY_S)
    await book(desk, await hand_in(desk, "february.csv", FEBRUARY))
    waiting = await hand_in(desk, "waiting.csv", "handed in and not booked yet")
    account = (await desk.get("/api/v1/accounts/")).json()["accounts"][0]["account_id"]
    lots = (await desk.get("/api/v1/portfolio/lots")).json()["lots"]
    run = (await desk.get("/api/v1/strategies/runs/details")).json()["runs"][0]
    theirs = {
        "account_id": account,
        "account": account,
        "order_id": order.json()["id"],
        "trade_id": order.json()["id"],
        "run_id": run["run_id"],
        "bot_id": run["triggered_by"],
        "number": number,
        "id": [number],
        "notification_id": (await desk.get("/api/v1/notifications/")).json()["notifications"][0]["notification_id"],
        "break_id": await _differences(desk, account),
        "statement_break": str(derived_id("a statement's break")),
        "user_id": str(FIRST_ADMINISTRATOR),
        "parked_id": 1,
        "closing_id": (await desk.get("/api/v1/portfolio/closings")).json()["closings"][0]["closing_id"],
        "lot_id": lots[0]["lot_id"],
        "lots": lots[0]["lot_id"],
        "uploads": [waiting],
        "upload_id": waiting,
    }
    theirs["closing"] = theirs["closing_id"]

    async def open_there() -> bool:
        answer = await desk.get(f"/api/v1/orders/{theirs['order_id']}")
        return answer.status_code == 200 and bool(answer.json()["order"]["state"] == "accepted")

    await wait_until(open_there, "the order is open at its venue")
    await wait_until(lambda: drained(desk.ask), "everything was heard")
    yield Things(theirs, {name: _nobodys(value) for name, value in theirs.items()}, await marks_of(desk, FIRST_ADMINISTRATOR))


def _user(name: str) -> UserId:
    return UserId(derived_id("user", name))


async def _differences(desk: Desk, account: str) -> str:
    """Somebody pays five dollars in at the broker, and a statement knows of a purchase; returns the id of the first."""
    venue = await desk.database.connect("paper")
    await venue.execute("update account set cash = cash + 5")
    execution = await desk.database.connect("execution")
    await execution.execute(
        """insert into break (break_id, account_id, about, ours, theirs, gap, found_at) values ($1, $2, 'cash', '1 USD', '6 USD', 5, $3)
           on conflict do nothing""",
        derived_id("a break"), account, NOON,
    )  # fmt: skip
    portfolio = await desk.database.connect("portfolio")
    await portfolio.execute(
        """insert into statement_break (break_id, account_id, user_id, kind, symbol, session, statement, found_at)
           values ($1, $2, $3, 'missing', 'AAPL', $4, 'bought 1', $5)""",
        derived_id("a statement's break"), account, FIRST_ADMINISTRATOR, date(2004, 4, 30), NOON,
    )  # fmt: skip
    return str(await execution.fetchval("select break_id from break where resolved_at is null"))


def _nobodys(value: Any) -> Any:
    """Of the same shape, and nobody's."""
    if isinstance(value, list):
        return [_nobodys(one) for one in value]
    if isinstance(value, int):
        return value + 1_000_000
    prefix, _, rest = value.rpartition(":")
    try:
        return f"{prefix}:" * bool(prefix) + str(derived_id("nobody's", str(UUID(rest))))
    except ValueError:
        return f"{prefix}:" * bool(prefix) + rest[::-1]


def _apart(left: str, right: str) -> list[tuple[str, str]]:
    """The lines in which two answers differ."""
    return [(one[:200], other[:200]) for one, other in zip(left.splitlines(), right.splitlines(), strict=False) if one != other][:5]


def _is_nothing(answer: httpx.Response) -> bool:
    """Refused, or done to none."""
    return answer.status_code in (403, 404) or (answer.status_code == 200 and answer.text == '{"marked":0}')


def _is_refused(answer: httpx.Response, call: Called) -> bool:
    """Nothing, not understood, or the form again with the reason why not: a form that was taken answers with another address."""
    again = call.form and answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    return _is_nothing(answer) or answer.status_code == 422 or again


async def _as(desk: Desk, name: str) -> Console:
    other = desk.another()
    assert (await other.log_in(name)).status_code == 303
    return other


def _asked_of(role: str, things: Mapping[str, Any]) -> list[Called]:
    """What somebody of this role may ask at all: an administrator's routes are about the installation, and theirs."""
    return [call for call in calls(things) if not (role == "admin" and call.for_administrators)]


async def test_every_parameter_of_every_route_is_placed() -> None:
    """One that ends like an id and is in neither table could name somebody's things without being tried here."""
    names = {name for route in all_routes() for name in names_taken(route)}

    assert {"account_id", "order_id", "run_id", "lot_id"} < names
    assert [name for name in names if re.search(r"(^|_)ids?$", name) and name not in OWNED and name not in OPEN] == []


@pytest.mark.parametrize(("name", "role"), ROLES.items())
async def test_what_is_somebody_elses_is_not_there_whoever_asks(desk: Desk, things: Things, name: str, role: str) -> None:
    asker = await _as(desk, name)
    before = await rows_of(desk, things.marks, _user(name))
    wrong, count = list[object](), 0
    unknown = {(call.method, call.template): call for call in _asked_of(role, things.nobodys)}

    for call in _asked_of(role, things.theirs):
        answer = await call.by(asker)
        count += 1
        text = told(answer, call)
        wrong += [(str(call), mark, text[:200]) for mark in things.marks if mark in text]
        wrong += [(str(call), answer.status_code, text[:200])] * (answer.status_code >= 500)
        if call.in_path:
            other = await unknown[call.method, call.template].by(asker)
            same = (answer.status_code, text) == (other.status_code, told(other, unknown[call.method, call.template]))
            wrong += [(str(call), answer.status_code, _apart(text, told(other, unknown[call.method, call.template])))] * (
                not (same and _is_refused(answer, call))
            )

    assert wrong == []
    assert count > 100
    await wait_until(lambda: drained(desk.ask), "everything was heard")
    assert await rows_of(desk, things.marks, _user(name)) == before


async def test_what_was_refused_to_others_is_there_for_its_owner(desk: Desk, things: Things) -> None:
    """Otherwise the refusals above would show nothing."""
    understood = [call for call in calls(things.theirs) if call.in_path and SIMPLEST not in call.body.values()]
    found = sorted(understood, key=lambda call: call.method)
    answers = [(str(call), await call.by(desk)) for call in found]

    assert [(call, answer.status_code, answer.text[:200]) for call, answer in answers if _is_nothing(answer)] == []
    assert sum("REQUEST_INVALID" not in answer.text[:120] for _, answer in answers) > 40
