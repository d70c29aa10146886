"""ATR Options on live days: the service is shown a chain on every close, buys and sells contracts, and makes the backtest's trades."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from services.signals.tests.chain_file import write_chains
from services.signals.tests.test_live_days import CASH, RUN, Days

from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.fills import OptionEnded, OrderFilled
from quantmatrix.common.contracts.orders import OrderExpired
from quantmatrix.common.contracts.prices import Bar, InstrumentListed
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, ContractEnding, InstrumentId, Side
from quantmatrix.common.options import terms_of
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.testing import FixedHistory

FIRST, LAST = date(2003, 6, 2), date(2003, 9, 30)
HUNDRED = Quantity(100)


class OptionDays(Days):
    """Days on which the options on a stock are quoted. A venue of its own: purchases pay the ask, sales get the bid, or the day's order ends."""

    def __init__(self, connection: Any, past: History) -> None:
        self.quotes: dict[InstrumentId, list[tuple[date, OptionQuote]]] = {}
        self.owned: dict[InstrumentId, Decimal] = {}
        self.contracts: dict[InstrumentId, Instrument] = {}
        for session, chain in sorted(past.chains.items()):
            for quote in chain:
                self.quotes.setdefault(quote.instrument_id, []).append((session, quote))
        super().__init__(connection, past)
        self.known = FixedHistory({own: self._columns(own) for own in self.quotes} | self.known._columns)
        self.pages = self._process()

    def _columns(self, own: InstrumentId) -> BarColumns:
        mids = tuple(str(quote.mid) for _, quote in self.quotes[own])
        sessions = tuple(session for session, _ in self.quotes[own])
        return BarColumns(own, "1d", sessions, mids, mids, mids, mids, tuple("0" for _ in mids), actions=())

    def _chains(self) -> Any:
        return self

    async def chain(self, underlying: InstrumentId, session: date) -> Sequence[OptionQuote]:
        assert underlying == self.past.instrument_id
        return self.past.chains.get(session, ())

    def _contract(self, quote: OptionQuote) -> Instrument:
        return Instrument(quote.instrument_id, quote.contract, AssetClass.OPTION, "USD", HUNDRED)

    def _bars(self, bar: PastBar) -> tuple[Bar, ...]:
        quoted = self.past.chains.get(bar.session, ())
        options = (Bar(one.instrument_id, one.contract, "USD", *[one.mid] * 4, Quantity(0), one.bid, one.ask) for one in quoted)
        return (*super()._bars(bar), *options)

    def delivers(self, own: InstrumentId) -> Decimal:
        """The shares of a contract."""
        return Decimal(100)

    async def list_contracts(self) -> None:
        for quotes in self.quotes.values():
            listed = self._contract(quotes[0][1])
            await self.pages.hear(
                like(InstrumentListed, instrument=listed, tick_size=quotes[0][1].tick_size, underlying=self.past.instrument_id)
            )

    async def _fill(self, order: SignalRaised, bar: PastBar, at: Any) -> None:
        quote = next((one for one in self.past.chains.get(bar.session, ()) if one.instrument_id == order.instrument.instrument_id), None)
        assert order.side is not None and order.quantity is not None
        if order.instrument.instrument_id == self.past.instrument_id:
            await super()._fill(order, bar, at)
            *_, price, fee = self.fills.pop()
            self.fills.append((bar.session, order.instrument.symbol, order.side, order.quantity, price, fee))
            return
        price = None if quote is None else quote.ask if order.side is Side.BUY else quote.bid
        terms, own = terms_of(order.instrument.symbol), order.instrument.instrument_id
        leaving = self.owned.get(own, Decimal(0)) * order.side.sign < 0
        if leaving and order.side is Side.SELL and not price and bar.session >= terms.expires:
            inside = bar.close.value * self.delivers(own) / 100 - terms.strike.value
            price = Price(max(inside if terms.kind == "call" else -inside, Decimal(0)))
        if price is not None and order.limit is not None and (price > order.limit if order.side is Side.BUY else price < order.limit):
            price = None
        if price is None or (order.side is Side.SELL and not price and bar.session < terms.expires):
            await self.pages.hear(like(OrderExpired, order_id=order_of(order.signal_id), instrument=order.instrument, session=bar.session))
            return
        fee = min(max(order.quantity.value * Decimal("0.65"), Decimal(1)), order.quantity.value * 100 * price.value)
        paid = Money(round(fee, 12), "USD")
        self.owned[own] = self.owned.get(own, Decimal(0)) + order.quantity.value * order.side.sign
        self.contracts[own] = order.instrument
        self.fills.append((bar.session, order.instrument.symbol, order.side, order.quantity, price, paid))
        await self.pages.hear(
            like(
                OrderFilled, fill_id=derived_id("day's fill", order.signal_id), order_id=order_of(order.signal_id), instrument=order.instrument,
                side=order.side, quantity=order.quantity, price=price, fee=paid, session=bar.session, executed_at=at,
                triggered_by=order.triggered_by, leaves=Quantity(0),
            )
        )  # fmt: skip

    async def _end(self, bar: PastBar, at: Any) -> None:
        """What was sold and is still there on its last day is assigned from a cent in the money on, or expires."""
        for own, count in sorted(self.owned.items()):
            option = self.contracts[own]
            terms = terms_of(option.symbol)
            if count >= 0 or bar.session < terms.expires:
                continue
            inside = bar.close.value * self.delivers(own) / 100 - terms.strike.value
            assigned = (inside if terms.kind == "call" else -inside) >= Decimal("0.01")
            side, contracts = Side.BUY if terms.kind == "put" else Side.SELL, Quantity(-count)
            shares = Quantity(-count * self.delivers(own)) if assigned else Quantity(0)
            nothing = Money.zero("USD")
            self.owned[own] = Decimal(0)
            self.fills.append((bar.session, option.symbol, Side.BUY, contracts, Price(0), nothing))
            if assigned:
                self.fills.append((bar.session, self.past.symbol, side, shares, terms.strike, nothing))
            await self.pages.hear(
                like(
                    OptionEnded, end_id=derived_id("day's end", own, bar.session), option=option, underlying=self.instrument,
                    how=ContractEnding.ASSIGNMENT if assigned else ContractEnding.EXPIRY, contracts=contracts, side=Side.BUY, price=Price(0),
                    shares=shares, share_side=side, strike=terms.strike, fee=nothing, session=bar.session, ended_at=at,
                    paid=Money(terms.strike.value * -count * 100, "USD") if assigned else nothing,
                )
            )  # fmt: skip


@pytest.fixture(scope="session")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Real bars with the chains of a third of a year, as the feed reads them."""
    _, (bars,) = histories(["MSFT"])
    closes = [(bars.symbol, bar.session, float(bar.close.value)) for bar in bars.bars if FIRST <= bar.session <= LAST]
    with pytest.MonkeyPatch.context() as told:
        told.setenv("QM_MARKET_CHAINS_FILE", str(write_chains(tmp_path_factory.mktemp("chains") / "chains.csv", closes)))
        _, (past,) = histories(["MSFT"])
    start = next(number for number, bar in enumerate(past.bars) if bar.session >= date(2002, 1, 2))
    end = next(number for number, bar in enumerate(past.bars) if bar.session > LAST)
    return History(
        past.instrument_id, past.symbol, past.currency, past.tick_size, past.lot_size, past.multiplier, past.bars[start:end],
        tuple(one for one in past.splits if past.bars[start].session < one.effective <= LAST), past.chains,
    )  # fmt: skip


async def test_live_days_of_options_make_the_trades_of_the_backtest(database: Any, microsoft: History) -> None:
    days = OptionDays(await database.connect("signals"), microsoft)
    await days.list_contracts()
    live = await days.run("atr_options", {})

    result = backtest(strategy_called("atr_options"), [microsoft], Job({}, CASH))

    assert live == [(one.session, one.symbol, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]
    assert {Side.BUY, Side.SELL} == {side for _, _, side, *_ in live} and len(live) >= 10
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.cash == result.outcome.curve[-1].cash
    assert run.cash + run.capital.invested == run.capital.base + run.capital.realised
    kinds = {one.kind for one in result.outcome.fills}
    assert {"entry", "stop_loss", "take_profit"} <= kinds


async def test_exits_of_a_run_sell_its_contracts_live_as_in_the_backtest(database: Any, microsoft: History) -> None:
    parameters = {
        "profit_target_pct": 50,
        "exits": {"stop_loss_pct": 15, "trail_pct": 6, "breakeven_after_pct": 8, "tiers": [12], "days_max": 12},
    }
    days = OptionDays(await database.connect("signals"), microsoft)
    await days.list_contracts()
    live = await days.run("atr_options", parameters)

    result = backtest(strategy_called("atr_options"), [microsoft], Job(parameters, CASH))

    assert live == [(one.session, one.symbol, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.cash == result.outcome.curve[-1].cash
    told = {reason.partition(":")[0] for one in result.outcome.fills for reason in one.reasons}
    assert {"EXIT_STOP", "EXIT_TAKE_PROFIT"} <= told


async def test_contracts_that_nobody_quotes_any_more_are_settled_at_their_end_live_as_in_the_backtest(
    database: Any, microsoft: History
) -> None:
    """From July on nothing is quoted: whatever is held then runs to its end."""
    kept = {session: chain for session, chain in microsoft.chains.items() if session <= date(2003, 6, 30)}
    silent = replace(microsoft, chains=kept)
    days = OptionDays(await database.connect("signals"), silent)
    await days.list_contracts()
    live = await days.run("atr_options", {"stop_loss_pct": 50, "profit_target_pct": 50})

    result = backtest(strategy_called("atr_options"), [silent], Job({"stop_loss_pct": 50, "profit_target_pct": 50}, CASH))

    assert live == [(one.session, one.symbol, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]
    closes = {bar.session: bar.close.value for bar in microsoft.bars}
    settled = [(one, terms_of(one.symbol)) for one in result.outcome.fills if one.side is Side.SELL and one.session > date(2003, 6, 30)]
    assert settled and not result.outcome.held
    for fill, terms in settled:
        inside = closes[fill.session] - terms.strike.value
        assert fill.session == terms.expires and fill.price.value == max(inside if terms.kind == "call" else -inside, Decimal(0))
