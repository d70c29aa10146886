"""Where a test's servers are, as services need to be told."""

from typing import Protocol


class DatabaseAddresses(Protocol):
    """A database with one address per role."""

    def url(self, role: str) -> str: ...


class BusAddresses(Protocol):
    """A bus with one password per user."""

    @property
    def url(self) -> str: ...

    def password(self, user: str) -> str: ...
