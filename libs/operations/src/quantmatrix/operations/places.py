"""Where the embedded installation keeps things: one data folder, and a short-named runtime folder for sockets."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from quantmatrix.common.runtime.permissions import TAKERS, USERS
from quantmatrix.common.runtime.streams import SERVICES

FORMAT = 1
SOCKET_PATH_MAX = 90
FREE_BYTES_MIN = 200 << 20
FREE_BYTES_LOW = 32 << 20
PROBE = ".probe-"
DATABASE_ROLES = (*SERVICES, "paper")


class SetUpError(RuntimeError):
    """The installation cannot start here; the sentence says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Passwords made once per data folder: of the NATS users, the database roles, its superuser, the first administrator."""

    nats: dict[str, str]
    database: dict[str, str]
    superuser: str
    administrator: str


class Places:
    """The data folder. Opening it takes a lock, checks that it is ours, and makes what is missing."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.postgres = self.home / "postgres"
        self.nats = self.home / "nats"
        self.logs = self.home / "logs"
        self.state_file = self.home / "state.json"
        self._marker = self.home / "format.json"
        self._lock: IO[str] | None = None

    @property
    def runtime(self) -> Path:
        """A folder with a short name: a socket's path has about 100 bytes."""
        name = hashlib.sha256(str(self.home).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"qm-{os.getuid()}-{name}"

    def open(self) -> Secrets:
        """Take the folder for this process. Raises SetUpError when it cannot be used; nothing is then changed."""
        self._make_home()
        self._refuse_strangers()
        self._take_lock()
        self._check_format()
        self._check_space()
        for folder in (self.nats, self.logs):
            folder.mkdir(exist_ok=True)
        self._make_runtime()
        return self._secrets()

    def close(self) -> None:
        """Give the folder back, and remove what only lives while we run. Of a folder that another process holds nothing is touched."""
        if self._lock is not None:
            self.state_file.unlink(missing_ok=True)
            shutil.rmtree(self.runtime, ignore_errors=True)
            self._lock.close()
            self._lock = None

    def is_running(self) -> bool:
        """Whether a supervisor holds this folder."""
        try:
            with (self.home / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def write_state(self, state: dict[str, object]) -> None:
        """Publish addresses and process ids for the other commands; written whole or not at all."""
        draft = self.state_file.with_suffix(".new")
        draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(self.state_file)

    def read_state(self) -> dict[str, object]:
        """What the running supervisor published, empty when there is none."""
        try:
            found: dict[str, object] = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found

    def secrets(self) -> Secrets:
        """The passwords of the installation that runs here."""
        return self._secrets()

    def _make_home(self) -> None:
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.home / f"{PROBE}{os.getpid()}"
            probe.touch()
            probe.unlink()
        except PermissionError as error:
            raise SetUpError(
                f"the data folder {self.home} cannot be written; give it to this user, or name another one with QM_HOME"
            ) from error
        except OSError as error:
            raise SetUpError(f"the data folder {self.home} cannot be used: {error.strerror}; name another one with QM_HOME") from error

    def _take_lock(self) -> None:
        lock = (self.home / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise SetUpError(
                f"QuantMatrix is already running on {self.home}; stop it with 'qm down', or name another folder with QM_HOME"
            ) from None
        self._lock = lock

    def _refuse_strangers(self) -> None:
        """Raises SetUpError for a folder that is somebody else's; nothing of it is touched, and no lock left in it."""
        strangers = sorted(
            path.name
            for path in self.home.iterdir()
            if path.name not in {"lock", "format.new", "postgres", "nats", "logs", "state.json", "secrets.json"}
            and not path.name.startswith(PROBE)
        )
        if not self._marker.exists() and (strangers or self.postgres.exists()):
            raise SetUpError(
                f"{self.home} holds something that is not QuantMatrix's ({', '.join(strangers[:3]) or 'postgres'}); nothing was touched; "
                "name an empty folder with QM_HOME"
            )

    def _check_format(self) -> None:
        marker = self._marker
        if not marker.exists():
            draft = marker.with_suffix(".new")
            draft.write_text(json.dumps({"program": "quantmatrix", "format": FORMAT}), encoding="utf-8")
            draft.replace(marker)
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
            version = int(found["format"]) if found["program"] == "quantmatrix" else -1
        except (KeyError, ValueError, TypeError) as error:
            raise SetUpError(f"{marker} is not readable as QuantMatrix's; nothing was touched; name another folder with QM_HOME") from error
        if version != FORMAT:
            raise SetUpError(
                f"the data folder {self.home} has format {version}, this program knows {FORMAT}; use the program that wrote it"
            )

    def free_bytes(self) -> int:
        """What this user may still write where the data folder lies."""
        stats = os.statvfs(self.home)
        return stats.f_bavail * stats.f_frsize

    def _check_space(self) -> None:
        free = self.free_bytes()
        if free < FREE_BYTES_MIN:
            raise SetUpError(
                f"only {free >> 20} MiB are free where {self.home} lies; {FREE_BYTES_MIN >> 20} MiB are needed to start safely"
            )

    def _make_runtime(self) -> None:
        runtime = self.runtime
        if len(str(runtime)) > SOCKET_PATH_MAX:
            raise SetUpError(f"{runtime} is too long for a socket's path; set TMPDIR to a shorter folder")
        try:
            runtime.mkdir(mode=0o700, exist_ok=True)
            stats = runtime.lstat()
        except OSError as error:
            raise SetUpError(f"the runtime folder {runtime} cannot be made: {error.strerror}; set TMPDIR to a folder of yours") from error
        if stats.st_uid != os.getuid() or not runtime.is_dir() or runtime.is_symlink():
            raise SetUpError(f"the runtime folder {runtime} belongs to somebody else; set TMPDIR to a folder of yours")
        runtime.chmod(0o700)

    def _secrets(self) -> Secrets:
        path = self.home / "secrets.json"
        if not path.exists():
            made = {
                "nats": {user: _password() for user in USERS},
                "database": {role: _password() for role in DATABASE_ROLES},
                "superuser": _password(),
                "administrator": secrets.token_urlsafe(12),
            }
            _keep(path, made)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["nats"] and (new := [user for user in TAKERS if user not in found["nats"]]):
                found["nats"] |= {user: _password() for user in new}
                _keep(path, found)
            return Secrets(
                nats={user: found["nats"][user] for user in USERS},
                database={role: found["database"][role] for role in DATABASE_ROLES},
                superuser=found["superuser"],
                administrator=found["administrator"],
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SetUpError(f"{path} is damaged; restore it from a backup, or start with an empty folder (QM_HOME)") from error


def _keep(path: Path, made: Mapping[str, object]) -> None:
    """Write the passwords, readable by us alone; a crash leaves the file as it was or whole."""
    descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file)
    path.with_suffix(".new").replace(path)


def _password() -> str:
    """160 random bits, spelled so that a server's configuration file cannot take it for anything but a word."""
    return "p" + secrets.token_hex(20)
