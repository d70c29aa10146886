"""Questions to signals about how much prices move: an instrument read by every ATR method, and what a portfolio moves in a day."""

from collections.abc import Iterable
from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.portfolio import Portfolio, PositionSummary
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.asking.scans import Unread
from quantmatrix.common.names import AssetClass, UserId
from quantmatrix.common.values import Money, Quantity


class InstrumentAtr(msgspec.Struct, frozen=True):
    """How much an instrument moves, against fixed bounds (rating) and against its own past (percentile, regime); prices in today's units.

    multiple: the last true range over the ATR before it, a breakout from 2 on and exhausted from 2.5 on. quality: from 0 to 1, by the
    length of the history and the age of its last bar. Where history is too short a figure is none.
    """

    atr: float | None
    atr_pct: float | None
    rating: str | None
    percentile: float | None
    regime: str | None
    trend: str | None
    cycle_stage: str | None
    multiple: float | None
    is_breakout: bool
    is_exhausted: bool
    direction: int
    chandelier_long: float | None
    chandelier_short: float | None
    band_high: float | None
    band_low: float | None
    stop_long: float | None
    entry_level: float | None
    exhaustion_level: float | None
    quality: float


class OptionsAtr(msgspec.Struct, frozen=True):
    """What a trader of options reads from the ATR. Sigmas are fractions; expected_move is for the trading days that were asked for.

    suggested_strikes: otm_call, otm_put, itm_call and itm_put, on listed strikes where options are quoted. iv_rank: none without a year
    of real implied volatilities.
    """

    status: str
    options_multiplier: float | None
    suggested_strikes: dict[str, float] | None
    daily_sigma: float | None
    annual_vol: float | None
    expected_move: float | None
    hv_percentile: float | None
    iv_rank: float | None


class MatrixAtr(msgspec.Struct, frozen=True):
    """Where an instrument stands above its 50-day average, in ATRs. ladder: prices by distance; the running week counts as it stands."""

    status: str
    daily_atr: float | None
    weekly_atr: float | None
    ladder: dict[str, float] | None
    entry_level: float | None
    stop_level: float | None
    target_level: float | None
    risk_reward_ratio: float | None
    atr_distance: float | None
    atr_pct_multiple: float | None
    zone: str | None
    ma_aligned: bool | None
    price_position_20d: float | None


class AtrReading(msgspec.Struct, frozen=True):
    """One instrument by every method, as of the close of session. status: ok, or insufficient_data, and then no figure is made up."""

    symbol: str
    status: str
    session: date
    bars: int
    close: float
    enhanced: InstrumentAtr
    options: OptionsAtr
    matrix: MatrixAtr


class AtrReadings(msgspec.Struct, frozen=True):
    """In the order that was asked for; symbols that cannot be read stopped nothing."""

    readings: tuple[AtrReading, ...]
    unread: tuple[Unread, ...]


class AtrAsked(Question[AtrReadings], frozen=True, kw_only=True):
    """How much instruments move, by every ATR method; all that is listed when no symbol is named. trading_days: of the expected move."""

    VERB = "atr"
    ANSWER = AtrReadings

    symbols: tuple[str, ...] = ()
    trading_days: int = 10


class Exposure(msgspec.Struct, frozen=True):
    """What is held of one symbol over all accounts, below zero when short."""

    symbol: str
    quantity: Quantity
    multiplier: Quantity


class PositionAtr(msgspec.Struct, frozen=True):
    """What one position moves in a day. stopped: the units that a run's stop covers, and stop its price in today's units."""

    symbol: str
    quantity: Quantity
    price: float
    atr: float
    amount: float
    stopped: Quantity
    stop: float | None


class PortfolioAtr(msgspec.Struct, frozen=True):
    """What a portfolio moves in a day, in the currency of its value: gross, and with the correlations of 60 daily returns. Statistics.

    diversified is none where a correlation is missing; the pairs are named. heat: what is lost when every stop is hit at its price.
    """

    status: str
    value: Money
    gross: float
    gross_pct: float
    diversified: float | None
    diversified_pct: float | None
    heat: float
    heat_pct: float
    positions: tuple[PositionAtr, ...]
    without_correlation: tuple[tuple[str, str], ...]
    unread: tuple[Unread, ...]


class PortfolioAtrAsked(Question[PortfolioAtr], frozen=True, kw_only=True):
    """What these positions move in a day, against their portfolio's value. left_out: what is not counted, and why."""

    VERB = "portfolio_atr"
    ANSWER = PortfolioAtr

    user_id: UserId
    value: Money
    positions: tuple[Exposure, ...]
    left_out: tuple[Unread, ...] = ()


def portfolio_atr_of(user_id: UserId, held: Portfolio) -> PortfolioAtrAsked:
    """The question about all that a user holds, in the currency of the largest account's value.

    Options and futures move by rules of their own, and other currencies need a rate: both are left out and named.
    """
    values: dict[str, Money] = {}
    for account in held.accounts:
        own = account.equity
        values[own.currency] = values.get(own.currency, Money.zero(own.currency)) + own
    value = max(values.values(), key=lambda one: (one.amount, one.currency), default=Money.zero("USD"))
    counted, left_out = _parted(held.positions, value.currency)
    found: dict[str, Exposure] = {}
    for one in counted:
        symbol, before = one.instrument.symbol, found.get(one.instrument.symbol)
        quantity = one.quantity + before.quantity if before is not None else one.quantity
        found[symbol] = Exposure(symbol, quantity, one.instrument.multiplier)
    positions = tuple(found[symbol] for symbol in sorted(found) if found[symbol].quantity)
    return PortfolioAtrAsked(user_id=user_id, value=value, positions=positions, left_out=left_out)


def _parted(positions: Iterable[PositionSummary], currency: str) -> tuple[list[PositionSummary], tuple[Unread, ...]]:
    counted: list[PositionSummary] = []
    left_out: dict[str, str] = {}
    for one in positions:
        if one.instrument.asset_class in (AssetClass.OPTION, AssetClass.FUTURE):
            left_out[one.instrument.symbol] = f"{one.instrument.asset_class}s are not counted: they move by rules of their own"
        elif one.instrument.currency != currency:
            left_out[one.instrument.symbol] = f"it is held in {one.instrument.currency}, and no rate to {currency} is known here"
        else:
            counted.append(one)
    return counted, tuple(Unread(symbol, left_out[symbol]) for symbol in sorted(left_out))
