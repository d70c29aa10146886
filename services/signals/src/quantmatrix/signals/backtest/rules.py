"""How a backtest fills: costs, slippage, volume, and what happens inside a bar. Pure: a bar and an order in, a price out."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmatrix.common.names import Side
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity, notional, round_half_even
from quantmatrix.signals.backtest.history import PastBar
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.planning import rounded_division

NOTHING = Decimal(0)
_RATE_DIGITS = 24
_UNIT, _RATE_UNIT = 10**FRACTION_DIGITS_MAX, 10**_RATE_DIGITS


@dataclass(frozen=True, slots=True)
class Commission:
    """What an order costs, in the instrument's currency: per unit with a minimum and a maximum, and a share of its value.

    The default is the paper venue's (Interactive Brokers, "IBKR Pro Fixed"). maximum_pct of zero means no maximum.
    """

    per_unit: Decimal = Decimal("0.005")
    minimum: Decimal = Decimal(1)
    maximum_pct: Decimal = Decimal(1)
    value_pct: Decimal = NOTHING

    def of(self, quantity: Quantity, value: Money) -> Money:
        """The commission of one order. The maximum wins over the minimum."""
        raw = max(quantity.value * self.per_unit, self.minimum)
        if self.maximum_pct:
            raw = min(raw, abs(value.amount) * self.maximum_pct / 100)
        return Money(round_half_even(raw + abs(value.amount) * self.value_pct / 100), value.currency)


def affordable(commission: Commission, cash: Money, price: Price, wanted: Quantity, door: Door) -> Quantity:
    """As many whole lots of a purchase as the cash pays at this price, commission included; what costs nothing is paid by none."""
    quantity, there = wanted, max(cash, Money.zero(cash.currency))
    while quantity:
        value = notional(price, quantity, door.multiplier, cash.currency)
        fee = commission.of(quantity, value)
        if value + fee <= there:
            break
        quantity = max(min(door.lots(there - fee, price), quantity - door.lot_size), Quantity(0))
    return quantity


class WholeCommission:
    """The same commission in whole numbers: quantity in units, value and result in 10^-12 of money."""

    def __init__(self, commission: Commission) -> None:
        per_unit, minimum, self._most, self._share = (int(one.scaleb(_RATE_DIGITS)) for one in _rates(commission))
        self._per_unit, self._minimum = per_unit * _UNIT, minimum * _UNIT

    @staticmethod
    def fits(commission: Commission) -> bool:
        """Whether every rate is a whole number of 10^-24."""
        return all(one.scaleb(_RATE_DIGITS) == one.scaleb(_RATE_DIGITS).to_integral_value() for one in _rates(commission))

    def of(self, quantity: int, value: int) -> int:
        """The commission of one order, rounded as the exact one is."""
        raw = max(quantity * self._per_unit, self._minimum)
        if self._most:
            raw = min(raw, value * self._most)
        return rounded_division(raw + value * self._share, _RATE_UNIT)


def _rates(commission: Commission) -> tuple[Decimal, ...]:
    return commission.per_unit, commission.minimum, commission.maximum_pct / 100, commission.value_pct / 100


@dataclass(frozen=True, slots=True)
class Slippage:
    """How much worse than the bar's price an order fills: a share of the price in basis points, and whole ticks."""

    bps: Decimal = NOTHING
    ticks: int = 0

    @property
    def is_none(self) -> bool:
        return not self.bps and not self.ticks

    def worse(self, side: Side, price: Price, tick_size: Price) -> Price:
        """The price after slippage, on a tick, rounded against us; unchanged when there is no slippage."""
        if self.is_none:
            return price
        off = price.value * self.bps / 10_000 + tick_size.value * self.ticks
        rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
        ticks = ((price.value + off * side.sign) / tick_size.value).to_integral_value(rounding=rounding)
        return Price(max(ticks, Decimal(1)) * tick_size.value)


@dataclass(frozen=True, slots=True)
class FillRules:
    """What is assumed of the market; every one of these is printed with a result.

    options: what an order for contracts costs ("IBKR Pro Fixed" for US options, monthly volume up to 10,000); never more than its value,
    so that what is worthless costs nothing to be rid of.
    volume_pct: at most this share of a bar's volume fills, the rest of a day order expires; none means no limit.
    inside_bar: whether stops and first targets of decisions rest in the market, instead of being looked at on closes only.
    """

    commission: Commission = Commission()
    slippage: Slippage = Slippage()
    volume_pct: Decimal | None = None
    inside_bar: bool = False
    options: Commission = Commission(Decimal("0.65"), Decimal(1), Decimal(100))

    def assumptions(self, *, options: bool = False) -> tuple[str, ...]:
        """The assumptions as sentences. options: of a strategy that trades contracts."""
        cost, slip = self.options if options else self.commission, self.slippage
        said = [
            "An order decided on a close pays the ask or gets the bid of the next session's quote, or expires when there is none."
            if options
            else "An order decided on a close fills at the next bar's open of its instrument, or expires when there is none that session.",
            f"Commission {cost.per_unit} per {'contract' if options else 'unit'}, at least {cost.minimum} an order"
            + (f", at most {cost.maximum_pct} % of its value" if cost.maximum_pct else "")
            + (f", and {cost.value_pct} % of the value" if cost.value_pct else "")
            + ".",
            f"Slippage {slip.bps} basis points and {slip.ticks} ticks against us." if not slip.is_none else "No slippage.",
            f"At most {self.volume_pct} % of a bar's volume fills; the rest expires."
            if self.volume_pct
            else "Volume does not limit fills.",
            "Purchases never cost more than the free cash; "
            + (
                "puts are sold without being held, and bind the cash of their strikes; calls are sold against shares."
                if options
                else "nothing is sold short."
            ),
        ]
        if options:
            said.append(
                "A sale without a bid is settled in cash on the contract's last day, at what it is in the money by. What is still there at its close is "
                "exercised or assigned from a cent in the money on: shares change hands at the strike, without commission. Below that it expires."
            )
            said.append("A split of the stock adjusts contracts as the OCC does: their number and strike, or else the shares they deliver.")
        if self.inside_bar:
            said.append("Stops and first targets rest in the market from the entry's open on; when a bar reaches both, the stop fills.")
        return tuple(said)

    def most(self, bar: PastBar, lot_size: Quantity) -> Quantity | None:
        """The most that fills on a bar, in whole lots; None for no limit."""
        if self.volume_pct is None:
            return None
        share = (bar.volume.value * self.volume_pct / 100).quantize(Decimal("1e-9"), rounding=ROUND_FLOOR)
        return Quantity(share).floored_to(lot_size)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a resting stop or target did on a bar: which of the two, at what price, and whether the bar reached both."""

    stopped: bool
    price: Price
    both: bool


def touched(bar: PastBar, stop: Price | None, target: Price | None) -> Touched | None:
    """How a long position's stop and target fare on one bar; None when neither is reached.

    An open beyond one of them fills there. Inside the bar the order of prices is unknown: when both are reached, the
    stop is taken, which is the worse of the two.
    """
    if stop is not None and bar.open <= stop:
        return Touched(True, bar.open, both=False)
    if target is not None and bar.open >= target:
        return Touched(False, bar.open, both=False)
    reached = target is not None and bar.high >= target
    if stop is not None and bar.low <= stop:
        return Touched(True, stop, both=reached)
    if target is not None and reached:
        return Touched(False, target, both=False)
    return None
