"""The runs at work, remembered from one moment to the next.

What is remembered saves a look and decides nothing: a page that builds on it insists on the number that moves with the tables.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.writing import Write
from quantmatrix.signals.store import RunAtWork, SignalsStore


@dataclass(frozen=True, slots=True)
class Looked:
    """Runs as they were at a version of the tables. remembered: no statement of this page has read them."""

    version: int
    runs: Sequence[RunAtWork]
    remembered: bool = False

    @property
    def insisted(self) -> Write:
        """Nothing is made unless the tables are still so."""
        return Write((), (self.version,), "(select version from runs_version) = $1")


class AtWork:
    """The runs as this process last saw or left them; forgotten with every message that may move one."""

    def __init__(self) -> None:
        self._kept: Looked | None = None
        self._forgotten = 0

    async def look(self, page: Page) -> Looked:
        """As remembered, else as the page sees them."""
        return self._kept or Looked(*await SignalsStore(page.reading).running())

    def build_on(self, looked: Looked, page: Page) -> Callable[[], None]:
        """The page decides by these from here on: to be called before its first change. Call what it returns after the last.

        They are remembered again when the page has lasted and changed nothing; one that fails has its next try look at the tables.
        """
        self.forget()
        if looked.remembered:
            page.write(looked.insisted)
        writing, forgotten = page.writing, self._forgotten
        before = len(writing.writes), len(page.said)

        def decided() -> None:
            if not writing.asked and (len(writing.writes), len(page.said)) == before:
                page.after_commit(lambda: self._keep(looked, forgotten))

        return decided

    def _keep(self, looked: Looked, forgotten: int) -> None:
        if forgotten == self._forgotten:
            self._kept = replace(looked, remembered=True)

    def forget(self) -> None:
        self._kept = None
        self._forgotten += 1

    def forgetting(self, handler: Callable[[Message, Page], Awaitable[None]]) -> Callable[[Message, Page], Awaitable[None]]:
        """A handler that may move a run, or what it holds or has under way."""

        async def moves(message: Message, page: Page) -> None:
            self.forget()
            await handler(message, page)

        return moves
