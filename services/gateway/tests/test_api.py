"""The API after a real replay: every shape, paging, ownership, controls."""

import csv
import io
import zipfile
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from services.gateway.tests.running import Console, Desk, add_user

from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, order_of
from quantmatrix.common.testing.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
RFC9457 = {"type", "title", "status", "detail", "code", "instance"}


async def _all(console: Console, path: str, name: str, limit: int) -> list[dict[str, Any]]:
    """Every item of a paged list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = (await console.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})})).json()
        assert len(answer[name]) <= limit
        found += answer[name]
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


async def test_the_older_shapes_agree_with_the_ledger(desk: Desk) -> None:
    ledger = await desk.ask("portfolio", PortfolioAsked(user_id=FIRST_ADMINISTRATOR))
    answer = await desk.get("/api/v1/portfolio/")
    shape = answer.json(parse_float=Decimal, parse_int=Decimal)

    assert set(shape) == {"total_usd_balance", "positions", "total_pnl"}
    assert shape["total_usd_balance"] == round(ledger.accounts[0].equity.amount, 2)
    assert {one["product_id"]: one["crypto_balance"] for one in shape["positions"]} == {
        one.instrument.symbol: one.quantity.value for one in ledger.positions
    }
    assert all(
        set(one) == {"product_id", "crypto_balance", "usd_invested", "current_value", "unrealized_pnl", "pnl_pct"}
        for one in shape["positions"]
    )
    trades = (await desk.get("/api/v1/trades/?limit=200")).json()
    stored = await desk.database.fetch(
        "execution", "select order_id, state, triggered_by from orders order by created_at desc, order_id desc"
    )
    assert [UUID(one["id"]) for one in trades] == [row["order_id"] for row in stored]
    assert len(trades) > 5
    assert set(trades[0]) == {"id", "product_id", "side", "size_usd", "size_crypto", "price", "status", "filled_at", "triggered_by"}
    assert all(one["status"] != "filled" or one["filled_at"].endswith("Z") for one in trades)
    signals = (await desk.get("/api/v1/bots/signals/")).json()
    assert signals and set(signals[0]) == {
        "bot_id", "product_id", "temperature", "combined_score", "recommended_action", "last_evaluation", "ready_to_trade",
    }  # fmt: skip
    assert len({(one["bot_id"], one["product_id"]) for one in signals}) == len(signals)


async def test_a_bot_and_its_latest_evaluation_in_their_older_shapes(desk: Desk) -> None:
    (run,) = (await desk.get("/api/v1/strategies/runs/details")).json()["runs"]
    bot = (await desk.get(f"/api/v1/bots/{run['triggered_by']}/")).json()
    none_yet = await desk.post(f"/api/v1/bots/{run['triggered_by']}/evaluate")
    (order,) = await desk.database.fetch(
        "execution",
        "select order_id, instrument_id from orders where state = 'filled' and triggered_by like 'run:%' order by order_id limit 1",
    )
    (signal,) = [
        one for one in (await desk.get("/api/v1/strategies/signals/?limit=200")).json()["signals"]
        if str(order_of(UUID(one["signal_id"]))) == str(order["order_id"])
    ]  # fmt: skip
    connection = await desk.database.connect("signals")
    await connection.execute(
        """insert into verdict (run_id, instrument_id, session, at, action, score, confidence, temperature, readiness, code, detail, reasons)
           values ($1, $2, $3, now(), 'BUY', 0.5, 0.5, 'HOT', 'ready', '', '', '[]')""",
        UUID(run["run_id"]), order["instrument_id"], date.fromisoformat(signal["session"]),
    )  # fmt: skip
    told = (await desk.post(f"/api/v1/bots/{run['run_id']}/evaluate")).json()

    assert set(bot) == {
        "id", "name", "product_id", "status", "signal_config", "trade_size_usd", "confirmation_minutes", "cooldown_minutes",
        "last_evaluation",
    }  # fmt: skip
    assert (bot["id"], bot["name"], bot["status"], bot["signal_config"]["preset"]) == (run["triggered_by"], "atr_matrix", "RUNNING", "v2")
    assert bot["trade_size_usd"] == float(run["base"]["amount"]) * 0.05
    assert (none_yet.status_code, none_yet.json()["code"]) == (409, "BOT_NOT_EVALUATED")
    assert told == {"forced": False, "result": {"temperature": "HOT", "trade_executed": True, "trade_id": str(order["order_id"])}}
    assert (await desk.get(f"/api/v1/bots/{run['run_id']}/")).json()["product_id"] == signal["instrument"]["symbol"]
    assert (await desk.get("/api/v1/bots/bot:1/")).status_code == 404
    await connection.execute("delete from verdict")


async def test_trades_are_paged_by_link_without_loss_or_doubles(desk: Desk) -> None:
    everything = [one["id"] for one in (await desk.get("/api/v1/trades/?limit=200")).json()]
    found: list[str] = []
    target: str | None = "/api/v1/trades/?limit=3"
    while target is not None:
        answer = await desk.get(target)
        found += [one["id"] for one in answer.json()]
        target = answer.headers["link"].split(">")[0].lstrip("<") if "link" in answer.headers else None

    assert found == everything


async def test_lists_are_paged_without_losing_items_of_the_same_moment(desk: Desk) -> None:
    for path, name, key, service, count in (
        ("/api/v1/fills/", "fills", "fill_id", "execution", "select count(*) from execution"),
        ("/api/v1/orders/", "orders", "order_id", "execution", "select count(*) from orders"),
        ("/api/v1/portfolio/closings", "closings", "closing_id", "portfolio", "select count(*) from closing"),
        ("/api/v1/strategies/signals/", "signals", "signal_id", "signals", "select count(*) from signal"),
        ("/api/v1/notifications/", "notifications", "notification_id", "notify", "select count(*) from notification"),
    ):
        ids = [one[key] for one in await _all(desk, path, name, 2)]
        rows = await desk.database.fetch(service, count)

        assert len(ids) == len(set(ids)) == rows[0]["count"] > 2, path


async def test_positions_lots_and_equity_carry_exact_amounts_as_strings(desk: Desk) -> None:
    summary = (await desk.get("/api/v1/portfolio/summary")).json()
    lots = (await desk.get("/api/v1/portfolio/lots")).json()["lots"]
    equity = (await desk.get("/api/v1/portfolio/equity")).json()["points"]
    stored = await desk.database.fetch("portfolio", "select lot_id, quantity, basis from lot where quantity <> 0")

    assert isinstance(summary["accounts"][0]["cash"]["amount"], str) and summary["accounts"][0]["cash"]["currency"] == "USD"
    assert {UUID(one["lot_id"]): (Decimal(one["quantity"]), Decimal(one["basis"]["amount"])) for one in lots} == {
        row["lot_id"]: (row["quantity"], row["basis"]) for row in stored
    }
    by_symbol = {one["instrument"]["symbol"]: Decimal(one["quantity"]) for one in summary["positions"]}
    for symbol, quantity in by_symbol.items():
        assert sum(Decimal(one["quantity"]) for one in lots if one["instrument"]["symbol"] == symbol) == quantity
    assert [one["session"] for one in equity] == sorted(one["session"] for one in equity)
    assert equity[-1]["session"] == "2004-04-30" and equity[-1]["equity"] == summary["accounts"][0]["equity"]


async def test_performance_agrees_with_the_account_and_its_closings(desk: Desk) -> None:
    (account,) = (await desk.get("/api/v1/portfolio/summary")).json()["accounts"]
    (found,) = (await desk.get("/api/v1/portfolio/performance?benchmark=AAPL")).json()["performances"]
    closings = await desk.database.fetch("portfolio", "select realised from closing")

    equity, opening = Decimal(account["equity"]["amount"]), Decimal(account["opening_cash"]["amount"])
    gain = Decimal(found["gain"]["amount"])
    assert gain == equity - opening and found["end"] == account["equity"]
    assert sum(Decimal(one["amount"]["amount"]) for one in found["lines"]) == gain and found["unexplained"]["amount"] == "0"
    assert found["rates"]["time_weighted"] == pytest.approx(float(equity / opening) - 1)
    assert sum(Decimal(one["gain"]["amount"]) for one in found["strategies"]) == gain
    (year,) = found["tax_years"]
    gains = Decimal(year["gain"]["amount"]) - Decimal(year["disallowed"]["amount"])
    added = sum(row["realised"] for row in closings) - gains
    assert year["closings"] >= len(closings) and added >= 0  # what washed losses added to the bases of lots sold since
    assert found["beside"]["sessions"] == len(found["points"]) - 1
    assert (await desk.get("/api/v1/portfolio/performance?benchmark=NOSUCH")).status_code == 404


async def test_reports_are_files_and_derivations_end_at_the_brokers_ids(desk: Desk) -> None:
    form = await desk.get("/api/v1/portfolio/reports/form_8949?year=2004")
    workbook = await desk.get("/api/v1/portfolio/reports/form_8949_workbook?year=2004")
    page = await desk.get("/api/v1/portfolio/reports/performance")
    derived = (await desk.get("/api/v1/portfolio/derivation?year=2004")).json()
    fills = {one["execution_id"] for one in (await desk.get("/api/v1/fills/?limit=200")).json()["fills"]}
    (found,) = (await desk.get("/api/v1/portfolio/performance")).json()["performances"]

    assert form.headers["content-type"] == "text/csv; charset=utf-8"
    assert form.headers["content-disposition"] == 'attachment; filename="form-8949-2004.csv"'
    rows = list(csv.DictReader(io.StringIO(form.text)))
    assert len([row for row in rows if row["Closing"]]) == found["tax_years"][0]["closings"]
    assert workbook.headers["content-disposition"].endswith('.xlsx"') and zipfile.ZipFile(io.BytesIO(workbook.content)).testzip() is None
    assert page.headers["content-type"].startswith("text/html") and page.text.count("<svg") == 3
    assert derived["faults"] == [] and derived["lines"][0]["amount"] == found["tax_years"][0]["gain"]
    ends = {one["reference"] for one in derived["lines"] if one["source_kind"] == "execution"}
    assert ends and ends <= fills
    assert (await desk.get("/api/v1/portfolio/reports/nothing")).status_code == 422


async def test_what_a_position_stands_at_and_what_trading_cost_is_told(desk: Desk) -> None:
    (position, *_) = (await desk.get("/api/v1/portfolio/summary")).json()["positions"]
    instrument = position["instrument"]["instrument_id"]
    derived = (await desk.get(f"/api/v1/portfolio/derivation?instrument_id={instrument}")).json()
    page = await desk.get(f"/performance/derivation?instrument={instrument}")
    year = await desk.get("/performance/derivation?year=2004")
    nothing = await desk.get("/performance/derivation?year=1999")
    income = (await desk.get("/api/v1/portfolio/income")).json()["totals"]
    fees = await desk.database.fetch("portfolio", "select amount from cash_entry where kind = 'fee'")

    assert derived["faults"] == [] and derived["lines"][0]["amount"] == position["unrealised"]
    assert page.status_code == year.status_code == 200 and "complete" in page.text and nothing.status_code == 404
    assert [(one["kind"], one["source"], Decimal(one["total"]["amount"])) for one in income] == [
        ("commission", "ledger", sum(row["amount"] for row in fees))
    ]


async def test_the_performance_page_shows_what_the_api_says(desk: Desk) -> None:
    page = (await desk.get("/performance?benchmark=aapl")).text
    part = await desk.get("/performance?part=performance&benchmark=&account=")
    unknown = await desk.get("/performance?benchmark=NOSUCH")
    (found,) = (await desk.get("/api/v1/portfolio/performance")).json()["performances"]

    assert "Time-weighted" in page and found["deepest"]["peak_on"] in page and "correlation" in page
    assert "/api/v1/portfolio/reports/form_8949?year=2004" in page
    assert part.status_code == 200 and "Realised by year" in part.text and "<html" not in part.text
    assert unknown.status_code == 200 and "No instrument has the symbol NOSUCH" in unknown.text


async def test_wash_sales_are_those_of_the_realised_gains(desk: Desk) -> None:
    washed = (await desk.get("/api/v1/portfolio/wash-sales")).json()
    (found,) = (await desk.get("/api/v1/portfolio/performance")).json()["performances"]
    page = await desk.get("/performance/taxes")

    disallowed = sum(Decimal(one["disallowed"]["amount"]) for one in found["tax_years"])
    assert sum(Decimal(one["disallowed"]["amount"]) for one in washed["sales"]) == disallowed
    assert sum(Decimal(one["carried"]["amount"]) for one in washed["years"]) == disallowed
    assert page.status_code == 200 and "How accounts are taxed" in page.text


async def test_the_allocation_is_the_account_in_parts(desk: Desk) -> None:
    (account,) = (await desk.get("/api/v1/portfolio/summary")).json()["accounts"]
    parts = (await desk.get("/api/v1/portfolio/allocation")).json()["parts"]
    page = await desk.get("/performance/allocation")

    for by in ("class", "sector", "account", "symbol"):
        assert sum(Decimal(one["value"]["amount"]) for one in parts if one["by"] == by) == Decimal(account["equity"]["amount"])
    assert page.status_code == 200 and "By sector" in page.text and "not classified" in page.text


async def test_how_an_account_is_taxed_is_chosen_and_written_down(desk: Desk) -> None:
    (account,) = (await desk.get("/api/v1/portfolio/summary")).json()["accounts"]
    path = f"/api/v1/portfolio/treatments/{account['account_id']}"

    chosen = await desk.post(path, {"treatment": "tax-deferred"})
    (found,) = (await desk.get("/api/v1/portfolio/performance")).json()["performances"]
    back = await desk.post(path, {"treatment": "taxable"})

    assert (chosen.status_code, chosen.json()["treatment"], back.json()["treatment"]) == (200, "tax-deferred", "taxable")
    assert {one["treatment"] for one in found["tax_years"]} == {"tax-deferred"}
    assert (await desk.post(path, {"treatment": "free"})).status_code == 422
    assert (await desk.post("/api/v1/portfolio/treatments/NOBODYS", {"treatment": "taxable"})).status_code == 404
    rows = await desk.database.fetch("gateway", "select about from audit where action = 'account.treatment' order by id")
    assert rows[0]["about"] == f"{account['account_id']}: tax-deferred"


async def test_an_order_has_its_whole_history(desk: Desk) -> None:
    filled = next(one for one in (await desk.get("/api/v1/orders/?limit=200")).json()["orders"] if one["state"] == "filled")
    history = (await desk.get(f"/api/v1/orders/{filled['order_id']}")).json()

    assert history["order"] == filled
    assert [step["what"] for step in history["steps"]] == ["submitted", "accepted", "filled"]
    assert history["steps"][-1]["state"] == "filled"


async def test_bars_are_raw_and_charts_in_todays_terms(desk: Desk) -> None:
    instruments = (await desk.get("/api/v1/market/instruments/")).json()["instruments"]
    bars = (await desk.get("/api/v1/market/bars/AAPL?limit=20")).json()
    chart = (await desk.get("/api/v1/market/chart/AAPL?limit=20")).json()

    assert "AAPL" in {one["instrument"]["symbol"] for one in instruments}
    assert bars["sessions"] == chart["chart"]["sessions"] and bars["sessions"][-1] == "2004-04-30"
    assert float(bars["close"][-1]) == chart["chart"]["close"][-1]
    ladder = {int(k): v for k, v in chart["chart"]["ladder"].items()}
    assert ladder[0] == chart["chart"]["sma50"][-1]
    assert abs(ladder[7] - (ladder[0] + 7 * chart["chart"]["atr"])) < 1e-9
    assert all(one["instrument"]["symbol"] == "AAPL" for one in chart["fills"])


async def test_reading_notifications_lowers_the_count_and_leaves_a_trail(desk: Desk) -> None:
    before = (await desk.get("/api/v1/notifications/?limit=1")).json()
    first = before["notifications"][0]["notification_id"]
    one = await desk.post(f"/api/v1/notifications/{first}/read")
    again = await desk.post(f"/api/v1/notifications/{first}/read")
    middle = (await desk.get("/api/v1/notifications/?limit=1")).json()
    every = await desk.post("/api/v1/notifications/read")

    assert (one.json(), again.json()) == ({"marked": 1}, {"marked": 0})
    assert middle["unread"] == before["unread"] - 1 == every.json()["marked"]
    assert (await desk.get("/api/v1/notifications/?limit=1")).json()["unread"] == 0
    trail = (await desk.get("/api/v1/ops/audit?limit=3")).json()["rows"]
    assert [(row["action"], row["about"]) for row in trail] == [
        ("notifications.read", "all"), ("notifications.read", first), ("notifications.read", first),
    ]  # fmt: skip


async def test_the_replay_is_controlled_and_the_trail_has_before_and_after(desk: Desk) -> None:
    status = (await desk.get("/api/v1/replay")).json()
    changed = (await desk.post("/api/v1/replay", {"pace_s": 2.5})).json()
    refused = await desk.post("/api/v1/replay", {"pace_s": -1})
    restart = await desk.post("/api/v1/replay/restart")

    assert status["state"] == "finished" and status["session"] == "2004-04-30"
    assert changed["pace_s"] == 2.5
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "pace_s"
    assert (restart.status_code, restart.json()["code"]) == (409, "RESTART_UNAVAILABLE")  # no supervisor in this test
    trail = (await desk.get("/api/v1/ops/audit?limit=2")).json()["rows"]
    assert [row["action"] for row in trail] == ["replay.restart", "replay.control"]
    assert (trail[1]["before"]["pace_s"], trail[1]["after"]) == (0.0, {"pace_s": 2.5})


async def test_health_names_every_service_and_a_silent_one(desk: Desk) -> None:
    async def all_but(*silent: str) -> list[dict[str, Any]] | None:
        """What is told of each, as soon as exactly these are silent: the page waits a second for an answer, and no longer."""
        found: list[dict[str, Any]] = (await desk.get("/api/v1/ops/health")).json()["services"]
        return found if [one["service"] for one in found if not one["answers"]] == [*silent] else None

    all_well = await wait_until(all_but, "every service answers")
    await desk.start_here.stop("notify")
    await wait_until(lambda: all_but("notify"), "every service but one answers")
    inbox = await desk.get("/api/v1/notifications/")
    overview = await desk.get("/")
    await desk.start_here("notify")

    assert [one["service"] for one in all_well] == ["market", "signals", "execution", "portfolio", "notify", "gateway"]
    assert all(one["behind"] == 0 for one in all_well)
    assert (inbox.status_code, inbox.json()["code"], inbox.headers["retry-after"]) == (503, "SERVICE_SILENT", "2")
    assert overview.status_code == 200 and "Notify does not answer right now" in overview.text


async def test_nobody_sees_what_is_somebody_elses(desk: Desk) -> None:
    orders = (await desk.get("/api/v1/orders/?limit=5")).json()["orders"]
    await add_user(desk.database, "tara", "trader")
    other = desk.another()
    await other.log_in("tara")
    theirs = orders[0]["order_id"]

    assert (await other.get("/api/v1/portfolio/")).json() == {"total_usd_balance": 0.0, "positions": [], "total_pnl": 0.0}
    for path, empty in (
        ("/api/v1/trades/", []),
        ("/api/v1/bots/signals/", []),
        ("/api/v1/portfolio/lots", {"lots": []}),
        ("/api/v1/portfolio/lots?account_id=" + orders[0]["account_id"], {"lots": []}),
        ("/api/v1/portfolio/equity?account_id=" + orders[0]["account_id"], {"points": []}),
        ("/api/v1/portfolio/performance?account_id=" + orders[0]["account_id"], {"performances": []}),
        ("/api/v1/portfolio/loss-candidates", {"as_of": None, "candidates": [], "recent": []}),
        ("/api/v1/fills/?account_id=" + orders[0]["account_id"], {"fills": [], "next_cursor": None}),
    ):
        assert (await other.get(path)).json() == empty, path
    refused = [
        await other.get(f"/api/v1/orders/{theirs}"),
        await other.get(f"/api/v1/trades/{theirs}"),
        await other.get(f"/orders/{theirs}"),
        await other.post(f"/api/v1/orders/{theirs}/cancel"),
        await other.post(
            "/api/v1/trades/execute",
            {"product_id": "AAPL", "side": "BUY", "size_usd": 100, "account_id": orders[0]["account_id"]},
            **{"Idempotency-Key": "1"},
        ),
    ]
    refused += [await other.get("/api/v1/portfolio/derivation?year=2004"), await other.get("/api/v1/portfolio/reports/performance")]
    assert [one.status_code for one in refused] == [404] * 7
    chart = (await other.get("/api/v1/market/chart/AAPL")).json()
    assert chart["fills"] == []


async def test_a_value_that_no_table_takes_is_the_askers_fault(desk: Desk) -> None:
    """A NUL in a text, a number beyond 64 bits: refused like any other, by whichever service meets it."""
    account = (await desk.get("/api/v1/accounts/")).json()["accounts"][0]["account_id"]
    answers = [
        await desk.get("/api/v1/fills/?account_id=%00"),
        await desk.get("/api/v1/portfolio/lots?instrument_id=%00"),
        await desk.get("/api/v1/portfolio/accounts/%00/acts"),
        await desk.get("/api/v1/backtests/?before=" + "9" * 30),
        await desk.post(f"/api/v1/accounts/{account}/trading-state", {"state": "REDUCING", "reason": "a\0b"}),
    ]
    after = (await desk.get("/api/v1/accounts/")).json()["accounts"][0]

    assert [one.status_code for one in answers] == [422] * 5, [one.text for one in answers]
    assert {one.json()["code"] for one in answers} == {"QUESTION_MALFORMED", "REQUEST_INVALID"}
    assert after["trading_state"] == "ACTIVE"


async def test_every_problem_is_a_document_with_a_stable_code(desk: Desk) -> None:
    problems: dict[str, httpx.Response] = {
        "NOT_FOUND": await desk.get("/api/v1/nothing"),
        "METHOD_NOT_ALLOWED": await desk.client.put("/api/v1/portfolio/", headers={"X-CSRF-Token": desk.csrf}),
        "INSTRUMENT_UNKNOWN": await desk.get("/api/v1/market/bars/NOSUCH"),
        "CURSOR_INVALID": await desk.get("/api/v1/fills/?cursor=nonsense"),
        "REQUEST_INVALID": await desk.get("/api/v1/fills/?limit=0"),
        "PLACE_INVALID": await desk.get("/api/v1/stream?after=nonsense"),
        "BODY_TOO_LARGE": await desk.client.post("/api/v1/replay", content=b"x" * 70_000, headers={"X-CSRF-Token": desk.csrf}),
    }
    for code, answer in problems.items():
        document = answer.json()
        assert answer.headers["content-type"] == "application/problem+json", code
        assert document.keys() >= RFC9457 and (document["code"], document["status"]) == (code, answer.status_code)
        assert document["detail"] and answer.status_code >= 400
