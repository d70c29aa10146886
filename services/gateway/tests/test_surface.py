"""What needs no server: headers, the document of the API, every template with hostile text in it."""

import json
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from uuid import UUID

import msgspec
import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from quantmatrix.common.contracts.asking.days import BookedDay, DayFigures, DayOfStrategy, DaySummary, Exit, HeldAtClose
from quantmatrix.common.contracts.asking.derivations import Derivation, DerivedLine
from quantmatrix.common.contracts.asking.execution import EndSummary, FillSummary
from quantmatrix.common.contracts.asking.notify import DeliverySummary, NotificationSummary
from quantmatrix.common.contracts.asking.performance import (
    Fall,
    Income,
    IncomeTotal,
    LossCandidate,
    LossCandidates,
    Performance,
    ProfitLine,
    ProfitPeriod,
    ProfitPeriods,
    Profits,
    Rates,
    RecentLoss,
    ReturnYear,
    StrategyReturn,
    TaxYear,
)
from quantmatrix.common.contracts.asking.taxes import (
    AccountTreatment,
    Allocation,
    AllocationPart,
    BasisDifference,
    BasisDifferences,
    WashFlag,
    WashSale,
    WashSales,
    WashYear,
)
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.signals import Reason, SignalRaised
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    AssetClass,
    ClosingId,
    ContractEnding,
    FillId,
    InstrumentId,
    LotId,
    NotificationId,
    OrderId,
    Priority,
    RunId,
    Side,
    SignalId,
    SignalKind,
)
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.gateway.feed import parse_place
from quantmatrix.gateway.handlers import EVENTS
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.render import environment, part
from quantmatrix.gateway.routes.days import ShownDay
from quantmatrix.gateway.routes.door import local
from quantmatrix.gateway.routes.notifications import InboxPage
from quantmatrix.gateway.routes.orders import FillPage
from quantmatrix.gateway.routes.performance import Shown
from quantmatrix.gateway.routes.signals import SignalPage
from quantmatrix.gateway.routes.taxes import Taxes
from quantmatrix.gateway.security import CHART_STYLE, POLICY, comes_from_elsewhere, style_hash
from quantmatrix.gateway.web import STATIC, document

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
NOON = datetime(2024, 3, 5, 17, 0, tzinfo=UTC)
ACCOUNT = AccountId("PAPER-1")


def test_the_policys_one_hash_is_that_of_the_charts_one_style_tag() -> None:
    library = (STATIC / "vendor" / "lightweight-charts.mjs").read_text(encoding="utf-8")
    styles = re.findall(r'createElement\("style"\),[\w.]+\.innerText="([^"]*)"', library)

    assert styles == [CHART_STYLE]
    assert library.count('createElement("style")') == 1
    assert re.findall(r"'(sha256-[^']+)'", POLICY) == [style_hash(styles[0])]


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline() -> None:
    for loose in ("unsafe-inline", "unsafe-eval", "http:", "https:", "data:", "blob:", "*", "nonce-"):
        assert loose not in POLICY
    assert POLICY.startswith("default-src 'self'; script-src 'self';")
    assert "frame-ancestors 'none'" in POLICY


class _Inline(HTMLParser):
    """Collects what a strict policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        self._script = tag == "script" and "src" not in names
        self.found += [f"<{tag} {name}>" for name in names if name.startswith("on") or name == "style"]
        self.found += ["<style>"] if tag == "style" else []

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.found.append(f"script {data[:40]}")


def test_no_template_has_a_script_or_style_of_its_own_or_asks_another_host() -> None:
    for name in environment().list_templates():
        source, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]
        parser = _Inline()
        parser.feed(re.sub(r"\{[%{#].*?[%}#]\}", "", source, flags=re.DOTALL))
        assert parser.found == [], name
        assert not re.findall(r'(?:src|href|hx-get|hx-post)="(?:https?:)?//(?!www\.tradingview\.com/")', source), name
        assert "hx-on" not in source and "js:" not in source and "|safe" not in source, name


def test_the_scripts_load_nothing_from_elsewhere() -> None:
    for path in [*STATIC.glob("*.js"), *STATIC.glob("*.css"), *STATIC.glob("*.svg")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|eval\(|innerHTML|document\.write", text), path.name


def test_the_document_has_the_older_shapes_as_numbers_and_the_others_as_strings() -> None:
    described = document()
    schemas = described["components"]["schemas"]

    assert document() == described
    assert {"/api/v1/portfolio/", "/api/v1/trades/", "/api/v1/trades/execute", "/api/v1/bots/signals/", "/api/v1/stream"} <= set(
        described["paths"]
    )
    assert schemas["PortfolioShape"]["properties"]["total_usd_balance"]["type"] == "number"
    assert schemas["SnapshotPoint"]["properties"]["equity"]["properties"]["amount"]["type"] == "string"
    for path, operations in described["paths"].items():
        assert path.startswith("/api/v1/"), "pages are no part of the API"
        for operation in operations.values():
            assert operation["summary"] and {"4XX", "5XX"} <= set(operation["responses"]), path
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(described)))
    assert references <= set(schemas)


def test_every_message_for_pages_belongs_to_a_user() -> None:
    for message in EVENTS:
        assert issubclass(message, Message) and "user_id" in message.__struct_fields__, message.__name__


def test_pages_listen_for_everything_that_the_stream_tells_and_for_nothing_else() -> None:
    (kinds,) = re.findall(r"^const KINDS = (\[.*\]);$", (STATIC / "live.js").read_text(encoding="utf-8"), re.MULTILINE)
    heard = set(json.loads(kinds))
    waited_for = set()
    for name in environment().list_templates():
        source, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]
        waited_for |= set(re.findall(r"\bqm-(\w+) from:body", source))
        waited_for |= {one for events in re.findall(r'ui\.table_of\("[^"]*", "[^"]*", \S+, "([^"]*)"', source) for one in events.split()}

    assert heard == {*EVENTS.values(), "reset"}
    assert {"run", "moment", "reset"} <= waited_for <= heard | {"statements"}, "of statements their own script tells"


def _instrument() -> Instrument:
    return Instrument(InstrumentId("X1"), EVIL, AssetClass.STOCK, "USD", Quantity(1))


def _fill() -> FillSummary:
    return FillSummary(
        FillId(UUID(int=1)), "E1", OrderId(UUID(int=2)), ACCOUNT, _instrument(), Side.BUY, Quantity(1), Price(1), Money(1, "USD"),
        date(2024, 3, 5), NOON, EVIL,
    )  # fmt: skip


def _end() -> FillSummary:
    ended = EndSummary(ContractEnding.ASSIGNMENT, _instrument(), Quantity(100), Side.BUY, Price(20), Money(2_000, "USD"))
    return msgspec.structs.replace(_fill(), order_id=None, ended=ended)


def _day() -> ShownDay:
    amount, day, accounts = Money(1, "USD"), date(2024, 3, 5), (AccountId(EVIL),)
    exit_ = Exit(
        ACCOUNT, EVIL, Side.BUY, Quantity(1), NOON, NOON, Price(1), Price(1), amount, amount, amount, EVIL, FillId(UUID(int=1)), FillId(UUID(int=2))
    )  # fmt: skip
    held = (HeldAtClose(ACCOUNT, EVIL, Quantity(1), None, amount),)
    figures = DayFigures(
        "USD", accounts, amount, amount, amount, amount, None, 1, 1, 0, None, amount, amount, amount, None, 0.0, None, None, 1, None, None, None,
        None, (DayOfStrategy(EVIL, 1, 1, amount),), held, 1, 0,
    )  # fmt: skip
    booked = BookedDay("USD", accounts, amount, amount, amount, amount, (exit_,), 1, 1, held, amount)
    return ShownDay(DaySummary(day, NOON, True, (figures,), 1, 1, 1, 1.0, 1, EVIL, EVIL), ((figures, booked),))


def _signal() -> SignalRaised:
    return SignalRaised(
        signal_id=SignalId(UUID(int=1)),
        run_id=RunId(UUID(int=2)),
        user_id=FIRST_ADMINISTRATOR,
        account_id=ACCOUNT,
        strategy=EVIL,
        triggered_by=EVIL,
        instrument=_instrument(),
        kind=SignalKind.ALERT,
        calendar="XNYS",
        session=date(2024, 3, 5),
        decided_at=NOON,
        expires_at=NOON,
        reasons=(Reason(EVIL, True, EVIL, 0.1),),
    )


def _note() -> NotificationSummary:
    return NotificationSummary(
        NotificationId(UUID(int=1)), ACCOUNT, EVIL, Priority.HIGH, EVIL, EVIL, UUID(int=2), NOON, None,
        (DeliverySummary(EVIL, "failed", 3, EVIL),),
    )  # fmt: skip


def _performance() -> Shown:
    amount, day = Money(-1, "USD"), date(2024, 3, 5)
    rates = Rates(0.1, None, 0.1, 0.1, 0.1, 0.1, None, None, 0.1, -0.1, 0.5)
    strategy = StrategyReturn(EVIL, amount, amount, amount, amount, 1, 1, 0, 0, 1, None, None)
    year = TaxYear(2024, EVIL, amount, amount, amount, amount, amount, 1, 1)
    candidate = LossCandidate(
        LotId(UUID(int=1)), ACCOUNT, EVIL, Quantity(1), amount, amount, amount, amount, amount, EVIL, None, (LotId(UUID(int=1)),), (), day
    )
    recent = RecentLoss(LotId(UUID(int=1)), AccountId(EVIL), EVIL, day, amount, day)
    found = Performance(
        "USD", (ACCOUNT,), day, day, amount, amount, amount, amount, amount, amount, amount, rates, Fall(-0.1, day, day, None, 3), None,
        (ProfitLine(EVIL, amount),), amount, (ReturnYear(2024, (0.1, None, -0.1, *(None,) * 9), 0.0),), (year,), (strategy,), (), None,
    )  # fmt: skip
    return Shown(
        (found,), (ACCOUNT,), LossCandidates(day, (candidate,), (recent,)), Income((IncomeTotal(2024, EVIL, EVIL, amount, 1),)), EVIL
    )


def _taxes() -> Taxes:
    amount, day, lot = Money(1, "USD"), date(2024, 3, 5), LotId(UUID(int=1))
    sale = WashSale(
        ClosingId(UUID(int=1)), lot, ACCOUNT, EVIL, Quantity(1), day, day, amount, amount, True, lot, AccountId(EVIL), None
    )  # fmt: skip
    differs = BasisDifference(ACCOUNT, EVIL, day, Quantity(1), None, amount, None, None, amount, EVIL)
    washed = WashSales(
        (WashYear(2024, "USD", 1, amount, amount),),
        (sale,),
        1,
        (WashFlag(EVIL, ACCOUNT, day, amount, lot, EVIL, AccountId(EVIL), day, lot),),
    )
    return Taxes((AccountTreatment(AccountId(EVIL), "taxable", False),), washed, BasisDifferences(1, 0, (differs,)))


def _profits() -> Profits:
    amount, day = Money(1, "USD"), date(2024, 3, 5)
    period = ProfitPeriod(day, day, amount, amount, amount, (ProfitLine(EVIL, amount),), amount, 0.1)
    return Profits((ProfitPeriods("USD", (AccountId(EVIL),), (period,), day),))


@pytest.mark.parametrize(
    ("template", "name", "value"),
    [
        ("performance.html", "performance", _performance()),
        ("taxes.html", "taxes", _taxes()),
        ("profits.html", "profits", _profits()),
        ("allocation.html", "allocation", Allocation((AllocationPart(EVIL, EVIL, Money(1, "USD"), 0.5),), (EVIL,))),
        ("derivation.html", "derivation", Derivation((DerivedLine(1, EVIL, Money(1, "USD"), EVIL, EVIL, EVIL),), (EVIL,))),
        ("orders.html", "fills", FillPage((_fill(),), "next")),
        ("orders.html", "fills", FillPage((_end(),), None)),
        ("day.html", "day", _day()),
        ("day.html", "day", ShownDay(None, why=EVIL)),
        ("signals.html", "signals", SignalPage((_signal(),), None)),
        ("notifications.html", "inbox", InboxPage((_note(),), 1, EVIL)),
    ],
)
def test_hostile_text_stays_text(template: str, name: str, value: object) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    person = Person(FIRST_ADMINISTRATOR, "admin", "admin", "token", b"")
    html = bytes(
        part(
            request,
            template,
            name,
            {
                "person": person,
                "here": "/",
                "look": {"account": EVIL, "benchmark": EVIL, "query": "", "cursor": None, "by": "day", "session": date(2024, 3, 5)},
                name: value,
            },
        ).body
    ).decode()
    parser = _Inline()
    parser.feed(html)

    assert parser.found == []
    assert "<script" not in html and "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(("session", "leads"), [(date(2024, 3, 4), True), (None, False)])
def test_the_letter_of_a_day_leads_to_its_page(session: date | None, leads: bool) -> None:
    letter = msgspec.structs.replace(_note(), topic="summary", session=session)
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    person = Person(FIRST_ADMINISTRATOR, "admin", "admin", "token", b"")
    context = {"person": person, "here": "/", "look": {"cursor": None}, "inbox": InboxPage((letter,), 1, None)}

    for template in ("notifications.html", "overview.html"):
        assert (b'href="/days/2024-03-04"' in part(request, template, "inbox", context).body) is leads, template


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin", "origin": "http://here:1", "host": "here:1"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"origin": "http://here:2", "host": "here:1"}, True),
        ({"origin": "null", "host": "here:1"}, True),
    ],
)
def test_requests_of_other_sites_are_told_apart(headers: dict[str, str], elsewhere: bool) -> None:
    assert comes_from_elsewhere(Headers(headers)) is elsewhere


@pytest.mark.parametrize("text", ["", "x", "-1", "abc-1", "0" * 32 + "-x", "0" * 32 + "--1", "0" * 32 + "-" + "9" * 30])
def test_only_places_that_were_handed_out_are_places(text: str) -> None:
    assert parse_place(text) is None


@pytest.mark.parametrize(
    ("target", "kept"), [("/orders", "/orders"), ("//x", "/"), ("/\\x", "/"), ("http://x", "/"), ("", "/"), ("/a\nb", "/")]
)
def test_targets_stay_on_this_console(target: str, kept: str) -> None:
    assert local(target) == kept
