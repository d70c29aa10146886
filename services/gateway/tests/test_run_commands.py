"""`qm run`, `qm runs …`, `qm scan` and `qm advise` as a person types them: what is shown, and the exit code; and the same over the API and on pages."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from services.gateway.tests.running import Desk

from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.output import Exit
from quantmatrix.operations.testing import Servers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(30)]
RUNS = "/api/v1/strategies/runs/"


class Shell:
    """qm as a process of its own, asking the services of this test."""

    def __init__(self, desk: Desk, servers: Servers) -> None:
        self.desk = desk
        told = {"QM_NATS_URL": servers.nats.url, "QM_NATS_OPERATOR_PASSWORD": servers.secrets.nats[OPERATOR_USER], "COLUMNS": "200"}
        self._environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **told}

    async def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was written on either stream."""
        command = [sys.executable, "-m", "quantmatrix.operations", *words]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout + done.stderr

    async def answer(self, *words: str) -> Any:
        """The JSON of a command that must succeed."""
        code, text = await self(*words, "--json")
        assert code == Exit.OK, text
        return json.loads(text)

    async def until(self, run: str, state: str) -> dict[str, Any]:
        """What qm says of a run that is in this state now. Until then it is looked at over HTTP: a process for every look takes the services' time."""

        def there(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
            return next((one for one in runs if one["run_id"].startswith(run) and one["state"] == state), None)

        await wait_until(lambda: self._holds(lambda runs: there(runs) is not None), f"the run is {state}", within_s=40)
        found = there((await self.answer("runs", "list"))["runs"])
        assert found is not None
        return found

    async def until_base(self, run: str, base: str) -> None:
        """Wait until a run's capital is so many dollars, and let qm say so, too."""

        def is_so(runs: list[dict[str, Any]]) -> bool:
            return any(one["run_id"] == run and Decimal(one["base"]["amount"]) == Decimal(base) for one in runs)

        await wait_until(lambda: self._holds(is_so), f"its capital is {base}", within_s=40)
        assert (await self.answer("runs", "show", run))["base"] == f"{base} USD"

    async def _holds(self, condition: Callable[[list[dict[str, Any]]], bool]) -> bool:
        return condition((await self.desk.get(f"{RUNS}details")).json()["runs"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def qm(desk: Desk, servers: Servers) -> Shell:
    """The first run is stopped and its positions kept, so that the account's cash is free."""
    shell = Shell(desk, servers)
    (first,) = (await shell.answer("runs", "list"))["runs"]
    assert (await shell("runs", "stop", first["run_id"], "--keep", "--reason", "room for others"))[0] == Exit.OK
    await shell.until(first["run_id"], "stopped")
    return shell


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("walk ATR Matrix on paper, $10k", ("'walk' at 1", "possible: run")),
        ("run ATR Matrx on paper, $10k", ("'ATR Matrx' at 5", "there is no such strategy", "ATR Matrix")),
        ("run ATR Matrix on papr, $10k", ("'papr' at 19", "there is no such broker", "paper")),
        ("run ATR Matrix on paper, 10k", ("'10k' at 26", "$10k")),
        ("run ATR Matrix on paper, $10k, 20% magic", ("'20% magic' at 32", "20% profit")),
        ("run ATR Matrix on paper, $10k, hourly rebalancing", ("'hourly' at 32", "monthly")),
        ("run ATR Matrix on paper, $900k", ("900000 USD", "are free")),
        ("run signal bot on paper, $1k, monthly rebalancing", ("rebalancing", "has no rebalancing to set")),
    ],
)
async def test_a_sentence_that_is_not_understood_names_the_word_and_what_is_possible(
    qm: Shell, sentence: str, said: tuple[str, ...]
) -> None:
    code, text = await qm("run", sentence, "--yes")

    assert code == Exit.CONFIGURATION
    assert [word for word in said if word not in " ".join(text.split())] == []


async def test_a_run_is_started_shown_paused_resumed_funded_and_stopped(qm: Shell) -> None:
    code, text = await qm("run", "run signal bot on paper, $10k, 20% profit, 80% reinvest")
    assert code != Exit.OK and "Start this run?" in text, "nothing starts unasked"

    code, text = await qm("run", "run signal bot on paper, $10k, 20% profit, 80% reinvest", "--yes")
    assert code == Exit.OK and "10000 USD" in text and "0.8 of it is reinvested" in text
    run = (await qm.until("", "running"))["run_id"]
    shown = await qm.answer("runs", "show", run[:8])
    assert (shown["strategy"], shown["base"], shown["trigger"]) == ("signal_bot", "10000 USD", "12000 USD")
    assert [row["kind"] for row in shown["ledger"]] == ["opened"] and shown["verdicts"] == []

    for command, state in (("pause", "paused"), ("resume", "running")):
        assert (await qm("runs", command, run[:8], "--reason", "a test"))[0] == Exit.OK
        await qm.until(run, state)
    assert (await qm("runs", "fund", run[:8], "2500"))[0] == Exit.OK
    await qm.until_base(run, "12500")
    assert (await qm("runs", "fund", run[:8], "--", "-500"))[0] == Exit.OK
    await qm.until_base(run, "12000")
    assert (await qm("runs", "stop", run[:8]))[0] == Exit.OK
    await qm.until(run, "stopped")

    code, text = await qm("runs", "pause", run[:8])
    assert code == Exit.ERROR and "the run is stopped" in text
    code, text = await qm("runs", "fund", run[:8], "1")
    assert code == Exit.ERROR and "runs at work" in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("runs", "show", "zzz"), Exit.NOT_FOUND, "no run begin with 'zzz'"),
        (("runs", "stop", "zzz"), Exit.NOT_FOUND, "see 'qm runs list'"),
        (("runs", "fund", "zzz", "many"), Exit.CONFIGURATION, "'many' is no amount"),
        (("run", "run signal bot on paper, $1k", "--yes", "--set", "speed=1"), Exit.CONFIGURATION, "speed"),
        (("run", "run signal bot on paper, $1k", "--yes", "--set", "oops"), Exit.CONFIGURATION, "name=value"),
        (("run", "run signal bot on paper, $1k", "--yes", "--account", "DU9999999"), Exit.CONFIGURATION, "no such account"),
        (("scan", "--preset", "luck"), Exit.NOT_FOUND, "there is no preset 'luck'; there is entry_setup"),
        (("advise", "--market-cap", "1e9", "--unrealised", "5", "--style", "bold"), Exit.NOT_FOUND, "conservative"),
    ],
)
async def test_what_cannot_be_ends_with_its_exit_code_and_a_sentence(qm: Shell, words: tuple[str, ...], code: Exit, said: str) -> None:
    found, text = await qm(*words)

    assert (found, said in " ".join(text.split())) == (code, True), text


async def test_a_scan_names_what_it_could_not_read_and_goes_on(qm: Shell) -> None:
    found = await qm.answer("scan", "--preset", "value", "AAPL", "NOPE", "MSFT", "FB")
    over_http = (await qm.desk.get("/api/v1/scans/?preset=value&symbol=AAPL&symbol=NOPE&symbol=MSFT&symbol=FB")).json()

    assert found["unread"]["NOPE"] == "it is not listed here" and "FB" in found["unread"], "FB has no bars before 2012"
    assert found["scanned"] == over_http["scanned"] == 2
    assert [one["symbol"] for one in found["hits"]] == [one["symbol"] for one in over_http["hits"]]
    page = (await qm.desk.get("/scans?preset=momentum")).text
    assert "Momentum" in page and "FB" in page and "Could not be read" in page
    assert (await qm.desk.get("/api/v1/scans/?preset=luck")).json()["code"] == "PRESET_UNKNOWN"


async def test_the_four_rules_advise_as_in_their_table(qm: Shell) -> None:
    told = {one["style"]: one for one in (await qm.answer("advise", "--market-cap", "60e9", "--unrealised", "-16", "--growth"))["advice"]}

    assert {style: (one["action"], one["percent"], one["confidence"]) for style, one in told.items()} == {
        "conservative": ("BUY", 10.0, 0.85), "standard": ("HOLD", 0.0, None), "aggressive": ("BUY", 20.0, 0.85), "balanced": ("HOLD", 0.0, None),
    }  # fmt: skip
    one = (await qm.desk.get("/api/v1/scans/advice?market_cap=60e9&unrealised_pct=-21&style=standard")).json()["advice"]
    assert [(found["action"], found["percent"], found["confidence"]) for found in one] == [("BUY", 15.0, 0.80)]


async def test_capital_is_moved_over_the_api_and_written_down(qm: Shell) -> None:
    taken = (await qm.desk.post(RUNS, {"sentence": "run moving average cross on paper, $2k"})).json()
    run = taken["run_id"]
    await qm.until(run, "running")
    wrong = await qm.desk.post(f"{RUNS}{run}/capital", {"amount": 0, "reason": "nothing"})
    more = {"amount": "250.50", "reason": "more room"}
    right, again = [await qm.desk.post(f"{RUNS}{run}/capital", more, **{"Idempotency-Key": "250 more"}) for _ in range(2)]
    other = await qm.desk.post(f"{RUNS}{run}/capital", {**more, "amount": "300"}, **{"Idempotency-Key": "250 more"})

    assert (wrong.status_code, wrong.json()["code"]) == (409, "RUN_STATE") or wrong.status_code == 422
    assert (right.status_code, right.json()["what"]) == (202, "capital") and again.json() == right.json()
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    await qm.until_base(run, "2250.5")
    trail = (await qm.desk.get("/api/v1/ops/audit?limit=5")).json()["rows"]
    assert [(row["action"], row["about"]) for row in trail].count(("run.fund", run)) == 1
    assert (await qm.desk.get(f"{RUNS}{run}/verdicts")).json() == {"verdicts": []}
    assert "Change capital" in (await qm.desk.get(f"/strategies/runs/{run}")).text
