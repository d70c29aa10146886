"""What one process remembers of a quiet book, so that bars which can fill nothing ask the tables nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime


class Stillness:
    """Since when no order works in the book and none has changed, as this process's own looks and orders have it.

    Only the process that holds execution's lease brings orders, and each of them passes here; what a process that lost the lease decides on
    its bars is refused by the fence. An order whose end is not known may reach the book later: nothing is believed from then on.
    """

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._stirred = 0
        self._doubtful = False

    def holds(self, at: datetime) -> bool:
        """Whether nothing works, and nothing has changed at or after this instant."""
        return self._since is not None and at >= self._since

    @property
    def lasting(self) -> bool:
        """Whether nothing works, as far as is known now."""
        return self._since is not None

    def looking(self) -> int:
        """To be handed to `found` with what a look begun now has found."""
        return self._stirred

    def found(self, begun: int, at: datetime) -> None:
        """A look has found nothing working, and nothing changed at or after this instant."""
        if begun == self._stirred and not self._doubtful:
            self._since = at

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Around everything that may change the book. What is raised inside leaves open whether it did."""
        self._stir()
        try:
            yield
        except BaseException:
            self._doubtful = True
            raise
        finally:
            self._stir()

    def seen(self, *, working: bool) -> None:
        """A look for other reasons came upon orders: one that works reached the book on another way than this process's own orders."""
        if working:
            self._stir()

    def _stir(self) -> None:
        self._since = None
        self._stirred += 1
