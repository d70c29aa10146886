"""Who may come in, and as what: making users, their roles, their access and passwords; each with its row in the audit trail."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import reading
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.people import Person, Visit, actor_of
from quantmatrix.gateway.problems import ProblemError, not_found
from quantmatrix.gateway.store import GatewayStore, Member, OpenSession

LAST_ADMINISTRATOR = "this is the last administrator who may log in; make another one first"


class Members(msgspec.Struct, frozen=True):
    """Everybody who was ever let in, by name. disabled_at: since when somebody may not log in any more."""

    users: tuple[Member, ...]


class Sessions(msgspec.Struct, frozen=True):
    """A person's logins that are still good, the latest first; `this` is the one that asks."""

    sessions: tuple[OpenSession, ...]


async def members(gateway: Gateway) -> Members:
    async with reading(gateway.parts.pool) as connection:
        return Members(tuple(await GatewayStore(connection).members()))


async def sessions(gateway: Gateway, person: Person) -> Sessions:
    async with reading(gateway.parts.pool) as connection:
        return Sessions(tuple(await GatewayStore(connection).sessions_of(person.user_id, person.session_hash, gateway.parts.clock.now())))


async def add_member(gateway: Gateway, person: Person, visit: Visit, name: str, role: str, password: str) -> Member:
    """Raises 409 for a name that is taken, also by somebody who may not log in any more."""
    hashed = await gateway.people.hashed(password)
    made = Member(UserId(fresh_id()), name, role, gateway.parts.clock.now(), None)

    async def add(store: GatewayStore, now: datetime) -> bool:
        return await store.add_user(made.user_id, name, hashed, role, now)

    if not await _done(gateway, person, visit, add, "user.created", name, after={"role": role}):
        raise ProblemError(409, "NAME_TAKEN", f"there is a user {name} already")
    return made


async def change_role(gateway: Gateway, person: Person, visit: Visit, user_id: UUID, role: str, reason: str) -> Member:
    """Raises 404 for nobody, and 409 when no administrator would be left."""
    one = await _member(gateway, user_id)

    async def change(store: GatewayStore, _: datetime) -> bool:
        return await store.set_role(one.user_id, role)

    after = {"role": role, "reason": reason}
    if not await _done(gateway, person, visit, change, "user.role", one.name, before={"role": one.role}, after=after):
        raise ProblemError(409, "LAST_ADMINISTRATOR", LAST_ADMINISTRATOR)
    return msgspec.structs.replace(one, role=role)


async def set_access(gateway: Gateway, person: Person, visit: Visit, user_id: UUID, reason: str, *, allowed: bool) -> Member:
    """Let somebody log in, or no more: then every session of theirs ends. Raises 404 for nobody, and 409 for the last administrator."""
    one = await _member(gateway, user_id)
    at = None if allowed else gateway.parts.clock.now()

    async def change(store: GatewayStore, _: datetime) -> bool:
        return await store.set_disabled(one.user_id, at)

    action = "user.enabled" if allowed else "user.disabled"
    if not await _done(gateway, person, visit, change, action, one.name, after={"reason": reason}):
        raise ProblemError(409, "LAST_ADMINISTRATOR", LAST_ADMINISTRATOR)
    return msgspec.structs.replace(one, disabled_at=at)


async def change_password(gateway: Gateway, person: Person, visit: Visit, old: str, new: str) -> None:
    """A new password ends every other session of the person. Raises 403 for a wrong old one, 429 after too many of them."""
    wrong = await gateway.people.confirmed(person, old, visit)
    if wrong is not None:
        headers = {"Retry-After": str(wrong.wait_s)} if wrong.wait_s else {}
        raise ProblemError(429 if wrong.wait_s else 403, "PASSWORD_WRONG", wrong.detail, headers=headers)
    hashed = await gateway.people.hashed(new)

    async def change(store: GatewayStore, now: datetime) -> bool:
        await store.set_password(person.user_id, hashed)
        await store.revoke_others(person.user_id, person.session_hash, now)
        return True

    await _done(gateway, person, visit, change, "user.password", person.name)


async def end_other_sessions(gateway: Gateway, person: Person, visit: Visit) -> None:
    async def change(store: GatewayStore, now: datetime) -> bool:
        await store.revoke_others(person.user_id, person.session_hash, now)
        return True

    await _done(gateway, person, visit, change, "sessions.ended", person.name)


async def _member(gateway: Gateway, user_id: UUID) -> Member:
    found = next((one for one in (await members(gateway)).users if one.user_id == user_id), None)
    if found is None:
        raise not_found(f"there is no user {user_id}")
    return found


async def _done(
    gateway: Gateway,
    person: Person,
    visit: Visit,
    change: Callable[[GatewayStore, datetime], Awaitable[bool]],
    action: str,
    about: str,
    *,
    before: object | None = None,
    after: object | None = None,
) -> bool:
    """Change something and write it down, in one transaction; what was not changed is not written down."""
    now = gateway.parts.clock.now()

    async def both(page: Page) -> bool:
        store = GatewayStore(page.connection)
        if not await change(store, now):
            return False
        await store.add_audit(actor_of(person, visit).wrote(now, action, about, before=before, after=after))
        return True

    return await gateway.parts.desk.do(both, origin(action, visit.request_id, occurred_at=now))
