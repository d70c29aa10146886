"""How commands speak: tables for people, one JSON object with --json, one sentence and an exit code when it fails."""

import json
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

out = Console()
err = Console(stderr=True)


YES, NO = Text("✓"), Text("✗", style="bold red")


class Exit(IntEnum):
    """What a command's end means; the same for every command."""

    OK = 0
    ERROR = 1
    NOT_FOUND = 2
    NOT_RUNNING = 3
    CONFIGURATION = 4
    TIMEOUT = 5


def fail(code: Exit, sentence: str, *, as_json: bool = False) -> NoReturn:
    """End with one sentence about what is wrong and what to do."""
    tell_wrong(code, sentence, as_json=as_json)
    raise typer.Exit(code)


def tell_wrong(code: Exit, sentence: str, *, as_json: bool) -> None:
    """Say what is wrong: as JSON where that is asked for, and then nothing else."""
    if as_json:
        print(json.dumps({"error": sentence, "code": code.name.lower()}))  # noqa: T201
    else:
        err.print(f"[bold red]qm:[/] {escape(sentence)}", highlight=False)


def tell_json(value: object) -> None:
    """One JSON object on standard output."""
    print(json.dumps(value, indent=2, default=str), flush=True)  # noqa: T201


def tell_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table; columns named in `right` are aligned to the right."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else Text("" if value is None else str(value)) for value in row))
    out.print(table)
