"""An account in a real database to which things happen: fills heard, acts told, methods changed, and what its ledger then says."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from quantmatrix.common.contracts.asking.acts import Act, ActBookingAsked, ActTaken, LotMethodChangeAsked, LotMethodHistory
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import InstrumentListed, PricesWatermark
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, OrderId, Side, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.testing.examples import USER, like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio import telling
from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.rebuild import differences
from quantmatrix.portfolio.store import PortfolioStore
from quantmatrix.portfolio.valuation import close_session

FIRST_ACCOUNT = AccountId("A-1")
FIRST = date(2024, 1, 2)
FAR = FIRST + timedelta(days=4_000)


def instrument(symbol: str, kind: AssetClass = AssetClass.STOCK, multiplier: int = 1) -> Instrument:
    return Instrument(InstrumentId(f"XNYS-{symbol}"), symbol, kind, "USD", Quantity(multiplier))


STOCK, CHILD, COIN = instrument("ABC"), instrument("CHILD"), instrument("COIN", AssetClass.CRYPTO)
CALL = instrument("ABC-C50", AssetClass.OPTION, 100)


def on(day: int | str) -> date:
    """A day by its distance from the first one, or as it is written."""
    return date.fromisoformat(day) if isinstance(day, str) else FIRST + timedelta(days=day)


def at(day: int | str, minute: int = 0) -> datetime:
    return datetime.combine(on(day), time(20), UTC) + timedelta(minutes=minute)


async def valued(connection: Connection, session: date, when: datetime) -> None:
    """Every account is valued at the end of a session."""
    page = Pages(connection, Bus()).page()
    await close_session(page, session, when)
    await page.finish()


@dataclass(slots=True)
class Living:
    """One account. Fills and commands are numbered, so that each is another one unless its name is given."""

    pages: Pages
    account: AccountId = FIRST_ACCOUNT
    user: UserId = USER
    _count: int = field(default=0)

    async def open(self, *instruments: Instrument) -> "Living":
        for one in instruments or (STOCK, CHILD, COIN, CALL):
            await self.pages.hear(like(InstrumentListed, instrument=one))
        await self.pages.hear(like(AccountOpened, account_id=self.account, user_id=self.user))
        await self.pages.hear(like(PricesWatermark, session=FAR, moment=at(4_000), covers={}))
        return self

    def fill(
        self,
        day: int | str,
        quantity: str | int,
        price: str,
        fee: str = "0",
        of: Instrument = STOCK,
        order: str | None = None,
        lots: tuple[NamedLotPart, ...] = (),
        fee_in_kind: str = "0",
    ) -> OrderFilled:
        """A fill of a day; a negative quantity is a sale."""
        self._count += 1
        signed = Decimal(quantity)
        return like(
            OrderFilled,
            fill_id=FillId(derived_id("fill", self.account, self._count)),
            order_id=OrderId(derived_id("order", self.account, order or self._count)),
            account_id=self.account,
            user_id=self.user,
            instrument=of,
            side=Side.BUY if signed > 0 else Side.SELL,
            quantity=Quantity(abs(signed)),
            price=Price.parse(price),
            fee=usd(fee),
            session=on(day),
            executed_at=at(day, self._count),
            triggered_by="manual",
            lots=lots,
            fee_in_kind=Quantity.parse(fee_in_kind),
        )

    async def trade(self, *told: object, **more: object) -> list[Message]:
        """Hear a fill, made as `fill` makes it."""
        return await self.pages.hear(self.fill(*told, **more))  # type: ignore[arg-type]  # the same parameters

    async def tell(self, act: Act, command: object = None, user: UserId | None = None) -> ActTaken:
        """Tell an act as its owner, or as somebody else; raises what is raised, and then nothing has changed."""
        self._count += 1
        asked = ActBookingAsked(
            command_id=derived_id("command", self.account, command or self._count),
            account_id=self.account,
            act=act,
            user_id=user or self.user,
        )
        page = self.pages.page()
        async with self.pages.connection.transaction():
            taken = await telling.book_act(asked, page)
        self.pages.said += page.said
        return taken

    async def use(self, method: str, since: int | str, command: object = None, user: UserId | None = None) -> LotMethodHistory:
        """Change the lot method from a day on."""
        self._count += 1
        asked = LotMethodChangeAsked(
            command_id=derived_id("command", self.account, command or self._count),
            account_id=self.account,
            method=method,
            since=on(since),
            user_id=user or self.user,
        )
        async with self.pages.connection.transaction():
            return await telling.change_method(asked, self.pages.page())

    async def lots(self, of: Instrument = STOCK) -> list[Lot]:
        """What is held, oldest first."""
        return await PortfolioStore(self.pages.connection).open_lots(self.account, [of.instrument_id])

    async def held(self, of: Instrument = STOCK) -> list[tuple[Decimal, Decimal | None]]:
        """Quantity and total basis of what is held, oldest first."""
        return [(lot.quantity.value, None if lot.basis is None else lot.basis.amount) for lot in await self.lots(of)]

    async def gains(self, of: Instrument = STOCK) -> list[tuple[Decimal, Decimal | None]]:
        """Quantity and gain of what was closed, in the order of the lots' days."""
        rows = await self.pages.connection.fetch(
            "select quantity, realised from closing where account_id = $1 and instrument_id = $2 order by closed_on, opened_on, closing_id",
            self.account,
            of.instrument_id,
        )
        return [(row["quantity"], row["realised"]) for row in rows]

    async def cash(self) -> Money:
        """What came in and went out since the account was opened with 100,000 dollars."""
        amount = await self.pages.connection.fetchval("select amount - 100000 from cash where account_id = $1", self.account)
        return Money(amount, "USD")

    async def differences(self) -> list[str]:
        """What a rebuild would change, and where sums that must agree do not."""
        books = [pair for pair in await PortfolioStore(self.pages.connection).books() if pair[0].account_id == self.account]
        found = await differences(books[0][0], [instrument for _, instrument in books], self.pages.connection) if books else []
        entries = await self.pages.connection.fetchval("select sum(amount) - 100000 from cash_entry where account_id = $1", self.account)
        if Money(entries, "USD") != await self.cash():
            found.append(f"cash entries come to {entries}, cash is {await self.cash()}")
        return found

    async def fact_ids(self) -> list[UUID]:
        rows = await self.pages.connection.fetch("select fact_id from fact where account_id = $1 order by ordinal", self.account)
        return [row["fact_id"] for row in rows]
