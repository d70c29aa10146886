"""The fills of a run in whole numbers. The objects, texts and trades of them are made when they are read."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar, overload

from quantmatrix.common.names import Side
from quantmatrix.common.runtime.canonical import spelled
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.lanes import Row
from quantmatrix.signals.backtest.outcome import Fill
from quantmatrix.signals.backtest.trades import OfSymbol, Tally, Trade
from quantmatrix.signals.backtest.whole_lanes import WholeLane
from quantmatrix.signals.domain.planning import PICO, Plan, exact, written
from quantmatrix.signals.ports import PlanningStrategy

T = TypeVar("T")


class WholeFill(NamedTuple):
    """lane: its number; bar, decided: numbers of its bars; row: the figures of the latter.

    opened: the price in the history's units; fee: in 10^-12 of money.
    """

    lane: int
    bar: int
    decided: int
    row: Row
    plan: Plan
    quantity: int
    opened: int
    fee: int
    held_after: int


class WhenRead(Sequence[T]):
    """A sequence whose length is known; its elements are made all at once, when the first of them is read."""

    def __init__(self, length: int, make: Callable[[], list[T]]) -> None:
        self._length, self._make = length, make

    @cached_property
    def _all(self) -> list[T]:
        return self._make()

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._all[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._all)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(other) == self._length and self._all == list(other)

    __hash__ = None  # type: ignore[assignment]  # compared by what is in it, as a list is

    def __reduce__(self) -> tuple[type[list[T]], tuple[list[T]]]:
        return list, (self._all,)


class WholeFills(WhenRead[Fill]):
    """In the order in which they were made."""

    def __init__(self, strategy: PlanningStrategy, lanes: Sequence[WholeLane], fills: Sequence[WholeFill]) -> None:
        super().__init__(len(fills), self._objects)
        self._strategy, self._lanes, self._fills = strategy, lanes, fills

    def lines(self) -> Iterator[str]:
        """What a digest covers of each, spelled as `digest_rows` spells it."""
        calendars = {id(lane.calendar): lane.calendar for lane in self._lanes}.values()
        days = {day: day.isoformat() for calendar in calendars for day in calendar.sessions}
        for number, one in enumerate(self._fills, start=1):
            lane, plan = self._lanes[one.lane], one.plan
            sessions, digits = lane.calendar.sessions, lane.history.digits
            price, fee = written(one.opened, digits), f"{written(one.fee, FRACTION_DIGITS_MAX)} {lane.history.currency}"
            head = f"{number}\t{days[sessions[one.bar]]}\t{days[sessions[one.decided]]}\t{lane.spelled_symbol}\t{plan.side}\t{plan.kind}"
            yield f"{head}\t{one.quantity}\t{price}\t{fee}\t{one.held_after}\t{spelled(' | '.join(self._why(lane, one)))}"

    def tally(self, currency: str) -> Tally:
        """The trades and their sums, as `tally_of` the objects tells them."""
        running: dict[int, list[int]] = {}
        stretches: list[list[int]] = []
        for at, one in enumerate(self._fills):
            own = running.setdefault(one.lane, [])
            own.append(at)
            if not one.held_after:
                stretches.append(running.pop(one.lane))
        closed = sorted(stretches)
        profits = [self._profit(one) for one in closed]
        known = {lane.history.symbol: OfSymbol(Money.zero(currency), Money.zero(currency)) for lane in self._lanes}
        of_lane = [known[lane.history.symbol] for lane in self._lanes]
        won, count, profit, fees = ([0] * len(self._lanes) for _ in range(4))
        for stretch, gained in zip(closed, profits, strict=True):
            lane = self._fills[stretch[0]].lane
            count[lane], won[lane], profit[lane] = count[lane] + 1, won[lane] + (gained > 0), profit[lane] + gained
        for one in self._fills:
            fees[one.lane] += one.fee
        for at, of in enumerate(of_lane):
            of.trades, of.won, of.profit, of.fees = count[at], won[at], _money(profit[at], currency), _money(fees[at], currency)
        spans = [self._fills[one[-1]].bar - self._fills[one[0]].bar for one in closed]
        every = sorted([*closed, *running.values()])
        trades = WhenRead(len(every), lambda: [self._trade(one, currency) for one in every])
        traded = 0.0
        for one in self._fills:
            traded += self._value(one) / PICO
        return Tally(trades, [one / PICO for one in profits], spans, _money(sum(fees), currency), traded, known)

    def _value(self, one: WholeFill) -> int:
        return one.opened * self._lanes[one.lane].unit * one.quantity

    def _flow(self, at: int) -> int:
        """What a fill changed in cash, its fee apart."""
        one = self._fills[at]
        return -self._value(one) if one.plan.side is Side.BUY else self._value(one)

    def _profit(self, stretch: Sequence[int]) -> int:
        return sum(self._flow(at) - self._fills[at].fee for at in stretch)

    def _trade(self, stretch: Sequence[int], currency: str) -> Trade:
        own = [self._fills[at] for at in stretch]
        first, last, lane = own[0], own[-1], self._lanes[own[0].lane]
        bought = [one for one in own if one.plan.side is Side.BUY]
        sold = [one for one in own if one.plan.side is not Side.BUY]
        return Trade(
            symbol=lane.history.symbol,
            opened_on=lane.calendar.sessions[first.bar],
            closed_on=lane.calendar.sessions[last.bar],
            is_open=bool(last.held_after),
            bought=Quantity(sum(one.quantity for one in bought)),
            cost=_money(sum(map(self._value, bought)), currency),
            proceeds=_money(sum(map(self._value, sold)), currency),
            fees=_money(sum(one.fee for one in own), currency),
            profit=_money(self._profit(stretch), currency),
            sessions=last.bar - first.bar,
            opened_because=self._why(lane, first),
            closed_by=last.plan.kind,
        )

    def _why(self, lane: WholeLane, one: WholeFill) -> tuple[str, ...]:
        because = self._strategy.why(one.row, one.plan, lane.exact_door)
        return tuple([f"{each.code}: {each.text}" for each in because if each.met])

    def _objects(self) -> list[Fill]:
        return [self._object(number, one) for number, one in enumerate(self._fills, start=1)]

    def _object(self, number: int, one: WholeFill) -> Fill:
        lane, plan = self._lanes[one.lane], one.plan
        if plan.side is None:
            raise ValueError(f"a fill of {plan.kind} has no side")
        return Fill(
            number=number,
            session=lane.calendar.sessions[one.bar],
            decided_on=lane.calendar.sessions[one.decided],
            symbol=lane.history.symbol,
            side=plan.side,
            kind=plan.kind,
            quantity=Quantity(one.quantity),
            price=Price(exact(one.opened, lane.history.digits)),
            fee=_money(one.fee, lane.history.currency),
            held_after=Quantity(one.held_after),
            reasons=self._why(lane, one),
            strength=plan.strength,
        )


def _money(units: int, currency: str) -> Money:
    return Money(exact(units, FRACTION_DIGITS_MAX), currency)
