"""Exact values of trading: quantity, price, money. None of them has a door for floats."""

import re
from collections.abc import Callable
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from typing import Self, TypeVar

FRACTION_DIGITS_MAX = 12
INTEGER_DIGITS_MAX = 18
_PLAIN = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?")
_QUANTUM = Decimal(1).scaleb(-FRACTION_DIGITS_MAX)
_LIMIT = Decimal(10) ** INTEGER_DIGITS_MAX
# Sums and products of two admitted values always fit; anything that would round raises instead. Python's own operators
# (also the unary ones) round to 28 digits and are not used here: an admitted value has up to 30.
_EXACT = Context(prec=64, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
_ROUNDING = Context(prec=64, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
# What has more digits than are admitted before or after the point raises here.
_ADMITTING = Context(prec=INTEGER_DIGITS_MAX + FRACTION_DIGITS_MAX, traps=[InvalidOperation, Inexact])
# Sums of admitted values have no more digits after the point than these, and what was rounded to 12 digits has not either: only
# their size is left to look at, and these contexts raise by themselves when it is not admitted.
_SUMMING = Context(prec=INTEGER_DIGITS_MAX + FRACTION_DIGITS_MAX, Emax=INTEGER_DIGITS_MAX - 1, traps=[InvalidOperation, Overflow, Inexact])
_TO_QUANTUM = Context(prec=INTEGER_DIGITS_MAX + FRACTION_DIGITS_MAX, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_set = object.__setattr__


class NotExactError(ValueError):
    """A number was offered that money cannot be made of: a float, NaN, too many digits, an odd spelling."""


class CurrencyMismatchError(ValueError):
    """Amounts of two currencies met in one sum."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"amounts of {left} and {right} cannot be added or compared; convert one of them first")


def parse_decimal(text: object) -> Decimal:
    """Read a decimal in its one plain spelling: `-?digits[.digits]`, at most 18 before and 12 after the point.

    Raises NotExactError for numbers that are not strings and for any other spelling (exponents, blanks, NaN).
    """
    if not isinstance(text, str):
        raise NotExactError(f"expected a decimal as a string, got {type(text).__name__} {text!r}")
    if not _PLAIN.fullmatch(text):
        raise NotExactError(f"expected a plain decimal such as '12.50', got {text[:64]!r}")
    return Decimal(text)


def plain(value: Decimal) -> str:
    """Write a decimal the one way it is spelled everywhere: no exponent, no trailing zeros, no negative zero."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _admitted(value: object, what: str) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise NotExactError(f"{what} is made of a Decimal or an int, not of {type(value).__name__} {value!r}")
    try:
        if not value.quantize(_QUANTUM, context=_ADMITTING).is_nan():
            return value
    except (InvalidOperation, Inexact):
        pass
    raise NotExactError(_why_not(value, what))


def _why_not(value: Decimal, what: str) -> str:
    if not value.is_finite() or value.copy_abs() >= _LIMIT:
        return f"{what} must be finite and below 10^{INTEGER_DIGITS_MAX}, got {value}"
    return f"{what} has more than {FRACTION_DIGITS_MAX} digits after the point: {value}"


def round_half_even(value: Decimal, digits: int = FRACTION_DIGITS_MAX) -> Decimal:
    """Round once, openly, to `digits` after the point; ties go to the even neighbour."""
    return value.quantize(_QUANTUM if digits == FRACTION_DIGITS_MAX else Decimal(1).scaleb(-digits), context=_ROUNDING)


def _sum(left: Decimal, right: Decimal, what: str) -> Decimal:
    """The sum of two admitted values, admitted."""
    try:
        return _SUMMING.add(left, right)
    except ArithmeticError:
        return _admitted(_EXACT.add(left, right), what)


class _Exact:
    """What quantity and price share: one Decimal, compared and hashed by value."""

    __slots__ = ("value",)
    value: Decimal

    def __init__(self, value: Decimal | int) -> None:
        object.__setattr__(self, "value", _admitted(value, type(self).__name__))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises NotExactError; whatever is spelled plainly is admitted."""
        return cls._of(parse_decimal(text))

    @classmethod
    def _of(cls, admitted: Decimal) -> Self:
        made = object.__new__(cls)
        _set(made, "value", admitted)
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        return plain(self.value)

    def __add__(self, other: Self) -> Self:
        return self._of(_sum(self.value, other.value, type(self).__name__))

    def __sub__(self, other: Self) -> Self:
        return self._of(_sum(self.value, other.value.copy_negate(), type(self).__name__))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.value == other.value

    def __lt__(self, other: Self) -> bool:
        return self.value < self._same_kind(other).value

    def __le__(self, other: Self) -> bool:
        return self.value <= self._same_kind(other).value

    def __gt__(self, other: Self) -> bool:
        return self.value > self._same_kind(other).value

    def __ge__(self, other: Self) -> bool:
        return self.value >= self._same_kind(other).value

    def _same_kind(self, other: Self) -> Self:
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} and {type(other).__name__} cannot be compared")
        return other

    def __hash__(self) -> int:
        return hash((type(self), self.value))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __reduce__(self) -> tuple[type[Self], tuple[Decimal]]:
        return (type(self), (self.value,))


class Quantity(_Exact):
    """How many shares, contracts or coins; negative means short or sold."""

    __slots__ = ()

    def __neg__(self) -> "Quantity":
        return Quantity._of(self.value.copy_negate())

    def __abs__(self) -> "Quantity":
        return Quantity._of(self.value.copy_abs())

    def scaled(self, numerator: int, denominator: int) -> "Quantity":
        """This quantity after a split of `numerator` new units for `denominator` old ones, rounded to 12 digits."""
        return Quantity(round_half_even(_ROUNDING.divide(_ROUNDING.multiply(self.value, Decimal(numerator)), Decimal(denominator))))

    def floored_to(self, lot_size: "Quantity") -> "Quantity":
        """The largest multiple of `lot_size` not above this quantity. Raises ValueError for a lot size of zero or less."""
        return Quantity.in_lots(self.value, lot_size)

    @classmethod
    def in_lots(cls, units: Decimal, lot_size: "Quantity") -> "Quantity":
        """The same of any number of units."""
        if lot_size.value <= 0:
            raise ValueError(f"a lot size is above zero, got {lot_size}")
        lots = _ROUNDING.divide(units, lot_size.value).to_integral_value(rounding=ROUND_FLOOR)
        return cls(_EXACT.multiply(lots, lot_size.value))


class Price(_Exact):
    """What one unit costs, in the currency of its instrument."""

    __slots__ = ()

    def scaled(self, numerator: int, denominator: int) -> "Price":
        """This price times `numerator` over `denominator`, rounded to 12 digits."""
        return Price(round_half_even(_ROUNDING.divide(_ROUNDING.multiply(self.value, Decimal(numerator)), Decimal(denominator))))

    def snapped_to(self, tick_size: "Price") -> "Price":
        """The nearest multiple of `tick_size`, ties to even. Raises ValueError for a tick size of zero or less."""
        return Price.on_tick(self.value, tick_size)

    @classmethod
    def on_tick(cls, level: Decimal, tick_size: "Price") -> "Price":
        """The same of any level."""
        if tick_size.value <= 0:
            raise ValueError(f"a tick size is above zero, got {tick_size}")
        ticks = _ROUNDING.divide(level, tick_size.value).to_integral_value(rounding=ROUND_HALF_EVEN)
        return cls(_EXACT.multiply(ticks, tick_size.value))


@lru_cache(maxsize=1_000)
def _is_code(currency: str) -> bool:
    return re.fullmatch(r"[A-Z][A-Z0-9]{2,9}", currency) is not None


class Money:
    """An amount in one currency (ISO 4217 code, or a coin's code)."""

    __slots__ = ("amount", "currency")
    amount: Decimal
    currency: str

    def __init__(self, amount: Decimal | int, currency: str) -> None:
        if not _is_code(currency):
            raise NotExactError(f"expected a currency code such as 'USD', got {currency!r}")
        object.__setattr__(self, "amount", _admitted(amount, "Money"))
        object.__setattr__(self, "currency", currency)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Money is immutable")

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(0, currency)

    @classmethod
    def rounding(cls, amount: Decimal, currency: str) -> "Money":
        """Any finite amount, rounded once to 12 digits; ties go to the even neighbour. Raises NotExactError beyond 18 digits before the point."""
        if not _is_code(currency):
            raise NotExactError(f"expected a currency code such as 'USD', got {currency!r}")
        try:
            admitted = amount.quantize(_QUANTUM, context=_TO_QUANTUM)
        except InvalidOperation:
            return cls(round_half_even(amount), currency)
        return cls(amount, currency) if admitted.is_nan() else cls._of(admitted, currency)

    @classmethod
    def _of(cls, admitted: Decimal, currency: str) -> "Money":
        made = object.__new__(cls)
        _set(made, "amount", admitted)
        _set(made, "currency", currency)
        return made

    @classmethod
    def parse(cls, amount: object, currency: object) -> "Money":
        if not isinstance(currency, str):
            raise NotExactError(f"expected a currency code as a string, got {currency!r}")
        return cls(parse_decimal(amount), currency)

    def __repr__(self) -> str:
        return f"Money({self})"

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.currency}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and (self.amount, self.currency) == (other.amount, other.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other).amount

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other).amount

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other).amount

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other).amount

    def __hash__(self) -> int:
        return hash((self.amount, self.currency))

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __add__(self, other: "Money") -> "Money":
        return Money._of(_sum(self.amount, self._same(other).amount, "Money"), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money._of(_sum(self.amount, self._same(other).amount.copy_negate(), "Money"), self.currency)

    def __neg__(self) -> "Money":
        return Money._of(self.amount.copy_negate(), self.currency)

    def __abs__(self) -> "Money":
        return Money._of(self.amount.copy_abs(), self.currency)

    def __reduce__(self) -> tuple[type["Money"], tuple[Decimal, str]]:
        return (Money, (self.amount, self.currency))

    def share(self, part: Quantity, whole: Quantity) -> "Money":
        """The part of this amount that belongs to `part` of `whole`, rounded to 12 digits.

        Whoever hands out shares keeps the rest as `amount - share`, so nothing is lost; the last part takes all.
        """
        if part == whole:
            return self
        return Money.rounding(_ROUNDING.divide(_ROUNDING.multiply(self.amount, part.value), whole.value), self.currency)

    def times(self, factor: Decimal) -> "Money":
        """This amount times an exact factor, rounded to 12 digits."""
        return Money.rounding(_ROUNDING.multiply(self.amount, factor), self.currency)

    def rounded(self, digits: int) -> "Money":
        return Money(round_half_even(self.amount, digits), self.currency)

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatchError(self.currency, other.currency)
        return other


def notional(price: Price, quantity: Quantity, multiplier: Quantity, currency: str) -> Money:
    """Price × quantity × contract multiplier, signed like the quantity, rounded to 12 digits."""
    return Money.rounding(_ROUNDING.multiply(_ROUNDING.multiply(price.value, quantity.value), multiplier.value), currency)


_V = TypeVar("_V")


def optional(parse: Callable[[object], _V], text: object | None) -> _V | None:
    """Apply `parse` where there is something to parse."""
    return None if text is None else parse(text)
