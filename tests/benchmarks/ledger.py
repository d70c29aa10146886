"""A million fills booked by first in, first out, beside bare loops over the same fills that keep nothing but the gain."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import polars as pl

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, Side, UserId
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.portfolio.domain.columns import Closings, book_columns
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.rebuilding import rebuilt_swiftly

INSTRUMENTS = 200
REBUILT = 100_000
RUNS = 3
CENT = 10 ** (FRACTION_DIGITS_MAX - 2)
FIRST = date(2000, 3, 1)
Made = TypeVar("Made")


@dataclass(frozen=True)
class Lots:
    """Fills a second: booked in columns with closings, dates and basis; by bare loops; and the seconds of a rebuild.

    worked_ratio: the processor time of the loop over decimals over that of the columns.
    """

    fills: int
    closings: int
    columns_per_s: float
    decimals_per_s: float
    integers_per_s: float
    worked_ratio: float
    rebuild_fills: int
    rebuild_s: float

    @property
    def against_decimals(self) -> float:
        return self.columns_per_s / self.decimals_per_s


@dataclass(frozen=True)
class Deal:
    """instrument: its number; units: with sign; price and fee: cents."""

    instrument: int
    units: int
    price: int
    fee: int


def lots(count: int, rebuilt: int = REBUILT) -> Lots:
    """Measure everything on the same fills, in turn, the best of three. Raises ArithmeticError when the gains differ."""
    story = deals(count)
    frame = _frame(story)
    decimals = [(one.instrument, Decimal(one.units), Decimal(one.price) / 100, Decimal(one.fee) / 100) for one in story]
    integers = [(one.instrument, one.units, one.price, one.fee) for one in story]
    rounds = [
        (_timed(lambda: _columns(frame)), _timed(lambda: _decimals(decimals)), _timed(lambda: _integers(integers))) for _ in range(RUNS)
    ]
    closings, in_decimals, in_integers = (made for _, _, made in rounds[0])
    booked = Decimal(int(closings[0].realised.sum())).scaleb(-FRACTION_DIGITS_MAX)
    fees = _fees_in_lots(frame)
    if in_decimals != Decimal(in_integers) / 100 or booked != in_decimals + fees:
        raise ArithmeticError(f"columns make {booked}, decimals {in_decimals} less fees of {fees}, integers {in_integers} cents")
    best = [min(one[place][0] for one in rounds) for place in range(3)]
    worked = [min(one[place][1] for one in rounds) for place in range(2)]
    fills = fills_of(deals(rebuilt))
    seconds, _, _ = _timed(lambda: rebuilt_swiftly(fills))
    return Lots(
        count,
        len(closings[0].fill),
        *(count / one for one in best),
        worked_ratio=worked[1] / worked[0],
        rebuild_fills=rebuilt,
        rebuild_s=seconds,
    )


def deals(count: int) -> list[Deal]:
    """A fixed story: every instrument is bought, and sold about as often while it is held; some sales go through zero."""
    state, held, found = 20_000_301, [0] * INSTRUMENTS, []
    for _ in range(count):
        state = state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407 & 2**64 - 1
        drawn = state >> 24
        instrument, units, price, fee = drawn % INSTRUMENTS, drawn // 211 % 100 + 1, drawn // 22_013 % 49_000 + 1_000, drawn // 1_009 % 300
        sells = held[instrument] > 0 and state >> 63
        held[instrument] += -units if sells else units
        found.append(Deal(instrument, -units if sells else units, price, fee))
    return found


def _frame(story: list[Deal]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "instrument": [one.instrument for one in story],
            "quantity": [one.units for one in story],
            "value": pl.Series([abs(one.units) * one.price * CENT for one in story], dtype=pl.Int64),
            "fee": pl.Series([one.fee * CENT for one in story], dtype=pl.Int64),
            "session": [FIRST + timedelta(days=number * 3_650 // len(story)) for number in range(len(story))],
        }
    )


def _columns(frame: pl.DataFrame) -> tuple[Closings, pl.Series, pl.Series]:
    """Closings with their gains, and the days on which they were opened and closed."""
    made, days = book_columns(frame).closings, frame["session"].to_physical().to_numpy()
    opened, closed = (pl.Series(days.take(rows)).cast(pl.Date) for rows in (made.lot, made.fill))
    return made, opened, closed


def _fees_in_lots(frame: pl.DataFrame) -> Decimal:
    """Fees that are not in a gain yet, because they are in the basis of lots that are still open; the loops take all at once."""
    free = frame.with_columns(fee=pl.lit(0, pl.Int64))
    return Decimal(int(book_columns(frame).lots.basis.sum() - book_columns(free).lots.basis.sum())).scaleb(-FRACTION_DIGITS_MAX)


def _decimals(story: list[tuple[int, Decimal, Decimal, Decimal]]) -> Decimal:
    queues: list[deque[list[Decimal]]] = [deque() for _ in range(INSTRUMENTS)]
    gain, nothing = Decimal(0), Decimal(0)
    for instrument, units, price, fee in story:
        queue, left = queues[instrument], units
        gain -= fee
        while left and queue and (queue[0][0] > nothing) != (left > nothing):
            oldest = queue[0]
            part = -left if abs(left) <= abs(oldest[0]) else oldest[0]
            gain += part * (price - oldest[1])
            oldest[0] -= part
            left += part
            if not oldest[0]:
                queue.popleft()
        if left:
            queue.append([left, price])
    return gain


def _integers(story: list[tuple[int, int, int, int]]) -> int:
    queues: list[deque[list[int]]] = [deque() for _ in range(INSTRUMENTS)]
    gain = 0
    for instrument, units, price, fee in story:
        queue, left = queues[instrument], units
        gain -= fee
        while left and queue and (queue[0][0] > 0) != (left > 0):
            oldest = queue[0]
            part = -left if abs(left) <= abs(oldest[0]) else oldest[0]
            gain += part * (price - oldest[1])
            oldest[0] -= part
            left += part
            if not oldest[0]:
                queue.popleft()
        if left:
            queue.append([left, price])
    return gain


def fills_of(story: list[Deal]) -> dict[Instrument, list[Fill | Split]]:
    """The story as the ledger's fills of one account, by instrument."""
    account, user = AccountId("paper-1"), UserId(derived_id("user"))
    found: dict[Instrument, list[Fill | Split]] = {}
    names = [Instrument(InstrumentId(f"I{number}"), f"I{number}", AssetClass.STOCK, "USD", Quantity(1)) for number in range(INSTRUMENTS)]
    began = datetime(2000, 3, 1, 15, tzinfo=UTC)
    for number, one in enumerate(story):
        at = began + timedelta(minutes=number)
        fill = Fill(
            fill_id=FillId(derived_id("fill", number)),
            account_id=account,
            user_id=user,
            instrument=names[one.instrument],
            side=Side.BUY if one.units > 0 else Side.SELL,
            quantity=Quantity(abs(one.units)),
            price=Price(Decimal(one.price) / 100),
            fee=Money(Decimal(one.fee) / 100, "USD"),
            session=at.date(),
            executed_at=at,
            triggered_by="bench",
        )
        found.setdefault(fill.instrument, []).append(fill)
    return found


def _timed(work: Callable[[], Made]) -> tuple[float, float, Made]:
    """Seconds by the clock and of the processor, and what was made."""
    began, worked = time.perf_counter(), time.process_time()
    made = work()
    return time.perf_counter() - began, time.process_time() - worked, made
