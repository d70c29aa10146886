"""The paper broker: an adapter like any other, in front of a venue with its own storage and its own database role."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from quantmatrix.common.contracts.prices import Bar, CorporateActionAnnounced
from quantmatrix.common.names import AccountId, ActionKind, InstrumentId
from quantmatrix.common.runtime.database import Pool, close_pool, open_pool
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn, TryLater
from quantmatrix.common.values import Money, Quantity
from quantmatrix.execution.brokers.paper.contracts import Assigned
from quantmatrix.execution.brokers.paper.venue import PaperVenue, VenueRules
from quantmatrix.execution.domain.orders import Execution
from quantmatrix.execution.ports import (
    Absent,
    BrokerOrder,
    BrokerPosition,
    Moment,
    OrderRequest,
    SubmitOutcome,
    Unknown,
    VenueBook,
)
from quantmatrix.execution.settings import ExecutionSettings

CLOSES_S = 0.5
POOL_SIZE = 2


class PaperBroker:
    """Speaks to the paper venue; a lost connection in the middle of a submit is an unknown outcome, as with any broker."""

    name = "paper"

    def __init__(self, database_url: str, rules: VenueRules) -> None:
        self._url = database_url
        self._rules = rules
        self._pool: Pool | None = None
        self._venue: PaperVenue | None = None

    async def start(self) -> None:
        if self._venue is not None:
            return
        try:
            if self._pool is None:
                self._pool = await open_pool(self._url, service="paper-venue", size=POOL_SIZE)
            venue = PaperVenue(self._pool, self._rules)
            await venue.open()
        except NotLetIn:
            raise
        except TRANSIENT as error:
            raise TryLater(f"the paper venue's storage is away: {error!r}") from error
        self._venue = venue

    async def stop(self) -> None:
        if self._pool is not None:
            await close_pool(self._pool, timeout_s=CLOSES_S)
            self._pool = self._venue = None

    async def submit(self, request: OrderRequest) -> SubmitOutcome:
        try:
            return await self._open_venue().submit(request)
        except NotLetIn:
            raise
        except TRANSIENT as error:
            return Unknown(repr(error))

    async def cancel(self, account_id: AccountId, client_ref: str, at: datetime) -> SubmitOutcome:
        try:
            return await self._open_venue().cancel(account_id, client_ref, at)
        except NotLetIn:
            raise
        except TRANSIENT as error:
            return Unknown(repr(error))

    async def find(self, account_id: AccountId, client_ref: str) -> BrokerOrder | Absent:
        return await self._open_venue().find(account_id, client_ref)

    async def changed_since(self, account_id: AccountId, since: datetime) -> tuple[Sequence[BrokerOrder], Sequence[Execution]]:
        return await self._open_venue().changed_since(account_id, since)

    async def positions(self, account_id: AccountId) -> Sequence[BrokerPosition]:
        return await self._open_venue().positions(account_id)

    async def cash(self, account_id: AccountId) -> Money:
        return await self._open_venue().cash(account_id)

    async def open_account(self, account_id: AccountId, cash: Money) -> None:
        await self._open_venue().open_account(account_id, cash)

    @property
    def at_rest(self) -> bool:
        return self._venue is not None and self._venue.at_rest

    async def bars_closed(self, moment: Moment, bars: Sequence[Bar]) -> bool:
        return await self._open_venue().bars_closed(moment, bars)

    async def action_effective(self, action: CorporateActionAnnounced) -> None:
        if action.kind is ActionKind.SPLIT:
            await self._open_venue().action_effective(action)

    async def assign(
        self, account_id: AccountId, option: InstrumentId, underlying: InstrumentId, contracts: Quantity, at: datetime, told_as: str
    ) -> None:
        await self._open_venue().assign(Assigned(account_id, option, underlying, contracts, at, told_as))

    async def actions_applied(self) -> frozenset[UUID]:
        return await self._open_venue().actions_applied()

    async def book(self) -> VenueBook:
        return await self._open_venue().book()

    def _open_venue(self) -> PaperVenue:
        if self._venue is None:
            raise TryLater("the paper venue is not open yet")
        return self._venue


def make(settings: ExecutionSettings) -> PaperBroker:
    """The paper broker as the settings describe it."""
    rules = VenueRules(settings.tariff(), fill_at_once=settings.paper_fills == "at_once")
    return PaperBroker(settings.paper_database_url.get_secret_value(), rules)
