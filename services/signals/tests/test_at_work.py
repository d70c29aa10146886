"""What is remembered of runs between moments: it saves a look, and never decides what the tables do not say any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from services.signals.tests.floor import WARM, Floor, Market

from quantmatrix.common.contracts.commands import ChangeRun, StartRun
from quantmatrix.common.contracts.signals import SignalsWatermark
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import RunAct, RunId, RunState
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.testing.examples import like, usd
from quantmatrix.signals.testing import BuyOneLot

RUN = RunId(derived_id("a run of a person"))


@pytest.fixture
async def floor(database: Any) -> Floor:
    """A run of 10,000 that bought, and has decided on two quiet days since."""
    made = Floor(await database.connect("signals"), Market(), BuyOneLot, default="")
    await made.open()
    start = like(StartRun, strategy="buy_one_lot", capital=usd("10000"), parameters={}, run_id=RUN, command_id=derived_id("start"))
    await made.pages.hear(start)
    (entry,) = await made.day(WARM)
    await made.filled(entry)
    assert await made.day(WARM + 1) == [] and await made.day(WARM + 2) == []
    return made


@contextmanager
def looks(floor: Floor) -> Iterator[list[str]]:
    """The statements that read the runs meanwhile."""
    found: list[str] = []

    def note(record: Any) -> None:
        if "from runs_version v left join run" in record.query:
            found.append(record.query)

    with floor.store._connection.query_logger(note):  # type: ignore[union-attr]
        yield found


def paused(why: str) -> ChangeRun:
    return like(ChangeRun, command_id=derived_id("pause", why), run_id=RUN, act=RunAct.PAUSE, reason=why)


async def test_quiet_moments_are_decided_on_without_a_look(floor: Floor) -> None:
    with looks(floor) as found:
        assert [await floor.day(WARM + day) for day in (3, 4, 5)] == [[], [], []]

    assert found == []


async def test_whatever_moves_a_run_makes_the_next_moment_look(floor: Floor) -> None:
    await floor.pages.hear(paused("a holiday"))

    with looks(floor) as found:
        await floor.day(WARM + 3)
        await floor.day(WARM + 4)

    assert len(found) == 1


async def test_what_another_process_changed_refuses_the_page_and_is_seen_by_the_next_try(floor: Floor, database: Any) -> None:
    other = Floor(await database.connect("signals"), floor.market, BuyOneLot, default="")
    other.pages._standings.update(floor.pages._standings)
    await other.pages.hear(paused("said elsewhere"))

    with pytest.raises(TryLater, match="runs_version"):
        await floor.day(WARM + 3)
    with looks(floor) as found:
        assert await floor.day(WARM + 3) == []

    assert len(found) == 1
    assert [run.state for run, _, _ in (await floor.store.running())[1]] == [RunState.PAUSED]


async def test_a_page_that_failed_leaves_nothing_to_remember(floor: Floor) -> None:
    *before, watermark = floor.market.day(WARM + 3)
    for message in before:
        await floor.pages.hear(message)
    await floor.matched(WARM + 3)
    connection: Any = floor.store._connection
    with looks(floor) as found:
        await connection.execute("alter table runs_version rename to runs_version_away")
        with pytest.raises(Exception, match="runs_version"):
            await floor.pages.hear(watermark)
        await connection.execute("alter table runs_version_away rename to runs_version")
        (said,) = await floor.pages.hear(watermark)

    assert isinstance(said, SignalsWatermark) and len(found) == 1


@pytest.mark.parametrize("table", ["run", "holding", "working", "account"])
@pytest.mark.parametrize("change", ["delete from {} where false", "truncate {} cascade"])
async def test_every_change_of_what_runs_are_decided_by_moves_the_version(floor: Floor, table: str, change: str) -> None:
    connection: Any = floor.store._connection
    before, _ = await floor.store.running()

    await connection.execute(change.format(table))

    after, _ = await floor.store.running()
    assert after > before


async def test_the_version_of_an_undone_change_is_undone_with_it(floor: Floor) -> None:
    before = await floor.store.running()
    connection: Any = floor.store._connection
    transaction = connection.transaction()
    await transaction.start()
    await floor.ledger.set_state(RUN, RunState.PAUSED, "no", floor.market.moment(WARM))
    await transaction.rollback()

    assert await floor.store.running() == before
