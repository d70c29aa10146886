"""qm called inside a test: the same program with its output and exit code, without a process that imports everything once more."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from quantmatrix.operations import output
from quantmatrix.operations.__main__ import main


@dataclass(frozen=True, slots=True)
class Called:
    """What a command wrote, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def called(folder: Path, *words: str, logs_stay: bool = False, width: int = 80, **settings: str) -> Called:
    """One command, given in this folder, with these variables, by nobody who could answer a question.

    logs_stay: whether services run in this process, whose logs the command leaves alone. width: of the terminal, in characters; what
    this process began with does not count.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as here, _logs_as_before(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if logs_stay:
            here.setattr(structlog, "configure", lambda **_: None)
        else:
            structlog.reset_defaults()
        for console in (output.out, output.err):
            here.setattr(console, "_width", width)
        here.chdir(folder)
        here.setattr("sys.argv", ["qm", *words])
        here.setattr("sys.stdin", io.StringIO())
        for name, value in ({"HOME": str(folder)} | settings).items():
            here.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            return Called(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("qm ends with an exit code")


@contextlib.contextmanager
def _logs_as_before() -> Iterator[None]:
    """What a command says of logs is said of this process: it holds for the command and no longer."""
    configure, were, was_configured = structlog.configure, structlog.get_config(), structlog.is_configured()
    try:
        yield
    finally:
        configure(**were) if was_configured else structlog.reset_defaults()
