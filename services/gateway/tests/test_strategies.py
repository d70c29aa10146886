"""Strategies and runs over the API and on pages: proposed, confirmed, changed, written down; refused with the word that is wrong."""

import html
import json
from typing import Any

import pytest
import pytest_asyncio
from services.gateway.tests.running import Console, Desk, add_user

from quantmatrix.common.contracts.asking.runs import RunChangeAsked, RunStartAsked
from quantmatrix.common.names import RunAct, RunId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
RUNS = "/api/v1/strategies/runs/"


async def _runs(console: Console) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await console.get(f"{RUNS}details")).json()["runs"]
    return found


async def _until(desk: Desk, run_id: str, state: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        return next((one for one in await _runs(desk) if one["run_id"] == run_id and one["state"] == state), None)

    found = await wait_until(there, f"the run is {state}")
    assert found is not None
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def free(desk: Desk) -> Desk:
    """The run that a paper account begins with is stopped and its positions kept, so that the cash is free."""
    (first,) = [one for one in await _runs(desk) if one["state"] == "running"]
    refused = await desk.post(f"{RUNS}propose", {"sentence": "run ATR Matrix on paper, $10k"})
    assert (refused.status_code, refused.json()["code"]) == (422, "ENVELOPE_EXCEEDS_CASH")
    taken = await desk.post(f"{RUNS}{first['run_id']}/keep", {"reason": "its cash is wanted elsewhere"})
    assert taken.status_code == 202
    await _until(desk, first["run_id"], "stopped")
    return desk


async def test_the_catalogue_has_a_form_for_every_parameter_and_promises_nothing(desk: Desk) -> None:
    found = (await desk.get("/api/v1/strategies/")).json()
    cards = {one["name"]: one for one in found["strategies"]}

    assert {"atr_matrix", "atr_options", "dca_conservative", "dca_aggressive", "moving_average_cross", "signal_bot"} <= set(cards)
    inputs = {one["name"]: one for one in cards["atr_matrix"]["inputs"]}
    assert inputs["preset"]["choices"] == ["v1", "v2"] and inputs["preset"]["default"] == '"v2"'
    assert (inputs["distance_max"]["least"], inputs["distance_max"]["most"]) == ("0.5", "7")
    assert "trail_pct" in {one["name"] for one in found["exits"]}
    assert "return" not in json.dumps([one["summary"] for one in found["strategies"]]).lower()


async def test_a_sentence_is_echoed_before_it_starts_and_then_runs(free: Desk) -> None:
    sentence = "run ATR Matrix on paper, $10k, 20% profit, 80% reinvest"
    echoed = (await free.post(f"{RUNS}propose", {"sentence": sentence})).json()
    before = {one["run_id"] for one in await _runs(free)}
    answers = [await free.post(RUNS, {"sentence": sentence}, **{"Idempotency-Key": "once"}) for _ in range(3)]

    assert (echoed["title"], echoed["capital"], echoed["profit_target"], echoed["reinvest"]) == (
        "ATR Matrix", {"amount": "10000", "currency": "USD"}, "0.2", "0.8",
    )  # fmt: skip
    assert json.loads(echoed["parameters"]["exits"])["take_profit_pct"] == 20.0
    assert {one.status_code for one in answers} == {202} and len({one.json()["run_id"] for one in answers}) == 1
    run = await _until(free, answers[0].json()["run_id"], "running")
    reused = await free.post(RUNS, {"sentence": "run ATR Matrix on paper, $5k"}, **{"Idempotency-Key": "once"})
    assert run["run_id"] not in before
    assert (reused.status_code, reused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (run["base"]["amount"], run["trigger"]["amount"], run["cycle"]) == ("10000", "12000", 0)
    one = (await free.get(f"{RUNS}{run['run_id']}")).json()
    assert [row["kind"] for row in one["bookings"]] == ["opened"]
    trail = (await free.get("/api/v1/ops/audit?limit=20")).json()["rows"]
    rows = [row for row in trail if row["action"] == "run.start" and row["about"] == run["run_id"]]
    assert rows and rows[0]["after"]["sentence"] == echoed["sentence"]


async def test_pausing_and_resuming_are_written_down_with_their_reason(free: Desk) -> None:
    started = (await free.post(RUNS, {"strategy": "moving_average_cross", "capital": 1_000, "parameters": {"fast": 5}})).json()
    run = await _until(free, started["run_id"], "running")
    await free.post(f"{RUNS}{run['run_id']}/pause", {"reason": "a holiday"})
    paused = await _until(free, run["run_id"], "paused")
    again = await free.post(f"{RUNS}{run['run_id']}/pause", {"reason": "again"})
    await free.post(f"{RUNS}{run['run_id']}/flatten", {"reason": "enough"})
    stopped = await _until(free, run["run_id"], "stopped")

    assert (paused["reason"], paused["parameters"], paused["acts"]) == ("a holiday", {"fast": "5"}, ["resume", "flatten", "keep"])
    assert (again.status_code, again.json()["code"]) == (409, "RUN_STATE")
    assert stopped["acts"] == [] and stopped["reason"] == "enough"
    trail = (await free.get("/api/v1/ops/audit?limit=20")).json()["rows"]
    told = {row["action"]: row["after"]["reason"] for row in trail if row["about"] == run["run_id"] and row["action"] != "run.start"}
    assert told == {"run.pause": "a holiday", "run.flatten": "enough"}


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        ({"sentence": "run ATR Matrx on paper, $10k"}, "NOT_UNDERSTOOD", "ATR Matrx"),
        ({"sentence": "run ATR Matrix on tastytrade, $10k"}, "ACCOUNT_UNKNOWN", "tastytrade"),
        ({"sentence": "run ATR Matrix on paper, $10k, 20% magic"}, "NOT_UNDERSTOOD", "20% magic"),
        ({"sentence": "run ATR Matrix on paper, $900k"}, "ENVELOPE_EXCEEDS_CASH", "900000 USD"),
        ({"strategy": "atr_matrix", "capital": 1_000, "parameters": {"distance_max": 99}}, "PARAMETERS", "distance_max"),
        ({"strategy": "atr_matrix", "capital": 1_000, "parameters": {"speed": 1}}, "PARAMETERS", "speed"),
        ({"strategy": "atr_matrix", "capital": -1}, "REQUEST_INVALID", "capital"),
        ({"strategy": "atr_matrix"}, "CAPITAL", "capital"),
        ({"strategy": "atr_matrix", "capital": 1_000, "surprise": 1}, "REQUEST_INVALID", "surprise"),
    ],
)
async def test_what_cannot_be_is_named_and_starts_nothing(free: Desk, body: dict[str, Any], code: str, word: str) -> None:
    before = len(await _runs(free))
    for path in (f"{RUNS}propose", RUNS):
        answer = await free.post(path, body)
        assert answer.status_code in (404, 422) and answer.json()["code"] == code, answer.text
        assert word in answer.text

    assert len(await _runs(free)) == before


async def test_the_page_leads_from_a_sentence_to_a_run(free: Desk) -> None:
    wrong = await free.client.post("/strategies/propose", data={"csrf": free.csrf, "sentence": "run nothing on paper, $1k"})
    right = await free.client.post("/strategies/propose", data={"csrf": free.csrf, "sentence": "run moving average cross on paper, $2k"})
    wanted = html.unescape(right.text.split('name="wanted" value="')[1].split('"')[0])
    key = right.text.split('name="key" value="')[1].split('"')[0]
    started = [await free.client.post("/strategies/runs", data={"csrf": free.csrf, "wanted": wanted, "key": key}) for _ in range(2)]

    assert wrong.status_code == 200 and "&#39;nothing&#39; at 5: there is no such strategy" in wrong.text
    assert "Start this run?" in right.text and "Moving-average cross" in right.text
    assert {one.status_code for one in started} == {303} and started[0].headers["location"] == started[1].headers["location"]
    run_id = started[0].headers["location"].split("#run-")[1]
    await _until(free, run_id, "running")
    page = (await free.get("/strategies")).text
    assert f'id="run-{run_id}"' in page and "Stop and sell" in page and "Catalogue" in page
    detail = await free.get(f"/strategies/runs/{run_id}")
    assert detail.status_code == 200 and "opened" in detail.text


async def test_a_form_drawn_from_the_parameters_is_understood_and_its_mistakes_are_shown(free: Desk) -> None:
    form = (await free.get("/strategies/atr_matrix")).text
    filled = {
        "csrf": free.csrf,
        "capital": "1500",
        "profit_target": "20",
        "reinvest": "80",
        "p.preset": '"v1"',
        "p.distance_max": "3.5",
        "x.trail_pct": "4",
    }
    good = await free.client.post("/strategies/atr_matrix/propose", data=filled)
    bad = await free.client.post("/strategies/atr_matrix/propose", data={**filled, "p.distance_max": "99"})
    unknown = await free.get("/strategies/no_such")

    assert 'name="p.distance_max" type="number" step="any" min="0.5" max="7" value="4.0"' in form
    assert '<option value="&#34;v2&#34;" selected>' in form
    wanted = json.loads(html.unescape(good.text.split('name="wanted" value="')[1].split('"')[0]))
    assert wanted["parameters"] == {"preset": "v1", "distance_max": 3.5, "exits": {"trail_pct": 4}}
    assert (wanted["capital"], wanted["profit_target"], wanted["reinvest"]) == ("1500", "0.20", "0.80")
    assert bad.status_code == 200 and "distance_max" in bad.text and 'value="99"' in bad.text
    assert unknown.status_code == 404


async def test_a_viewer_looks_and_starts_nothing_and_nobody_sees_the_runs_of_others(free: Desk) -> None:
    await add_user(free.database, "looker", "viewer")
    other = free.another()
    async with other.client:
        await other.log_in("looker")
        mine = (await _runs(free))[0]["run_id"]
        page = (await other.get("/strategies")).text
        denied = await other.post(RUNS, {"sentence": "run ATR Matrix on paper, $1k"})

        assert await _runs(other) == []
        assert (await other.get(f"{RUNS}{mine}")).status_code == 404
        assert "Catalogue" in page and "Show what it means" not in page
        assert (denied.status_code, denied.json()["code"]) == (403, "ROLE_VIEWER")


async def test_the_operator_starts_and_stops_and_the_trail_says_so(free: Desk) -> None:
    with pytest.raises(Refused, match="there is no such strategy"):
        await free.ask("gateway", RunStartAsked(sentence="run hope on paper, $1k"))
    taken = await free.ask("gateway", RunStartAsked(sentence="run signal bot on paper, $1k"))
    await _until(free, str(taken.run_id), "running")
    await free.ask("gateway", RunChangeAsked(run_id=taken.run_id, act=RunAct.KEEP, reason="done"))
    await _until(free, str(taken.run_id), "stopped")

    with pytest.raises(Refused, match="the run is stopped"):
        await free.ask("gateway", RunChangeAsked(run_id=RunId(taken.run_id), act=RunAct.PAUSE, reason="late"))
    trail = (await free.get("/api/v1/ops/audit?limit=10")).json()["rows"]
    assert [(row["action"], row["name"]) for row in trail if row["about"] == str(taken.run_id)] == [
        ("run.keep", "operator"), ("run.start", "operator"),
    ]  # fmt: skip


async def test_what_became_of_signals_stands_beside_them(desk: Desk) -> None:
    async def followed_to_the_end() -> dict[str, Any] | None:
        found: dict[str, Any] = (await desk.get("/api/v1/strategies/signals/?limit=200")).json()
        return found if max(one["followed_to"] or "" for one in found["follow_ups"]) == "2004-04-30" else None

    found = await wait_until(followed_to_the_end, "the last session was looked at")
    assert found is not None
    entries = {one["signal_id"]: one for one in found["signals"] if one["kind"] == "entry"}
    followed = {one["signal_id"]: one for one in found["follow_ups"]}
    page = (await desk.get("/signals")).text

    assert entries and set(followed) == set(entries)
    assert {one["ended"] for one in followed.values()} >= {"stopped", "expired"}
    for signal_id, one in followed.items():
        entry = entries[signal_id]
        if one["followed_to"] is None:
            continue
        assert one["low"] <= one["close"] <= one["high"] or one["stop_hit"]
        assert one["gain"] == pytest.approx(one["close"] / float(entry["price"]) - 1)
        assert one["stop_hit"] == (one["low"] <= float(entry["stop"]) + 1e-9)
        assert one["targets_hit"] <= sum(one["high"] >= float(target) - 1e-9 for target in entry["targets"])
    assert "since then" in page and "targets reached" in page
