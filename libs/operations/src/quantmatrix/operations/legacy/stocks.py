"""The single-user stock platform: executions of brokers' accounts, dividends, and what it said it held."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.operations.legacy.cells import (
    CellError,
    Cells,
    Moment,
    decimal_of,
    float_of,
    moment_of,
    needed_decimal,
    needed_text,
    text_of,
)  # fmt: skip
from quantmatrix.operations.legacy.found import LEFT_OUT, Cause, Flow, Found, Income, OldFlow, Stored, Trade, Where
from quantmatrix.operations.legacy.reading import Choices, instrument_of, product, side_of
from quantmatrix.operations.legacy.source import Row, Snapshot

MARKET = ZoneInfo("America/New_York")
CONTRACT = 100
CENTS = Decimal("0.02")
CASH_WORDS = frozenset({"DIVIDEND", "DIV", "DEPOSIT", "WITHDRAWAL", "INTEREST", "FEE", "TAX", "CASH"})
CASH_ROW = "moves cash and no units, so it is no trade; kept in the backup"
TOLD_TWICE = "the same execution, told twice"
_WORTH = ("official_statement", "realtime_api", "manual_entry", "calculated")
"""Where a row came from, the most trusted source first."""


@dataclass(frozen=True, slots=True)
class _Execution:
    """A row of `transactions` that could be read."""

    row: Row
    trade: Trade
    ids: tuple[str, ...]


def read_stocks(snapshot: Snapshot, choices: Choices) -> Found:
    """Everything in a stock platform's database. Rows that cannot be taken over are blocked, never skipped."""
    reader = _Reader(choices, frozenset(row.ref.key for row in snapshot.rows.get("accounts", ())))
    for row in snapshot.rows.get("accounts", ()):
        reader.found.keep(row.ref, f"the account lives on as {account_of(row.ref.key)}; its credentials are never copied")
    reader.transactions(snapshot.rows.get("transactions", ()))
    for row in snapshot.rows.get("dividends", ()):
        reader.dividend(row)
    if "holdings" in snapshot.rows:
        reader.holdings(snapshot.rows["holdings"])
    reader.snapshots(snapshot.rows.get("portfolio_snapshots", ()))
    return reader.found


def account_of(key: str) -> AccountId:
    """The account's name here. Its number and its person's name stay in the older database."""
    return AccountId(f"legacy-{key}")


class _Reader:
    def __init__(self, choices: Choices, accounts: frozenset[str]) -> None:
        self.found = Found()
        self._choices = choices
        self._accounts = accounts

    def transactions(self, rows: Iterable[Row]) -> None:
        """Executions, each once; of one that was told twice the most trusted source counts."""
        known: dict[str, _Execution] = {}
        plain: list[_Execution] = []
        for row in rows:
            old = self._old_flow(row)
            self.found.stages[Cause.ROUNDING] += [old] if old else []
            if self._choices.leaves_out(row.ref):
                self.found.keep(row.ref, LEFT_OUT)
                continue
            self.found.stages[Cause.LEFT_OUT] += [old] if old else []
            if _moves_cash_only(row.cells):
                self.found.keep(row.ref, CASH_ROW)
                continue
            try:
                made = self._execution(row)
            except CellError as error:
                self.found.block(row.ref, error)
                continue
            before = next((known[one] for one in made.ids if one in known and not _differ(known[one], made)), None)
            if before is None:
                known |= {one: made for one in made.ids if one not in known}
                plain += [] if made.ids else [made]
            else:
                self._again(before, made, known)
        once = dict.fromkeys(one.row.ref for one in (*known.values(), *plain))
        by_ref = {one.row.ref: one for one in (*known.values(), *plain)}
        for ref in once:
            self._take(by_ref[ref])

    def _again(self, before: _Execution, made: _Execution, known: dict[str, _Execution]) -> None:
        if _content(before.trade) != _content(made.trade):
            self.found.block(made.row.ref, f"has the execution of {before.row.ref} and says something else")
            return
        chosen, other = (made, before) if _trust(made.row) < _trust(before.row) else (before, made)
        if chosen.trade.fee != other.trade.fee:
            self.found.note("told twice with two fees, the more trusted source counts", other.row.ref)
        self.found.keep(other.row.ref, TOLD_TWICE)
        known.update(dict.fromkeys((*before.ids, *made.ids), chosen))

    def _take(self, execution: _Execution) -> None:
        trade = execution.trade
        self.found.trades.append(trade)
        exact = trade.flow
        old = self._exact_old(execution.row, trade)
        stages = self.found.stages
        stages[Cause.DUPLICATES].append(old)
        for cause in (Cause.UNITS, Cause.FILLS, Cause.MORE):
            stages[cause].append(exact)

    def _old_flow(self, row: Row) -> Flow | None:
        """The row as the older system counted it, kept in its floats and given exactly; None where it cannot have counted it."""
        try:
            side, (where, _) = side_of(row.cells, "transaction_type", "action"), self._where(row.cells)
            quantity, value = abs(needed_decimal(row.cells, "quantity")), self._old_value(row.cells)
        except CellError:
            return None
        raw_quantity, raw_price, raw_amount = (float_of(row.cells, name) for name in ("quantity", "price", "amount"))
        if raw_quantity is None or (raw_price is None and not raw_amount):
            return None
        raw_value = abs(raw_amount) if raw_amount else abs(raw_quantity) * (raw_price or 0.0)
        self.found.old.append(OldFlow(where, side, abs(raw_quantity), raw_value))
        return Flow(where, side, quantity, value)

    def _exact_old(self, row: Row, trade: Trade) -> Flow:
        return Flow(trade.where, trade.side, trade.quantity.value, self._old_value(row.cells))

    def _old_value(self, cells: Cells) -> Decimal:
        amount = decimal_of(cells, "amount")
        return abs(amount) if amount else product(abs(needed_decimal(cells, "quantity")), needed_decimal(cells, "price"))

    def _where(self, cells: Cells) -> tuple[Where, Instrument]:
        account = account_of(needed_text(cells, "account_id"))
        currency = text_of(cells, "currency").upper() or "USD"
        try:
            Money(0, currency)
        except ValueError:
            raise CellError("currency", "is not the code of a currency") from None
        symbol = needed_text(cells, "symbol").upper()
        option = text_of(cells, "contract_type").upper() == "OPT"
        made = instrument_of(symbol, AssetClass.OPTION if option else AssetClass.STOCK, currency, CONTRACT if option else 1)
        where = (account, made.instrument_id)
        if self.found.instruments.setdefault(where, made) != made:
            raise CellError("symbol", "stands for two different things in this account (currency or contract_type)")
        return where, made

    def _execution(self, row: Row) -> _Execution:
        cells = row.cells
        (account, _), instrument = self._where(cells)
        side = side_of(cells, "transaction_type", "action")
        quantity, price = abs(needed_decimal(cells, "quantity")), needed_decimal(cells, "price")
        if not quantity or price < 0:
            raise CellError("quantity" if not quantity else "price", "is zero" if not quantity else "is below zero")
        moment = self._moment(cells, "transaction_date")
        if needed_text(cells, "account_id") not in self._accounts:
            self.found.note("its account is gone, the trade remains", row.ref, str(account))
        value = Money(self._value(row, quantity, price, instrument), instrument.currency)
        ids = tuple(f"{account}/{name}/{found}" for name in ("execution_id", "external_id") if (found := text_of(cells, name)))
        key = text_of(cells, "execution_id") or text_of(cells, "external_id") or f"transactions-{row.ref.key}"
        trade = Trade(
            key, account, instrument, side, Quantity(quantity), Price(price), value, Money(self._fee(row, side), instrument.currency),
            moment.at, moment.day, text_of(cells, "order_id"), _triggered_by(cells), (row.ref,),
        )  # fmt: skip
        return _Execution(row, trade, ids)

    def _value(self, row: Row, quantity: Decimal, price: Decimal, instrument: Instrument) -> Decimal:
        """Quantity × price × multiplier. An amount beside it that fits to the cent is what was paid; one that does not is noted."""
        value = product(product(quantity, price), instrument.multiplier.value)
        amount = decimal_of(row.cells, "amount")
        if not amount:
            return value
        if abs(abs(amount) - value) > CENTS:
            self.found.note("amount is not quantity × price × multiplier", row.ref, f"{abs(amount)} against {value}, which counts")
            return value
        return abs(amount)

    def _fee(self, row: Row, side: Side) -> Decimal:
        """Commission and fees as a cost. Their sign differs between sources; the net amount beside the amount settles it."""
        parts = [decimal_of(row.cells, name) for name in ("commission", "fees")]
        if parts == [None, None]:
            self.found.note("no fee was stored, taken as none", row.ref)
        cost = sum((abs(part) for part in parts if part is not None), Decimal(0))
        amount, net = decimal_of(row.cells, "amount"), decimal_of(row.cells, "net_amount")
        if amount is None or net is None:
            return cost
        paid = (abs(net) - abs(amount)) * side.sign
        signed = abs(sum((part for part in parts if part is not None), Decimal(0)))
        for said in (cost, signed, -cost, -signed):
            if abs(paid - said) < Decimal("0.005"):
                return said
        self.found.note("commission and fees are not what the net amount says", row.ref, f"{cost} against {paid}; the commission counts")
        return cost

    def _moment(self, cells: Cells, column: str) -> Moment:
        found = moment_of(cells, column, self._choices.unsaid_zone, MARKET)
        if found is None:
            raise CellError(column, "is missing")
        self.found.assumed_zone += not found.stated
        return found

    def dividend(self, row: Row) -> None:
        """A dividend and the tax withheld from it. One that cannot be read is kept: it is no trade."""
        if self._choices.leaves_out(row.ref):
            self.found.keep(row.ref, LEFT_OUT)
            return
        try:
            self.found.income.append(self._income(row))
        except CellError as error:
            self.found.keep(row.ref, f"a dividend that cannot be read: {error}")

    def _income(self, row: Row) -> Income:
        cells = row.cells
        currency = text_of(cells, "currency").upper() or "USD"
        gross = needed_decimal(cells, "total_dividend")
        paid = moment_of(cells, "pay_date", self._choices.unsaid_zone, MARKET) or self._moment(cells, "ex_date")
        tax = abs(decimal_of(cells, "tax_withheld") or Decimal(0))
        account = account_of(needed_text(cells, "account_id"))
        key = text_of(cells, "external_id") or f"dividends-{row.ref.key}"
        if any(one.key == key and one.account == account for one in self.found.income):
            raise CellError("external_id", "is that of another dividend of the account")
        kind = text_of(cells, "dividend_type") or "ordinary"
        try:
            amounts = Money(gross, currency), Money(tax, currency)
        except ValueError:
            raise CellError("currency", "is not the code of a currency") from None
        return Income(key, account, needed_text(cells, "symbol").upper(), kind, *amounts, paid.day, (row.ref,))

    def holdings(self, rows: Iterable[Row]) -> None:
        """What it said it holds: compared with what the trades give, never booked."""
        self.found.stored = {}
        for row in rows:
            try:
                where, instrument = self._where(row.cells)
                quantity, average = needed_decimal(row.cells, "quantity"), decimal_of(row.cells, "average_cost")
            except CellError as error:
                self.found.keep(row.ref, f"a holding that cannot be read: {error}")
                continue
            cost = None if average is None else product(product(quantity, average), instrument.multiplier.value)
            before = self.found.stored.get(where)
            if before is not None:
                quantity += before.quantity
                cost = None if cost is None or before.open_cost is None else cost + before.open_cost
            self.found.stored[where] = Stored(quantity, cost)
            self.found.keep(row.ref, "a holding: compared with what the trades give, then computed anew")

    def snapshots(self, rows: Iterable[Row]) -> None:
        """The last stored gain of each account; the rows themselves are history."""
        latest: dict[AccountId, tuple[str, Decimal]] = {}
        for row in rows:
            self.found.keep(row.ref, "history without a home here, kept in the backup")
            try:
                realised = decimal_of(row.cells, "realized_pnl")
                account, on = account_of(needed_text(row.cells, "account_id")), needed_text(row.cells, "snapshot_date")
            except CellError:
                continue
            if realised is not None and (account not in latest or on > latest[account][0]):
                latest[account] = (on, realised)
        self.found.stored_realised = {account: Money(realised, "USD") for account, (_, realised) in latest.items()}


def _differ(left: _Execution, right: _Execution) -> bool:
    """Whether the broker says that these are two executions, whatever else they share (an order's id in external_id)."""
    ids = [text_of(one.row.cells, "execution_id") for one in (left, right)]
    return all(ids) and ids[0] != ids[1]


def _moves_cash_only(cells: Cells) -> bool:
    """A row of a known kind that is no trade. One that moves units as well is none of these: it stands in the way."""
    return text_of(cells, "transaction_type").upper() in CASH_WORDS and not float_of(cells, "quantity")


def _triggered_by(cells: Cells) -> str:
    return "manual" if text_of(cells, "source") == "manual_entry" else "sync"


def _trust(row: Row) -> int:
    source = text_of(row.cells, "source")
    return _WORTH.index(source) if source in _WORTH else len(_WORTH)


def _content(trade: Trade) -> tuple[object, ...]:
    return trade.where, trade.side, trade.quantity, trade.price, trade.session
