"""Which entries of a statement count, and what must have been held before it begins."""

from collections import defaultdict
from collections.abc import Sequence

from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, PriorPosition

Key = tuple[str, str]
"""Account and symbol."""


def standing(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without those that were cancelled and what cancelled them; a cancellation of something elsewhere stays.

    A cancellation names what it cancels, or (code Ca) repeats it with the opposite quantity.
    """
    known = {entry.broker_key for entry in entries}
    cancelled = {entry.cancels for entry in entries if entry.cancels in known}
    left = [entry for entry in entries if entry.broker_key not in cancelled and (entry.cancels is None or entry.cancels not in cancelled)]
    repeated: dict[tuple[object, ...], list[int]] = defaultdict(list)
    gone: set[int] = set()
    for index, entry in enumerate(left):
        if entry.quantity and not _is_cancellation(entry):
            repeated[entry.kind, entry.account, entry.symbol, entry.price, entry.quantity].append(index)
    for index, entry in enumerate(left):
        if entry.quantity and _is_cancellation(entry):
            found = repeated.get((entry.kind, entry.account, entry.symbol, entry.price, -entry.quantity))
            if found:
                gone |= {index, found.pop(0)}
    return [entry for index, entry in enumerate(left) if index not in gone]


def _is_cancellation(entry: Entry) -> bool:
    return entry.cancels is None and entry.printed is not None and "Ca" in entry.printed.codes


def closed_before_opened(entries: Sequence[Entry]) -> list[PriorPosition]:
    """What must have been held before, because trades that the broker marks as closing find too little in the file."""
    running: dict[Key, Quantity] = defaultdict(lambda: Quantity(0))
    needed: dict[Key, Quantity] = defaultdict(lambda: Quantity(0))
    for entry in entries:
        if entry.symbol is None or not entry.quantity or entry.kind in (EntryKind.CONVERSION, EntryKind.CORPORATE_ACTION):
            continue
        key = (entry.account, entry.symbol)
        running[key] += entry.quantity
        codes = entry.printed.codes if entry.printed else ()
        after = running[key] + needed[key]
        if "C" in codes and "O" not in codes and after.value * entry.quantity.value > 0:
            needed[key] -= after
    return [PriorPosition(account, symbol, quantity) for (account, symbol), quantity in needed.items() if quantity]
