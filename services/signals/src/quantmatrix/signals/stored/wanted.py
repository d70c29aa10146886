"""A backtest as it is asked for, in the form that is stored: with it and the same data and code it can be repeated."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from quantmatrix.common.values import Money, plain
from quantmatrix.signals.backtest.rules import FillRules
from quantmatrix.signals.backtest.run import Job
from quantmatrix.signals.backtest.walk_forward import Windows


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """feed: where the bars came from; grid: values by parameter, of a sweep and a walk forward; cash is a decimal string;
    cuts: at how many bars each history is cut, of a look-ahead check.

    all_listed: nobody named symbols, so that those with too few bars are left out.
    """

    kind: str = "run"
    strategy: str
    parameters: dict[str, Any]
    symbols: tuple[str, ...]
    all_listed: bool = False
    feed: str
    cash: str
    currency: str = "USD"
    rules: dict[str, Any]
    first: date | None = None
    last: date | None = None
    seed: int = 0
    grid: dict[str, list[Any]] = {}
    windows: Windows | None = None
    cuts: int | None = None

    def job(self) -> Job:
        """What the backtest itself is handed. Raises msgspec.ValidationError when the rules are of another version."""
        rules = msgspec.convert(self.rules, FillRules, strict=False)
        return Job(self.parameters, Money.parse(self.cash, self.currency), rules, self.first, self.last, self.seed)

    def stored(self) -> str:
        """JSON text."""
        return msgspec.json.encode(self).decode()


def wanted(job: Job, *, strategy: str, symbols: tuple[str, ...], feed: str, **more: Any) -> Wanted:
    """The stored form of a job; more: kind, grid, windows and cuts of what is not a single run."""
    return Wanted(
        strategy=strategy,
        parameters=dict(job.parameters),
        symbols=symbols,
        feed=feed,
        cash=plain(job.cash.amount),
        currency=job.cash.currency,
        rules=msgspec.to_builtins(job.rules, builtin_types=()),
        first=job.first,
        last=job.last,
        seed=job.seed,
        **more,
    )


def read_wanted(text: str) -> Wanted:
    """From JSON text. Raises msgspec.ValidationError when it is of another version."""
    return msgspec.json.decode(text, type=Wanted)


def what_differs(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which of code, data and parameters of two records' figures are not the same; `result` when all are and the digest is not."""
    pairs = {
        "code": ("code_digest",),
        "data": ("data_digest", "symbols"),
        "parameters": (
            "strategy",
            "parameters",
            "first",
            "last",
            "opening_cash",
            "currency",
            "assumptions",
            "seed",
            "grid",
            "windows",
            "cuts_max",
        ),
    }
    found = [name for name, keys in pairs.items() if any(was.get(key) != now.get(key) for key in keys)]
    return found or ([] if was["digest"] == now["digest"] else ["result"])
