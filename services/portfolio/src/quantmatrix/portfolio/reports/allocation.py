"""How what is held is spread: by class, sector, account and symbol, each a way to cut the same whole."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from quantmatrix.common.values import Money

CASH = "cash"
UNCLASSIFIED = "not classified"


class By(StrEnum):
    """Ways to cut."""

    CLASS = "class"
    SECTOR = "sector"
    ACCOUNT = "account"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Worth:
    """A position, or an account's cash, at its value; below zero when it is owed."""

    asset_class: str
    sector: str
    account: str
    symbol: str
    value: Money

    def named(self, by: By) -> str:
        match by:
            case By.CLASS:
                return self.asset_class
            case By.SECTOR:
                return self.sector
            case By.ACCOUNT:
                return self.account
            case By.SYMBOL:
                return self.symbol


@dataclass(frozen=True, slots=True)
class Part:
    """share: of everything in this currency, a fraction; None when that is not above zero. Shares of what is owed are below zero."""

    by: By
    name: str
    value: Money
    share: float | None


def allocation(worths: Iterable[Worth]) -> list[Part]:
    """Every cut, the largest part first; the parts of a cut and currency sum to everything in it, exactly."""
    groups: defaultdict[str, list[Worth]] = defaultdict(list)
    for one in worths:
        groups[one.value.currency].append(one)
    return [part for currency in sorted(groups) for by in By for part in _cut(groups[currency], by, currency)]


def _cut(worths: list[Worth], by: By, currency: str) -> list[Part]:
    sums: defaultdict[str, Money] = defaultdict(lambda: Money.zero(currency))
    for one in worths:
        sums[one.named(by)] += one.value
    total = float(sum((one.amount for one in sums.values()), start=Money.zero(currency).amount))
    parts = [Part(by, name, value, float(value.amount) / total if total > 0 else None) for name, value in sums.items()]
    return sorted(parts, key=lambda one: (-one.value.amount, one.name))
