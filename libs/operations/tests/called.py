"""qm called inside a test: the same program with its output and exit code, without a process that imports everything once more."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantmatrix.operations.__main__ import main


@dataclass(frozen=True, slots=True)
class Called:
    """What a command wrote, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def called(folder: Path, *words: str, **settings: str) -> Called:
    """One command, given in this folder, with these variables, by nobody who could answer a question."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as here, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
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
