"""Parts of the runtime that need no server: canonical rows, logs, slots, clocks, waiting."""

import asyncio
import hashlib
import json
import logging
import types
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import nats.errors
import pytest
import structlog

from quantmatrix.common.runtime.canonical import digest_rows, spelled
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.common.runtime.errors import TRANSIENT, ConfigurationError, LeaseLost, OutcomeUnknown, Refused, TryLater
from quantmatrix.common.runtime.fresh import fresh_id
from quantmatrix.common.runtime.keys import pattern_of
from quantmatrix.common.runtime.logs import REDACTED, configure_logs
from quantmatrix.common.runtime.slot import UnknownExtensionError, load, names_in
from quantmatrix.common.runtime.waiting import done_before, ended, woken
from quantmatrix.common.testing.clock import NOON, SetClock
from quantmatrix.common.testing.waiting import wait_until


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (Decimal("1.500"), "1.5"), (Decimal("-0"), "0"), (date(2024, 3, 5), "2024-03-05"), ("a\tb\nc\\", "a\\tb\\nc\\\\"), (7, "7"),
     (datetime(2024, 3, 5, 16, tzinfo=timezone(timedelta(hours=-5))), "2024-03-05T21:00:00.000000+00:00")],
)  # fmt: skip
def test_one_value_has_one_spelling(value: object, text: str) -> None:
    assert spelled(value) == text


def test_a_digest_is_that_of_the_documented_text() -> None:
    text = "# lots\nA\t1.5\t-\n# closings\n"

    assert digest_rows({"lots": [("A", Decimal("1.50"), None)], "closings": []}) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("other", [[("A", "1"), ("B", "2")][::-1], [("A", "1")], [("A\t1", ""), ("B", "2")], [("A", "1"), ("B", "2"), ()]])
def test_rows_that_differ_have_another_digest(other: list[tuple[str, ...]]) -> None:
    rows = [("A", "1"), ("B", "2")]

    assert digest_rows({"t": rows}) == digest_rows({"t": iter(rows)})
    assert digest_rows({"t": rows}) != digest_rows({"t": other})


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    file = tmp_path / "logs" / "service.log"
    configure_logs(service="portfolio", level="INFO", file=file)
    yield file
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


def _records(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_log_is_one_object_a_line_with_its_service_level_and_time(log_file: Path) -> None:
    structlog.get_logger("tests.log").info("handled", message_id="1", took_ms=0.5)
    structlog.get_logger("tests.log").debug("not worth it")

    [record] = _records(log_file)
    assert {name: record[name] for name in ("event", "service", "level", "message_id", "took_ms")} == {
        "event": "handled", "service": "portfolio", "level": "info", "message_id": "1", "took_ms": 0.5,
    }  # fmt: skip
    assert datetime.fromisoformat(record["timestamp"]).tzinfo is not None


def test_secrets_do_not_reach_the_log(log_file: Path) -> None:
    secret = "hunter2"
    log = structlog.get_logger("tests.log")
    log.info("a", password=secret, nats_password=secret, api_key=secret, Authorization=secret, webhook_url=secret, session_cookie=secret)
    log.info("b", url=f"postgresql://qm:{secret}@db/x", detail=f"cannot reach nats://user:{secret}@bus:4222 now")
    log.info("d", settings={"user": "qm", "password": secret, "urls": [f"nats://a:{secret}@b"]}, pair=("x", {"token": secret}))
    logging.getLogger("asyncpg").warning("cannot connect to postgresql://qm:%s@db/x", secret)
    try:
        raise ValueError(f"wrong address postgresql://qm:{secret}@db/x")
    except ValueError:
        log.exception("c")

    records = _records(log_file)
    assert len(records) == 5
    assert str(records).count(REDACTED) == 6 + 2 + 3 + 1 + 2
    assert secret not in log_file.read_text(encoding="utf-8")


def test_a_slot_lists_what_lies_in_its_folder_and_nothing_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = tmp_path / "someslot"
    (slot / "folder").mkdir(parents=True)
    for name in ("__init__.py", "file.py", "_private.py", "folder/__init__.py"):
        (slot / name).write_text("MADE = __name__\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = types.ModuleType("someslot")
    package.__path__ = [str(slot)]

    assert names_in(package) == ["file", "folder"]
    assert load(package, "file").MADE == "someslot.file"
    for name in ("_private", "missing", "../file"):
        with pytest.raises(UnknownExtensionError, match="it has: file, folder"):
            load(package, name)


def test_a_template_becomes_a_pattern() -> None:
    assert pattern_of("fills.{m.account_id}") == "fills.*"
    assert pattern_of("a.{m.b.c}.{m.d}.e") == "a.*.*.e"


async def test_waiting_ends_when_the_event_comes_or_the_time_is_up() -> None:
    event = asyncio.Event()
    assert not await woken(event, 0)
    asyncio.get_running_loop().call_soon(event.set)
    assert await woken(event, None)


async def test_a_task_that_loses_a_cancellation_ends_all_the_same() -> None:
    async def deaf_once() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return "never"

    tasks = [asyncio.ensure_future(deaf_once()), asyncio.ensure_future(asyncio.sleep(0, "done"))]
    await asyncio.sleep(0)
    await ended(tasks)

    assert tasks[0].cancelled() and tasks[1].done()
    await ended(())


async def test_work_is_done_unless_an_event_comes_first() -> None:
    never, comes = asyncio.Event(), asyncio.Event()
    ends: list[str] = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("ended")

    async def wrong() -> None:
        raise ValueError("by itself")

    assert await done_before(asyncio.sleep(0), never, comes)
    asyncio.get_running_loop().call_soon(comes.set)
    assert not await done_before(long(), never, comes) and ends == ["ended"]
    with pytest.raises(ValueError, match="by itself"):
        await done_before(wrong(), never)


async def test_waiting_for_a_condition_tells_what_it_saw_last() -> None:
    seen = iter([0, "", "found"])
    assert await wait_until(lambda: next(seen)) == "found"

    with pytest.raises(AssertionError, match=r"not within 0 s: a coin; last seen: 0"):
        await wait_until(lambda: 0, "a coin", within_s=0)
    with pytest.raises(ZeroDivisionError):
        await wait_until(lambda: 1 / 0)


def test_clocks() -> None:
    clock = SetClock()
    clock.move(1.5)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=1.5), 1.5)
    with pytest.raises(ValueError, match="forwards"):
        clock.move(-1)
    assert SystemClock().now().tzinfo is UTC
    assert SystemClock().monotonic() <= SystemClock().monotonic()


def test_fresh_ids_differ() -> None:
    assert len({fresh_id() for _ in range(1_000)}) == 1_000


def test_only_an_outside_that_is_away_is_worth_another_try() -> None:
    for away in (TryLater("x"), OSError(), TimeoutError(), ConnectionResetError(), nats.errors.ConnectionDrainingError()):
        assert isinstance(away, TRANSIENT)
    for decided in (
        Refused("CODE", "x"),
        OutcomeUnknown(),
        LeaseLost(),
        ConfigurationError(),
        ValueError(),
        KeyError(),
        ZeroDivisionError(),
    ):
        assert not isinstance(decided, TRANSIENT)
