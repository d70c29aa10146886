"""The commands that `qm` has, for documents and deployments that name them."""

import importlib

import typer.main


def commands_of_qm() -> frozenset[str]:
    """Every command, `parked list` and its like included."""
    program = importlib.import_module("quantmatrix.operations.__main__")
    found = set()
    for name, command in typer.main.get_command(program.program()).commands.items():  # type: ignore[attr-defined]  # a group has them
        found.add(name)
        found |= {f"{name} {below}" for below in getattr(command, "commands", {})}
    return frozenset(found)
