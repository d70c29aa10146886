"""What may go wrong on the outside, in three words, and the one decision of the inside."""

import asyncio

import asyncpg
import nats.errors
import nats.js.errors


class TryLater(Exception):  # noqa: N818 - the name says what to do
    """The outside is not there now; the same call may be made again, and must do no harm when it is."""


class NotLetIn(TryLater):
    """A server does not take this service's name and password. A process that begins anew may have others."""


class Refused(Exception):  # noqa: N818
    """The outside said no, and would say no again."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class OutcomeUnknown(Exception):  # noqa: N818
    """The call may or may not have had its effect. Never repeated: ask what happened."""


class ConfigurationError(Exception):
    """The service cannot run as it is configured; starting it again would not help."""


class LeaseLost(Exception):  # noqa: N818
    """Another process owns this work now; whatever was about to be written must not be."""


ENDS_THE_SERVICE: tuple[type[Exception], ...] = (LeaseLost, NotLetIn)
"""What no further try of this process mends: one that begins anew takes its turn, or reads the right password."""


SHUT_OUT = asyncpg.exceptions.InvalidAuthorizationSpecificationError
"""The database does not let a role in: its password is another one now, or it was locked."""

TRANSIENT: tuple[type[BaseException], ...] = (
    TryLater,
    SHUT_OUT,
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.QueryCanceledError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # after a failover, what is not the primary any more, or not yet
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,  # this process stood still
    asyncpg.exceptions.PostgresSystemError,  # the server's disk
    asyncpg.exceptions.InvalidCachedStatementError,  # a newer program has changed a table; the next try plans anew
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoServersError,
    nats.errors.NoRespondersError,
    nats.errors.StaleConnectionError,
    nats.errors.OutboundBufferLimitError,
    nats.js.errors.ServiceUnavailableError,
    nats.js.errors.NoStreamResponseError,
)
"""Errors of a database, bus or peer that is away: they never count against a message."""

OF_A_STATEMENT: tuple[type[BaseException], ...] = (
    asyncpg.exceptions.QueryCanceledError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.PostgresSystemError,
)
"""Those of them that may come of a single message, each time it is tried: what else is at hand need not wait for it."""
