"""Questions to signals that brief a person: the figures of a morning, and what there is to tell of what somebody holds."""

from collections.abc import Iterable
from datetime import date

import msgspec

from quantmatrix.common.contracts.asking.portfolio import PositionSummary
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.asking.scans import Unread
from quantmatrix.common.names import AssetClass
from quantmatrix.common.values import Money, Quantity


class IndexMove(msgspec.Struct, frozen=True):
    """How an index moved in its last session, in percent. session and change_pct: none where there is no move, and why says what is missing."""

    symbol: str
    session: date | None
    change_pct: float | None
    why: str = ""


class MorningSetup(msgspec.Struct, frozen=True):
    """One entry for a morning, as of the close of session. Prices are statistics in today's units; targets: the first two."""

    symbol: str
    session: date
    entry: float
    stop: float
    targets: tuple[float, ...]
    risk_reward: float
    horizon_days: int


class Morning(msgspec.Struct, frozen=True):
    """setups: the best four of a preset, nearest to the base first. scanned and hits: counts; unread symbols stopped nothing."""

    preset: str
    indices: tuple[IndexMove, ...]
    setups: tuple[MorningSetup, ...]
    scanned: int
    hits: int
    unread: tuple[Unread, ...]


class MorningAsked(Question[Morning], frozen=True, kw_only=True):
    """What a morning's letter says: index moves, the best setups of all that is listed, and how the scan went.

    before: as of the morning of this session, from the bars of earlier ones only, in the units of then; None for now.
    """

    VERB = "morning"
    ANSWER = Morning

    before: date | None = None


class Holding(msgspec.Struct, frozen=True):
    """What is held of one symbol; basis: of the units whose cost is known, none when of no unit."""

    symbol: str
    quantity: Quantity
    basis: Money | None


class HoldingTold(msgspec.Struct, frozen=True):
    """One thing to tell of a holding. urgency: critical, high, medium or low."""

    symbol: str
    alert: str
    urgency: str
    text: str


class HoldingAlerts(msgspec.Struct, frozen=True):
    """The ten most urgent, the most urgent first. found: how many there were; unread: holdings of which nothing can be told, and why."""

    alerts: tuple[HoldingTold, ...]
    found: int
    unread: tuple[Unread, ...]


class HoldingAlertsAsked(Question[HoldingAlerts], frozen=True, kw_only=True):
    """What there is to tell of these holdings. Nothing is traded on it."""

    VERB = "holding_alerts"
    ANSWER = HoldingAlerts

    holdings: tuple[Holding, ...]


def holdings_of(positions: Iterable[PositionSummary]) -> tuple[Holding, ...]:
    """What is held long of each symbol over all accounts, by symbol; options and futures are left out.

    quantity: of the units whose cost is known, or of all in the first account when it is known of none.
    """
    found: dict[str, Holding] = {}
    for one in positions:
        if one.quantity <= Quantity(0) or one.instrument.asset_class in (AssetClass.OPTION, AssetClass.FUTURE):
            continue
        known, symbol = one.quantity - one.unknown, one.instrument.symbol
        now = Holding(symbol, one.quantity, None) if not known or one.basis is None else Holding(symbol, known, one.basis)
        found[symbol] = _together(found[symbol], now) if symbol in found else now
    return tuple(found[symbol] for symbol in sorted(found))


def _together(first: Holding, other: Holding) -> Holding:
    if first.basis is None or other.basis is None:
        return first if other.basis is None else other
    return Holding(first.symbol, first.quantity + other.quantity, first.basis + other.basis)
