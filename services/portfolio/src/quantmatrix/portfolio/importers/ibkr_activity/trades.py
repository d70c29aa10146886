"""The section Trades: orders, their executions, the lots they closed, and conversions of currencies."""

from collections import defaultdict
from decimal import Decimal

from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import ClosedLot, Entry, EntryKind, Printed
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import EXCHANGE_ZONE, Row, UnreadableCellError, day_of, moment_of, zone
from quantmatrix.portfolio.importers.ibkr_activity.cash import MOMENTS, About, codes_of
from quantmatrix.portfolio.importers.ibkr_activity.sections import asset_in

SECTION = "Trades"
NOTHING = "a trade of nothing: neither quantity nor proceeds"
RESTATED = "an order whose executions are booked"
CLOSED_LOT = "a closed lot: the opening side of the trade above it"
_CENT, _CENTS = Decimal("0.01"), Decimal("0.02")

_Group = tuple[str, str, str, str]


def read_trades(rows: list[Row], about: About, collected: Collected) -> list[ClosedLot]:
    """Book one level: executions where the file has them, else orders. Returns the closed lots that are named."""
    executed: dict[_Group, Decimal] = defaultdict(Decimal)
    ordered: dict[_Group, Decimal] = defaultdict(Decimal)
    read: list[tuple[Row, Entry]] = []
    closed: list[ClosedLot] = []
    for row in rows:
        level = row.text("DataDiscriminator")
        try:
            if level == "ClosedLot":
                if row.text("Date/Time").strip("-"):
                    closed.append(_closed_lot(row, about))
                collected.ignore(row.place, CLOSED_LOT)
            elif level in ("Order", "Trade") and not row.decimal("Quantity") and not row.decimal("Proceeds"):
                collected.ignore(row.place, NOTHING)
            elif level in ("Order", "Trade"):
                entry = _forex(row, about) if asset_in(row) == "Forex" else _trade(row, about)
                (executed if level == "Trade" else ordered)[_group(row, about)] += entry.quantity.value if entry.quantity else Decimal(0)
                read.append((row, entry))
            else:
                collected.strange(row.place, "a level of trades that is neither order nor execution nor closed lot", row.cells)
        except ValueError as error:
            collected.damaged(row, error)
    for row, entry in read:
        _book(row, entry, _group(row, about), executed, ordered, collected)
    return closed


def _book(
    row: Row, entry: Entry, group: _Group, executed: dict[_Group, Decimal], ordered: dict[_Group, Decimal], collected: Collected
) -> None:
    both = group in executed and group in ordered
    if both and executed[group] != ordered[group]:
        collected.damaged(row, UnreadableCellError("Quantity", "orders and their executions to be of the same quantity"))
    elif both and row.text("DataDiscriminator") == "Order":
        collected.ignore(row.place, RESTATED)
    else:
        codes = ";".join(sorted(entry.printed.codes)) if entry.printed else ""
        collected.book(entry, entry.asset, row.text("Symbol"), entry.at, entry.quantity, entry.price, entry.amount, entry.fee, codes)


def _group(row: Row, about: About) -> _Group:
    return about.account_of(row), asset_in(row), row.text("Currency"), row.text("Symbol")


def are_whole(subtotals: list[Row], entries: list[Entry], about: About) -> bool:
    """Whether the trades of every symbol make the sums that the section prints below them; not where it prints none."""
    printed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    made: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in subtotals:
        column = "Notional Value" if row.has("Notional Value") else "Proceeds"
        printed[row.text("Currency"), about.symbol_of(row)] += row.decimal(column) or Decimal(0)
    for entry in entries:
        if entry.place.section == SECTION and entry.symbol and entry.amount is not None:
            made[entry.amount.currency, entry.symbol] += entry.amount.amount
    return bool(made) and printed.keys() == made.keys() and all(abs(printed[key] - made[key]) <= _CENT for key in made)


def _trade(row: Row, about: About) -> Entry:
    currency = row.needed("Currency")
    at = moment_of(row.needed("Date/Time"), "Date/Time", *MOMENTS).replace(tzinfo=zone(EXCHANGE_ZONE))
    symbol, codes = row.needed("Symbol"), codes_of(row)
    commission = row.money("Comm/Fee", currency)
    quantity = Quantity(row.needed_decimal("Quantity"))
    if not quantity:
        raise UnreadableCellError("Quantity", "something else than zero")
    value, price = _value(row, quantity, currency), Price(row.needed_decimal("T. Price"))
    return Entry(
        EntryKind.TRADE, "", row.place, about.account_of(row), at.date(), at, value,
        fee=-commission if commission is not None else None, symbol=about.symbol_of(row), quantity=quantity,
        price=price, basis=row.money("Basis", currency), realised=row.money("Realized P/L", currency),
        asset=asset_in(row), multiplier=_multiplier(row, symbol, about, value, quantity.value * price.value),
        printed=Printed(row.price("C. Price"), row.money("MTM P/L", currency), codes),
    )  # fmt: skip


def _value(row: Row, quantity: Quantity, currency: str) -> Money:
    """Proceeds; of a future its notional value with the sign of proceeds, of which only the gain is ever cash."""
    if not row.has("Notional Value"):
        return row.needed_money("Proceeds", currency)
    value = abs(row.needed_money("Notional Value", currency))
    return -value if quantity.value > 0 else value


def _multiplier(row: Row, symbol: str, about: About, value: Money, units: Decimal) -> Quantity | None:
    """The multiplier of a contract as the file tells it; where it tells none, the one that the row's own value has.

    units: quantity times price.
    """
    known = about.multipliers.get(symbol)
    if known is not None:
        return known
    asset = asset_in(row)
    if "Option" in asset or "Future" in asset:
        return _multiplier_in(value, units) or (CONTRACT_SIZE if "Option" in asset else None)
    return Quantity(1) if asset in ("Stocks", "Warrants", "Funds", "Mutual Funds", "Cryptocurrencies", "Structured Products") else None


def _multiplier_in(value: Money, units: Decimal) -> Quantity | None:
    """What makes the value of the units, if that is a round number: whole, or of one digit behind the point below one."""
    if not units:
        return None
    exact = abs(value.amount / units)
    found = exact.quantize(Decimal(1) if exact > Decimal("0.95") else Decimal("0.1"))
    return Quantity(found) if found and abs(abs(value.amount) - abs(units * found)) <= _CENTS else None


def _forex(row: Row, about: About) -> Entry:
    """One currency for another: `quantity` of the first of the pair against an amount of the second; the fee is in base."""
    at = moment_of(row.needed("Date/Time"), "Date/Time", *MOMENTS).replace(tzinfo=zone(EXCHANGE_ZONE))
    column = next((name for name in row.columns if name.startswith("Comm in ")), "Comm/Fee")
    fee_currency = column.removeprefix("Comm in ") if column.startswith("Comm in ") else about.currency
    commission = row.money(column, fee_currency)
    return Entry(
        EntryKind.CONVERSION, "", row.place, about.account_of(row), at.date(), at,
        row.needed_money("Proceeds", row.needed("Currency")), fee=-commission if commission is not None else None,
        symbol=row.needed("Symbol"), quantity=Quantity(row.needed_decimal("Quantity")), price=Price(row.needed_decimal("T. Price")),
        asset="Forex", printed=Printed(codes=codes_of(row)),
    )  # fmt: skip


def _closed_lot(row: Row, about: About) -> ClosedLot:
    currency = row.text("Currency") or about.currency
    opened = day_of(row.needed("Date/Time"), "Date/Time", *MOMENTS)
    return ClosedLot(row.text("Symbol"), opened, Quantity(row.needed_decimal("Quantity")), row.money("Basis", currency), codes_of(row))
