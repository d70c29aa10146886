"""Questions to portfolio about wash sales, how accounts are taxed, and how what is held is spread."""

from datetime import date
from typing import Annotated, Literal

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.names import AccountId, ClosingId, LotId, UserId
from quantmatrix.common.values import Money, Quantity

TaxTreatment = Literal["taxable", "tax-deferred"]
Sector = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
SectorFile = Annotated[str, msgspec.Meta(min_length=1, max_length=400_000)]
Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class WashSale(msgspec.Struct, frozen=True):
    """A loss, or a part of one, that does not count, and the purchase because of which.

    loss: proceeds less basis, below zero; disallowed: above zero; permanent: the purchase was made in a tax-deferred account, whose
    basis it never enters; replaced_*: the purchase, its date without days that were taken over; quantity: in today's units, above zero.
    """

    closing_id: ClosingId
    lot_id: LotId
    account_id: AccountId
    symbol: str
    quantity: Quantity
    acquired_on: date | None
    disposed_on: date
    loss: Money
    disallowed: Money
    permanent: bool
    replaced_by: LotId
    replaced_account_id: AccountId
    replaced_on: date | None


class WashYear(msgspec.Struct, frozen=True):
    """carried: what entered the basis of a replacement; lost: what is disallowed for good. Their sum is everything disallowed."""

    year: int
    currency: str
    sales: int
    carried: Money
    lost: Money


class WashFlag(msgspec.Struct, frozen=True):
    """A loss beside the purchase of a related security within the window: an option and what it is on. Flagged, never booked."""

    symbol: str
    account_id: AccountId
    disposed_on: date
    loss: Money
    lot_id: LotId
    acquired_symbol: str
    acquired_account_id: AccountId
    acquired_on: date
    acquired_lot_id: LotId


class WashSales(msgspec.Struct, frozen=True):
    """The latest first. undecided: closings at a loss, or with an unknown gain, whose lots lack a basis or a date.

    years: of all accounts asked for; flags: for a person to judge.
    """

    years: tuple[WashYear, ...]
    sales: tuple[WashSale, ...]
    undecided: int
    flags: tuple[WashFlag, ...] = ()


class WashSalesAsked(Question[WashSales], frozen=True, kw_only=True):
    """Disallowed losses. Replacements are looked for in all accounts of the user; account_id: where the loss was made."""

    VERB = "wash_sales"
    ANSWER = WashSales

    user_id: UserId
    account_id: AccountId | None = None
    year: int | None = None
    limit: int = 500


class AccountTreatment(msgspec.Struct, frozen=True):
    """treatment: as its owner chose (chosen), else as was said when its statements were imported, else taxable."""

    account_id: AccountId
    treatment: TaxTreatment
    chosen: bool


class AccountTreatments(msgspec.Struct, frozen=True):
    accounts: tuple[AccountTreatment, ...]


class AccountTreatmentsAsked(Question[AccountTreatments], frozen=True, kw_only=True):
    """How a user's accounts are taxed."""

    VERB = "treatments"
    ANSWER = AccountTreatments

    user_id: UserId


class ChooseTreatment(Question[AccountTreatment], frozen=True, kw_only=True):
    """Tell how an account is taxed; reports follow at once, lots stay as they are. The same choice again changes nothing."""

    VERB = "treatment.choose"
    ANSWER = AccountTreatment

    user_id: UserId
    account_id: AccountId
    treatment: TaxTreatment


class AllocationPart(msgspec.Struct, frozen=True):
    """by: class, sector, account or symbol; share: of everything in this currency, null when that is not above zero."""

    by: str
    name: str
    value: Money
    share: float | None


class Allocation(msgspec.Struct, frozen=True):
    """The largest part first within each `by`; under each of them the parts sum to everything. unpriced: positions without a price, left out."""

    parts: tuple[AllocationPart, ...]
    unpriced: tuple[str, ...]


class AllocationAsked(Question[Allocation], frozen=True, kw_only=True):
    """How positions and cash are spread, at the latest closes."""

    VERB = "allocation"
    ANSWER = Allocation

    user_id: UserId
    account_id: AccountId | None = None


class SectorChoice(msgspec.Struct, frozen=True):
    """sector: null takes a symbol out again."""

    symbol: str
    sector: str | None


class ChooseSector(Question[SectorChoice], frozen=True, kw_only=True):
    """Say to which sector a symbol belongs, for the user's own allocation. Nobody publishes one that may be shipped."""

    VERB = "sector.choose"
    ANSWER = SectorChoice

    user_id: UserId
    symbol: Symbol
    sector: Sector | None


class SectorsChosen(msgspec.Struct, frozen=True):
    """symbols: how many the file named; changed: those whose sector was another one, or none, before."""

    symbols: int
    changed: int


class ChooseSectors(Question[SectorsChosen], frozen=True, kw_only=True):
    """Take a person's own file of sectors: CSV with the columns symbol and sector. Symbols that it does not name keep theirs.

    A file with a bad line is refused whole, with the number of the line.
    """

    VERB = "sectors.choose"
    ANSWER = SectorsChosen

    user_id: UserId
    text: SectorFile


class BasisDifference(msgspec.Struct, frozen=True):
    """A closing trade whose printed basis or gain is not ours to the cent. own, own_gain: null while pending; difference: broker less own.

    own: before wash sales; own_gain: after those over all accounts of the user; reference: the line and the file that print it.
    """

    account_id: AccountId
    symbol: str
    disposed_on: date
    quantity: Quantity
    own: Money | None
    broker: Money
    difference: Money | None
    own_gain: Money | None
    broker_gain: Money | None
    reference: str


class BasisDifferences(msgspec.Struct, frozen=True):
    """The latest first. printed: closing trades that have a printed basis; equal: those of them whose basis and gain are ours."""

    printed: int
    equal: int
    differences: tuple[BasisDifference, ...]


class BasisDifferencesAsked(Question[BasisDifferences], frozen=True, kw_only=True):
    """Where brokers' statements and the ledger have another basis or gain for the same closing trade."""

    VERB = "basis_differences"
    ANSWER = BasisDifferences

    user_id: UserId
    account_id: AccountId | None = None
    year: int | None = None
    limit: int = 500
