"""A person's command to a service: the command and its row in the audit trail leave in one transaction, or neither does."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quantmatrix.common.contracts.commands import CancelOrder, ResolveBreak, SetTradingState
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.people import Person, Visit
from quantmatrix.gateway.store import AuditRow, GatewayStore

Command = CancelOrder | SetTradingState | ResolveBreak


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, where from, and by which request; address: of the network, or what stands for it."""

    user_id: UserId
    name: str
    address: str
    request_id: UUID

    def wrote(self, at: datetime, action: str, about: str, *, before: object | None = None, after: object | None = None) -> AuditRow:
        """The row of the audit trail that tells of it."""
        return AuditRow(at, self.user_id, self.name, action, about, self.address, self.request_id, before, after)


def actor_of(person: Person, visit: Visit) -> Actor:
    """A person who is logged in."""
    return Actor(person.user_id, person.name, visit.address, visit.request_id)


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
