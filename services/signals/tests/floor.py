"""Signals' handlers before a made market: what tests of runs stand on."""

from datetime import date, datetime
from typing import Any

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.asking.runs import ProposalAsked, Proposed
from quantmatrix.common.contracts.fills import FillCorrected, MatchedWatermark, OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalRaised, SignalsWatermark
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.names import ActionKind
from quantmatrix.common.testing.examples import INSTRUMENT, like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals.bus import bus
from quantmatrix.signals.charts import Charts
from quantmatrix.signals.handlers import Handlers
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.testing import FixedHistory

SESSIONS = [session.day for session in TradingCalendar().sessions(date(2023, 1, 3), date(2024, 12, 31))]
WARM = 260


class Market:
    """Two years of a stock that rises a little every day, told session by session, with market's history behind it."""

    def __init__(self, splits: dict[int, tuple[int, int]] | None = None) -> None:
        self.splits = splits or {}
        self.history = FixedHistory({INSTRUMENT.instrument_id: self._columns()})

    def close(self, day: int) -> Price:
        """Up a tenth of a percent a day, so that the stock stays just above its averages; divided by the splits so far."""
        factor = 1.0
        for at, (new, old) in self.splits.items():
            factor *= new / old if at <= day else 1.0
        return Price.parse(f"{100 * 1.001**day / factor:.2f}")

    def _columns(self) -> BarColumns:
        rows = [self._bar(day) for day in range(len(SESSIONS))]
        words = {name: tuple(str(getattr(row, name)) for row in rows) for name in ("open", "high", "low", "close", "volume")}
        return BarColumns(INSTRUMENT.instrument_id, "1d", tuple(SESSIONS), **words, actions=tuple(self.split(day) for day in self.splits))

    def _bar(self, day: int) -> Any:
        close = self.close(day)
        wide = Price.parse(f"{close.value * 2 / 100:.2f}")
        bar = like(BarsClosed).bars[0]
        return type(bar)(INSTRUMENT.instrument_id, "ABC", "USD", close, close + wide, close - wide, close, Quantity(1_000))

    def split(self, day: int) -> CorporateActionAnnounced:
        new, old = self.splits[day]
        return like(
            CorporateActionAnnounced, action_id=derived_id("split", day), kind=ActionKind.SPLIT, effective=SESSIONS[day], numerator=new,
            denominator=old, amount=None,
        )  # fmt: skip

    def moment(self, day: int) -> datetime:
        session = TradingCalendar().session(SESSIONS[day])
        assert session is not None
        return session.closed_at

    def day(self, day: int) -> list[Message]:
        """What market says about a session."""
        closed = like(BarsClosed, session=SESSIONS[day], closed_at=self.moment(day), part=1, parts=1, bars=(self._bar(day),))
        action = [self.split(day)] if day in self.splits else []
        return [*action, closed, like(PricesWatermark, session=SESSIONS[day], moment=self.moment(day), covers={})]


class Floor:
    """Signals' handlers on a fresh database, before a market."""

    def __init__(self, connection: Any, market: Market, strategy: type[Strategy], default: str | None = None) -> None:
        self.market = market
        self._default = strategy.name if default is None else default
        self._connection = connection
        self._strategy = strategy
        self.restart()

    async def forget(self) -> None:
        """Nothing was ever decided here."""
        tables = "follow_up, working, signal, holding, memory, run_fact, run_entry, run, account"
        await self._connection.execute(f"truncate {tables} cascade")

    def restart(self) -> None:
        """A new process: the series in memory are gone, the tables stay."""
        handlers = Handlers(Slate(self.market.history), {self._strategy.name: self._strategy}, self._default)
        self.starting = handlers.starting
        self.following = handlers.following
        standings = self.pages._standings if hasattr(self, "pages") else {}
        self.pages = Pages(self._connection, bus(handlers, Charts(self.market.history)))
        self.pages._standings.update(standings)

    @property
    def ledger(self) -> LedgerStore:
        return LedgerStore(self._connection)

    @property
    def store(self) -> SignalsStore:
        return SignalsStore(self._connection)

    async def open(self, cash: str = "100000") -> None:
        await self.pages.hear(like(InstrumentListed))
        await self.pages.hear(like(AccountOpened, cash=usd(cash)))

    async def matched(self, day: int) -> None:
        await self.pages.hear(like(MatchedWatermark, session=SESSIONS[day], moment=self.market.moment(day), covers={}))

    async def day(self, day: int) -> list[SignalRaised]:
        """Hear a session to its end; returns the signals raised."""
        *before, watermark = self.market.day(day)
        for message in before:
            await self.pages.hear(message)
        await self.matched(day)
        said = await self.pages.hear(watermark)
        assert isinstance(said[-1], SignalsWatermark)
        return [message for message in said if isinstance(message, SignalRaised)]

    async def follow(self) -> None:
        """What the service does a moment after its decisions."""
        async with self._connection.transaction():
            await self.following.catch_up(self.pages.page())

    async def filled(
        self, signal: SignalRaised, quantity: Quantity | None = None, leaves: int = 0, price: Price | None = None
    ) -> OrderFilled:
        """The order of a signal is executed, at the signal's price unless another is given."""
        return (await self._filled(signal, quantity, leaves, price))[0]

    async def filled_said(self, signal: SignalRaised, price: Price | None = None) -> list[Message]:
        """The same, with what the handlers say to it."""
        return (await self._filled(signal, None, 0, price))[1]

    async def _filled(
        self, signal: SignalRaised, quantity: Quantity | None, leaves: int, price: Price | None
    ) -> tuple[OrderFilled, list[Message]]:
        assert signal.side is not None and signal.quantity is not None and signal.price is not None
        fill = like(
            OrderFilled, fill_id=derived_id("fill", signal.signal_id, leaves), order_id=order_of(signal.signal_id), side=signal.side,
            quantity=quantity or signal.quantity, price=price or signal.price, fee=usd("1"), triggered_by=signal.triggered_by,
            instrument=signal.instrument, leaves=Quantity(leaves), session=signal.session, account_id=signal.account_id,
        )  # fmt: skip
        return fill, await self.pages.hear(fill)

    async def proposed(self, asked: ProposalAsked) -> Proposed:
        return await self.starting.proposal(asked, self._connection)

    async def corrected(self, wrong: OrderFilled, **right: Any) -> FillCorrected:
        """The broker replaces an execution."""
        kept = {name: getattr(wrong, name) for name in wrong.__struct_fields__ if name not in ("head", "version")}
        correction = like(FillCorrected, **{**kept, "fill_id": derived_id("correction", wrong.fill_id), "corrects": wrong.fill_id, **right})
        await self.pages.hear(correction)
        return correction
