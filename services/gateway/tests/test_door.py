"""Logging in and out: cookies, tokens, counting wrong passwords, the trail it all leaves."""

import asyncio
import socket

import pytest
from pydantic import SecretStr
from services.gateway.tests.listening import listening
from services.gateway.tests.running import PASSWORD, Console, add_user, gateway_here

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.testing.here import StartHere
from quantmatrix.gateway.app import open_door
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import FreshDatabase


async def test_a_page_leads_to_the_login_and_back(console: Console) -> None:
    turned_away = await console.get("/positions", headers={"Accept": "text/html"})
    logged_in = await console.client.post("/login", data={"name": "admin", "password": PASSWORD, "next": "/positions"})

    assert (turned_away.status_code, turned_away.headers["location"]) == (303, "/login?next=%2Fpositions")
    assert (logged_in.status_code, logged_in.headers["location"]) == (303, "/positions")


async def test_the_cookie_is_opaque_out_of_reach_and_stored_as_a_hash_only(console: Console, database: FreshDatabase) -> None:
    answer = await console.log_in()
    cookie = answer.headers["set-cookie"]
    stored = await database.fetch("gateway", "select id_hash from session")

    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    value = cookie.split(";")[0].partition("=")[2]
    assert len(value) >= 43
    assert value.encode() not in [bytes(row["id_hash"]) for row in stored]


async def test_behind_https_the_cookie_never_travels_in_the_clear(start_here: StartHere) -> None:
    async with gateway_here(start_here, cookie_secure=True) as console:
        answer = await console.client.post("/login", data={"name": "admin", "password": PASSWORD})

    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_the_api_answers_a_problem_without_a_session(console: Console) -> None:
    answer = await console.get("/api/v1/portfolio/")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "LOGIN_REQUIRED" and problem["status"] == 401 and problem["instance"] == "/api/v1/portfolio/"


async def test_a_change_without_the_sessions_token_is_refused(console: Console) -> None:
    await console.log_in()
    missing = await console.client.post("/api/v1/notifications/read")
    wrong = await console.client.post("/api/v1/notifications/read", headers={"X-CSRF-Token": "x" * 32})
    form = await console.client.post("/logout", data={"csrf": "x" * 32})

    assert [one.status_code for one in (missing, wrong, form)] == [403, 403, 403]
    assert missing.json()["code"] == "CSRF_TOKEN"
    assert (await console.get("/api/v1/ops/audit")).status_code == 200


async def test_another_sites_page_cannot_log_anybody_in(console: Console) -> None:
    elsewhere = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    )
    for headers in elsewhere:
        answer = await console.client.post("/login", data={"name": "admin", "password": PASSWORD}, headers=headers)

        assert answer.status_code == 403 and answer.json()["code"] == "CROSS_SITE", headers
        assert "set-cookie" not in answer.headers


async def test_logging_out_ends_the_session_for_good(console: Console) -> None:
    await console.log_in()
    cookie = console.client.cookies["qm_session"]
    left = await console.client.post("/logout", data={"csrf": console.csrf})
    again = await console.another().client.get("/api/v1/portfolio/", headers={"Cookie": f"qm_session={cookie}"})

    assert left.status_code == 303 and "qm_session" not in console.client.cookies
    assert again.status_code == 401


async def test_a_stream_ends_with_its_session(start_here: StartHere, database: FreshDatabase) -> None:
    """Whoever was shut out is told nothing more, however long the page stays open."""
    told = (
        "insert into feed (user_id, event, payload, occurred_at) select user_id, 'notification', '{\"n\": 1}', clock_timestamp() from users"
    )
    async with gateway_here(start_here, stream_session_look_s=0.01) as console:
        await console.log_in()
        connection = await database.connect("gateway")
        async with asyncio.timeout(60), listening(console) as events:
            first = await anext(events)
            await connection.execute(told)
            heard = await anext(events)
            await console.post("/logout")
            await connection.execute(told)
            after = [one async for one in events]

    assert (first.event, heard.event, after) == ("place", "notification", [])


async def test_a_session_ends_when_its_time_is_up(console: Console, database: FreshDatabase) -> None:
    await console.log_in()
    before = await console.get("/api/v1/ops/audit")
    connection = await database.connect("gateway")
    await connection.execute(
        "update session set created_at = created_at - interval '13 hours', expires_at = expires_at - interval '13 hours'"
    )
    after = await console.get("/api/v1/ops/audit")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_wrong_passwords_are_counted_and_the_sentence_says_how_long(console: Console) -> None:
    wrong = [await console.log_in(password=f"guess {number}") for number in range(5)]
    right = await console.log_in()

    assert {one.status_code for one in wrong} == {401}
    assert right.status_code == 429 and "set-cookie" not in right.headers
    assert "Too many wrong passwords. Try again in 15 minutes" in right.text
    assert 0 < int(right.headers["retry-after"]) <= 15 * 60 + 1


async def test_guessing_many_accounts_from_one_address_is_slowed_as_well(console: Console) -> None:
    for number in range(5):
        await console.log_in(name=f"person{number}", password="guess")

    assert (await console.log_in(name="admin")).status_code == 429


FAILED_ELSEWHERE = """insert into audit (at, name, action, about, address, request_id)
    select clock_timestamp(), 'admin', 'login.failed', 'admin', '203.0.113.' || n, gen_random_uuid() from generate_series(1, 20) n"""


async def test_guesses_from_elsewhere_shut_out_strangers_and_not_the_owner(console: Console, database: FreshDatabase) -> None:
    connection = await database.connect("gateway")
    await connection.execute(FAILED_ELSEWHERE)
    never_seen = await console.log_in()
    await connection.execute("insert into audit (at, name, action, about, address, request_id) select"
        " clock_timestamp() - interval '20 days', 'admin', 'login', 'admin', '127.0.0.1', gen_random_uuid()")  # fmt: skip

    assert (never_seen.status_code, (await console.log_in()).status_code) == (429, 303)


@pytest.mark.parametrize(("proxies", "address"), [("", "127.0.0.1"), ("127.0.0.1, 10.0.0.0/8", "203.0.113.7")])
async def test_only_a_proxy_that_was_named_says_for_whom_it_asks(
    start_here: StartHere, database: FreshDatabase, proxies: str, address: str
) -> None:
    async with gateway_here(start_here, proxies=proxies) as console:
        console.client.headers["X-Forwarded-For"] = "198.51.100.1, 203.0.113.7"
        await console.log_in(password="a guess")

    rows = await database.fetch("gateway", "select address from audit where action = 'login.failed'")
    assert [row["address"] for row in rows] == [address]


async def test_wrong_passwords_of_long_ago_do_not_count(console: Console, database: FreshDatabase) -> None:
    connection = await database.connect("gateway")
    await connection.execute(
        """insert into audit (at, name, action, about, address, request_id)
           select clock_timestamp() - interval '16 minutes', 'admin', 'login.failed', 'admin', '127.0.0.1', gen_random_uuid()
           from generate_series(1, 20)"""
    )

    assert (await console.log_in()).status_code == 303


async def test_many_guesses_at_once_are_not_more_guesses(console: Console, database: FreshDatabase) -> None:
    answers = await asyncio.gather(*(console.another().log_in(password=f"guess {number}") for number in range(16)))
    counted = await database.fetch("gateway", "select count(*) from audit where action = 'login.failed'")

    assert sum(one.status_code == 401 for one in answers) <= 5 + 1  # two are checked at the same time
    assert counted[0]["count"] <= 6


async def test_an_unknown_name_and_a_wrong_password_read_the_same(console: Console) -> None:
    unknown = await console.log_in(name="nobody", password="x")
    wrong = await console.log_in(password="x")

    sentence = "The name or the password is wrong."
    assert sentence in unknown.text and sentence in wrong.text
    assert unknown.status_code == wrong.status_code == 401


async def test_logins_leave_rows_in_the_trail(console: Console) -> None:
    await console.log_in(password="wrong")
    await console.log_in()
    rows = (await console.get("/api/v1/ops/audit")).json()["rows"]

    assert [(row["action"], row["name"], row["address"]) for row in rows] == [
        ("login", "admin", "127.0.0.1"),
        ("login.failed", "admin", "127.0.0.1"),
        ("user.created", "first start", ""),
    ]
    assert all(row["request_id"] for row in rows)


async def test_the_trail_is_only_ever_added_to(console: Console, database: FreshDatabase) -> None:
    await console.log_in()
    connection = await database.connect("gateway")

    for change in ("update audit set name = 'nobody'", "delete from audit"):
        with pytest.raises(Exception, match="only ever added to"):
            await connection.execute(change)


async def test_the_password_in_the_settings_makes_the_first_administrator_and_nothing_later(
    console: Console, start_here: StartHere, database: FreshDatabase
) -> None:
    await start_here.stop("gateway")
    async with gateway_here(start_here, admin_password=SecretStr("another password")) as restarted:
        later = await restarted.log_in(password="another password")
        first = await restarted.log_in()

    assert (later.status_code, first.status_code) == (401, 303)
    stored = await database.fetch("gateway", "select password_hash from users")
    assert len(stored) == 1 and stored[0]["password_hash"].startswith("$argon2id$")


async def test_without_a_user_and_a_password_the_start_says_what_to_set(start_here: StartHere) -> None:
    task = await start_here("gateway", port=free_port())
    await asyncio.wait({task}, timeout=60)

    with pytest.raises(ConfigurationError, match="QM_GATEWAY_ADMIN_PASSWORD"):
        await start_here.stop("gateway")


def test_a_taken_port_is_one_clear_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigurationError, match=rf"port {port} of 127.0.0.1 cannot be used .* QM_GATEWAY_PORT"):
            open_door("127.0.0.1", port)


def test_answers_of_the_door_leave_at_once() -> None:
    """A listening socket without a named protocol makes every answer wait 40 ms for company."""
    with open_door("127.0.0.1", 0) as door:
        assert door.proto == socket.IPPROTO_TCP


async def test_operations_do_not_exist_for_people_who_are_not_administrators(console: Console, database: FreshDatabase) -> None:
    await add_user(database, "vera", "viewer")
    await console.log_in("vera")
    answers = [await console.get(path) for path in ("/api/v1/ops/audit", "/api/v1/ops/parked", "/system")]
    replay = await console.post("/api/v1/replay", {"paused": True})
    order = await console.post("/api/v1/trades/execute", {"product_id": "AAPL", "side": "BUY", "size_usd": 100}, **{"Idempotency-Key": "1"})

    assert [one.status_code for one in (*answers, replay)] == [404] * 4
    assert (order.status_code, order.json()["code"]) == (403, "ROLE_VIEWER")


async def test_a_login_never_leads_elsewhere(console: Console) -> None:
    for target in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "/a\r\nSet-Cookie: x=1"):
        stranger = console.another()
        answer = await stranger.client.post("/login", data={"name": "admin", "password": PASSWORD, "next": target})
        await stranger.client.aclose()

        assert (answer.status_code, answer.headers["location"]) == (303, "/"), target
