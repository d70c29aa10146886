"""The question whose answers, put together, are the ledger's digest."""

import msgspec

from quantmatrix.common.contracts.asking.question import Question


class LedgerDigest(msgspec.Struct, frozen=True):
    """A service's part of the ledger: SHA-256 over its canonical rows, and counts by name."""

    digest: str
    counts: dict[str, int]
    amounts: dict[str, str] = {}


class LedgerDigestAsked(Question[LedgerDigest], frozen=True, kw_only=True):
    VERB = "ledger.digest"
    ANSWER = LedgerDigest
