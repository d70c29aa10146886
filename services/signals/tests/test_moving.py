"""How much prices move, as people ask for it: real bars across a split by every ATR method, listed strikes, portfolios with stops."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.market import BarColumns
from quantmatrix.common.contracts.asking.portfolio import AccountValue, Portfolio, PositionSummary
from quantmatrix.common.contracts.asking.scans import Unread
from quantmatrix.common.contracts.asking.volatility import AtrAsked, Exposure, PortfolioAtrAsked, portfolio_atr_of
from quantmatrix.common.contracts.commands import StartRun
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, ActionKind, AssetClass, InstrumentId, RunId, RunState
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.clock import NOON
from quantmatrix.common.testing.examples import USER, like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import Holding
from quantmatrix.signals.domain.ledger import nothing
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.moving import Moving
from quantmatrix.signals.scanning import Scanning
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.testing import FixedChains, FixedHistory

BARS = {"AAPL": slice(None), "MSFT": slice(None), "OLD": slice(None, -10), "NEW": slice(-9, None), "NONE": slice(0, 0)}
"""Which of Apple's bars each symbol has; the split of June 2000 lies within them."""
NOBODY = RunId(derived_id("a run of somebody else"))


async def moving(connection: Any, reference: Any, chains: FixedChains | None = None) -> Moving:
    columns = {}
    for symbol, which in BARS.items():
        told = Instrument(InstrumentId(symbol.lower()), symbol, AssetClass.STOCK, "USD", Quantity(1))
        await SignalsStore(connection).keep_instrument(msgspec.structs.replace(like(InstrumentListed), instrument=told, underlying=None))
        bars, split = reference.bars[which], reference.splits[0]
        action = msgspec.structs.replace(
            like(CorporateActionAnnounced), action_id=split.action_id, instrument=told, kind=ActionKind.SPLIT,
            effective=split.effective, numerator=2, denominator=1, becomes="",
        )  # fmt: skip
        values = {name: tuple(f"{getattr(bar, name):.4f}" for bar in bars) for name in ("open", "high", "low", "close", "volume")}
        actions = (action,) if bars and bars[0].session < split.effective else ()
        columns[told.instrument_id] = BarColumns(
            instrument_id=told.instrument_id, timeframe="1d", sessions=tuple(bar.session for bar in bars), actions=actions, **values
        )
    history = FixedHistory(columns)
    return Moving(Scanning(Slate(history), history), chains)


def by_hand(reference: Any, length: int = 14) -> float:
    """Wilder's average by his recursion, in units of the last day."""
    split, bars = reference.splits[0], []
    for one in reference.bars:
        part = 2.0 if one.session < split.effective else 1.0
        bars.append((one.high / part, one.low / part, one.close / part))
    ranges = [bars[0][0] - bars[0][1]]
    ranges += [max(high, before) - min(low, before) for (high, low, _), (_, _, before) in zip(bars[1:], bars, strict=False)]
    found = sum(ranges[:length]) / length
    for one in ranges[length:]:
        found = (found * (length - 1) + one) / length
    return found


async def test_every_method_reads_real_bars_in_todays_units(database: Any, reference: Any) -> None:
    connection = await database.connect("signals")
    desk = await moving(connection, reference)

    found = await desk.readings(AtrAsked(symbols=("aapl",), trading_days=16), connection)

    (one,), last, moves = found.readings, reference.bars[-1], by_hand(reference)
    assert (one.symbol, one.status, one.session, one.close, one.bars) == ("AAPL", "ok", last.session, last.close, len(reference.bars))
    assert one.enhanced.atr == one.matrix.daily_atr == pytest.approx(moves)
    assert one.enhanced.atr_pct == pytest.approx(100 * moves / last.close) and one.enhanced.quality == 1.0
    base = sum(bar.close for bar in reference.bars[-50:]) / 50
    assert one.matrix.ladder == pytest.approx({str(level): base + level * moves for level in (0, 4, 7, 8, 9, 10, 12)})
    assert one.options.suggested_strikes is not None
    assert one.options.suggested_strikes["otm_call"] == pytest.approx(last.close + 1.5 * moves)
    assert one.options.expected_move == pytest.approx(4 * moves / 1.595769, rel=1e-6), "the square root of 16 sessions"
    assert found.unread == ()


async def test_strikes_are_listed_ones_where_options_are_quoted(database: Any, reference: Any) -> None:
    connection = await database.connect("signals")
    quotes = [
        OptionQuote(f"AAPL  020118P{1000 * strike:08d}", "put", date(2002, 1, 18), Price(strike), Price(1), Price(2), 500)
        for strike in range(5, 60, 5)
    ]
    desk = await moving(connection, reference, FixedChains({InstrumentId("aapl"): quotes}))

    found = await desk.readings(AtrAsked(symbols=("AAPL", "MSFT")), connection)

    listed, free = (one.options.suggested_strikes or {} for one in found.readings)
    assert {name: min(range(5, 60, 5), key=lambda strike: abs(strike - free[name])) for name in free} == listed
    assert set(listed) == {"otm_call", "otm_put", "itm_call", "itm_put"}


async def test_what_is_old_is_worth_less_and_what_is_short_is_not_made_up(database: Any, reference: Any) -> None:
    connection = await database.connect("signals")
    desk = await moving(connection, reference)

    found = await desk.readings(AtrAsked(), connection)

    told = {one.symbol: one for one in found.readings}
    assert list(told) == ["AAPL", "MSFT", "NEW", "OLD"] and found.unread == (Unread("NONE", "there are no bars"),)
    sessions = [one.day for one in TradingCalendar().sessions(told["OLD"].session, told["AAPL"].session)]
    assert len(sessions) == 11, "ten sessions were closed since its last bar"
    assert told["OLD"].enhanced.quality == pytest.approx(0.75)
    new = told["NEW"]
    assert (new.status, new.options.status, new.matrix.status) == ("insufficient_data",) * 3
    assert (new.enhanced.atr, new.options.expected_move, new.matrix.ladder) == (None, None, None)


@pytest.mark.parametrize(("asked", "code"), [({"trading_days": 0}, "TRADING_DAYS_INVALID"), ({"symbols": ("A",) * 501}, "ATR_TOO_LARGE")])
async def test_what_cannot_be_read_is_refused(database: Any, reference: Any, asked: dict[str, Any], code: str) -> None:
    connection = await database.connect("signals")

    with pytest.raises(Refused, match=code):
        await (await moving(connection, reference)).readings(AtrAsked(**asked), connection)


def exposure(symbol: str, quantity: int) -> Exposure:
    return Exposure(symbol, Quantity(quantity), Quantity(1))


async def hold(connection: Any, run_id: RunId, symbol: str, quantity: int, level: float | None, **changed: Any) -> None:
    """A run of the user that holds something with a stop on the series."""
    run = Run(
        run_id=run_id, user_id=changed.get("user", USER), account_id=like(StartRun).account_id, strategy="atr_matrix", parameters={},
        triggered_by=str(run_id), state=changed.get("state", RunState.RUNNING), capital=nothing("USD"), rules=None,
    )  # fmt: skip
    await LedgerStore(connection).keep_account(like(AccountOpened, account_id=run.account_id))
    await SignalsStore(connection).start_run(run, NOON)
    await SignalsStore(connection).keep_holding(
        run_id, InstrumentId(symbol.lower()), Holding(Quantity(quantity), Quantity(quantity), level)
    )


async def test_a_portfolio_moves_by_what_is_held_and_risks_what_its_stops_leave(database: Any, reference: Any) -> None:
    """Both have the same bars, so that long and short offset each other; the stops are on the series, whose units are those before the split."""
    connection = await database.connect("signals")
    desk, moves, close = await moving(connection, reference), by_hand(reference), reference.bars[-1].close
    await hold(connection, RunId(derived_id("one")), "AAPL", 40, 2 * (close - 3.0))
    await hold(connection, RunId(derived_id("two")), "AAPL", 20, 2 * (close - 1.5))
    await hold(connection, RunId(derived_id("none")), "MSFT", 10, None)
    await hold(connection, RunId(derived_id("over")), "AAPL", 10, 2 * (close - 9.0), state=RunState.STOPPED)
    await hold(connection, NOBODY, "AAPL", 10, 2 * (close - 9.0), user=derived_id("somebody else"))
    asked = PortfolioAtrAsked(
        user_id=USER, value=Money(10_000, "USD"), positions=(exposure("AAPL", 100), exposure("MSFT", -30), exposure("NOPE", 5)),
        left_out=(Unread("AAPL  020118P00040000", "options are not counted"),),
    )  # fmt: skip

    found = await desk.portfolio(asked, connection)

    assert (found.status, found.without_correlation) == ("ok", ())
    assert (found.gross, found.gross_pct) == (pytest.approx(130 * moves), pytest.approx(1.3 * moves))
    assert (found.diversified, found.diversified_pct) == (pytest.approx(70 * moves), pytest.approx(0.7 * moves))
    assert (found.heat, found.heat_pct) == (pytest.approx(40 * 3.0 + 20 * 1.5), pytest.approx(1.5))
    apple, microsoft = found.positions
    assert (apple.symbol, apple.stopped, apple.stop) == ("AAPL", Quantity(60), pytest.approx(close - 2.5))
    assert (microsoft.amount, microsoft.stopped, microsoft.stop) == (pytest.approx(30 * moves), Quantity(0), None)
    assert [(one.symbol, one.why) for one in found.unread] == [
        ("AAPL  020118P00040000", "options are not counted"), ("NOPE", "it is not listed here"),
    ]  # fmt: skip


async def test_too_short_a_common_past_is_named_and_no_correlation_made_up(database: Any, reference: Any) -> None:
    connection = await database.connect("signals")
    desk = await moving(connection, reference)
    positions = (exposure("AAPL", 1), exposure("NEW", 1), exposure("NONE", 1))

    found = await desk.portfolio(PortfolioAtrAsked(user_id=USER, value=Money(100, "USD"), positions=positions), connection)
    nothing_held = await desk.portfolio(PortfolioAtrAsked(user_id=USER, value=Money(100, "USD"), positions=()), connection)

    assert [one.symbol for one in found.positions] == ["AAPL"] and found.diversified == pytest.approx(found.gross)
    assert {one.symbol: one.why for one in found.unread} == {"NEW": "9 bars, an ATR needs 14", "NONE": "0 bars, an ATR needs 14"}
    assert (nothing_held.status, nothing_held.gross, nothing_held.positions) == ("ok", 0.0, ())


@pytest.mark.parametrize(("value", "count", "code"), [(0, 1, "PORTFOLIO_EMPTY"), (1_000, 101, "PORTFOLIO_TOO_LARGE")])
async def test_a_portfolio_without_value_or_too_large_is_refused(database: Any, reference: Any, value: int, count: int, code: str) -> None:
    connection = await database.connect("signals")
    asked = PortfolioAtrAsked(user_id=USER, value=Money(value, "USD"), positions=(exposure("AAPL", 1),) * count)

    with pytest.raises(Refused, match=code):
        await (await moving(connection, reference)).portfolio(asked, connection)


def position(symbol: str, quantity: str, account: str, kind: AssetClass = AssetClass.STOCK, currency: str = "USD") -> PositionSummary:
    instrument, zero = Instrument(InstrumentId(symbol.replace(" ", "-")), symbol, kind, currency, Quantity(1)), Money(0, currency)
    return PositionSummary(AccountId(account), instrument, Quantity(Decimal(quantity)), None, zero, None, None, None, None)


def account(name: str, equity: Money) -> AccountValue:
    zero = Money.zero(equity.currency)
    return AccountValue(AccountId(name), "paper", True, zero, zero, zero, equity, zero, zero, None)


def test_the_question_sums_accounts_and_names_what_it_leaves_out() -> None:
    held = Portfolio(
        accounts=(account("A", Money(5_000, "USD")), account("B", Money(2_000, "USD")), account("C", Money(900, "EUR"))),
        positions=(
            position("VTI", "10", "A"), position("VTI", "-4", "B"), position("ABC", "3", "A"), position("ABC", "-3", "B"),
            position("SAP", "1", "C", currency="EUR"), position("VTI   300118P00100000", "1", "A", AssetClass.OPTION),
        ),
    )  # fmt: skip

    asked = portfolio_atr_of(USER, held)

    assert (asked.value, asked.positions) == (Money(7_000, "USD"), (Exposure("VTI", Quantity(6), Quantity(1)),))
    assert [(one.symbol, one.why) for one in asked.left_out] == [
        ("SAP", "it is held in EUR, and no rate to USD is known here"),
        ("VTI   300118P00100000", "options are not counted: they move by rules of their own"),
    ]
