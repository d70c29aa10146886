"""What every command does: find the data folder, run its work, and end with one sentence when it cannot."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
import typer

from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.settings import SettingsError
from quantmatrix.operations.client import NotRunningError, StalledError, asking, asking_at
from quantmatrix.operations.output import Exit, fail
from quantmatrix.operations.places import Places, SetUpError
from quantmatrix.operations.settings import OperationsSettings

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


def read_settings(*, as_json: bool = False) -> OperationsSettings:
    try:
        return OperationsSettings.read()
    except SettingsError as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)


def places(*, as_json: bool = False) -> Places:
    """The data folder: QM_HOME, or .qm where the command was given."""
    return Places(Path(read_settings(as_json=as_json).home))


@asynccontextmanager
async def asking_services(where: Places, *, as_json: bool) -> AsyncIterator[Ask]:
    """Ask what runs on the data folder, or on outside servers where the operator's password is set."""
    settings = read_settings(as_json=as_json)
    password = settings.nats_operator_password.get_secret_value()
    async with asking(settings.nats_url, password) if password else asking_at(where) as ask:
        yield ask


def _exit_of(code: str) -> Exit:
    """How a command ends on a refusal: not found, wrong input, or anything else."""
    if code.endswith(("NOT_FOUND", "UNKNOWN")):
        return Exit.NOT_FOUND
    return Exit.CONFIGURATION if code.endswith("INVALID") else Exit.ERROR


def run(work: Coroutine[Any, Any, T], *, as_json: bool = False) -> T:
    """Run to the end; what can go wrong in a known way becomes a sentence and an exit code.

    Standard output is for results: records of what went wrong on the way go to the other one.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    try:
        return asyncio.run(work)
    except (SetUpError, SettingsError) as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    except NotRunningError as error:
        fail(Exit.NOT_RUNNING, str(error), as_json=as_json)
    except (StalledError, TimeoutError, ServiceSilent) as error:
        fail(Exit.TIMEOUT, str(error) or "it took too long", as_json=as_json)
    except Refused as error:
        fail(_exit_of(error.code), error.detail, as_json=as_json)
