"""qm assigned: tell of contracts that were assigned before their end, as a broker's letter says it."""

from datetime import datetime
from typing import Annotated

import typer

from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked, AssignmentTaken
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.common.values import Quantity
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import out, tell_json
from quantmatrix.operations.places import Places

DEADLINE_S = 30.0


def assigned_command(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As the console and 'qm check' show it.")],
    option: Annotated[str, typer.Argument(metavar="OPTION", help="Its OCC symbol, with or without the blanks: AAPL240621P00195000.")],
    contracts: Annotated[int, typer.Argument(metavar="CONTRACTS", min=1, max=1_000_000, help="How many of those that were sold.")],
    session: Annotated[datetime, typer.Option("--session", formats=["%Y-%m-%d"], help="After whose close they were assigned.")],
    as_json: AsJson = False,
) -> None:
    """Book options that were assigned early, as a broker's letter tells it; refused whole when it cannot be. Told again it books nothing more."""
    asked = AssignmentBookingAsked(
        command_id=derived_id("assignment", account, option.replace(" ", "").upper(), contracts, session.date()),
        account_id=AccountId(account),
        option=option,
        contracts=Quantity(contracts),
        session=session.date(),
    )
    taken = run(_asked(places(as_json=as_json), asked, as_json=as_json), as_json=as_json)
    if as_json:
        tell_json({"end_id": str(taken.end_id), "booked": taken.booked})
    else:
        out.print(f"{'booked' if taken.booked else 'was booked before'} as {taken.end_id}", highlight=False)


async def _asked(where: Places, asked: AssignmentBookingAsked, *, as_json: bool) -> AssignmentTaken:
    """Through the gateway, which writes it into the audit trail."""
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("gateway", asked, deadline_s=DEADLINE_S)
