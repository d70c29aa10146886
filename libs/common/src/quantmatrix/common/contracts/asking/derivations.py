"""The question to portfolio where a number comes from."""

from datetime import date
from enum import StrEnum

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.names import AccountId, ClosingId, InstrumentId, LotId, UserId
from quantmatrix.common.values import Money


class DerivedOf(StrEnum):
    """realised: gains of closings; unrealised: of open lots; lot: what a lot cost; equity, cash: of accounts; profit: economic profit."""

    REALISED = "realised"
    UNREALISED = "unrealised"
    LOT = "lot"
    EQUITY = "equity"
    CASH = "cash"
    PROFIT = "profit"


class DerivedLine(msgspec.Struct, frozen=True):
    """depth: 0 is the number itself, its lines stand below it, one deeper; source_kind: execution, row of a file, rule, closing price, told by a
    person, or ledger, which stands for many movements.

    reference: the broker's execution id, or the line and the file; drill: the query of the derivation that goes on from here.
    """

    depth: int
    what: str
    amount: Money
    source_kind: str | None
    reference: str | None
    drill: str | None = None


class Derivation(msgspec.Struct, frozen=True):
    """faults: sums that differ and ends without a source, in words; empty when the number is derived completely."""

    lines: tuple[DerivedLine, ...]
    faults: tuple[str, ...]


class DerivationAsked(Question[Derivation], frozen=True, kw_only=True):
    """Where a number comes from. of: which one; null: of one closing, or what a position stands above its basis, or else what a year realised.

    closing_id, lot_id: the closing, the lot; instrument_id: of the position or the closings; year: of the closings or movements of cash, all when
    null; kind: of these movements; session: of the profit, all when null.
    """

    VERB = "derivation"
    ANSWER = Derivation

    user_id: UserId
    closing_id: ClosingId | None = None
    instrument_id: InstrumentId | None = None
    year: int | None = None
    account_id: AccountId | None = None
    of: DerivedOf | None = None
    lot_id: LotId | None = None
    kind: str | None = None
    session: date | None = None
