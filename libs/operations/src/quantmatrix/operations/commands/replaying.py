"""qm demo: a fresh replay from start to end, disturbed on request."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quantmatrix.common.contracts.asking.market import ReplayStatus
from quantmatrix.operations.chaos import Killer
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.demo import Options, Result, run_demo
from quantmatrix.operations.output import Exit, err, fail, tell_json, tell_table
from quantmatrix.operations.places import Places


def demo(
    symbols: Annotated[str, typer.Option(help="Symbols, separated by commas; all of the feed when left out.")] = "",
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First session (YYYY-MM-DD).")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last session (YYYY-MM-DD).")] = "",
    kill_every: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Kill a service or a server at work, this often.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the kills.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Keep the data in this new folder; QM_HOME=FOLDER qm up opens it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay real daily bars through all services, as fast as it goes, and print what the ledger came to."""
    if keep is not None and keep.exists() and any(keep.iterdir()):
        fail(Exit.CONFIGURATION, f"{keep} is not empty; a demo starts from nothing, so name a new folder", as_json=as_json)
    home = keep or Path(tempfile.mkdtemp(prefix="qm-demo-"))
    killer = Killer(kill_every, seed) if kill_every else None
    try:
        result = run(_replay(Places(home), Options(symbols, first, last), killer), as_json=as_json)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if as_json:
        tell_json(result.as_json())
    else:
        tell_table(
            "The ledger of the replay", ("", "value"), [(name, value) for name, value in result.as_json().items() if name != "digest_parts"]
        )
    if not result.sound:
        raise typer.Exit(Exit.ERROR)


async def _replay(places: Places, options: Options, killer: Killer | None) -> Result:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} sessions"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, transient=True) as progress:
        task = progress.add_task("starting", total=1)

        def show(status: ReplayStatus) -> None:
            progress.update(
                task, description=str(status.session or "starting"), completed=status.sessions_done, total=status.sessions_total
            )

        return await run_demo(places, options, on_status=show, disturb=killer)
