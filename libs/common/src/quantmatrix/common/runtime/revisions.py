"""Which revision a service's schema has, and which one this program brings; cheap enough to ask at every start."""

import importlib.util
from pathlib import Path

import asyncpg

from quantmatrix.common.runtime.errors import TRANSIENT, TryLater


def migrations_folder(service: str) -> Path:
    """The service's migrations: inside the package in a wheel, beside `src` in a checkout."""
    spec = importlib.util.find_spec(f"quantmatrix.{service}.app")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"quantmatrix.{service} is not installed")
    package = Path(spec.origin).parent
    packed = package / "migrations"
    return packed if packed.is_dir() else package.parents[2] / "migrations"


def known_revisions(service: str) -> list[str]:
    """Every revision of this program, oldest first. A file is named `<revision>_<what it does>.py`."""
    found = sorted(path.name.partition("_")[0] for path in (migrations_folder(service) / "versions").glob("*_*.py"))
    if not found:
        raise RuntimeError(f"{service} has no migrations")
    return found


async def current_revision(url: str) -> str | None:
    """The revision of the schema that this role owns, None when nothing has been migrated yet. Raises TryLater."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except TRANSIENT as error:
        raise TryLater(str(error)) from error
    try:
        if await connection.fetchval("select to_regclass('alembic_version')") is None:
            return None
        found: str | None = await connection.fetchval("select version_num from alembic_version")
        return found
    finally:
        await connection.close()
