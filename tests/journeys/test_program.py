"""Starting, looking, breaking, stopping and starting again, with the qm program and nothing else."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import nats
import pytest
from tests.journeys.leaks import command_lines, files_of, found_in, modes_of, pages_of, rows_of, secrets_of
from tests.journeys.program import Up, answer, qm, qm_here, status_of, until_finished, until_ready, until_replay, wait_until

from quantmatrix.common.contracts.asking.ledger import LedgerDigestAsked
from quantmatrix.common.contracts.asking.messaging import ParkedAsked
from quantmatrix.common.contracts.asking.supervisor import SUPERVISOR, RestartReplayAsked
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.keys import is_heard
from quantmatrix.common.runtime.streams import SERVICES, heard_by
from quantmatrix.common.testing.process import is_alive
from quantmatrix.common.testing.waiting import wait_until as until
from quantmatrix.operations.client import asking_at
from quantmatrix.operations.places import Places
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.servers.postgres import DATABASE

pytestmark = [pytest.mark.servers, pytest.mark.long(30)]
SHORT = {"QM_MARKET_REPLAY_FROM": "2000-08-01", "QM_MARKET_REPLAY_TO": "2000-10-31", "QM_MARKET_REPLAY_PACE_S": "0.05"}
"""So fast that it is soon over, and so slow that it can be interrupted."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("program") / "home", free_port(), SHORT).start()
    yield up
    up.end()


def test_one_address_and_a_login_are_told(running: Up) -> None:
    assert running.welcome["console"] == f"http://127.0.0.1:{running.port}"
    assert running.welcome["user"] == "admin"
    assert httpx.get(f"{running.welcome['console']}/login").status_code == 200


def test_every_service_is_ready(running: Up) -> None:
    found = until_ready(running.home)
    assert sorted(found["services"]) == ["execution", "gateway", "market", "notify", "portfolio", "signals"]


def test_ctrl_c_stops_within_five_seconds_and_the_next_start_goes_on(running: Up) -> None:
    until_replay(running.home, lambda status: status.sessions_done > 5)
    found = answer(running.home, "status")
    reached, pids = found["replay"]["sessions_done"], [part["pid"] for part in found["services"].values()]
    running.stop()  # within five seconds: what each part may take is held by the tests of the supervisor
    assert not [pid for pid in pids if is_alive(pid)]
    running.start()
    until_replay(running.home, lambda status: status.sessions_done >= reached)


def test_a_second_start_on_the_same_folder_is_refused(running: Up) -> None:
    done = qm(running.home, "up", "--port", str(free_port()))
    assert done.returncode == 4
    assert "already running" in done.stderr.replace("\n", " ")
    until_ready(running.home)


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = qm(tmp_path / "home", "up", "--port", str(port), "--json")
    assert done.returncode == 4
    assert f"port {port}" in json.loads(done.stdout)["error"]


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "letters"
    home.mkdir()
    (home / "dear.txt").write_text("dear reader")
    done = qm(home, "up", "--json", "--port", str(free_port()))
    assert done.returncode == 4
    assert "nothing was touched" in json.loads(done.stdout)["error"]
    assert [path.name for path in home.iterdir() if path.name != "lock"] == ["dear.txt"]


def test_nothing_runs_elsewhere(tmp_path: Path) -> None:
    for command in ("status", "down", "check"):
        done = qm_here(tmp_path / "nothing", command, "--json")
        assert (done.returncode, json.loads(done.stdout)["code"]) == (3, "not_running")
    assert qm_here(tmp_path / "nothing", "logs").returncode == 2
    assert qm_here(tmp_path / "nothing", "up", "--nonsense").returncode == 4
    assert qm(tmp_path / "nothing", "up", QM_GATEWAY_PORT="many").returncode == 4


def test_the_books_agree_at_the_end(running: Up) -> None:
    until_finished(running.home)
    found = answer(running.home, "check")
    assert found["ok"]
    assert {one["name"] for one in found["checks"]} >= {
        "Σ lots = position",
        "position = venue position",
        "cash + Σ cost = start + realised",
    }


async def _say(running: Up, user: str, subject: str, body: bytes) -> None:
    """Publish as a service would that has lost its mind."""
    state = json.loads((running.home / "state.json").read_text())
    secrets = json.loads((running.home / "secrets.json").read_text())
    client = await nats.connect(state["nats_url"], user=user, password=secrets["nats"][user], inbox_prefix=f"_INBOX.{user}")
    try:
        await client.jetstream().publish(subject, body)
    finally:
        await client.close()


LISTENERS = {service for service in SERVICES if is_heard(OrderFilled, heard_by(service))}
GOLDEN = Path(__file__).parents[1] / "contracts" / "golden"


def _fill(**changes: object) -> bytes:
    (path,) = GOLDEN.glob("OrderFilled*.json")
    return json.dumps(json.loads(path.read_text()) | changes).encode()


@pytest.mark.parametrize(
    ("body", "because"),
    [(b"{this is no json", "JSON"), (_fill(version=99), "version"), (_fill(price=101.5), "price")],
    ids=["malformed", "unknown version", "number for money"],
)
async def test_poison_is_parked_and_the_others_flow_on(running: Up, body: bytes, because: str) -> None:
    until_finished(running.home)
    async with asking_at(Places(running.home)) as ask:
        before = await _parked(ask)
        await _say(running, "execution", "fills.filled.DU0000001", body)

        async def _new() -> list[str]:
            new = sorted(await _parked(ask) - before)
            return new if {one.partition(":")[0] for one in new} == LISTENERS else []

        new = await until(_new, f"all of {LISTENERS} have parked it")
    parked = next(one for one in answer(running.home, "parked", "list")["parked"] if one["id"] in new and one["service"] == "portfolio")
    assert because.lower() in parked["error"].lower()
    shown = answer(running.home, "parked", "show", parked["id"])
    assert shown["subject"] == "fills.filled.DU0000001"
    again = qm_here(running.home, "parked", "replay", parked["id"], "--json")
    assert again.returncode != 0, "what is malformed stays malformed"
    assert answer(running.home, "parked", "show", parked["id"])["state"] == "parked"
    for one in new:
        assert answer(running.home, "parked", "drop", one)["state"] == "dropped"
    assert qm_here(running.home, "parked", "drop", parked["id"], "--json").returncode == 1
    assert qm_here(running.home, "parked", "drop", "portfolio:999999", "--json").returncode == 2
    assert answer(running.home, "check")["ok"]


async def _parked(ask: Ask) -> set[str]:
    """What waits for a decision, as qm names it."""
    return {f"{one.service}:{one.parked_id}" for service in SERVICES for one in (await ask(service, ParkedAsked(), deadline_s=60)).messages}


def test_a_killed_service_comes_back(running: Up) -> None:
    before = answer(running.home, "status")
    os.kill(before["services"]["portfolio"]["pid"], signal.SIGKILL)

    wait_until(lambda: status_of(running.home).get("restarts", 0) > before["restarts"])
    until_ready(running.home)
    assert answer(running.home, "check")["ok"]


def test_the_logs_are_there(running: Up) -> None:
    done = qm_here(running.home, "logs", "market", "-n", "5", "--json")
    assert done.returncode == 0
    assert all(json.loads(line)["service"] == "market" for line in done.stdout.splitlines())
    assert qm_here(running.home, "logs", "nobody").returncode == 2


async def test_the_replay_begins_anew_and_comes_to_the_same_ledger(running: Up) -> None:
    until_finished(running.home)
    async with asking_at(Places(running.home)) as ask:
        before = await ask("portfolio", LedgerDigestAsked())
        pids = {name: part["pid"] for name, part in answer(running.home, "status")["services"].items()}
        assert (await ask(SUPERVISOR, RestartReplayAsked(asked_by="a test"))).taken

    def _others() -> bool:
        now = Places(running.home).read_state()["pids"]
        return all(now[name] != pid for name, pid in pids.items())  # type: ignore[index]  # by name

    wait_until(_others)
    until_ready(running.home)
    until_finished(running.home)
    async with asking_at(Places(running.home)) as ask:
        after = await ask("portfolio", LedgerDigestAsked())
    assert after.counts["fills_booked"] > 0
    assert after.digest == before.digest


async def test_no_secret_is_in_anything_that_the_run_has_left(running: Up) -> None:
    """P12: no file but those that hold them, no row, no message on the bus, no page and no command line says a password or a login."""
    secrets, state = secrets_of(running.home), cast(dict[str, Any], Places(running.home).read_state())
    cookie, shown = pages_of(running.welcome["console"], secrets["administrator"], state["health_ports"])
    lines = command_lines(state["pids"])
    told = lines["postgres"].decode().split("\0")
    sockets = Path(told[told.index("-k") + 1])  # in the temporary folder of that process
    rows = await rows_of(f"postgresql://postgres:{secrets['superuser']}@/{DATABASE}?host={sockets}")

    assert found_in(secrets | {"a login": cookie}, [*files_of(running.home, sockets), *rows, *lines.items(), *shown]) == []
    assert len(rows) > 100
    assert modes_of(running.home) == {0o600}


def test_down_stops_what_runs(running: Up) -> None:
    assert qm(running.home, "down").returncode == 0
    assert qm_here(running.home, "status").returncode == 3


def test_doctor_finds_the_machine_fit(tmp_path: Path) -> None:
    found = answer(tmp_path / "home", "doctor")
    assert found["ok"]
    assert {one["name"] for one in found["findings"]} >= {"Python", "NATS server", "PostgreSQL", "disk", "console port"}
