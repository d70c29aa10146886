"""All five services in one process, on the real bus and the real database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from quantmatrix.common.contracts.asking.execution import AccountBook, BooksAsked
from quantmatrix.common.contracts.asking.ledger import LedgerDigest, LedgerDigestAsked
from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.asking.portfolio import LedgerAccount, LedgerSumsAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.testing.quiet import all_is_heard
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import GIVES_WAY_S, wait_until

FIVE = ("execution", "portfolio", "notify", "signals", "market")
ACCOUNT = "DU0000001"
USER = FIRST_ADMINISTRATOR


@dataclass
class Platform:
    """The services under a test's control. `told` holds settings by service."""

    start_here: Any
    ask: Any
    connect: Any
    say: Saying
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def start(self, *services: str) -> None:
        for service in services or FIVE:
            await self.start_here(service, **self.told.get(service, {}))

    async def restart(self, service: str) -> None:
        await self.start_here.stop(service)
        await self.start(service)

    async def asked(self, service: str, question: Any) -> Any:
        """An answer as soon as there is one."""

        async def answer() -> Any:
            try:
                return await self.ask(service, question)
            except TRANSIENT:
                return None

        return await wait_until(answer, f"{service} answers")

    async def status(self) -> ReplayStatus:
        found: ReplayStatus = await self.asked("market", ReplayStatusAsked())
        return found

    async def until(self, reached: Callable[[ReplayStatus], bool], what: str, within_s: float = GIVES_WAY_S) -> ReplayStatus:
        async def there() -> ReplayStatus | None:
            found = await self.status()
            return found if reached(found) else None

        found = await wait_until(there, what, within_s=within_s)
        assert found is not None
        return found

    async def finished(self, within_s: float = GIVES_WAY_S) -> None:
        await self.until(lambda status: status.state == "finished" and status.settled == status.session, "the replay is over", within_s)
        await wait_until(lambda: all_is_heard(self.ask, FIVE), "everything was heard")

    async def digests(self) -> dict[str, LedgerDigest]:
        return {service: await self.asked(service, LedgerDigestAsked()) for service in FIVE if service != "market"}

    async def books(self) -> tuple[AccountBook, LedgerAccount]:
        """Execution's and the venue's book of the paper account, and the ledger's."""
        (book,) = (await self.asked("execution", BooksAsked())).accounts
        (ledger,) = (await self.asked("portfolio", LedgerSumsAsked())).accounts
        return book, ledger

    async def agree(self) -> tuple[AccountBook, LedgerAccount]:
        """The books of venue, execution and portfolio say the same, to the cent."""
        book, ledger = await self.books()
        assert ledger.lots == ledger.positions == book.positions == book.broker_positions
        assert ledger.cash == ledger.cash_entries == book.cash == book.broker_cash
        assert ledger.cash + ledger.basis_lots == ledger.opening_cash + ledger.realised_closings
        assert ledger.realised_closings == ledger.realised_positions
        assert ledger.differences == ()
        assert book.broker_executions == book.executions == ledger.fills
        assert (book.duplicate_orders, book.orders_without_intent, book.executions_not_booked, book.open_breaks) == (0, (), (), ())
        return book, ledger


@pytest.fixture
def say(bus: Any) -> Saying:
    return Saying(bus.connect)


@pytest.fixture
def make_platform(start_here: Any, ask: Any, bus: Any, say: Saying) -> Callable[..., Platform]:
    def made(**told: dict[str, Any]) -> Platform:
        return Platform(start_here, ask, bus.connect, say, told)

    return made
