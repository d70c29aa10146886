"""People and their logins: passwords, sessions, the audit trail."""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import reading
from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts
from quantmatrix.gateway.settings import GatewaySettings
from quantmatrix.gateway.store import AuditRow, GatewayStore, User

HASHING_AT_ONCE = 2
PASSWORD_LENGTH_MAX = 512
AGENT_LENGTH_MAX = 200
LOGIN_FAILED = "login.failed"
MACHINE = "this machine"


@dataclass(frozen=True, slots=True)
class Person:
    """Who makes a request: the user, and the session the request came with."""

    user_id: UserId
    name: str
    role: str
    csrf: str
    session_hash: bytes

    def holds(self, token: str) -> bool:
        """Whether a request carries this session's CSRF token."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request comes from."""

    request_id: UUID
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, where from, and by which request; address: of the network, or what stands for it."""

    user_id: UserId
    name: str
    address: str
    request_id: UUID

    def wrote(self, at: datetime, action: str, about: str, *, before: object | None = None, after: object | None = None) -> AuditRow:
        """The row of the audit trail that tells of it."""
        return AuditRow(at, self.user_id, self.name, action, about, self.address, self.request_id, before, after)


def actor_of(person: Person, visit: Visit) -> Actor:
    """A person who is logged in."""
    return Actor(person.user_id, person.name, visit.address, visit.request_id)


def operator(request_id: UUID) -> Actor:
    """Whoever sits at this machine, for nobody else."""
    return Actor(FIRST_ADMINISTRATOR, "operator", MACHINE, request_id)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A login that worked: what goes into the cookie, and until when."""

    cookie: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A login that did not work, with its sentence. wait_s: seconds until trying again makes sense, 0 for now."""

    detail: str
    wait_s: int = 0


class Passwords:
    """Argon2id in threads, a few at a time: each takes its memory, and of 64 MiB a fifth of a second."""

    def __init__(self, memory_mib: int) -> None:
        self._hash = PasswordHash((Argon2Hasher(memory_cost=memory_mib * 1_024),))
        self.turn = asyncio.Semaphore(HASHING_AT_ONCE)
        self._nobody: str | None = None

    async def hashed(self, password: str) -> str:
        return await asyncio.to_thread(self._hash.hash, password)

    async def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is right. An unknown user costs the same time as a wrong password."""
        if password_hash is None:
            self._nobody = self._nobody or await self.hashed(secrets.token_urlsafe(16))
            await asyncio.to_thread(self._hash.verify, password, self._nobody)
            return False
        return await asyncio.to_thread(self._hash.verify, password, password_hash)


class People:
    """The gateway's door."""

    def __init__(self, parts: Parts, settings: GatewaySettings) -> None:
        self._parts = parts
        self._settings = settings
        self._passwords = Passwords(settings.password_memory_mib)

    async def make_first_administrator(self) -> None:
        """On the first start. Raises ConfigurationError when there is neither a user nor a password for one."""
        async with reading(self._parts.pool) as connection:
            if await GatewayStore(connection).any_user():
                return
        password = self._settings.admin_password.get_secret_value()
        if not password:
            raise ConfigurationError(
                "there is no user yet; set QM_GATEWAY_ADMIN_PASSWORD (or QM_GATEWAY_ADMIN_PASSWORD_FILE) to the first administrator's password"
            )
        hashed, now = await self._passwords.hashed(password), self._parts.clock.now()
        name = self._settings.admin_name

        async def make(page: Page) -> None:
            store = GatewayStore(page.connection)
            if await store.add_user(FIRST_ADMINISTRATOR, name, hashed, "admin", now):
                made = AuditRow(now, None, "first start", "user.created", name, "", fresh_id(), after={"role": "admin"})
                await store.add_audit(made)

        await self._parts.write(make, origin("user", FIRST_ADMINISTRATOR, occurred_at=now))

    async def log_in(self, name: str, password: str, visit: Visit) -> Admitted | TurnedAway:
        """Check a password and open a session. Wrong ones are counted per account and per address."""
        found = await self._checked(name.strip().lower()[:80], password, visit)
        if isinstance(found, TurnedAway):
            return found
        return await self._open_session(found.user_id, found.name, visit, self._parts.clock.now())

    async def confirmed(self, person: Person, password: str, visit: Visit) -> TurnedAway | None:
        """Check the password of somebody who is logged in, before an act that loosens a limit; wrong ones count like those at the door."""
        found = await self._checked(person.name, password, visit)
        return found if isinstance(found, TurnedAway) else None

    async def hashed(self, password: str) -> str:
        """What is stored of a password."""
        async with self._passwords.turn:
            return await self._passwords.hashed(password)

    async def _checked(self, name: str, password: str, visit: Visit) -> User | TurnedAway:
        async with self._passwords.turn:
            now = self._parts.clock.now()
            pause = timedelta(minutes=self._settings.login_pause_minutes)
            since = now - pause
            async with reading(self._parts.pool) as connection:
                store = GatewayStore(connection)
                user = await store.user_by_name(name)
                failures, oldest = await store.failures(LOGIN_FAILED, name, visit.address, since, now + pause)
            if failures >= self._settings.login_failures_max:
                return _later(max(1, int(((oldest or now) - since).total_seconds()) + 1))
            usable = user is not None and len(password) <= PASSWORD_LENGTH_MAX
            right = await self._passwords.fits(password[:PASSWORD_LENGTH_MAX], user.password_hash if user and usable else None)
            if user is None or not right:
                await self._note(AuditRow(now, None, name, LOGIN_FAILED, name, visit.address, visit.request_id))
                return TurnedAway("The name or the password is wrong.")
        return user

    async def _open_session(self, user_id: UserId, name: str, visit: Visit, now: datetime) -> Admitted:
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        expires = now + timedelta(hours=self._settings.session_hours)

        async def open_it(page: Page) -> None:
            store = GatewayStore(page.connection)
            await store.add_session(hash_of(cookie), user_id, csrf, now, expires, visit.address, visit.agent[:AGENT_LENGTH_MAX])
            await store.add_audit(Actor(user_id, name, visit.address, visit.request_id).wrote(now, "login", name))

        await self._parts.desk.do(open_it, origin("login", visit.request_id, occurred_at=now))
        return Admitted(cookie, expires)

    async def person_of(self, cookie: str | None) -> Person | None:
        """Whose cookie this is; None for an unknown, expired or revoked session, or a user who may not log in."""
        if not cookie or len(cookie) > 100:
            return None
        async with self._parts.pool.acquire(timeout=5) as connection:
            found = await GatewayStore(connection).session(hash_of(cookie), self._parts.clock.now())
        return Person(found.user_id, found.name, found.role, found.csrf, hash_of(cookie)) if found else None

    async def log_out(self, person: Person, visit: Visit) -> None:
        now = self._parts.clock.now()

        async def close(page: Page) -> None:
            store = GatewayStore(page.connection)
            await store.revoke_session(person.session_hash, now)
            await store.add_audit(actor_of(person, visit).wrote(now, "logout", person.name))

        await self._parts.desk.do(close, origin("logout", visit.request_id, occurred_at=now))

    async def _note(self, row: AuditRow) -> None:
        async def add(page: Page) -> None:
            await GatewayStore(page.connection).add_audit(row)

        await self._parts.desk.do(add, origin("audit", row.request_id, occurred_at=row.at))

    async def note(
        self, person: Person, visit: Visit, action: str, about: str, *, before: object | None = None, after: object | None = None
    ) -> None:
        """Write down what a person is about to do through another service, before it is asked."""
        now = self._parts.clock.now()
        await self._note(actor_of(person, visit).wrote(now, action, about, before=before, after=after))


def _later(wait_s: int) -> TurnedAway:
    minutes = -(-wait_s // 60)
    return TurnedAway(
        f"Too many wrong passwords. Try again in {minutes} minute{'s' if minutes > 1 else ''}; nothing is locked for good.", wait_s
    )


def hash_of(cookie: str) -> bytes:
    """What is stored of a cookie: 256 random bits need no salt."""
    return hashlib.sha256(cookie.encode()).digest()
