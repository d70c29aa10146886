"""Which older system a database belongs to, told from its tables; what of it is read, and why the rest is only kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from quantmatrix.operations.legacy.cells import LegacyError

NAMED_MAX = 12
SECRET_COLUMNS = frozenset({"api_credentials"})
"""Never copied, neither into the backup nor anywhere else."""

HISTORY = "history without a home here, kept in the backup"
EVIDENCE = "evidence beside what is computed anew, kept in the backup"
SETTINGS = "the older system's own settings, kept in the backup"


class Kind(StrEnum):
    """The older systems that are known."""

    CRYPTO_BOTS = "bot-centric crypto trader"
    STOCK_PLATFORM = "single-user stock platform"


@dataclass(frozen=True, slots=True)
class Layout:
    """A known system: `marks` and their columns tell it, `read` is taken row by row, `kept` stays in the backup for a reason.

    any_of: tables of which one is enough, because each holds trades.
    """

    kind: Kind
    any_of: Mapping[str, frozenset[str]]
    marks: Mapping[str, frozenset[str]]
    read: tuple[str, ...]
    kept: Mapping[str, str]


CRYPTO = Layout(
    Kind.CRYPTO_BOTS,
    any_of={
        "trades": frozenset({"id", "product_id", "side", "size", "price", "order_id", "status"}),
        "raw_trades": frozenset({"fill_id", "order_id", "product_id", "side", "size", "price"}),
    },
    marks={},
    read=("bots", "trades", "raw_trades"),
    kept={"bot_signal_history": HISTORY, "notifications": HISTORY, "trading_pairs": SETTINGS, "market_data": HISTORY},
)
STOCKS = Layout(
    Kind.STOCK_PLATFORM,
    any_of={"transactions": frozenset({"id", "account_id", "symbol", "quantity", "price", "transaction_date"})},
    marks={"accounts": frozenset({"id", "broker"})},
    read=("accounts", "holdings", "transactions", "dividends", "portfolio_snapshots"),
    kept={
        "tax_lots": EVIDENCE, "categories": SETTINGS, "holding_categories": SETTINGS, "strategies": SETTINGS,
        "strategy_runs": HISTORY, "signals": HISTORY, "backtest_runs": HISTORY, "strategy_performance": HISTORY,
    },
)  # fmt: skip
LAYOUTS = (CRYPTO, STOCKS)


@dataclass(frozen=True, slots=True)
class Recognised:
    """The layout, and which of its tables and trade columns this database lacks. strange: tables nobody knows, left alone."""

    layout: Layout
    read: tuple[str, ...]
    kept: tuple[str, ...]
    missing: tuple[str, ...]
    strange: tuple[str, ...]


def recognise(tables: Mapping[str, frozenset[str]]) -> Recognised:
    """The layout of a database with these tables and columns. Raises LegacyError with what was found when it is none, or two."""
    fitting = [layout for layout in LAYOUTS if _fits(layout, tables)]
    if len(fitting) == 1:
        return _recognised(fitting[0], tables)
    found = _listed(tables)
    if fitting:
        raise LegacyError(f"the database holds two older systems at once, so nobody can say whose trades are whose: {found}")
    near = [text for layout in LAYOUTS if (text := _lacking(layout, tables))]
    raise LegacyError(f"no older system is known with these tables: {found}" + (f"; {'; '.join(near)}" if near else ""))


def _fits(layout: Layout, tables: Mapping[str, frozenset[str]]) -> bool:
    present = [name for name in layout.any_of if name in tables]
    whole = all(layout.any_of[name] <= tables[name] for name in present)
    return bool(present) and whole and all(columns <= tables.get(name, frozenset()) for name, columns in layout.marks.items())


def _lacking(layout: Layout, tables: Mapping[str, frozenset[str]]) -> str:
    """What keeps a database from being of this layout, where it comes near it."""
    wanted = {**layout.any_of, **layout.marks}
    present = [name for name in wanted if name in tables]
    gaps = [f"{name} lacks {', '.join(sorted(wanted[name] - tables[name]))}" for name in present if wanted[name] - tables[name]]
    gaps += [f"{name} is missing" for name in layout.marks if name not in tables]
    return f"as a {layout.kind}: {', '.join(gaps)}" if present and gaps else ""


def _recognised(layout: Layout, tables: Mapping[str, frozenset[str]]) -> Recognised:
    known = {*layout.read, *layout.kept}
    return Recognised(
        layout,
        read=tuple(name for name in layout.read if name in tables),
        kept=tuple(name for name in layout.kept if name in tables),
        missing=tuple(name for name in (*layout.read, *layout.kept) if name not in tables),
        strange=tuple(sorted(name for name in tables if name not in known)),
    )


def _listed(tables: Mapping[str, frozenset[str]]) -> str:
    names = sorted(tables)
    if not names:
        return "it has no tables"
    return ", ".join(names[:NAMED_MAX]) + (f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else "")
