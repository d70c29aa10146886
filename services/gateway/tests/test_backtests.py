"""Backtests asked for over HTTP: queued, worked on in a process of their own, shown, compared, cancelled; and refused with the place."""

import asyncio
import json
import re
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from services.gateway.tests.running import Desk, add_user, backtest_ended
from services.signals.tests.stored.gate import held_at_half

from quantmatrix.common.contracts.asking.backtests import BacktestWanted
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.values import Money
from quantmatrix.gateway.web import STATIC

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(35)]
EVIL = "<script>alert(1)</script>"
CROSS = {"strategy": "moving_average_cross", "symbols": ["AAPL", "MSFT"], "capital": "50000", "parameters": {"fast": 2, "slow": 6}}


async def _ended(desk: Desk, number: int) -> dict[str, Any]:
    await backtest_ended(desk, number)
    found: dict[str, Any] = (await desk.get(f"/api/v1/backtests/{number}")).json()
    return found


async def _run(desk: Desk, asked: dict[str, Any]) -> dict[str, Any]:
    answer = await desk.post("/api/v1/backtests/", asked)
    assert answer.status_code == 202, answer.text
    return await _ended(desk, answer.json()["backtest_id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crossed(desk: Desk) -> dict[str, Any]:
    """A backtest that is done."""
    return await _run(desk, CROSS)


async def test_a_backtest_is_queued_worked_on_and_shown_with_its_trades(desk: Desk, crossed: dict[str, Any]) -> None:
    found, line = crossed, crossed["line"]
    assert (line["state"], line["error"], line["strategy"]) == ("done", None, "moving_average_cross")
    assert found["trades"] > 0 and all(one["reasons"] for one in found["shown"])
    assert (found["first"], found["last"]) <= ("2004-01-02", "2004-04-30") and found["opening"] == {"amount": "50000", "currency": "USD"}
    assert len(line["digest"]) == 64 and len(found["drawings"]) == 2
    page = (await desk.get(f"/backtests/{line['backtest_id']}")).text
    assert page.count('<svg class="drawing') == 2 and line["digest"] in page and "crossed above" in page
    report = await desk.get(f"/api/v1/backtests/{line['backtest_id']}/report")
    assert report.headers["content-type"].startswith("text/html") and line["digest"] in report.text


async def test_the_same_again_has_the_same_digest_and_stands_beside_it(desk: Desk, crossed: dict[str, Any]) -> None:
    first, again = crossed, await _run(desk, CROSS)
    other = await _run(desk, {**CROSS, "parameters": {"fast": 3, "slow": 6}})
    numbers = [one["line"]["backtest_id"] for one in (first, again, other)]

    assert first["line"]["digest"] == again["line"]["digest"] != other["line"]["digest"]
    compared = (await desk.get("/api/v1/backtests/compare", params={"id": numbers})).json()
    rows = {one["name"]: one["cells"] for one in compared["rows"]}
    assert rows["parameter fast"] == ["2", "2", "3"] and rows["digest"][0] == rows["digest"][1] != rows["digest"][2]
    page = (await desk.get("/backtests/compare", params={"id": numbers})).text
    assert "What one unit of capital became" in page and "parameter fast" in page
    listed = (await desk.get("/api/v1/backtests/")).json()["backtests"]
    assert [one["backtest_id"] for one in listed][:3] == numbers[::-1]
    shown = (await desk.get("/backtests")).text
    assert all(f'href="/backtests/{number}"' in shown for number in numbers)


async def test_a_sweep_shows_every_combination(desk: Desk) -> None:
    found = await _run(desk, {**CROSS, "parameters": {}, "grid": {"fast": [2, 3], "slow": [6, 8]}})

    assert sorted((one["chosen"]["fast"], one["chosen"]["slow"]) for one in found["tried"]) == [
        ("2", "6"),
        ("2", "8"),
        ("3", "6"),
        ("3", "8"),
    ]
    assert (await desk.get(f"/backtests/{found['line']['backtest_id']}")).text.count('class="heat"') == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"strategy": EVIL}, "there is no strategy"),
        ({"symbols": ["TSLA"]}, "nothing is listed as TSLA"),
        ({"strategy": "atr_options", "parameters": {}}, "no option chains are there for AAPL, MSFT; name a file with their quotes"),
        ({"parameters": {"fast": 0}}, "fast: Input should be greater than or equal to 1"),
        ({"parameters": {"speed": 1}}, "speed: Extra inputs are not permitted"),
        ({"grid": {"fast": list(range(1, 400)), "slow": [401, 402, 403]}}, "1 to 1000 combinations"),
        ({"grid": {"fast": []}}, "fast has no list of values"),
        ({"first": "2004-03-01", "last": "2004-02-01"}, "comes after the last one"),
        ({"capital": "0"}, "greater than 0"),
        ({"windows": {"inside": 40, "outside": 20}}, "chooses among the values of a grid"),
        ({"windows": {"inside": 1, "outside": 20}, "grid": {"fast": [2]}}, "greater than or equal to 2"),
        ({"cuts": 0}, "greater than or equal to 1"),
        ({"cuts": 10_001}, "less than or equal to 10000"),
        ({"cuts": 5, "grid": {"fast": [2]}}, "takes one value of each parameter: no grid, no windows"),
    ],
)
async def test_what_is_wrong_is_refused_and_nothing_is_stored(desk: Desk, change: dict[str, Any], says: str) -> None:
    before = await desk.database.fetch("signals", "select count(*) from backtest")

    answer = await desk.post("/api/v1/backtests/", {**CROSS, **change})

    assert answer.status_code == 422 and says in answer.json()["detail"]
    assert await desk.database.fetch("signals", "select count(*) from backtest") == before


async def test_without_symbols_it_runs_on_those_that_have_the_bars(desk: Desk) -> None:
    """FB is listed years before its first bar."""
    found = await _run(desk, {"strategy": "atr_matrix", "capital": "50000"})
    named = await _run(desk, {"strategy": "atr_matrix", "capital": "50000", "symbols": ["AAPL", "FB"]})

    assert (found["line"]["state"], found["line"]["error"]) == ("done", None)
    assert "FB" in found["line"]["symbols"]
    assert named["line"]["state"] == "failed" and "FB has 0 bars, the strategy wants 50" in named["line"]["error"]


async def test_a_period_without_bars_fails_with_its_sentence(desk: Desk) -> None:
    found = await _run(desk, {**CROSS, "first": "2030-01-01"})

    assert found["line"]["state"] == "failed" and "there are no bars between 2030-01-01" in found["line"]["error"]
    assert "there are no bars between 2030-01-01" in (await desk.get(f"/backtests/{found['line']['backtest_id']}")).text


async def test_a_look_ahead_check_is_worked_on_stored_and_repeated(desk: Desk) -> None:
    found, again = await _run(desk, {**CROSS, "cuts": 60}), await _run(desk, {**CROSS, "cuts": 60})

    line, check = found["line"], found["check"]
    assert (line["state"], line["kind"], line["clean"], line["done"], line["total"]) == ("done", "lookahead", True, 4, 4)
    assert [(one["symbol"], one["cuts"], one["changed"]) for one in check["looked"]] == [("AAPL", 60, 0), ("MSFT", 60, 0)]
    assert check["cuts"] == 120 and 0 < check["decided"] < 120 and check["changes"] == []
    assert len(line["digest"]) == 64 and line["digest"] == again["line"]["digest"]
    assert all(found[name] for name in ("code_digest", "data_digest", "parameters"))
    (latest,) = (await desk.get("/api/v1/backtests/lookahead")).json()["checks"]
    assert (latest["line"]["backtest_id"], latest["is_current"]) == (again["line"]["backtest_id"], True)
    assert latest["check"]["cuts"] == 120
    page = (await desk.get(f"/backtests/{line['backtest_id']}")).text
    assert "sees no later bar" in page and line["digest"] in page
    report = await desk.get(f"/api/v1/backtests/{line['backtest_id']}/report")
    assert "120 histories cut" in report.text and "nothing changed" in report.text


async def test_the_look_ahead_page_checks_every_strategy_and_names_what_cannot_be(desk: Desk) -> None:
    fields = {"csrf": desk.csrf, "strategy": "", "symbols": "aapl", "cuts": "5"}

    said = await desk.client.post("/backtests/lookahead", data=fields, headers={"accept": "text/html"})
    wrong = await desk.client.post("/backtests/lookahead", data={**fields, "cuts": "0"}, headers={"accept": "text/html"})

    assert "atr_options: atr_options trades options, and no option chains are there for AAPL" in said.text
    assert "cuts: Input should be greater than or equal to 1" in wrong.text
    started = (await desk.get("/api/v1/backtests/lookahead")).json()["checks"]
    assert {one["line"]["strategy"] for one in started} == {
        "atr_matrix", "dca_aggressive", "dca_conservative", "moving_average_cross", "signal_bot",
    }  # fmt: skip
    for one in started:
        found = await _ended(desk, one["line"]["backtest_id"])
        assert (found["line"]["state"], found["line"]["clean"]) == ("done", True), found["line"]["error"]
    table = (await desk.get("/backtests/lookahead?part=checks")).text
    assert table.count("sees no later bar") == 5 and "moving average cross" in table


async def test_a_cancelled_one_ends(desk: Desk) -> None:
    async with held_at_half(desk.database):
        number = (await desk.post("/api/v1/backtests/", {**CROSS, "grid": {"fast": [2, 3, 4], "slow": [6, 8]}})).json()["backtest_id"]

        answer = await desk.post(f"/api/v1/backtests/{number}/cancel")

    assert answer.json() == {"cancelled": True}
    assert (await _ended(desk, number))["line"]["state"] == "cancelled"
    assert (await desk.post(f"/api/v1/backtests/{number}/cancel")).json() == {"cancelled": False}
    assert "Go on" in (await desk.get(f"/backtests/{number}")).text


async def test_the_trades_of_a_finished_one_are_drawn_anew_as_figures_and_as_a_page(desk: Desk, crossed: dict[str, Any]) -> None:
    """Nothing is held at its end: a shuffle always ends where the run did, and drawn with replacement the ends lie around it."""
    number = crossed["line"]["backtest_id"]
    ended = float((await desk.get(f"/api/v1/backtests/{number}")).json()["equity"]["amount"]) / 50_000 - 1

    shuffled = (await desk.get(f"/api/v1/backtests/{number}/monte-carlo", params={"method": "shuffle", "runs": 200})).json()
    drawn = (await desk.get(f"/api/v1/backtests/{number}/monte-carlo", params={"runs": 200})).json()

    assert shuffled["final"] == pytest.approx([ended] * len(shuffled["shares"]))
    assert drawn["final"] == sorted(drawn["final"]) and drawn["final"][0] < ended < drawn["final"][-1]
    page = await desk.get(f"/backtests/{number}/monte-carlo")
    assert page.status_code == 200 and '<svg class="drawing' in page.text and "with replacement" in page.text
    style = (STATIC / "console.css").read_text(encoding="utf-8")
    drawn = set(re.findall(r'<(?:polygon|polyline) class="(.+?)"', page.text))
    assert {"one", "one-area", "grid"} <= drawn and all(f".drawing .{name} {{" in style for name in drawn)
    assert f"/backtests/{number}/monte-carlo" in (await desk.get(f"/backtests/{number}")).text
    assert (await desk.get(f"/api/v1/backtests/{number}/monte-carlo", params={"runs": 10_001})).status_code == 422
    assert (await desk.get("/api/v1/backtests/999999/monte-carlo")).status_code in (404, 422)


async def test_a_cancelled_sweep_goes_on_when_a_person_wants_it(desk: Desk, crossed: dict[str, Any]) -> None:
    sweep = {**CROSS, "parameters": {}, "grid": {"fast": [2, 3, 4], "slow": [6, 8]}}
    whole = await _run(desk, sweep)
    async with held_at_half(desk.database):
        number = (await desk.post("/api/v1/backtests/", sweep)).json()["backtest_id"]
        await desk.post(f"/api/v1/backtests/{number}/cancel")
    assert (await _ended(desk, number))["line"]["state"] == "cancelled"

    taken = await desk.post(f"/api/v1/backtests/{number}/resume")

    found = await _ended(desk, number)
    assert (taken.status_code, taken.json()) == (202, {"backtest_id": number})
    assert (found["line"]["state"], found["line"]["digest"]) == ("done", whole["line"]["digest"])
    again = await desk.post(f"/api/v1/backtests/{number}/resume")
    assert again.status_code == 422 and "is done; there is nothing to go on with" in again.text
    single = await desk.post(f"/api/v1/backtests/{crossed['line']['backtest_id']}/resume")
    assert "is a single run and has no parts" in single.text


async def test_a_form_starts_one_and_tells_what_is_wrong(desk: Desk) -> None:
    form = (await desk.get("/backtests/new/moving_average_cross")).text
    fields = {"csrf": desk.csrf, "strategy": "moving_average_cross", "capital": "1000", "symbols": "aapl", "p.fast": "2", "p.slow": "5"}

    wrong = await desk.client.post("/backtests", data={**fields, "p.fast": "9"}, headers={"accept": "text/html"})
    right = await desk.client.post("/backtests", data=fields, headers={"accept": "text/html"})

    assert 'name="p.fast"' in form and 'min="1"' in form
    assert wrong.status_code == 200 and "has fewer bars than the slow one" in wrong.text and 'value="9"' in wrong.text
    assert right.status_code == 303
    assert (await _ended(desk, int(right.headers["location"].rsplit("/", 1)[1])))["line"]["symbols"] == ["AAPL"]


FORM = {"strategy": "moving_average_cross", "capital": "1000", "symbols": "aapl", "p.fast": "2", "p.slow": "9"}


async def test_a_form_starts_a_look_ahead_check_with_its_own_parameters(desk: Desk) -> None:
    fields = {"csrf": desk.csrf, **FORM, "kind": "lookahead", "cuts": "7", "g.fast": "2, 3", "inside": "40", "outside": "20"}

    right = await desk.client.post("/backtests", data=fields, headers={"accept": "text/html"})

    found = await _ended(desk, int(right.headers["location"].rsplit("/", 1)[1]))
    assert (found["line"]["kind"], found["check"]["cuts"], found["parameters"]["slow"]) == ("lookahead", 7, "9")


@pytest.mark.parametrize("kind", ["sweep", "walk_forward"])
async def test_a_form_starts_sweeps_and_walk_forwards_with_the_values_to_try(desk: Desk, kind: str) -> None:
    """The year 2003 has 252 sessions: after the first 40 of them ten parts of 20, and one of the last 12."""
    fields = {
        "csrf": desk.csrf,
        **FORM,
        "kind": kind,
        "g.fast": "2, 3",
        "g.slow": "6,8",
        "inside": "40",
        "outside": "20",
        "anchored": "true",
        "first": "2003-01-02",
        "last": "2003-12-31",
    }

    wrong = await desk.client.post("/backtests", data={**fields, "g.fast": "", "g.slow": " "}, headers={"accept": "text/html"})
    outside = await desk.client.post("/backtests", data={**fields, "g.fast": "2,9"}, headers={"accept": "text/html"})
    right = await desk.client.post("/backtests", data=fields, headers={"accept": "text/html"})

    assert "give one or more parameters several values" in wrong.text
    assert "the fast average (9) has fewer bars than the slow one (6)" in outside.text and 'value="2,9"' in outside.text
    found = await _ended(desk, int(right.headers["location"].rsplit("/", 1)[1]))
    assert (found["line"]["state"], found["line"]["kind"]) == ("done", kind)
    assert found["parameters"]["fast"] == "[2, 3]" and found["parameters"]["slow"] == "[6, 8]"
    assert (len(found["tried"]), len(found["steps"])) == ((4, 0) if kind == "sweep" else (0, 11))


async def test_a_form_that_runs_once_leaves_the_values_to_try_alone(desk: Desk) -> None:
    fields = {"csrf": desk.csrf, **FORM, "kind": "run", "g.fast": "2, 3", "inside": "", "outside": "20"}

    right = await desk.client.post("/backtests", data=fields, headers={"accept": "text/html"})

    assert (await _ended(desk, int(right.headers["location"].rsplit("/", 1)[1])))["line"]["kind"] == "run"


async def test_somebody_else_sees_and_changes_nothing(desk: Desk) -> None:
    number = (await desk.get("/api/v1/backtests/")).json()["backtests"][0]["backtest_id"]
    await add_user(desk.database, "eve", "trader")
    eve = desk.another()
    await eve.log_in("eve")

    assert (await eve.get("/api/v1/backtests/")).json() == {"backtests": []}
    assert (await eve.get("/api/v1/backtests/lookahead")).json() == {"checks": []}
    for path in (f"/api/v1/backtests/{number}", f"/api/v1/backtests/{number}/report"):
        assert (await eve.get(path)).status_code == 404
    assert (await eve.post(f"/api/v1/backtests/{number}/cancel")).status_code in (403, 404)
    await eve.client.aclose()


async def test_a_command_that_comes_twice_is_one_backtest(desk: Desk) -> None:
    wish = BacktestWanted(
        user_id=FIRST_ADMINISTRATOR,
        command_id=UUID(int=77),
        strategy="moving_average_cross",
        symbols=("AAPL",),
        capital=Money(1_000, "USD"),
        parameters={"fast": json.dumps(2), "slow": json.dumps(5)},
    )

    first, again = await asyncio.gather(desk.ask("signals", wish), desk.ask("signals", wish))

    assert first == again
    await _ended(desk, first.backtest_id)
