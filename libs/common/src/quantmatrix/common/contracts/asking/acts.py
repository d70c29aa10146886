"""What a person tells portfolio beside the brokers' fills: lot methods, ends of options, corporate actions, transfers, bases, reversals."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.contracts.lots import NamedLotPart, nothing
from quantmatrix.common.contracts.message import AccountToken, Instant
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import Side, UserId
from quantmatrix.common.values import Money, Price, Quantity

Ratio = Annotated[int, msgspec.Meta(gt=0, le=1_000_000_000)]


class _Act(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", forbid_unknown_fields=True):
    """Days are the exchange's; `at` is an instant in UTC; `effective` counts before the open of that day."""


class TradeMade(_Act, frozen=True, kw_only=True, tag="trade"):
    """A trade that no broker here reported: cash in lieu of a fraction (with its amount), or a coin sold with a fee in kind.

    amount: what was paid where it is not price × quantity × multiplier. fee_in_kind: units that went to the venue.
    """

    instrument: Instrument
    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    session: date
    at: Instant
    amount: Money | None = None
    fee_in_kind: Quantity = msgspec.field(default_factory=nothing)
    lots: tuple[NamedLotPart, ...] = ()


class ContractsEnded(_Act, frozen=True, kw_only=True, tag="contracts_ended"):
    """Option contracts were exercised, assigned or expired; fee is that of the delivery.

    shares: what was delivered in all, where a split changed it; null for the multiplier of each contract. triggered_by: who opened
    them, where a broker told it.
    """

    how: Literal["exercise", "assignment", "expiry"]
    option: Instrument
    underlying: Instrument
    right: Literal["call", "put"]
    strike: Price
    contracts: Quantity
    fee: Money
    session: date
    at: Instant
    shares: Quantity | None = None
    triggered_by: str = ""


class UnitsArrived(_Act, frozen=True, kw_only=True, tag="arrival"):
    """Units that nobody bought here: a transfer, a grant that vested, income in kind, an opening inventory.

    quantity carries a sign. basis: the total, null while nobody knows it. acquired_on: null while unknown.
    """

    origin: Literal["transfer", "opening", "grant", "income", "gift"]
    instrument: Instrument
    quantity: Quantity
    basis: Money | None
    acquired_on: date | None
    session: date
    at: Instant


class UnitsLeft(_Act, frozen=True, kw_only=True, tag="departure"):
    """quantity (above zero) units left without a trade: the named lots, or the oldest first."""

    instrument: Instrument
    quantity: Quantity
    session: date
    at: Instant
    lots: tuple[NamedLotPart, ...] = ()


class BasisSupplied(_Act, frozen=True, kw_only=True, tag="basis"):
    """What was found out about an arrival (the event_id it was booked under): its total basis, and since when it was held."""

    arrival: UUID
    basis: Money
    acquired_on: date | None = None


class UnitsSplit(_Act, frozen=True, kw_only=True, tag="split"):
    """numerator new units for denominator old ones: a split, a reverse split, a stock dividend."""

    instrument: Instrument
    effective: date
    numerator: Ratio
    denominator: Ratio


class SpunOff(_Act, frozen=True, kw_only=True, tag="spin_off"):
    """numerator units of child for denominator of parent; basis is divided by the two prices. A child price of 0 waits."""

    parent: Instrument
    child: Instrument
    effective: date
    numerator: Ratio
    denominator: Ratio
    parent_price: Price
    child_price: Price


class Merged(_Act, frozen=True, kw_only=True, tag="merger"):
    """Units became numerator units of `into` (null: none) for denominator old ones, and `cash` for each old unit."""

    old: Instrument
    into: Instrument | None
    effective: date
    numerator: Ratio
    denominator: Ratio
    cash: Money
    into_price: Price | None = None
    taxable: bool = False


class Renamed(_Act, frozen=True, kw_only=True, tag="rename"):
    """The same units under another instrument."""

    old: Instrument
    into: Instrument
    effective: date


class CapitalReturned(_Act, frozen=True, kw_only=True, tag="return_of_capital"):
    """Cash that lowers the basis by per_unit; booked_as_income: the cash came before, as a dividend."""

    instrument: Instrument
    effective: date
    per_unit: Price
    booked_as_income: bool = False


class Reversed(_Act, frozen=True, kw_only=True, tag="reversal"):
    """Takes back an act that was wrong, or a split that market told; reversing the reversal brings it back."""

    reverses: UUID


Act = (
    TradeMade
    | ContractsEnded
    | UnitsArrived
    | UnitsLeft
    | BasisSupplied
    | UnitsSplit
    | SpunOff
    | Merged
    | Renamed
    | CapitalReturned
    | Reversed
)


class ToldAct(msgspec.Struct, frozen=True):
    """An act as it is booked. reversed: whether a later act takes it back."""

    event_id: UUID
    act: Act
    reversed: bool


class ToldActs(msgspec.Struct, frozen=True):
    """In the order in which they were told."""

    acts: tuple[ToldAct, ...]


class ActsAsked(Question[ToldActs], frozen=True, kw_only=True):
    """What was told about an account; without a user: whoever's it is."""

    VERB = "acts"
    ANSWER = ToldActs

    account_id: AccountToken
    user_id: UserId | None = None


class ActTaken(msgspec.Struct, frozen=True):
    """The act is booked under event_id. booked: False where the same was told before, and nothing changed."""

    event_id: UUID
    booked: bool


class ActBookingAsked(Question[ActTaken], frozen=True, kw_only=True):
    """Book an act, once for each command_id, or refuse it with the reason: nothing is changed then."""

    VERB = "acts.book"
    ANSWER = ActTaken

    command_id: UUID
    account_id: AccountToken
    act: Act
    user_id: UserId | None = None


class LotMethodSince(msgspec.Struct, frozen=True):
    """A method and the first day it holds for; the account's first one has no day."""

    method: str
    since: date | None
    told_at: Instant | None


class LotMethodHistory(msgspec.Struct, frozen=True):
    """An account's methods in the order they were told. `allowed` names all there are."""

    account_id: str
    methods: tuple[LotMethodSince, ...]
    allowed: tuple[str, ...]


class LotMethodsAsked(Question[LotMethodHistory], frozen=True, kw_only=True):
    """Which lots an account's sales use up, from which day on; without a user: whoever's it is."""

    VERB = "lot_methods"
    ANSWER = LotMethodHistory

    account_id: AccountToken
    user_id: UserId | None = None


class LotMethodChangeAsked(Question[LotMethodHistory], frozen=True, kw_only=True):
    """Use another method from a day on, once for each command_id. What was closed before that day stays as it is."""

    VERB = "lot_methods.change"
    ANSWER = LotMethodHistory

    command_id: UUID
    account_id: AccountToken
    method: Annotated[str, msgspec.Meta(max_length=40)]
    since: date
    user_id: UserId | None = None


class _One(msgspec.Struct):
    act: Act


def act_of_json(body: bytes) -> Act:
    """Read an act. Raises MalformedMessageError with the field that is wrong."""
    return decode_as(_One, b'{"act":' + body + b"}").act
