"""The last bars of many instruments in one frame, with the columns that are carried: what live runs compute the latest bar from.

The values are those of the same expressions over all bars, bit for bit; the contract of the slot tries it on every bar.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.signals.domain.carrying import Carried, Columns, State, carry
from quantmatrix.signals.domain.series import Series

_BARS = ("open", "high", "low", "close", "volume")
Row = dict[str, float | None]
PART = 4
"""Instruments that take up their past at a stretch."""
TRIED_EVERY = 16
"""Bars after which a series that was too short to be carried is tried again."""


@dataclass(slots=True)
class _Member:
    """An instrument whose last bars are block number `place` of the frame, and how far its columns have come."""

    series: Series
    height: int
    place: int
    states: list[State]


@dataclass(frozen=True, slots=True)
class _Block:
    """The last bars of an instrument with its carried columns, after so many bars, and how these go on."""

    bars: pl.DataFrame
    height: int
    states: list[State]


class Tails:
    """looks_back: how many bars before the latest the columns read, besides what is carried. makers: the sets of columns, by name."""

    def __init__(self, makers: Mapping[str, Callable[[], Columns]], looks_back: int) -> None:
        self._carried, made = carry(list(makers.values()))
        self._sets: dict[str, Columns] = dict(zip(makers, made, strict=True))
        self._rows = looks_back + 1
        self._members: dict[InstrumentId, _Member] = {}
        self._frame = pl.DataFrame()
        self._seen: dict[str, list[Row]] = {}
        self._short: dict[InstrumentId, int] = {}

    def advance(self, fresh: Mapping[InstrumentId, Series]) -> None:
        """Go on to the latest bar of these series: by one step where that is one bar further, anew where it is anything else."""
        for _ in self.parts(fresh):
            pass

    def parts(self, fresh: Mapping[InstrumentId, Series]) -> Iterator[None]:
        """The same, handing back whenever a few instruments have taken up their past: it takes milliseconds for each."""
        moving, anew = [], []
        for instrument, series in fresh.items():
            member = self._members.get(instrument)
            if member is None or member.series is not series or series.height not in (member.height, member.height + 1):
                if member is not None or series.height >= self._short.get(instrument, 0):
                    anew.append(instrument)
            elif series.height > member.height:
                moving.append(member)
        if moving:
            self._seen.clear()
            stuck = self._step(moving)
            if stuck:
                self._start(fresh, {instrument: self._whole(fresh[instrument]) for instrument in stuck})
        blocks: dict[InstrumentId, _Block | None] = {}
        for number, instrument in enumerate(anew, start=1):
            blocks[instrument] = self._whole(fresh[instrument])
            if number % PART == 0:
                yield
        if blocks:
            self._seen.clear()
            self._start(fresh, blocks)

    def row(self, which: str, instrument: InstrumentId) -> Row | None:
        """One set of columns on an instrument's latest bar; None where it cannot be carried and all bars must be looked at."""
        member = self._members.get(instrument)
        if member is None:
            return None
        if which not in self._seen:
            last = range(self._rows - 1, self._frame.height, self._rows)
            self._seen[which] = self._frame.select(**self._sets[which])[list(last)].to_dicts()
        return self._seen[which][member.place]

    def _step(self, moving: Sequence[_Member]) -> list[InstrumentId]:
        """One bar on for these; the instruments that could not go on are handed back."""
        count, rows = len(self._members), self._rows
        order = list(range(count * rows))
        for place, member in enumerate(moving):
            start = member.place * rows
            order[start : start + rows] = [*range(start + 1, start + rows), count * rows + place]
        bars = pl.DataFrame([member.series.latest_bar for member in moving], schema=dict.fromkeys(_BARS, pl.Float64), orient="row")
        frame = pl.concat([self._frame.select(_BARS), bars])[order]
        stuck: set[int] = set()
        last = [member.place * rows + rows - 1 for member in moving]
        done = 0
        for level in _levels(self._carried):
            inputs = frame.select(**{one.name: one.from_tail for one in level})[last]
            columns = []
            for number, one in enumerate(level, start=done):
                found: list[float | None] = []
                for member, value in zip(moving, inputs[one.name].to_list(), strict=True):
                    if value is None:
                        stuck.add(member.place)
                    found.append(member.states[number].step(value) if value is not None else None)
                columns.append(self._frame[one.name].append(pl.Series(found, dtype=pl.Float64))[order])
            frame = frame.with_columns(columns)
            done += len(level)
        self._frame = frame
        for member in moving:
            member.height += 1
        return [instrument for instrument, member in self._members.items() if member.place in stuck]

    def _start(self, fresh: Mapping[InstrumentId, Series], found: Mapping[InstrumentId, _Block | None]) -> None:
        """Blocks of their own for these; those that cannot be carried yet have none."""
        blocks = {
            instrument: self._frame[member.place * self._rows : (member.place + 1) * self._rows]
            for instrument, member in self._members.items()
            if instrument not in found
        }
        members = {instrument: self._members[instrument] for instrument in blocks}
        for instrument, block in found.items():
            if block is None:
                self._short[instrument] = fresh[instrument].height + TRIED_EVERY
                continue
            blocks[instrument] = block.bars
            members[instrument] = _Member(fresh[instrument], block.height, 0, block.states)
        for place, member in enumerate(members.values()):
            member.place = place
        self._members = members
        self._frame = pl.concat(list(blocks.values())) if blocks else pl.DataFrame()

    def _whole(self, series: Series) -> _Block | None:
        """Computed over all bars of an instrument; None where it cannot be carried yet."""
        if series.height < self._rows:
            return None
        ordered = [one for level in _levels(self._carried) for one in level]
        own = series.frame.select(**{one.name: one.whole.cast(pl.Float64) for one in ordered})
        inputs = series.frame.select(**{one.name: one.values for one in ordered})
        states = []
        for one in ordered:
            state = one.rule.start(inputs[one.name].to_list(), own[one.name].to_list())
            if state is None:
                return None
            states.append(state)
        return _Block(pl.concat([series.frame.select(_BARS), own], how="horizontal").tail(self._rows), series.height, states)


def _levels(columns: Sequence[Carried]) -> list[list[Carried]]:
    """The columns in groups, each computed from those before it."""
    depth: dict[str, int] = {}
    for one in columns:
        depth[one.name] = 1 + max((depth.get(name, -1) for name in one.from_tail.meta.root_names()), default=-1)
    return [[one for one in columns if depth[one.name] == level] for level in range(max(depth.values(), default=-1) + 1)]
