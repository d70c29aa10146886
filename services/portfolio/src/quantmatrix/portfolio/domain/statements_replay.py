"""A statement's entries booked into lots by the account's method of the day, by the same booking as live fills.

What was held before a file begins is a lot of unknown basis, unless lots that are here already agree with it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from quantmatrix.common.names import LotId
from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.lots import Booked, Closing, Fill, Lot, Premium, age, book_fill
from quantmatrix.portfolio.domain.methods import LotMethod, picker_for
from quantmatrix.portfolio.domain.options import without_gain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, PriorPosition, Statement
from quantmatrix.portfolio.domain.statements_elections import elected
from quantmatrix.portfolio.domain.statements_identities import Delivery, delivery_of, is_option
from quantmatrix.portfolio.domain.statements_securities import (
    MICROSECOND,
    Holder,
    acquired_earlier,
    at_of,
    fill_of,
    instrument_of,
    key_of,
    lot_of,
    spelled,
)
from quantmatrix.portfolio.domain.statements_standing import Key, closed_before_opened, standing

Premiums = dict[Delivery, tuple[Money | None, Quantity]]
"""What delivering options leave to the stock: the amount, None while it is unknown, and the units it is for."""
Group = tuple[str, object, str]
"""What the rows of one corporate action have in common."""
_REMOVED = frozenset({EntryKind.EXPIRY, EntryKind.ASSIGNMENT, EntryKind.EXERCISE})
_DELIVERED = {"A", "Ex", "GEA"}
_OLD = ".OLD"


@dataclass(frozen=True, slots=True)
class Step:
    """A trade and what it did to the lots. fees: the opening fees inside the basis that it used up."""

    entry: Entry
    booked: Booked
    fees: Money


@dataclass(frozen=True, slots=True)
class Prior:
    """What was held when a file begins, in units. inferred: worked out from what is held at its end."""

    first: date
    held: tuple[PriorPosition, ...]
    inferred: bool = False


@dataclass(slots=True)
class Replay:
    """Open lots by account and symbol, the trades that were booked, and every lot and closing there ever was."""

    holder: Holder = field(default_factory=Holder)
    lots: dict[Key, list[Lot]] = field(default_factory=lambda: defaultdict(list))
    steps: list[Step] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    every: dict[LotId, Lot] = field(default_factory=dict)
    inferred: set[Key] = field(default_factory=set)
    opening_fees: dict[LotId, tuple[Money, Quantity]] = field(default_factory=dict)

    def held(self, key: Key) -> Quantity:
        total = Quantity(0)
        for lot in self.lots.get(key, []):
            total += lot.quantity
        return total


@dataclass(slots=True)
class _Course:
    """What a run over entries knows of those to come: actions by their rows, days and strikes at which stock is delivered."""

    currency: str
    actions: dict[Group, list[Entry]]
    deliveries: set[Delivery]
    premiums: Premiums = field(default_factory=dict)


def replayed(statement: Statement, before: Replay | None = None) -> Replay:
    """The lots that one statement makes, from those that the replay before it left."""
    replay = Replay()
    if before is not None:
        replay.opening_fees.update(before.opening_fees)
        for (account, symbol), lots in before.lots.items():
            replay.lots[account, statement.figures.names.get(symbol, symbol)] += [lot for lot in lots if lot.quantity]
    entries = sorted(standing(statement.entries), key=order)
    prior = prior_of(statement, entries)
    if prior.inferred:
        replay.inferred = {(one.account, spelled(one.symbol)) for one in prior.held}
    open_inventory(replay, prior, statement.currency)
    run(replay, entries, statement.currency)
    return replay


def run(replay: Replay, entries: Sequence[Entry], currency: str, before_entry: Callable[[int], None] = lambda _: None) -> None:
    """Book entries in their order. before_entry is called with the place of each before it is booked."""
    actions: dict[Group, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.kind is EntryKind.CORPORATE_ACTION:
            actions[_action(entry)].append(entry)
    course = _Course(currency, actions, {about for entry in entries if (about := _delivered_stock(entry)) is not None})
    for index, entry in enumerate(entries):
        before_entry(index)
        _apply(replay, entry, index, course)


def order(entry: Entry) -> tuple[datetime, bool]:
    """By time; options before the stock they deliver; what is equal stays in the order of the statement's entries."""
    return at_of(entry), not is_option(entry)


def open_inventory(replay: Replay, prior: Prior, currency: str) -> None:
    """Put what was held before at the front: lots that are here where they agree with it, else one lot of unknown basis."""
    before = datetime.combine(prior.first, time(), UTC) - timedelta(days=1)
    for one in prior.held:
        key = (one.account, spelled(one.symbol))
        if replay.held(key) != one.quantity:
            for lot in replay.lots[key]:
                nothing = Money.zero(lot.instrument.currency)
                replay.every[lot.lot_id] = replace(lot, quantity=Quantity(0), basis=nothing)
            replay.lots[key] = []
            if one.quantity:
                _append(replay, key, lot_of(replay.holder, key, one.quantity, None, before, currency, f"held before {prior.first}"))


def prior_of(statement: Statement, entries: Sequence[Entry]) -> Prior:
    """What was held before, as printed; else what is held at the end less what moved; else what closings need."""
    if statement.figures.prior is not None:
        return Prior(statement.first, statement.figures.prior)
    if not statement.positions:
        return Prior(statement.first, tuple(closed_before_opened(entries)))
    held = tuple(PriorPosition(one.account, one.symbol, one.quantity) for one in statement.positions)
    return Prior(statement.first, left_before(held, entries), inferred=True)


def left_before(held: Sequence[PriorPosition], entries: Sequence[Entry]) -> tuple[PriorPosition, ...]:
    """What was held before entries that ended in this; nothing is said of what a corporate action touched."""
    left: dict[Key, Quantity] = {(one.account, one.symbol): one.quantity for one in held}
    for entry in entries:
        if entry.kind is EntryKind.CORPORATE_ACTION and entry.symbol:
            left.pop((entry.account, entry.symbol), None)
        elif entry.quantity and entry.symbol and entry.kind is not EntryKind.CONVERSION and (entry.account, entry.symbol) in left:
            left[entry.account, entry.symbol] -= entry.quantity
    return tuple(PriorPosition(account, symbol, quantity) for (account, symbol), quantity in left.items())


def _apply(replay: Replay, entry: Entry, index: int, course: _Course) -> None:
    if entry.symbol is None or not entry.quantity:
        return
    if entry.kind is EntryKind.TRADE or entry.kind in _REMOVED:
        _trade(replay, entry, index, course)
    elif entry.kind in (EntryKind.TRANSFER, EntryKind.GRANT):
        _move(replay, key_of(entry), entry, entry.basis, index, course.currency)
    elif entry.kind is EntryKind.CORPORATE_ACTION:
        group = course.actions.pop(_action(entry), [])
        if group:
            _act(replay, group, index, course.currency)


def _delivers(entry: Entry) -> bool:
    codes = set(entry.printed.codes) if entry.printed is not None else set()
    return entry.kind in (EntryKind.ASSIGNMENT, EntryKind.EXERCISE) or bool(_DELIVERED & codes)


def _delivered_stock(entry: Entry) -> Delivery | None:
    return delivery_of(entry) if entry.quantity and not is_option(entry) and _delivers(entry) else None


def _trade(replay: Replay, entry: Entry, index: int, course: _Course) -> None:
    """Book a trade; an option that delivers leaves its basis to the stock of the same day, and has no gain of its own."""
    assert entry.quantity is not None
    key, delivers, option = key_of(entry), _delivers(entry), is_option(entry)
    premium = _premium(entry, course.premiums) if delivers and not option else None
    fill = fill_of(replay.holder, key, entry, index, premium, course.currency)
    booked = _booked(replay, key, fill, elected(entry, replay.lots[key], replay.holder.methods.on(fill.session)))
    about = delivery_of(entry)
    if delivers and option and about in course.deliveries:
        amount, units = course.premiums.get(about, (Money.zero(fill.fee.currency), Quantity(0)))
        left = _sum([amount, *(closing.basis for closing in booked.closings)], fill.fee.currency)
        course.premiums[about] = (left, units + Quantity(abs(entry.quantity).value * (entry.multiplier or CONTRACT_SIZE).value))
        booked = replace(booked, closings=tuple(without_gain(closing) for closing in booked.closings))
    _keep(replay, key, booked)
    replay.closings += booked.closings
    if booked.opened is not None:
        replay.opening_fees[booked.opened.lot_id] = (_opening_fee(fill, booked), booked.opened.quantity)
    replay.steps.append(Step(entry, booked, _fees_used(replay, booked, fill.fee.currency)))


def _premium(entry: Entry, premiums: Premiums) -> Premium | None:
    """The share of an option's basis that belongs to this delivery; the last one takes the rest."""
    about = delivery_of(entry)
    if about is None or about not in premiums or entry.quantity is None:
        return None
    amount, units = premiums.pop(about)
    taken = min(abs(entry.quantity), units)
    share = None if amount is None else amount.share(taken, units)
    if units > taken:
        premiums[about] = (None if amount is None or share is None else amount - share, units - taken)
    return Premium(share)


def _booked(replay: Replay, key: Key, fill: Fill, method: LotMethod = LotMethod.FIFO) -> Booked:
    """Book a fill. What was bought in another currency has no basis in this one, which no rate of a statement tells."""
    lots = _oldest(replay.lots[key], fill.moved) if method is LotMethod.FIFO else replay.lots[key]
    currency = fill.fee.currency
    known = [lot if lot.basis is None or lot.basis.currency == currency else replace(lot, basis=None) for lot in lots]
    return book_fill(fill, known, picker_for(method))


def _oldest(lots: Sequence[Lot], wanted: Quantity) -> list[Lot]:
    """The lots from the front that cover what is wanted, and no more of them."""
    found = []
    for lot in lots:
        if wanted.value <= 0:
            break
        found.append(lot)
        wanted -= abs(lot.quantity)
    return found


def _opening_fee(fill: Fill, booked: Booked) -> Money:
    assert booked.opened is not None
    return fill.fee.share(abs(booked.opened.quantity), fill.quantity)


def _fees_used(replay: Replay, booked: Booked, currency: str) -> Money:
    total = Money.zero(currency)
    for closing in booked.closings:
        known = replay.opening_fees.get(closing.lot_id)
        if known is not None and known[0].currency == currency:
            total += known[0].share(closing.quantity, known[1])
    return total


def _sum(amounts: Sequence[Money | None], currency: str) -> Money | None:
    total = Money.zero(currency)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _keep(replay: Replay, key: Key, booked: Booked) -> None:
    """Put what is left in the place of what was used up; the lots stay in their order."""
    changed = {lot.lot_id: lot for lot in booked.changed}
    replay.lots[key] = [left for lot in replay.lots[key] if (left := changed.get(lot.lot_id, lot)).quantity]
    replay.every.update(changed)
    if booked.opened is not None:
        _append(replay, key, booked.opened)


def _append(replay: Replay, key: Key, *lots: Lot) -> None:
    replay.lots[key].extend(lots)
    replay.every.update((lot.lot_id, lot) for lot in lots)


def _move(replay: Replay, key: Key, entry: Entry, basis: Money | None, index: int, currency: str) -> None:
    """Units that come without a price make a lot of this basis; units that go take the oldest lots with them, without a gain."""
    assert entry.quantity is not None
    if not any(lot.quantity.value * entry.quantity.value < 0 for lot in replay.lots[key]):
        _append(replay, key, _arrived(replay.holder, key, entry, basis, index, currency))
        replay.lots[key].sort(key=age)
        return
    fill = fill_of(replay.holder, key, replace(entry, amount=Money.zero(currency), fee=None), index, None, currency)
    _keep(replay, key, _booked(replay, key, fill))


def _arrived(holder: Holder, key: Key, entry: Entry, basis: Money | None, index: int, currency: str) -> Lot:
    """The lot of an arrival; its holding goes back to the day it was acquired, where that is known."""
    assert entry.quantity is not None
    at = at_of(entry) + index * MICROSECOND
    lot = lot_of(holder, key, entry.quantity, basis, at, currency, entry.broker_key)
    return lot if entry.acquired_on is None else acquired_earlier(lot, entry.acquired_on)


def _action(entry: Entry) -> tuple[str, object, str]:
    """The rows of one action share account, time and the description before the last brackets."""
    return entry.account, entry.at, entry.text.rsplit("(", 1)[0]


def _act(replay: Replay, group: Sequence[Entry], index: int, currency: str) -> None:
    gone = [entry for entry in group if entry.quantity and entry.quantity.value < 0]
    came = [entry for entry in group if entry.quantity and entry.quantity.value > 0]
    paid = any(entry.amount for entry in group)
    if len(gone) == 1 and len(came) == 1 and not paid:
        _exchange(replay, gone[0], came[0])
        return
    for entry in gone:
        key = _old_key(replay, entry)
        assert entry.quantity is not None
        fill = fill_of(replay.holder, key, replace(entry, amount=entry.amount or Money.zero(currency)), index, None, currency)
        booked = _booked(replay, key, fill)
        _keep(replay, key, booked)
        replay.closings += booked.closings
    for entry in came:
        assert entry.quantity is not None
        key = key_of(entry)
        if not gone and ("Split" in entry.text or "Stock Dividend" in entry.text) and replay.held(key):
            _replace(replay, key, _scaled(replay.lots[key], replay.held(key) + entry.quantity))
        else:
            basis = Money.zero(currency) if "Spinoff" in entry.text or "Spin-Off" in entry.text else None
            _move(replay, key, entry, basis, index, currency)


def _old_key(replay: Replay, entry: Entry) -> Key:
    """Where the lots are: after a rename brokers print the old symbol with a suffix."""
    key = key_of(entry)
    return key if replay.lots.get(key) else (entry.account, key[1].removesuffix(_OLD))


def _exchange(replay: Replay, gone: Entry, came: Entry) -> None:
    """One security for another, or a reverse split: the lots move with basis and dates, only their units change."""
    assert came.symbol is not None and came.quantity is not None and gone.quantity is not None
    old, new = _old_key(replay, gone), key_of(came)
    lots = replay.lots.pop(old, [])
    held = Quantity(0)
    for lot in lots:
        held += lot.quantity
    if held:
        target = came.quantity if held == -gone.quantity else came.quantity.scaled(_units(held), _units(-gone.quantity))
        into = instrument_of(replay.holder, new, came, lots[0].instrument.currency)
        _replace(replay, new, [*replay.lots[new], *(replace(lot, instrument=into) for lot in _scaled(lots, target))])
        replay.lots[new].sort(key=age)


def _replace(replay: Replay, key: Key, lots: Sequence[Lot]) -> None:
    replay.lots[key] = []
    _append(replay, key, *lots)


def _units(quantity: Quantity) -> int:
    return int(quantity.value.scaleb(12))


def _scaled(lots: Sequence[Lot], target: Quantity) -> list[Lot]:
    """Lots with together `target` units, each in proportion; the last takes the exact rest."""
    held = Quantity(0)
    for lot in lots:
        held += lot.quantity
    found, left = [], target
    for lot in lots[:-1]:
        quantity = lot.quantity.scaled(_units(target), _units(held))
        found.append(replace(lot, quantity=quantity, opened_quantity=quantity))
        left -= quantity
    return [*found, replace(lots[-1], quantity=left, opened_quantity=left)] if lots else []
