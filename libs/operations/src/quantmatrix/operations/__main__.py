"""The qm program. A command is imported when it is given: looking at a status needs no backtests."""

import importlib
import sys
from dataclasses import dataclass

import typer

from quantmatrix.operations.output import Exit, tell_wrong

HELP = "QuantMatrix: a trading platform of your own. Exit codes: 0 ok, 1 error, 2 not found, 3 not running, 4 configuration, 5 timeout."


@dataclass(frozen=True, slots=True)
class Command:
    """A command, the module of `commands` in which it lives, and its function there; a module's `app` is a group of commands."""

    name: str
    module: str
    function: str = "app"
    hidden: bool = False


COMMANDS = (
    Command("up", "running", "up"),
    Command("down", "running", "down"),
    Command("status", "standing", "status"),
    Command("demo", "replaying", "demo"),
    Command("trace", "looking", "trace_command"),
    Command("check", "looking", "check_command"),
    Command("logs", "looking", "logs"),
    Command("parked", "parked"),
    Command("run", "runs", "start_command"),
    Command("runs", "runs"),
    Command("scan", "scanning", "scan_command"),
    Command("watchlist", "scanning", "watchlist_command"),
    Command("day", "days", "day_command"),
    Command("morning", "briefing", "morning_command"),
    Command("holdings", "briefing", "holdings_command"),
    Command("advise", "scanning", "advise_command"),
    Command("atr", "moving", "atr_command"),
    Command("lots", "lots"),
    Command("assigned", "assigning", "assigned_command"),
    Command("report", "reports", "report_command"),
    Command("backtest", "backtesting"),
    Command("worker", "worker", "worker_command"),
    Command("doctor", "doctor", "doctor"),
    Command("import", "importing", "import_command"),
    Command("migrate", "outside", "migrate_command"),
    Command("migrate-legacy", "legacy", "migrate_legacy"),
    Command("provision", "outside", "provision_command"),
    Command("bootstrap", "outside", "bootstrap"),
    Command("docs", "outside", "docs", hidden=True),
)


def program(given: str = "") -> typer.Typer:
    """The program with the command that was given; with all of them when there is none of that name, so that help lists them."""
    app = typer.Typer(name="qm", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_nothing_before_a_command)
    for command in [one for one in COMMANDS if one.name == given] or COMMANDS:
        found = getattr(importlib.import_module(f"quantmatrix.operations.commands.{command.module}"), command.function)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command.name)
        else:
            app.command(command.name, hidden=command.hidden)(found)
    return app


def _nothing_before_a_command() -> None:
    return


def main() -> None:
    """Wrong options end with code 4: they are configuration."""
    try:
        sys.exit(program(sys.argv[1] if len(sys.argv) > 1 else "")(standalone_mode=False) or 0)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except typer.Abort:
        sys.exit(1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            if not (wrong := error.format_message()):  # nothing was given: its help was shown
                sys.exit(0)
            tell_wrong(Exit.CONFIGURATION, wrong, as_json="--json" in sys.argv)
            sys.exit(Exit.CONFIGURATION)
        raise


if __name__ == "__main__":
    main()
