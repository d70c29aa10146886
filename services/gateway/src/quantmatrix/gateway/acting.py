"""A person's command to a service: the command and its row in the audit trail leave in one transaction, or neither does."""

from quantmatrix.common.contracts.commands import CancelOrder, ResolveBreak, SetTradingState
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.people import Person, Visit, actor_of
from quantmatrix.gateway.store import GatewayStore

Command = CancelOrder | SetTradingState | ResolveBreak


async def act(
    gateway: Gateway,
    person: Person,
    visit: Visit,
    command: Command,
    action: str,
    about: str,
    *,
    before: object | None = None,
    after: object | None = None,
) -> None:
    """Write down what a person does, and send it."""
    now = gateway.parts.clock.now()
    row = actor_of(person, visit).wrote(now, action, about, before=before, after=after)

    async def send(page: Page) -> None:
        await GatewayStore(page.connection).add_audit(row)
        page.say(command, identity=command.command_id)

    await gateway.parts.desk.do(send, origin(action, visit.request_id, occurred_at=now))
