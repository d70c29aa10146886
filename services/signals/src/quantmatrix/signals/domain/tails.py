"""The last bars of many instruments, with the columns that are carried: what live runs compute the latest bar from.

The values are those of the same expressions over all bars, bit for bit; the contract of the slot tries it on every bar.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.signals.domain.carrying import Carried, Columns, State, carry
from quantmatrix.signals.domain.latest import UnsureError, Worked, on_latest
from quantmatrix.signals.domain.series import Series

_BARS = ("open", "high", "low", "close", "volume")
Row = dict[str, float | None]
TRIED_EVERY = 16
"""Bars after which a series that was too short to be carried is tried again."""
PART = 4
"""Instruments that take up their past at a stretch."""


@dataclass(slots=True)
class _Member:
    """An instrument, how far its columns have come, and the last values of each: its bars and what is carried."""

    series: Series
    height: int
    columns: dict[str, deque[float | None]]
    states: list[State]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Expressions of which only the values on the latest bar are wanted; those that are nothing but a column need no calculation.

    worked: how to work one out on that bar alone; all others, and those that this is not sure of, are computed by Polars.
    """

    plain: Mapping[str, str]
    computed: Mapping[str, pl.Expr]
    worked: Mapping[str, Worked]
    reads: Collection[str]

    @classmethod
    def of(cls, expressions: Columns) -> "_Wanted":
        plain = {name: one.meta.output_name() for name, one in expressions.items() if one.meta.is_column()}
        computed = {name: one for name, one in expressions.items() if name not in plain}
        worked = {name: how for name, one in computed.items() if one.meta.root_names() and (how := on_latest(one)) is not None}
        return cls(plain, computed, worked, sorted({root for one in computed.values() for root in one.meta.root_names()}))

    def on(self, members: Sequence[_Member], rows: int) -> dict[str, list[float | None]]:
        """One value for each of these members, whose columns hold `rows` bars."""
        found = {name: [member.columns[column][-1] for member in members] for name, column in self.plain.items()}
        for name, how in self.worked.items():
            with contextlib.suppress(UnsureError):
                found[name] = [how(member.columns, 0) for member in members]
        left = {name: one for name, one in self.computed.items() if name not in found}
        if left:
            held = {name: [value for member in members for value in member.columns[name]] for name in self.reads or _BARS[:1]}
            frame = pl.DataFrame(held, schema=dict.fromkeys(held, pl.Float64)).with_columns(**left)
            found |= {name: frame[name].gather_every(rows, rows - 1).to_list() for name in left}
        return found


class Tails:
    """looks_back: how many bars before the latest the columns read, besides what is carried. makers: the sets of columns, by name."""

    def __init__(self, makers: Mapping[str, Callable[[], Columns]], looks_back: int) -> None:
        carried, made = carry(list(makers.values()))
        self._levels = _levels(carried)
        self._carried = [one for level in self._levels for one in level]
        self._inputs = [_Wanted.of({one.name: one.from_tail for one in level}) for level in self._levels]
        self._sets = {name: (tuple(one), _Wanted.of(one)) for name, one in zip(makers, made, strict=True)}
        self._rows = looks_back + 1
        self._members: dict[InstrumentId, _Member] = {}
        self._seen: dict[str, dict[InstrumentId, Row]] = {}
        self._short: dict[InstrumentId, int] = {}

    def advance(self, fresh: Mapping[InstrumentId, Series]) -> None:
        """Go on to the latest bar of these series: by one step where that is one bar further, anew where it is anything else."""
        for _ in self.parts(fresh):
            pass

    def parts(self, fresh: Mapping[InstrumentId, Series]) -> Iterator[None]:
        """The same, handing back whenever a few instruments have taken up their past: it takes milliseconds for each."""
        moving, anew = {}, []
        for instrument, series in fresh.items():
            member, height = self._members.get(instrument), series.height
            if member is None or member.series is not series or height not in (member.height, member.height + 1):
                if member is not None or height >= self._short.get(instrument, 0):
                    anew.append(instrument)
            elif height > member.height:
                moving[instrument] = member
        if moving:
            self._seen.clear()
            for instrument in self._step(moving):
                self._start(instrument, fresh[instrument])
        for number, instrument in enumerate(anew, start=1):
            self._start(instrument, fresh[instrument])
            if number % PART == 0:
                yield

    def row(self, which: str, instrument: InstrumentId) -> Row | None:
        """One set of columns on an instrument's latest bar; None where it cannot be carried and all bars must be looked at."""
        if instrument not in self._members:
            return None
        if which not in self._seen:
            names, wanted = self._sets[which]
            found = wanted.on(list(self._members.values()), self._rows)
            values = zip(*(found[name] for name in names), strict=True)
            self._seen[which] = {one: dict(zip(names, row, strict=True)) for one, row in zip(self._members, values, strict=True)}
        return self._seen[which][instrument]

    def _step(self, moving: Mapping[InstrumentId, _Member]) -> list[InstrumentId]:
        """One bar on for these; the instruments that could not go on are handed back."""
        members = list(moving.values())
        for member in members:
            member.height += 1
            for name, figure in zip(_BARS, member.series.latest_bar, strict=True):
                member.columns[name].append(figure)
        stuck: set[InstrumentId] = set()
        done = 0
        for level, wanted in zip(self._levels, self._inputs, strict=True):
            inputs = wanted.on(members, self._rows)
            for number, one in enumerate(level, start=done):
                for (instrument, member), value in zip(moving.items(), inputs[one.name], strict=True):
                    if value is None:
                        stuck.add(instrument)
                    member.columns[one.name].append(member.states[number].step(value) if value is not None else None)
            done += len(level)
        return [instrument for instrument in moving if instrument in stuck]

    def _start(self, instrument: InstrumentId, series: Series) -> None:
        """Compute an instrument over all its bars; one that cannot be carried yet is no member."""
        self._seen.clear()
        self._members.pop(instrument, None)
        found = self._whole(series)
        if found is None:
            self._short[instrument] = series.height + TRIED_EVERY
            return
        frame, states = found
        columns = {one.name: deque(one.to_list(), maxlen=self._rows) for one in frame}
        self._members[instrument] = _Member(series, series.height, columns, states)

    def _whole(self, series: Series) -> tuple[pl.DataFrame, list[State]] | None:
        if series.height < self._rows:
            return None
        own = series.frame.select(**{one.name: one.whole.cast(pl.Float64) for one in self._carried})
        inputs = series.frame.select(**{one.name: one.values for one in self._carried})
        states = []
        for one in self._carried:
            state = one.rule.start(inputs[one.name].to_list(), own[one.name].to_list())
            if state is None:
                return None
            states.append(state)
        return pl.concat([series.frame.select(_BARS), own], how="horizontal").tail(self._rows), states


def _levels(columns: Sequence[Carried]) -> list[list[Carried]]:
    """The columns in groups, each computed from those before it."""
    depth: dict[str, int] = {}
    for one in columns:
        depth[one.name] = 1 + max((depth.get(name, -1) for name in one.from_tail.meta.root_names()), default=-1)
    return [[one for one in columns if depth[one.name] == level] for level in range(max(depth.values(), default=-1) + 1)]
