"""Migrates schemas in a process of its own: `{"service": "url", …}` on standard input. Exit 0 done, 4 too new."""

import asyncio
import json
import sys

from quantmatrix.common.runtime.migrations import SchemaTooNewError, migrate

EXIT_CONFIGURATION = 4


async def migrate_all(urls: dict[str, str]) -> list[str]:
    """Bring every schema up to date; returns the services whose schema was changed."""
    return [service for service, url in urls.items() if await migrate(service, url)]


def main() -> None:
    try:
        done = asyncio.run(migrate_all(json.load(sys.stdin)))
    except SchemaTooNewError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_CONFIGURATION)
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
