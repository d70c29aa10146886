"""The bot-centric crypto trader: the exchange's fills win for amounts, the order's row tells who wanted it."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.operations.legacy.cells import CellError, Cells, RowRef, decimal_of, flag_of, moment_of, needed_decimal, text_of
from quantmatrix.operations.legacy.crypto_rows import ACCOUNT, OrderRow, Rows, Sized
from quantmatrix.operations.legacy.found import LEFT_OUT, Cause, Engine, Flow, Found, Trade, Unfilled
from quantmatrix.operations.legacy.reading import Choices, Status, Unit, about, product, status_of
from quantmatrix.operations.legacy.source import Row, Snapshot

SYNCED_TWICE = "the same fill of the exchange, synced twice"
LISTED_TWICE = "the same order, listed twice"


def read_crypto(snapshot: Snapshot, choices: Choices) -> Found:
    """Everything in a crypto trader's database. Rows that cannot be taken over are blocked, never skipped."""
    reader = _Reader(choices, frozenset(row.ref.key for row in snapshot.rows.get("bots", ())))
    for row in snapshot.rows.get("bots", ()):
        reader.engine(row)
    orders = reader.orders(snapshot.rows.get("trades", ()))
    fills = reader.fills(snapshot.rows.get("raw_trades", ()), orders)
    for order_id in dict.fromkeys((*orders, *fills)):
        reader.join(order_id, orders.get(order_id), fills.get(order_id, []))
    return reader.found


class _Reader:
    def __init__(self, choices: Choices, bots: frozenset[str]) -> None:
        self.found = Found()
        self._rows = Rows(self.found, choices)
        self._choices = choices
        self._bots = bots
        self._waiting: set[str] = set()

    def engine(self, row: Row) -> None:
        """A bot's settings; what it held and earned is not its own any more."""
        try:
            settings = json.loads(text_of(row.cells, "signal_config") or "{}")
        except ValueError:
            self.found.keep(row.ref, "signal_config is not readable as JSON; kept in the backup")
            return
        numbers = ("position_size_usd", "max_positions", "stop_loss_pct", "take_profit_pct", "confirmation_minutes", "cooldown_minutes",
                   "trade_step_pct")  # fmt: skip
        given = {name: text_of(row.cells, name) for name in ("description", "status", *numbers) if row.cells.get(name) is not None}
        name = text_of(row.cells, "name") or row.ref.key
        self.found.engines.append(
            Engine(f"bot:{row.ref.key}", name, text_of(row.cells, "pair"), {**given, "signals": settings}, (row.ref,))
        )

    def orders(self, rows: tuple[Row, ...]) -> dict[str, OrderRow]:
        """The rows of `trades` by the exchange's order id; rows without one stand alone."""
        known: dict[str, OrderRow] = {}
        for row in rows:
            order_id = text_of(row.cells, "order_id") or str(row.ref)
            old = self._rows.old_flow(row)
            stages = self.found.stages
            stages[Cause.ROUNDING] += [old] if old else []
            if self._choices.leaves_out(row.ref):
                self.found.keep(row.ref, LEFT_OUT)
                continue
            stages[Cause.LEFT_OUT] += [old] if old else []
            before = known.get(order_id)
            if before is None:
                self._order(order_id, row, old, known)
            elif _same(before.row.cells, row.cells, "product_id", "side", "size", "price", "status", "size_in_quote"):
                self.found.keep(row.ref, LISTED_TWICE)
            else:
                self.found.block(row.ref, f"has the order id of {before.row.ref} and says something else")
        return known

    def _order(self, order_id: str, row: Row, old: Flow | None, known: dict[str, OrderRow]) -> None:
        status, sized = Status.FILLED, None
        try:
            status = status_of(row.cells)
            if status is Status.FILLED:
                sized = self._rows.sized(row, self._rows.unit_of_row(row), "filled_at", "created_at")
        except CellError as error:
            self._waiting.add(order_id)
            self.found.block(row.ref, error)
        known[order_id] = OrderRow(row, status, self._triggered_by(row), sized, old)

    def _triggered_by(self, row: Row) -> str:
        bot = text_of(row.cells, "bot_id")
        if bot and bot not in self._bots:
            self.found.note("its bot is gone, the trade remains", row.ref, f"bot:{bot}")
        return f"bot:{bot}" if bot else "manual"

    def fills(self, rows: tuple[Row, ...], orders: dict[str, OrderRow]) -> dict[str, list[Sized]]:
        """The exchange's fills by order id, each once. Of one synced twice with two commissions the later row counts."""
        by_id: dict[str, Row] = {}
        for row in rows:
            key = text_of(row.cells, "fill_id") or str(row.ref)
            before = by_id.get(key)
            if self._choices.leaves_out(row.ref):
                self.found.keep(row.ref, LEFT_OUT)
            elif before is None:
                by_id[key] = row
            elif not _same(before.cells, row.cells, "order_id", "product_id", "side", "size", "price"):
                self.found.block(row.ref, f"has the fill id of {before.ref} and says something else")
            else:
                later, earlier = (before, row) if _same(before.cells, row.cells, "commission") else (row, before)
                if later is row:
                    self.found.note("synced twice with two commissions, the later row counts", row.ref)
                by_id[key] = later
                self.found.keep(earlier.ref, SYNCED_TWICE)
        by_order: dict[str, list[Row]] = defaultdict(list)
        for row in by_id.values():
            by_order[text_of(row.cells, "order_id") or str(row.ref)].append(row)
        return {order_id: self._group(found, orders.get(order_id)) for order_id, found in by_order.items()}

    def _group(self, rows: list[Row], order: OrderRow | None) -> list[Sized]:
        made = []
        for row in rows:
            try:
                made.append(self._rows.sized(row, self._unit_of_fill(row, rows, order), "created_at", "synced_at"))
            except CellError as error:
                self.found.block(row.ref, error)
        return self._without_copies(made, order)

    def _unit_of_fill(self, row: Row, group: list[Row], order: OrderRow | None) -> Unit:
        """The fill's own flag, held against what the order as a whole was worth where all fills have one flag."""
        flag = flag_of(row.cells, "size_in_quote")
        size, price = needed_decimal(row.cells, "size"), needed_decimal(row.cells, "price")
        worth = None
        if order is not None and order.sized is not None and len({flag_of(one.cells, "size_in_quote") for one in group}) == 1:
            sizes = sum((needed_decimal(one.cells, "size") for one in group), Decimal(0))
            coins, value = sizes * price, order.sized.value
            worth = product(size, price) if about(coins, value) else size if about(sizes, value) else None
        return self._rows.unit(row.ref, (product(size, price), size), flag, worth)

    def _without_copies(self, fills: list[Sized], order: OrderRow | None) -> list[Sized]:
        """Equal fills under two ids are one fill where the order's own size says so; otherwise the exchange's ids count."""
        if order is None or order.sized is None:
            return fills
        once: dict[tuple[object, ...], Sized] = {}
        copies = [fill for fill in fills if once.setdefault(_content(fill), fill) is not fill]
        total, without = _coins(fills), _coins(list(once.values()))
        if not copies or about(total, order.sized.quantity) or not about(without, order.sized.quantity):
            return fills
        for fill in copies:
            self.found.keep(fill.row.ref, SYNCED_TWICE)
        return list(once.values())

    def join(self, order_id: str, order: OrderRow | None, fills: list[Sized]) -> None:
        """One order: its fills where the exchange's are there, else its own row; or an order that filled nothing."""
        if order is None:
            self.found.stages[Cause.MORE] += [fill.flow for fill in fills]
            self.found.trades += [_trade(_fill_key(fill), order_id, fill, "sync", (fill.row.ref,)) for fill in fills]
            return
        if any(fill.instrument != instrument for fill in fills for instrument in self._named(order)):
            self.found.block(order.row.ref, "names another pair than its fills")
            return
        self._stages(order, fills)
        if fills:
            self._filled(order_id, order, fills)
        elif order.sized is not None:
            key = f"order-{order_id}" if text_of(order.row.cells, "order_id") else f"trades-{order.row.ref.key}"
            self.found.trades.append(_trade(key, order_id, order.sized, order.triggered_by, (order.row.ref,)))
        elif order_id not in self._waiting:
            self._unfilled(order_id, order)

    def _named(self, order: OrderRow) -> list[Instrument]:
        try:
            return [self._rows.instrument(order.row.cells)]
        except CellError:
            return []

    def _filled(self, order_id: str, order: OrderRow, fills: list[Sized]) -> None:
        if order.status is not Status.FILLED:
            self.found.note(f"the row said {order.status}, the exchange has fills", order.row.ref)
        elif order.sized is not None and not about(_coins(fills), order.sized.quantity):
            self.found.note("the exchange's fills have another quantity than the row", order.row.ref,
                            f"{_coins(fills)} against {order.sized.quantity}")  # fmt: skip
        if order_id in self._waiting:
            self.found.blocked = [one for one in self.found.blocked if one.row != order.row.ref]
            self.found.note("the row could not be read, the exchange's fills say what happened", order.row.ref)
        context = _context(order.row)
        for number, fill in enumerate(fills):
            rows = (fill.row.ref, order.row.ref) if number == 0 else (fill.row.ref,)
            self.found.trades.append(_trade(_fill_key(fill), order_id, fill, order.triggered_by, rows, context))

    def _stages(self, order: OrderRow, fills: list[Sized]) -> None:
        """What each cause's list has of this order: the row as it was, rightly sized, replaced by fills, and what was missing."""
        stages = self.found.stages
        own = [order.sized.flow] if order.sized else []
        final = [fill.flow for fill in fills] or own
        if order.old:
            stages[Cause.DUPLICATES].append(order.old)
            stages[Cause.UNITS] += own or [order.old]
            stages[Cause.FILLS] += final
        stages[Cause.MORE] += final

    def _unfilled(self, order_id: str, order: OrderRow) -> None:
        cells = order.row.cells
        try:
            created = moment_of(cells, "created_at", self._choices.unsaid_zone, UTC)
            size, price = decimal_of(cells, "size"), decimal_of(cells, "price")
        except CellError as error:
            self.found.note("an order that filled nothing cannot be read whole", order.row.ref, str(error))
            created, size, price = None, None, None
        self.found.unfilled.append(
            Unfilled(
                order_id, ACCOUNT, text_of(cells, "product_id").upper(), text_of(cells, "side").upper(), order.status.value, size, price,
                created.at if created else None, order.triggered_by, (order.row.ref,), _context(order.row),
            )
        )  # fmt: skip


def zone_doubts(found: Found, snapshot: Snapshot, choices: Choices) -> list[tuple[str, int]]:
    """Whole hours by which rows without a zone are away from the exchange's own times, with how many orders say so."""
    exchange = {trade.order_id: trade.at for trade in found.trades if trade.rows[0].table == "raw_trades"}
    hours: dict[int, int] = defaultdict(int)
    for row in snapshot.rows.get("trades", ()):
        at = exchange.get(text_of(row.cells, "order_id"))
        try:
            own = moment_of(row.cells, "filled_at", choices.unsaid_zone, UTC)
        except CellError:
            continue
        if at is None or own is None or own.stated:
            continue
        hours[_hours(own.at, at)] += 1
    return [(f"{away:+d} h", count) for away, count in sorted(hours.items()) if away]


def _hours(own: datetime, exchange: datetime) -> int:
    return round((own - exchange).total_seconds() / 3600)


def _trade(key: str, order_id: str, sized: Sized, by: str, rows: tuple[RowRef, ...], context: str = "") -> Trade:
    currency = sized.instrument.currency
    return Trade(
        key, ACCOUNT, sized.instrument, sized.side, Quantity(sized.quantity), Price(sized.price), Money(sized.value, currency),
        Money(sized.fee, currency), sized.moment.at, sized.moment.day, order_id, by, rows, context,
    )  # fmt: skip


def _fill_key(fill: Sized) -> str:
    return text_of(fill.row.cells, "fill_id") or f"raw_trades-{fill.row.ref.key}"


def _context(row: Row) -> str:
    """The signal behind an order, as JSON; empty where nothing was stored."""
    score, scores = text_of(row.cells, "combined_signal_score"), text_of(row.cells, "signal_scores")
    if not score and not scores:
        return ""
    return json.dumps({"combined_score": score, "scores": scores}, ensure_ascii=False, sort_keys=True)


def _coins(fills: list[Sized]) -> Decimal:
    return sum((fill.quantity for fill in fills), Decimal(0))


def _content(fill: Sized) -> tuple[object, ...]:
    return fill.side, fill.quantity, fill.price, fill.fee, fill.moment.at


def _same(left: Cells, right: Cells, *columns: str) -> bool:
    return all(str(left.get(column)).lower() == str(right.get(column)).lower() for column in columns)
