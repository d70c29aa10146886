"""What the machine's operator tells of the books: written down in the audit trail first, then asked of portfolio, or of execution."""

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, ActTaken, LotMethodChangeAsked, LotMethodHistory
from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked, AssignmentTaken
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.service import Parts
from quantmatrix.gateway.people import operator
from quantmatrix.gateway.store import GatewayStore

DEADLINE_S = 25.0
"""Books of years that are made anew take longer than other questions."""


class OperatingLedger:
    """The row stays when it is refused: the trail tells what was tried, too."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def book_act(self, asked: ActBookingAsked, page: Page) -> ActTaken:
        """Raises Refused as portfolio does."""
        await self._note(page, "account.act", f"{asked.account_id}: {type(asked.act).__struct_config__.tag}")
        return await self._parts.ask("portfolio", asked, deadline_s=DEADLINE_S)

    async def change_method(self, asked: LotMethodChangeAsked, page: Page) -> LotMethodHistory:
        """Raises Refused as portfolio does."""
        await self._note(page, "account.lot_method", f"{asked.account_id}: {asked.method} since {asked.since}")
        return await self._parts.ask("portfolio", asked, deadline_s=DEADLINE_S)

    async def book_assignment(self, asked: AssignmentBookingAsked, page: Page) -> AssignmentTaken:
        """Raises Refused as execution does."""
        await self._note(page, "account.assignment", f"{asked.account_id}: {asked.contracts} of {asked.option} after {asked.session}")
        return await self._parts.ask("execution", asked, deadline_s=DEADLINE_S)

    async def _note(self, page: Page, action: str, about: str) -> None:
        by = operator(page.cause.message_id)
        async with self._parts.pool.acquire(timeout=5) as connection, connection.transaction():
            await GatewayStore(connection).add_audit(by.wrote(page.cause.occurred_at, action, about))
