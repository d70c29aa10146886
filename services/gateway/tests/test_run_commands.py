"""`qm run`, `qm runs …`, scans, a morning and holdings as a person types them: what is shown, and the exit code; and the same over the API and on pages."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from libs.operations.tests.called import called
from services.gateway.tests.running import Desk

from quantmatrix.common.contracts.asking.briefing import Holding, HoldingAlertsAsked
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money, Quantity
from quantmatrix.operations.output import Exit
from quantmatrix.operations.testing import Servers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(10)]
RUNS = "/api/v1/strategies/runs/"


class Shell:
    """qm, asking the services of this test; in a thread beside them, because a process for every command imports everything once more."""

    def __init__(self, desk: Desk, servers: Servers, folder: Path) -> None:
        self.desk, self._folder = desk, folder
        self._told = {"QM_NATS_URL": servers.nats.url, "QM_NATS_OPERATOR_PASSWORD": servers.secrets.nats[OPERATOR_USER]}

    async def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was written on either stream. One command at a time."""
        done = await asyncio.to_thread(lambda: called(self._folder, *words, logs_stay=True, width=200, **self._told))
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

        await wait_until(lambda: self._holds(lambda runs: there(runs) is not None), f"the run is {state}")
        found = there((await self.answer("runs", "list"))["runs"])
        assert found is not None
        return found

    async def until_base(self, run: str, base: str) -> None:
        """Wait until a run's capital is so many dollars, and let qm say so, too."""

        def is_so(runs: list[dict[str, Any]]) -> bool:
            return any(one["run_id"] == run and Decimal(one["base"]["amount"]) == Decimal(base) for one in runs)

        await wait_until(lambda: self._holds(is_so), f"its capital is {base}")
        assert (await self.answer("runs", "show", run))["base"] == f"{base} USD"

    async def _holds(self, condition: Callable[[list[dict[str, Any]]], bool]) -> bool:
        return condition((await self.desk.get(f"{RUNS}details")).json()["runs"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def qm(desk: Desk, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The first run is stopped and its positions kept, so that the account's cash is free."""
    shell = Shell(desk, servers, tmp_path_factory.mktemp("shell"))
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
        (("scan", "--filter", "oops"), Exit.CONFIGURATION, "--filter: expected name=value"),
        (("scan", "--filter", "min_price=NaN"), Exit.CONFIGURATION, "min_price: Input should be a finite number"),
        (("scan", "--filter", "speed=1"), Exit.CONFIGURATION, "speed: Extra inputs are not permitted; there is min_atr_distance"),
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


async def test_filters_of_ones_own_take_the_place_of_those_of_a_preset(qm: Shell) -> None:
    everything = await qm.answer("scan", "--preset", "all", "AAPL", "MSFT")
    close = {one["symbol"]: one["close"] for one in everything["hits"]}
    dear = max(close, key=lambda symbol: close[symbol])
    bound = sum(close.values()) / 2
    found = await qm.answer("scan", "--preset", "all", "--filter", f"min_price={bound}", "AAPL", "MSFT")
    none = await qm.answer("scan", "--preset", "value", "--filter", "max_atr_distance=-1000", "AAPL", "MSFT")
    over_http = (await qm.desk.get(f"/api/v1/scans/?preset=all&min_price={bound}&symbol=AAPL&symbol=MSFT")).json()
    without = (await qm.desk.get(f"/api/v1/scans/?preset=all&exclude_symbols={dear}&symbol=AAPL&symbol=MSFT")).json()
    page = (await qm.desk.get(f"/scans?preset=all&f.min_price={bound}&f.max_price=&f.require_ma_alignment=")).text
    wrong = await qm.desk.get("/scans?preset=all&f.min_price=-1")

    assert set(close) == {"AAPL", "MSFT"}
    assert [one["symbol"] for one in found["hits"]] == [one["symbol"] for one in over_http["hits"]] == [dear]
    assert over_http["filters"] == {"min_price": str(bound)} and dear not in {one["symbol"] for one in without["hits"]}
    assert none["hits"] == [] and none["filters"] == {"max_atr_distance": "-1000.0", "min_atr_pct": "2.0"}
    assert f'value="{bound}"' in page and "min price" in page
    assert wrong.status_code == 200 and "min_price: Input should be greater than or equal to 0" in wrong.text
    for query in ("min_price=NaN", "speed=1", "min_confidence=2"):
        assert (await qm.desk.get(f"/api/v1/scans/?{query}")).status_code == 422


async def test_a_watchlist_tells_its_points_and_what_could_not_be_ranked(qm: Shell) -> None:
    found = await qm.answer("watchlist", "AAPL", "NOPE", "MSFT", "FB")
    over_http = (await qm.desk.get("/api/v1/scans/watchlist?symbol=AAPL&symbol=NOPE&symbol=MSFT&symbol=FB")).json()
    everything = (await qm.desk.get("/api/v1/scans/watchlist")).json()
    page = (await qm.desk.get("/scans?part=watchlist")).text
    code, table = await qm("watchlist", "AAPL", "NOPE")

    assert [one["symbol"] for one in over_http["watched"]] == [one["symbol"] for one in found["watched"]]
    assert {one["symbol"] for one in found["watched"]} == {"AAPL", "MSFT"} and found["scanned"] == 2
    assert {one["symbol"]: one["why"] for one in found["unread"]}["NOPE"] == "it is not listed here"
    assert sum(found["weights"].values()) == 100
    for one in everything["watched"]:
        parts = {part["name"]: part["points"] for part in one["components"]}
        assert parts.pop("sentiment") is None and abs(sum(parts.values()) - one["score"]) < 1e-9
    scores = [one["score"] for one in everything["watched"]]
    assert scores == sorted(scores, reverse=True) and everything["scanned"] == len(scores) > 2
    assert "Watchlist" in page and "not known" in page and everything["watched"][0]["symbol"] in page
    assert code == Exit.OK and "NOPE could not be read: it is not listed here" in table and "not known" in table


async def test_a_morning_names_absent_indices_and_the_setups_of_its_scan(qm: Shell) -> None:
    found = await qm.answer("morning")
    over_http = (await qm.desk.get("/api/v1/scans/morning")).json()
    scanned = (await qm.desk.get("/api/v1/scans/?preset=atr_matrix")).json()
    read = {one["symbol"]: one for one in (await qm.desk.get("/api/v1/scans/?preset=all")).json()["hits"]}
    page = (await qm.desk.get("/scans?part=morning")).text
    code, table = await qm("morning")

    assert over_http == found and found["preset"] == "atr_matrix"
    assert [one["symbol"] for one in found["indices"]] == ["SPY", "QQQ", "IWM", "DIA", "VTI"]
    for one in found["indices"]:
        assert (one["change_pct"] is not None) is (one["symbol"] in read), "absent ones are named, not invented"
        assert (one["why"] == "") is (one["change_pct"] is not None)
    assert (found["scanned"], found["hits"]) == (scanned["scanned"], len(scanned["hits"]))
    assert [one["symbol"] for one in found["unread"]] == [one["symbol"] for one in scanned["unread"]]
    hits = {one["symbol"]: one for one in scanned["hits"]}
    assert len(found["setups"]) <= 4 and bool(found["setups"]) is bool(hits)
    for one in found["setups"]:
        hit = hits[one["symbol"]]
        assert (one["entry"], one["stop"], one["targets"][0]) == (hit["close"], hit["stop"], hit["target"])
        assert one["stop"] < one["entry"] < one["targets"][0] and one["risk_reward"] > 0 and one["horizon_days"] > 0
    assert code == Exit.OK and "DIA" in table and "For the morning" in page and "SPY" in page


async def test_a_past_session_is_summed_up_again_whenever_somebody_asks(qm: Shell) -> None:
    closings = (await qm.desk.get("/api/v1/portfolio/closings?limit=50")).json()["closings"]
    session = closings[0]["closed_on"]

    found = await qm.answer("day", session)
    over_http = (await qm.desk.get(f"/api/v1/portfolio/days/{session}")).json()
    code, table = await qm("day", session)
    quiet = (await qm.desk.get("/api/v1/portfolio/days/2004-01-02")).json()
    none, why = await qm("day", "2004-01-03")

    assert found == over_http and code == Exit.OK and "win rate" in table and found["text"].splitlines()[0] in table
    (day,) = found["days"]
    own = [Decimal(one["realised"]["amount"]) for one in closings if one["closed_on"] == session]
    assert Decimal(day["net"]["amount"]) == sum(own) and day["won"] + day["lost"] == day["trades"] >= 1
    assert day["best"]["entry_reason"] and day["best"]["risk"] is not None, "the decision behind a fill is found"
    assert found["accepted"] <= found["orders"] <= found["signals"] and found["alerts"] >= 1
    assert quiet["days"][0]["trades"] == 0 and "No trades were closed." in quiet["text"]
    assert none == Exit.ERROR and "2004-01-03 is no session of XNYS" in why


async def test_what_is_held_is_told_of_at_its_cost(qm: Shell) -> None:
    found = await qm.answer("holdings")
    over_http = (await qm.desk.get("/api/v1/scans/holdings")).json()
    held = (await qm.desk.get("/api/v1/portfolio/summary")).json()["positions"]
    read = {one["symbol"]: one for one in (await qm.desk.get("/api/v1/scans/?preset=all")).json()["hits"]}
    page = (await qm.desk.get("/scans?part=told")).text

    assert over_http == found and "Of what you hold" in page
    told = {(one["symbol"], one["alert"]) for one in found["alerts"]}
    expected = set()
    for one in held:
        close, cost = read[one["instrument"]["symbol"]]["close"], float(one["basis"]["amount"]) / float(one["quantity"])
        gain = 100 * (close / cost - 1)
        expected |= {(one["instrument"]["symbol"], "STOP_LOSS")} if gain <= -8 else set()
        expected |= {(one["instrument"]["symbol"], "PROFIT_TAKING")} if gain >= 20 else set()
        expected |= {(one["instrument"]["symbol"], "MA_ALIGNMENT")} if read[one["instrument"]["symbol"]]["aligned"] else set()
    assert held and found["found"] == len(told) <= 10
    assert {one for one in told if one[1] in ("STOP_LOSS", "PROFIT_TAKING", "MA_ALIGNMENT")} == expected


async def test_every_method_of_the_atr_is_told_of_a_symbol_and_of_a_portfolio(qm: Shell) -> None:
    found = await qm.answer("atr", "AAPL", "NOPE")
    over_http = (await qm.desk.get("/api/v1/market/atr?symbol=AAPL&symbol=NOPE")).json()
    page = (await qm.desk.get("/symbols/AAPL?part=moves")).text
    code, table = await qm("atr", "AAPL", "NOPE", "--days", "5")
    held = (await qm.desk.get("/api/v1/portfolio/summary")).json()
    whole = await qm.answer("atr")
    whole_over_http = (await qm.desk.get("/api/v1/portfolio/atr")).json()
    in_words = await qm("atr")

    (one,) = found["readings"]
    assert over_http == found and found["unread"] == [{"symbol": "NOPE", "why": "it is not listed here"}]
    assert (one["status"], one["options"]["status"], one["matrix"]["status"]) == ("ok",) * 3
    assert one["enhanced"]["rating"].capitalize() in page.title() and f"{one['options']['expected_move']:,.2f}" in page
    assert code == Exit.OK and f"{one['matrix']['atr_distance']:.2f}" in table and "NOPE could not be read" in table
    assert whole == whole_over_http and whole["positions"]
    quantities = {each["instrument"]["symbol"]: float(each["quantity"]) for each in held["positions"]}
    assert {each["symbol"]: each["amount"] for each in whole["positions"]} == pytest.approx(
        {each["symbol"]: quantities[each["symbol"]] * each["atr"] for each in whole["positions"]}
    )
    assert whole["gross"] == pytest.approx(sum(each["amount"] for each in whole["positions"]))
    assert whole["diversified"] is None or whole["diversified"] <= whole["gross"] * 1.000001
    assert whole["gross_pct"] == pytest.approx(100 * whole["gross"] / float(whole["value"]["amount"]))
    assert in_words[0] == Exit.OK and "Gross" in in_words[1] and "If every stop is hit" in in_words[1]
    for query in ("trading_days=0", "trading_days=253"):
        assert (await qm.desk.get(f"/api/v1/market/atr?{query}")).status_code == 422


async def test_a_holding_of_which_nothing_can_be_told_stops_no_other(qm: Shell) -> None:
    dear = Holding("AAPL", Quantity(10), Money(1_000_000, "USD"))
    others = (
        Holding("NOPE", Quantity(1), Money(5, "USD")),
        Holding("MSFT", Quantity(1), None),
        Holding("FB", Quantity(1), Money(5, "USD")),
    )

    found = await qm.desk.ask("signals", HoldingAlertsAsked(holdings=(*others, dear)))
    nothing = await qm.desk.ask("signals", HoldingAlertsAsked(holdings=()))

    assert (found.alerts[0].symbol, found.alerts[0].alert, found.alerts[0].urgency) == ("AAPL", "STOP_LOSS", "critical")
    assert [one.symbol for one in found.unread] == ["FB", "MSFT", "NOPE"]
    assert found.unread[1].why == "nobody knows what it cost" and found.unread[2].why == "it is not listed here"
    assert (nothing.alerts, nothing.found, nothing.unread) == ((), 0, ())


async def test_the_four_rules_advise_as_in_their_table(qm: Shell) -> None:
    told = {one["style"]: one for one in (await qm.answer("advise", "--market-cap", "60e9", "--unrealised", "-16", "--growth"))["advice"]}

    assert {style: (one["action"], one["percent"], one["confidence"]) for style, one in told.items()} == {
        "conservative": ("BUY", 10.0, 0.85), "standard": ("HOLD", 0.0, None), "aggressive": ("BUY", 20.0, 0.85), "balanced": ("HOLD", 0.0, None),
    }  # fmt: skip
    given = ("--market-cap", "60e9", "--unrealised", "-16", "--growth", "--style", "aggressive")
    cut = await qm.answer("advise", *given, "--set", "max_position_increase=15", "--as-of", "2026-11-27")
    assert ([one["percent"] for one in cut["advice"]], cut["again_on"]) == ([15.0], "2026-12-01")
    code, why = await qm("advise", *given, "--set", "max_position_increase=26")
    assert code == Exit.CONFIGURATION and "less than or equal to 25" in why and "profit_taking" in why
    path = "/api/v1/scans/advice?market_cap=60e9&unrealised_pct=45&style=balanced"
    held = (await qm.desk.get(f"{path}&profit_taking=50&rebalance_frequency=weekly&as_of=2026-11-23")).json()
    assert (held["advice"][0]["action"], held["again_on"]) == ("HOLD", "2026-11-30")
    assert [one["name"] for one in held["inputs"]] == ["rebalance_frequency", "max_position_increase", "profit_taking"]
    assert (await qm.desk.get(f"{path}&profit_taking=101")).status_code == 422
    one = (await qm.desk.get("/api/v1/scans/advice?market_cap=60e9&unrealised_pct=-21&style=standard")).json()["advice"]
    assert [(found["action"], found["percent"], found["confidence"]) for found in one] == [("BUY", 15.0, 0.80)]


async def test_a_letter_about_an_option_that_is_not_listed_is_refused_in_words(qm: Shell) -> None:
    code, why = await qm("assigned", "DU0000001", "IBM040416P00090000", "1", "--session", "2004-03-15")

    assert code == Exit.NOT_FOUND and "no option that is listed here has the symbol IBM040416P00090000" in why


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
