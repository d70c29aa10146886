"""The qm program."""

import sys

import typer

from quantmatrix.operations.commands import (
    backtesting,
    doctor,
    importing,
    legacy,
    looking,
    lots,
    outside,
    parked,
    replaying,
    reports,
    running,
    runs,
    scanning,
    worker,
)

app = typer.Typer(
    name="qm",
    help="QuantMatrix: a trading platform of your own. Exit codes: 0 ok, 1 error, 2 not found, 3 not running, 4 configuration, 5 timeout.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(running.up)
app.command()(running.down)
app.command()(running.status)
app.command()(replaying.demo)
app.command("trace")(looking.trace_command)
app.command("check")(looking.check_command)
app.command()(looking.logs)
app.add_typer(parked.app, name="parked")
app.command("run")(runs.start_command)
app.add_typer(runs.app, name="runs")
app.command("scan")(scanning.scan_command)
app.command("advise")(scanning.advise_command)
app.add_typer(lots.app, name="lots")
app.command("report")(reports.report_command)
app.add_typer(backtesting.app, name="backtest")
app.command("worker")(worker.worker_command)
app.command("doctor")(doctor.doctor)
app.command("import")(importing.import_command)
app.command("migrate")(outside.migrate_command)
app.command("migrate-legacy")(legacy.migrate_legacy)
app.command("provision")(outside.provision_command)
app.command()(outside.bootstrap)
app.command(hidden=True)(outside.docs)


def main() -> None:
    """Wrong options end with code 4: they are configuration."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except typer.Abort:
        sys.exit(1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            print(f"qm: {error.format_message()}", file=sys.stderr)  # noqa: T201
            sys.exit(4)
        raise


if __name__ == "__main__":
    main()
