"""Users, their roles, their access and their passwords: who may change what, when it holds, and what it leaves in the trail."""

import pytest
from services.gateway.tests.running import PASSWORD, Console

from quantmatrix.operations.testing import FreshDatabase

FIRST, SECOND = "a first password of hers", "quite another password"
GRACE = {"name": "grace", "role": "trader", "password": FIRST}


async def let_in(console: Console, **changed: str) -> str:
    answer = await console.post("/api/v1/admin/users", {**GRACE, **changed})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["user_id"])


async def logged_in(console: Console, name: str = "grace", password: str = FIRST) -> Console:
    other = console.another()
    assert (await other.log_in(name, password)).status_code == 303
    return other


@pytest.fixture
async def admin(console: Console) -> Console:
    await console.log_in()
    return console


async def test_somebody_who_was_let_in_logs_in_with_their_role(admin: Console) -> None:
    await let_in(admin)
    grace = await logged_in(admin)

    for path in ("/api/v1/admin/users", "/users", "/system", "/api/v1/ops/audit"):
        assert (await grace.get(path)).status_code == 404
    assert (await grace.post("/api/v1/admin/users", {**GRACE, "name": "helper"})).status_code == 404
    listed = (await admin.get("/api/v1/admin/users")).json()["users"]
    assert [(one["name"], one["role"], one["disabled_at"]) for one in listed] == [("admin", "admin", None), ("grace", "trader", None)]
    assert "password" not in str(listed)


async def test_what_is_wrong_with_a_new_user_is_said(admin: Console) -> None:
    for changed in ({"name": "Grace"}, {"name": "two words"}, {"name": ""}, {"role": "owner"}, {"password": "eleven char"}, {"extra": "1"}):
        answer = await admin.post("/api/v1/admin/users", {**GRACE, **changed})

        assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID"), changed


async def test_a_name_is_taken_once(admin: Console, database: FreshDatabase) -> None:
    await let_in(admin)
    again = await admin.post("/api/v1/admin/users", {**GRACE, "role": "admin"})
    page = await admin.client.post("/users", data={"csrf": admin.csrf, **GRACE})

    assert (again.status_code, again.json()["code"]) == (409, "NAME_TAKEN")
    assert page.status_code == 409 and "there is a user grace already" in page.text
    made = await database.fetch("gateway", "select 1 from audit where action = 'user.created' and about = 'grace'")
    assert len(made) == 1


async def test_a_role_holds_from_the_next_request(admin: Console) -> None:
    user = await let_in(admin, role="viewer")
    grace = await logged_in(admin)
    order = {"product_id": "IBM", "side": "BUY", "size_usd": 1_000}
    before = await grace.post("/api/v1/trades/preview", order)

    changed = await admin.post(f"/api/v1/admin/users/{user}/role", {"role": "trader", "reason": "learned enough"})

    after = await grace.post("/api/v1/trades/preview", order)
    assert (before.status_code, before.json()["code"]) == (403, "ROLE_VIEWER")
    assert changed.json()["role"] == "trader"
    assert after.json()["code"] == "SERVICE_SILENT"  # nobody stands behind this gateway, but she is let through


async def test_somebody_who_is_shut_out_is_out_at_once_and_may_come_back(admin: Console) -> None:
    user = await let_in(admin)
    grace = await logged_in(admin)

    await admin.post(f"/api/v1/admin/users/{user}/access", {"allowed": False, "reason": "left the team"})
    after = await grace.get("/api/v1/auth/sessions")
    refused = await admin.another().log_in("grace", FIRST)
    await admin.post(f"/api/v1/admin/users/{user}/access", {"allowed": True, "reason": "came back"})

    assert (after.status_code, refused.status_code) == (401, 401)
    assert (await grace.get("/api/v1/auth/sessions")).status_code == 401
    await logged_in(admin)


async def test_the_last_administrator_stays_one(admin: Console) -> None:
    own = (await admin.get("/api/v1/admin/users")).json()["users"][0]["user_id"]
    second = await let_in(admin, name="second", role="admin")
    await admin.post(f"/api/v1/admin/users/{second}/access", {"allowed": False, "reason": "away"})

    refused = [
        await admin.post(f"/api/v1/admin/users/{own}/role", {"role": "trader", "reason": "enough"}),
        await admin.post(f"/api/v1/admin/users/{own}/access", {"allowed": False, "reason": "enough"}),
    ]
    await admin.post(f"/api/v1/admin/users/{second}/access", {"allowed": True, "reason": "back"})
    done = await admin.post(f"/api/v1/admin/users/{own}/role", {"role": "trader", "reason": "enough"})

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "LAST_ADMINISTRATOR")] * 2
    assert done.status_code == 200
    assert (await admin.get("/api/v1/admin/users")).status_code == 404


async def test_a_new_password_ends_every_other_session(admin: Console) -> None:
    await let_in(admin)
    here, elsewhere = await logged_in(admin), await logged_in(admin)
    assert len((await here.get("/api/v1/auth/sessions")).json()["sessions"]) == 2

    wrong = await here.post("/api/v1/auth/password", {"old": "not this one", "new": SECOND})
    short = await here.post("/api/v1/auth/password", {"old": FIRST, "new": "short"})
    done = await here.post("/api/v1/auth/password", {"old": FIRST, "new": SECOND})

    assert (wrong.status_code, wrong.json()["code"], short.status_code, done.status_code) == (403, "PASSWORD_WRONG", 422, 204)
    assert [one["this"] for one in (await here.get("/api/v1/auth/sessions")).json()["sessions"]] == [True]
    assert (await elsewhere.get("/api/v1/auth/sessions")).status_code == 401
    assert (await admin.another().log_in("grace", FIRST)).status_code == 401
    await logged_in(admin, password=SECOND)


async def test_guessing_the_old_password_is_counted_like_at_the_door(admin: Console) -> None:
    await let_in(admin)
    grace = await logged_in(admin)

    codes = [(await grace.post("/api/v1/auth/password", {"old": f"guess {n}", "new": SECOND})).status_code for n in range(6)]

    assert codes == [403, 403, 403, 403, 403, 429]


async def test_other_sessions_can_be_ended_on_the_page(admin: Console) -> None:
    await let_in(admin)
    here, elsewhere = await logged_in(admin), await logged_in(admin)

    answer = await here.client.post("/me/sessions/end-others", data={"csrf": here.csrf})

    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert (await elsewhere.get("/about")).status_code in (303, 401)
    assert "this one" in (await here.get("/me")).text


async def test_every_act_is_in_the_trail_and_no_password_is(admin: Console, database: FreshDatabase) -> None:
    user = await let_in(admin)
    await admin.post(f"/api/v1/admin/users/{user}/role", {"role": "viewer", "reason": "for a start"})
    await admin.post(f"/api/v1/admin/users/{user}/access", {"allowed": False, "reason": "away"})
    await admin.post("/api/v1/auth/password", {"old": PASSWORD, "new": SECOND})

    rows = await database.fetch(
        "gateway", "select action, about, before, after from audit where name = 'admin' and action like 'user.%' order by id"
    )
    assert [(row["action"], row["about"]) for row in rows] == [
        ("user.created", "grace"), ("user.role", "grace"), ("user.disabled", "grace"), ("user.password", "admin"),
    ]  # fmt: skip
    assert "for a start" in str(rows[1]["after"]) and "trader" in str(rows[1]["before"])
    everything = str(await database.fetch("gateway", "select * from audit"))
    assert not any(secret in everything for secret in (FIRST, SECOND, PASSWORD, "argon2"))
