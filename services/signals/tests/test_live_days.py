"""Live days against the backtest: the service hears one session after the other, and makes the same trades, for every strategy.

Only the bus is left out: the handlers, the database and the ledger of the run are the real ones. The venue of these days
fills at the next open with the paper venue's commission, written plainly.
"""

import json
from decimal import Decimal
from typing import Any

import pytest
from services.signals.tests.backtest.making import history

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.commands import ChangeRun, StartRun
from quantmatrix.common.contracts.fills import MatchedWatermark, OrderFilled
from quantmatrix.common.contracts.orders import AccountOpened, OrderAdjusted
from quantmatrix.common.contracts.prices import Bar, BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionKind, AssetClass, RunAct, RunId, Side
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.bus import bus
from quantmatrix.signals.charts import Charts
from quantmatrix.signals.handlers import Handlers
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.ports import OptionChains
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.testing import FixedHistory

CASH, RUN = Money(20_000, "USD"), RunId(derived_id("live days"))
FUND = {"weights": {"AAPL": 1.0}}
TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "atr_matrix": ("atr_matrix", {}),
    "atr_matrix, by another alignment, with exits": ("atr_matrix", {"alignment": "ema21", "exits": {"stop_loss_pct": 3, "take_profit_pct": 6}}),
    "atr_options": ("atr_options", {}),
    "dca_aggressive": ("dca_aggressive", {**FUND, "frequency": "weekly"}),
    "dca_conservative": ("dca_conservative", FUND),
    "moving_average_cross": ("moving_average_cross", {"fast": 5, "slow": 20}),
    "moving_average_cross, with a trail": ("moving_average_cross", {"fast": 5, "slow": 20, "exits": {"trail_pct": 6, "tiers": [3], "days_max": 20}}),
    "signal_bot": ("signal_bot", {}),
    "signal_bot, confirming and cooling down": (
        "signal_bot", {"confirmation_min": 2_880, "cooldown_min": 10_000, "buy_at": 0.16, "sell_at": -0.16},
    ),
    "signal_bot, in a regime": ("signal_bot", {"regime": "TRENDING", "temperatures": "sensitive", "cooldown_min": 10_000, "cooldown_scope": "bot"}),
}  # fmt: skip


class Days:
    """The service before a market and a venue, day by day; in the middle its process is started anew."""

    pause_at_once = False

    def __init__(self, connection: Any, past: History) -> None:
        self.past = past
        self.instrument = Instrument(past.instrument_id, past.symbol, AssetClass.STOCK, past.currency, past.multiplier)
        columns = {name: tuple(str(getattr(bar, name)) for bar in past.bars) for name in ("open", "high", "low", "close", "volume")}
        splits = tuple(self._split(one) for one in past.splits)
        self.known = FixedHistory(
            {past.instrument_id: BarColumns(past.instrument_id, "1d", tuple(bar.session for bar in past.bars), **columns, actions=splits)}
        )
        self.connection = connection
        self.orders: list[SignalRaised] = []
        self.fills: list[tuple[Any, ...]] = []
        self.pages = self._process()

    def _process(self) -> Pages:
        handlers = Handlers(Slate(self.known), strategies_in_slot(), "", self._chains())
        return Pages(self.connection, bus(handlers, Charts(self.known)))  # type: ignore[arg-type]  # a double of market's history

    def _chains(self) -> OptionChains | None:
        """Where options come from; nowhere here."""
        return None

    def _bars(self, bar: PastBar) -> tuple[Bar, ...]:
        """Everything that has a bar in this session."""
        return (Bar(self.past.instrument_id, self.past.symbol, self.past.currency, bar.open, bar.high, bar.low, bar.close, bar.volume),)

    def _split(self, one: Any) -> CorporateActionAnnounced:
        return like(
            CorporateActionAnnounced, action_id=one.action_id, kind=ActionKind.SPLIT, instrument=self.instrument, effective=one.effective,
            numerator=one.numerator, denominator=one.denominator, amount=None,
        )  # fmt: skip

    async def run(self, strategy: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        await self.pages.hear(
            like(InstrumentListed, instrument=self.instrument, tick_size=self.past.tick_size, lot_size=self.past.lot_size)
        )
        await self.pages.hear(like(AccountOpened, cash=CASH))
        told = {name: json.dumps(value) for name, value in parameters.items()}
        await self.pages.hear(
            like(StartRun, run_id=RUN, strategy=strategy, capital=CASH, parameters=told, profit_target=None, reinvest=None)
        )
        if self.pause_at_once:
            await self.pages.hear(like(ChangeRun, run_id=RUN, act=RunAct.PAUSE))
        for number, bar in enumerate(self.past.bars):
            if number == len(self.past.bars) // 2:
                standings, self.pages = self.pages._standings, self._process()
                self.pages._standings.update(standings)
            await self._day(bar)
        return self.fills

    async def _day(self, bar: PastBar) -> None:
        session = TradingCalendar().session(bar.session)
        assert session is not None
        for one in self.past.splits:
            if one.effective == bar.session:
                await self.pages.hear(self._split(one))
                await self._adjust(one.numerator, one.denominator)
        for order in self.orders:
            await self._fill(order, bar, session.opened_at)
        self.orders = []
        closed = like(
            BarsClosed, session=bar.session, opened_at=session.opened_at, closed_at=session.closed_at, part=1, parts=1, bars=self._bars(bar)
        )
        await self.pages.hear(closed)
        await self._end(bar, session.closed_at)
        moment = {"session": bar.session, "moment": session.closed_at, "covers": {}}
        await self.pages.hear(like(MatchedWatermark, **moment))
        said = await self.pages.hear(like(PricesWatermark, **moment))
        self.orders = [one for one in said if isinstance(one, SignalRaised) and one.side is not None]

    async def _adjust(self, numerator: int, denominator: int) -> None:
        changed = []
        for order in self.orders:
            assert order.quantity is not None
            quantity = Quantity(order.quantity.value * numerator / denominator)
            await self.pages.hear(like(OrderAdjusted, order_id=order_of(order.signal_id), quantity=quantity, filled=Quantity(0)))
            changed.append(like_signal(order, quantity))
        self.orders = changed

    async def _end(self, bar: PastBar, at: Any) -> None:
        """What ends at the close without an order; nothing here."""

    async def _fill(self, order: SignalRaised, bar: PastBar, at: Any) -> None:
        assert order.side is not None and order.quantity is not None
        value = order.quantity.value * bar.open.value
        fee = min(max(order.quantity.value * Decimal("0.005"), Decimal(1)), value / 100)
        paid = Money(round(fee, 12), "USD")
        self.fills.append((bar.session, order.side, order.quantity, bar.open, paid))
        await self.pages.hear(
            like(
                OrderFilled, fill_id=derived_id("day's fill", order.signal_id), order_id=order_of(order.signal_id), instrument=self.instrument,
                side=order.side, quantity=order.quantity, price=bar.open, fee=paid, session=bar.session, executed_at=at,
                triggered_by=order.triggered_by, leaves=Quantity(0),
            )
        )  # fmt: skip


def like_signal(order: SignalRaised, quantity: Quantity) -> SignalRaised:
    kept = {name: getattr(order, name) for name in order.__struct_fields__}
    return SignalRaised(**{**kept, "quantity": quantity})


@pytest.fixture(scope="module")
def apple(reference: Any) -> History:
    bars = []
    for one in reference.bars:
        prices = [Price.parse(f"{getattr(one, name):.2f}") for name in ("open", "high", "low", "close")]
        bars.append(PastBar(one.session, *prices, Quantity(int(one.volume))))
    return history(*bars, symbol="AAPL", splits=reference.splits)


@pytest.mark.parametrize("case", TABLE)
async def test_live_days_make_the_trades_of_the_backtest(database: Any, apple: History, case: str) -> None:
    strategy, parameters = TABLE[case]
    days = Days(await database.connect("signals"), apple)
    live = await days.run(strategy, parameters)

    result = backtest(strategies_in_slot()[strategy], [apple], Job(parameters, CASH))

    assert live == [(one.session, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.cash == result.outcome.curve[-1].cash
    assert run.cash + run.capital.invested == run.capital.base + run.capital.realised
    assert live or strategy == "atr_options", "nothing was traded: the test shows nothing"
    if strategy != "atr_options":
        assert {Side.BUY} <= {side for _, side, *_ in live}


def test_every_strategy_of_the_slot_stands_in_the_table() -> None:
    assert {strategy for strategy, _ in TABLE.values()} == set(strategies_in_slot())


async def test_what_is_sold_on_the_way_up_tells_the_position_and_its_profit(database: Any, apple: History) -> None:
    """Reckoned from the fills: units through splits, and an average cost with the fees of purchases."""
    days = Days(await database.connect("signals"), apple)
    strategy, parameters = TABLE["moving_average_cross, with a trail"]
    fills = await days.run(strategy, parameters)

    rows = await days.connection.fetch("select session, body::text as body from signal where kind = 'take_profit' order by session")

    closes = {bar.session: bar.close.value for bar in apple.bars}
    assert rows
    for row in rows:
        held, cost = _held_on(row["session"], fills, apple)
        told, worth = json.loads(row["body"])["metrics"], held * closes[row["session"]]
        assert told["position_value"] == pytest.approx(float(worth))
        assert told["gain_pct"] == pytest.approx(float(100 * (worth - cost) / cost), abs=1e-6)


def _held_on(day: Any, fills: list[tuple[Any, ...]], past: History) -> tuple[Decimal, Decimal]:
    held, cost = Decimal(0), Decimal(0)
    facts = [(one[0], 1, one) for one in fills] + [(one.effective, 0, one) for one in past.splits]
    for session, is_fill, fact in sorted(facts, key=lambda one: one[:2]):
        if session > day:
            break
        if not is_fill:
            held = held * fact.numerator / fact.denominator
        elif fact[1] is Side.BUY:
            held, cost = held + fact[2].value, cost + fact[2].value * fact[3].value + fact[4].amount
        else:
            held, cost = held - fact[2].value, cost * (1 - fact[2].value / held)
    return held, cost
