"""The book of one account out of all its imported files: the same whatever the order in which they were imported."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, PriorPosition
from quantmatrix.portfolio.domain.statements_cash import ONE_DAY, CashLine, Opening, cash_lines, with_openings
from quantmatrix.portfolio.domain.statements_replay import Prior, Replay, left_before, open_inventory, order, run
from quantmatrix.portfolio.domain.statements_securities import Holder
from quantmatrix.portfolio.domain.statements_standing import closed_before_opened, standing


@dataclass(frozen=True, slots=True)
class Chapter:
    """One imported file, as far as the account's book needs it: its period and the figures at its ends.

    prior: what was held before it, None where it does not say; held: at its end, empty where it does not say. cash and
    ending_cash: at its beginning and its end, by currency.
    """

    first: date
    last: date
    prior: tuple[PriorPosition, ...] | None = None
    held: tuple[PriorPosition, ...] = ()
    cash: tuple[Money, ...] = ()
    ending_cash: tuple[Money, ...] = ()

    def covers(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class AccountBook:
    """Lots and closings as the replay has them, and every movement of cash."""

    replay: Replay = field(default_factory=Replay)
    cash: tuple[CashLine, ...] = ()


def account_book(account: str, entries: Sequence[Entry], chapters: Sequence[Chapter], currency: str, holder: Holder) -> AccountBook:
    """Book everything that was imported for one account. entries: each once, of this account."""
    said = sorted(chapters, key=lambda one: (one.first, one.last))
    days = {id(entry): effective(entry, said) for entry in entries}
    ordered = sorted(standing(sorted(entries, key=_plainly)), key=lambda entry: (days[id(entry)], *order(entry)))
    priors = _priors(ordered, said, days)
    replay = Replay(holder)

    def put_right(index: int) -> None:
        while priors and priors[0].first <= days[id(ordered[index])]:
            open_inventory(replay, priors.pop(0), currency)

    run(replay, ordered, currency, put_right)
    for prior in priors:
        open_inventory(replay, prior, currency)
    openings = [Opening(one.first, one.cash, any(other.covers(one.first - ONE_DAY) for other in said)) for one in said if one.cash]
    return AccountBook(replay, tuple(with_openings(account, cash_lines(entries, lambda entry: days[id(entry)]), openings)))


def _plainly(entry: Entry) -> tuple[object, ...]:
    """An order that does not depend on the order of importing: by time, then by the place in the file, then by key."""
    return *order(entry), entry.place.line, entry.broker_key


def effective(entry: Entry, chapters: Sequence[Chapter]) -> date:
    """The day on which an entry counts: its own, or the first of the file that tells of it late."""
    if any(one.covers(entry.session) for one in chapters):
        return entry.session
    later = [one.first for one in chapters if one.first > entry.session]
    return min(later, default=entry.session)


def _priors(entries: Sequence[Entry], chapters: Sequence[Chapter], days: dict[int, date]) -> list[Prior]:
    """What was held at the beginning of each file that says so, in the order of their days; else what closings need."""
    found: list[Prior] = []
    for one in chapters:
        if one.prior is not None:
            found.append(Prior(one.first, one.prior))
        elif one.held:
            inside = [entry for entry in entries if one.covers(days[id(entry)])]
            found.append(Prior(one.first, left_before(one.held, inside), inferred=True))
    if chapters and chapters[0].prior is None and not chapters[0].held:
        alone = [entry for entry in entries if entry.kind is not EntryKind.CONVERSION]
        found.insert(0, Prior(chapters[0].first, tuple(closed_before_opened(alone))))
    return sorted(found, key=lambda one: one.first)
