"""A statement's entries booked into lots, first in first out, apart from the ledger: what the broker's printed basis is held against.

What was held before the statement begins is a lot of unknown basis, unless the replay of the statement before brings it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id, short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, LotId, Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.lots import Booked, Fill, Lot, Premium, age, book_fill
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, PriorPosition, Statement
from quantmatrix.portfolio.domain.statements_identities import Delivery, delivery_of, is_option
from quantmatrix.portfolio.domain.statements_standing import Key, closed_before_opened, standing

Premiums = dict[Delivery, tuple[Money | None, Quantity]]
"""What delivering options leave to the stock: the amount, None while it is unknown, and the units it is for."""
_REMOVED = frozenset({EntryKind.EXPIRY, EntryKind.ASSIGNMENT, EntryKind.EXERCISE})
_DELIVERED = {"A", "Ex", "GEA"}
_MICROSECOND = timedelta(microseconds=1)
_OLD = ".OLD"


@dataclass(frozen=True, slots=True)
class Step:
    """A trade and what it did to the lots. fees: the opening fees inside the basis that it used up."""

    entry: Entry
    booked: Booked
    fees: Money


@dataclass(slots=True)
class Replay:
    """Open lots by account and symbol, and the trades that were booked."""

    lots: dict[Key, list[Lot]] = field(default_factory=lambda: defaultdict(list))
    steps: list[Step] = field(default_factory=list)
    inferred: set[Key] = field(default_factory=set)
    opening_fees: dict[LotId, tuple[Money, Quantity]] = field(default_factory=dict)

    def held(self, key: Key) -> Quantity:
        total = Quantity(0)
        for lot in self.lots.get(key, []):
            total += lot.quantity
        return total


def replayed(statement: Statement, before: Replay | None = None) -> Replay:
    """The lots that a statement makes, from those that the replay before it left."""
    replay = Replay()
    if before is not None:
        replay.opening_fees.update(before.opening_fees)
        for key, lots in before.lots.items():
            replay.lots[key] = [lot for lot in lots if lot.quantity]
    entries = sorted(standing(statement.entries), key=_order)
    _open_inventory(replay, statement, entries)
    actions: dict[tuple[str, object, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.kind is EntryKind.CORPORATE_ACTION:
            actions[_action(entry)].append(entry)
    premiums: Premiums = {}
    for index, entry in enumerate(entries):
        _apply(replay, entry, index, actions, premiums, statement.currency)
    return replay


def _order(entry: Entry) -> tuple[datetime, bool]:
    """By time; options before the stock they deliver; what is equal stays in the order of the statement's entries."""
    return at_of(entry), not is_option(entry)


def at_of(entry: Entry) -> datetime:
    """When it happened; where only the day is known, its beginning."""
    return entry.at or datetime.combine(entry.session, time(), UTC)


def _open_inventory(replay: Replay, statement: Statement, entries: Sequence[Entry]) -> None:
    """Put what was held before at the front: carried lots where they agree with it, else one lot of unknown basis."""
    first = datetime.combine(statement.first, time(), UTC) - timedelta(days=1)
    for prior in _prior(statement, entries, replay):
        key = (prior.account, prior.symbol)
        if replay.held(key) != prior.quantity:
            unknown = _lot(key, prior.quantity, None, first, statement.currency, "held before")
            replay.lots[key] = [unknown] if prior.quantity else []


def _prior(statement: Statement, entries: Sequence[Entry], replay: Replay) -> list[PriorPosition]:
    """What was held before, as printed; else what is held at the end less what moved; else what closings need."""
    if statement.figures.prior is not None:
        return [PriorPosition(one.account, one.symbol, one.quantity) for one in statement.figures.prior]
    if not statement.positions:
        return closed_before_opened(entries)
    left: dict[Key, Quantity] = {(held.account, held.symbol): held.quantity for held in statement.positions}
    for entry in entries:
        if entry.kind is EntryKind.CORPORATE_ACTION and entry.symbol:
            left.pop((entry.account, entry.symbol), None)
        elif entry.quantity and entry.symbol and entry.kind is not EntryKind.CONVERSION and (entry.account, entry.symbol) in left:
            left[entry.account, entry.symbol] -= entry.quantity
    replay.inferred = set(left)
    return [PriorPosition(account, symbol, quantity) for (account, symbol), quantity in left.items()]


def _apply(
    replay: Replay,
    entry: Entry,
    index: int,
    actions: dict[tuple[str, object, str], list[Entry]],
    premiums: Premiums,
    currency: str,
) -> None:
    if entry.symbol is None or not entry.quantity:
        return
    key = (entry.account, entry.symbol)
    if entry.kind is EntryKind.TRADE or entry.kind in _REMOVED:
        _trade(replay, entry, index, premiums, currency)
    elif entry.kind in (EntryKind.TRANSFER, EntryKind.GRANT):
        _move(replay, key, entry.quantity, None, entry, index, currency)
    elif entry.kind is EntryKind.CORPORATE_ACTION:
        group = actions.pop(_action(entry), [])
        if group:
            _act(replay, group, index, currency)


def _trade(replay: Replay, entry: Entry, index: int, premiums: Premiums, currency: str) -> None:
    """Book a trade; an option that delivers leaves its basis to the stock of the same day."""
    assert entry.symbol is not None and entry.quantity is not None
    key = (entry.account, entry.symbol)
    delivered = entry.kind in (EntryKind.ASSIGNMENT, EntryKind.EXERCISE) or (
        entry.printed is not None and bool(_DELIVERED & set(entry.printed.codes))
    )
    premium = _premium(entry, premiums) if delivered and not is_option(entry) else None
    fill = _fill(key, entry, index, premium, currency)
    booked = _booked(replay, key, fill)
    _keep(replay, key, booked)
    about = delivery_of(entry)
    if delivered and is_option(entry) and about is not None:
        amount, units = premiums.get(about, (Money.zero(fill.fee.currency), Quantity(0)))
        left = _sum([amount, *(closing.basis for closing in booked.closings)], fill.fee.currency)
        premiums[about] = (left, units + Quantity(abs(entry.quantity).value * (entry.multiplier or Quantity(100)).value))
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


def _booked(replay: Replay, key: Key, fill: Fill) -> Booked:
    """Book a fill against the oldest lots, no more of them than it can use up.

    What was bought in another currency has no basis in this one, which no rate of a statement tells.
    """
    needed, oldest = fill.moved, []
    for lot in replay.lots[key]:
        if needed.value <= 0:
            break
        oldest.append(lot if lot.basis is None or lot.basis.currency == fill.fee.currency else replace(lot, basis=None))
        needed -= abs(lot.quantity)
    return book_fill(fill, oldest)


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
    """Put what is left in the place of what was used up: lots lie oldest first, and the oldest were used."""
    lots = replay.lots[key]
    lots[: len(booked.changed)] = [lot for lot in booked.changed if lot.quantity]
    if booked.opened is not None:
        lots.append(booked.opened)


def _move(replay: Replay, key: Key, quantity: Quantity, basis: Money | None, entry: Entry, index: int, currency: str) -> None:
    """Units that come without a price make a lot of this basis; units that go take the oldest lots with them."""
    if not any(lot.quantity.value * quantity.value < 0 for lot in replay.lots[key]):
        replay.lots[key].append(_lot(key, quantity, basis, at_of(entry) + index * _MICROSECOND, currency, entry.broker_key))
        replay.lots[key].sort(key=age)
        return
    fill = _fill(key, replace(entry, quantity=quantity, amount=Money.zero(currency), fee=None), index, None, currency)
    booked = _booked(replay, key, fill)
    _keep(replay, key, booked)


# Corporate actions


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
        fill = _fill(key, replace(entry, amount=entry.amount or Money.zero(currency)), index, None, currency)
        _keep(replay, key, _booked(replay, key, fill))
    for entry in came:
        assert entry.symbol is not None and entry.quantity is not None
        key = (entry.account, entry.symbol)
        if not gone and ("Split" in entry.text or "Stock Dividend" in entry.text) and replay.held(key):
            replay.lots[key] = _scaled(replay.lots[key], replay.held(key) + entry.quantity)
        else:
            basis = Money.zero(currency) if "Spinoff" in entry.text or "Spin-Off" in entry.text else None
            _move(replay, key, entry.quantity, basis, entry, index, currency)


def _old_key(replay: Replay, entry: Entry) -> Key:
    """Where the lots are: after a rename brokers print the old symbol with a suffix."""
    symbol = entry.symbol or ""
    plain = symbol.removesuffix(_OLD)
    return (entry.account, symbol) if replay.lots.get((entry.account, symbol)) else (entry.account, plain)


def _exchange(replay: Replay, gone: Entry, came: Entry) -> None:
    """One security for another, or a reverse split: the lots move with basis and dates, only their units change."""
    assert came.symbol is not None and came.quantity is not None and gone.quantity is not None
    old, new = _old_key(replay, gone), (came.account, came.symbol)
    lots = replay.lots.pop(old, [])
    held = Quantity(0)
    for lot in lots:
        held += lot.quantity
    if held:
        target = came.quantity if held == -gone.quantity else came.quantity.scaled(_units(held), _units(-gone.quantity))
        replay.lots[new] += [replace(lot, instrument=_instrument(new, lot.instrument.currency, None)) for lot in _scaled(lots, target)]
        replay.lots[new].sort(key=age)


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


# Values for the booking of lots


def _instrument(key: Key, currency: str, multiplier: Quantity | None) -> Instrument:
    identity = InstrumentId(short_token("statement", *key))
    return Instrument(identity, key[1], AssetClass.STOCK, currency, multiplier or Quantity(1))


def _fill(key: Key, entry: Entry, index: int, premium: Premium | None, base: str) -> Fill:
    """An entry as a fill; the place in the file settles equal times."""
    assert entry.quantity is not None
    currency = entry.amount.currency if entry.amount is not None else base
    fee = entry.fee if entry.fee is not None and entry.fee.currency == currency else Money.zero(currency)
    return Fill(
        fill_id=FillId(_id(entry, index)),
        account_id=AccountId(key[0]),
        user_id=FIRST_ADMINISTRATOR,
        instrument=_instrument(key, currency, entry.multiplier),
        side=Side.BUY if entry.quantity.value > 0 else Side.SELL,
        quantity=abs(entry.quantity),
        price=entry.price or Price(Decimal(0)),
        fee=fee,
        session=entry.session,
        executed_at=at_of(entry) + index * _MICROSECOND,
        triggered_by="statement",
        amount=abs(entry.amount) if entry.amount is not None else Money.zero(currency),
        premium=premium,
    )


def _id(entry: Entry, index: int) -> UUID:
    return derived_id("statement", entry.broker_key, entry.place.line, index)


def _lot(key: Key, quantity: Quantity, basis: Money | None, at: datetime, currency: str, why: str) -> Lot:
    identity = derived_id("statement lot", *key, at, why)
    return Lot(
        lot_id=LotId(identity), fill_id=FillId(identity), account_id=AccountId(key[0]), user_id=FIRST_ADMINISTRATOR,
        instrument=_instrument(key, currency, None), opened_quantity=quantity, quantity=quantity, basis=basis,
        opened_on=at.date(), opened_at=at, triggered_by="statement", dated=basis is not None,
    )  # fmt: skip
