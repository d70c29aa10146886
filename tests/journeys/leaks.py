"""Looking for secrets in all that an installation has written, said and shown, however they are spelled."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg
import httpx

HOLD_THEM = ("secrets.json", "state.json")
"""The files that are there for it: the second for whoever asks over the bus, as long as it runs."""
PAGES = (
    "/", "/accounts", "/backtests", "/days", "/me", "/notifications", "/orders", "/performance", "/positions", "/scans", "/signals",
    "/strategies", "/ticket", "/users", "/system", "/about", "/api/v1/admin/users", "/api/v1/auth/sessions",
    "/api/v1/ops/audit",
)  # fmt: skip
TABLES = """select format('%I.%I', schemaname, tablename) from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 1"""


def secrets_of(home: Path) -> dict[str, str]:
    """Every password of an installation, by what it opens."""
    kept = json.loads((home / "secrets.json").read_text(encoding="utf-8"))
    of_servers = {f"{server} {user}": word for server in ("nats", "database") for user, word in kept[server].items()}
    return of_servers | {"superuser": kept["superuser"], "administrator": kept["administrator"]}


def spellings(secret: str) -> set[bytes]:
    """As it is, in an address, in hexadecimal digits as the database shows bytes, and in base64 wherever it stands in what was encoded."""
    plain = secret.encode()
    inside = {_base64_core(plain, before) for before in range(3)}
    return {plain, quote(secret, safe="").encode(), plain.hex().encode(), *inside, *(one.translate(_URL_SAFE) for one in inside)}


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64_core(plain: bytes, before: int) -> bytes:
    """The characters that do not depend on what stands before and behind; before: the bytes in front of it, modulo three."""
    encoded = base64.b64encode(bytes(before) + plain)
    return encoded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]


def found_in(secrets: dict[str, str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Which secret stands where."""
    spelled = {name: spellings(secret) for name, secret in secrets.items()}
    return [f"{name} in {place}" for place, text in places for name, ways in spelled.items() if any(way in text for way in ways)]


def files_of(home: Path, *others: Path) -> Iterator[tuple[str, bytes]]:
    """Every file but those of the database, whose rows are looked at, and those that are there to hold secrets: logs, and all of the bus."""
    for folder in (home, *others):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in HOLD_THEM and home / "postgres" not in path.parents:
                yield str(path), path.read_bytes()


def modes_of(home: Path) -> set[int]:
    """Who may read the files that hold secrets, as the bits of their modes."""
    return {(home / name).stat().st_mode & 0o777 for name in HOLD_THEM}


def command_lines(pids: Mapping[str, int]) -> dict[str, bytes]:
    """What every user of the machine sees of the processes."""
    return {name: Path(f"/proc/{pid}/cmdline").read_bytes() for name, pid in pids.items()}


async def rows_of(address: str) -> list[tuple[str, bytes]]:
    """All rows of every table, as text."""
    connection = await asyncpg.connect(address, timeout=60)
    try:
        tables = [row[0] for row in await connection.fetch(TABLES)]
        return [(one, b"\n".join([row[0].encode() for row in await connection.fetch(f"select t::text from {one} t")])) for one in tables]
    finally:
        await connection.close()


def pages_of(console: str, password: str, health_ports: Mapping[str, int]) -> tuple[str, list[tuple[str, bytes]]]:
    """Log in as the administrator and look around; returns the session's cookie, and what was shown, headers included."""
    with httpx.Client(base_url=console, timeout=60, follow_redirects=True) as client:
        client.post("/login", data={"name": "admin", "password": password})
        shown = [(path, _whole(client.get(path))) for path in PAGES]
        cookie = next(iter(client.cookies.values()))
    told = [f"http://127.0.0.1:{port}/{path}" for port in health_ports.values() for path in ("metrics", "readyz")]
    return cookie, shown + [(one, _whole(httpx.get(one, timeout=60))) for one in told]


def _whole(answer: httpx.Response) -> bytes:
    answer.raise_for_status()
    return repr(answer.headers).encode() + answer.content
