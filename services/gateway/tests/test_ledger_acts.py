"""Acts and lot methods over HTTP: booked once, refused with a sentence, written down in the audit trail."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from services.gateway.tests.running import Console

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, LotMethodChangeAsked, act_of_json
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.values import Money
from quantmatrix.operations.testing import FreshDatabase
from quantmatrix.portfolio.rows import Account
from quantmatrix.portfolio.store import PortfolioStore

STOCK = {"instrument_id": "XNYS-ABC", "symbol": "ABC", "asset_class": "stock", "currency": "USD", "multiplier": "1"}
ACCOUNT = "/api/v1/portfolio/accounts/A-1"


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def traded(day: str, side: str, quantity: str, price: str) -> dict[str, Any]:
    return {
        "what": "trade", "instrument": STOCK, "side": side, "quantity": quantity, "price": price, "fee": usd("0"), "session": day,
        "at": f"{day}T15:00:00Z",
    }  # fmt: skip


@pytest.fixture
async def behind(console: Console, start_here: StartHere, database: FreshDatabase) -> Console:
    """A portfolio with one empty account of the person who is logged in."""
    connection = await database.connect("portfolio")
    nothing = Money.zero("USD")
    account = Account(AccountId("A-1"), FIRST_ADMINISTRATOR, "paper", "USD", True, nothing)
    await PortfolioStore(connection).open_account(account, datetime(2024, 1, 1, tzinfo=UTC))
    await start_here("portfolio")
    await console.log_in()
    return console


async def tell(console: Console, key: str, act: dict[str, Any]) -> Any:
    return await console.post(f"{ACCOUNT}/acts", act, **{"Idempotency-Key": key})


async def test_units_of_unknown_basis_arrive_and_are_completed(behind: Console, database: FreshDatabase) -> None:
    arrival = {
        "what": "arrival", "origin": "transfer", "instrument": STOCK, "quantity": "100", "basis": None, "acquired_on": None,
        "session": "2024-02-01", "at": "2024-02-01T15:00:00Z",
    }  # fmt: skip
    first = await tell(behind, "came", arrival)
    again = await tell(behind, "came", arrival)
    await tell(behind, "sold", traded("2024-03-01", "SELL", "40", "15"))
    pending = (await behind.get("/api/v1/portfolio/closings")).json()["closings"]

    supplied = await tell(behind, "basis", {"what": "basis", "arrival": first.json()["event_id"], "basis": usd("1000")})

    assert (first.status_code, first.json()["booked"], again.json()["booked"], supplied.status_code) == (201, True, False, 201)
    assert [one["realised"] for one in pending] == [None]
    assert [one["realised"] for one in (await behind.get("/api/v1/portfolio/closings")).json()["closings"]] == [usd("200")]
    told = (await behind.get(f"{ACCOUNT}/acts")).json()["acts"]
    assert [one["act"]["what"] for one in told] == ["arrival", "trade", "basis"]
    trail = await database.fetch("gateway", "select about from audit where action = 'account.act' order by at")
    assert [row["about"] for row in trail] == ["A-1: arrival", "A-1: arrival", "A-1: trade", "A-1: basis"]


async def test_the_method_is_read_and_changed_from_a_day_on(behind: Console, database: FreshDatabase) -> None:
    for number, (day, side, quantity, price) in enumerate(
        [("2024-01-10", "BUY", "100", "10"), ("2024-02-10", "BUY", "100", "14"), ("2024-06-03", "SELL", "50", "15")]
    ):
        assert (await tell(behind, str(number), traded(day, side, quantity, price))).status_code == 201

    changed = await behind.post(f"{ACCOUNT}/lot-method", {"method": "LIFO", "since": "2024-06-01"})
    unknown = await behind.post(f"{ACCOUNT}/lot-method", {"method": "BEST", "since": "2024-06-01"})

    assert [(one["method"], one["since"]) for one in changed.json()["methods"]] == [("FIFO", None), ("LIFO", "2024-06-01")]
    assert (unknown.status_code, unknown.json()["code"]) == (422, "LOT_METHOD_UNKNOWN")
    assert [one["realised"] for one in (await behind.get("/api/v1/portfolio/closings")).json()["closings"]] == [usd("50")]
    assert (await behind.get(f"{ACCOUNT}/lot-method")).json() == changed.json()
    trail = await database.fetch("gateway", "select about from audit where action = 'account.lot_method' order by at")
    assert [row["about"] for row in trail] == ["A-1: LIFO since 2024-06-01", "A-1: BEST since 2024-06-01"]


async def test_what_cannot_be_is_refused_with_the_field_or_the_reason(behind: Console) -> None:
    bad = [
        ({"what": "trade"}, "ACT_INVALID", "missing required field"),
        ({**traded("2024-01-10", "BUY", "1", "1"), "fee": {"amount": 1, "currency": "USD"}}, "ACT_INVALID", "$.act.fee"),
        ({**traded("2024-01-10", "BUY", "-5", "1")}, "ACT_INVALID", "quantity must be above zero"),
        ({"what": "wish"}, "ACT_INVALID", "wish"),
        ({"what": "reversal", "reverses": "5b2cf84e-9f0e-4c1b-9d87-1cf3a4a1a111"}, "ACT_UNKNOWN", "no act with this event_id"),
    ]
    for number, (act, code, words) in enumerate(bad):
        answer = await tell(behind, f"bad {number}", act)
        assert (answer.status_code, answer.json()["code"]) in ((422, code), (404, code))
        assert words in answer.json()["detail"]
    without_key = await behind.post(f"{ACCOUNT}/acts", traded("2024-01-10", "BUY", "1", "1"))
    assert without_key.json()["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert (await behind.get("/api/v1/portfolio/accounts/NOT-MINE/acts")).json()["code"] == "ACCOUNT_UNKNOWN"
    assert (await behind.get(f"{ACCOUNT}/acts")).json() == {"acts": []}


async def test_what_the_operator_tells_is_in_the_trail_also_when_it_is_refused(behind: Console, database: FreshDatabase, ask: Ask) -> None:
    """`qm lots` asks the gateway for changes, so that they leave a row like those of a person."""
    left = {**traded("2024-01-10", "BUY", "100", "10")}
    act = act_of_json(msgspec.json.encode(left))
    taken = await ask("gateway", ActBookingAsked(command_id=derived_id("operator", 1), account_id=AccountId("A-1"), act=act))
    changed = LotMethodChangeAsked(
        command_id=derived_id("operator", 2), account_id=AccountId("A-1"), method="HIFO", since=date(2024, 6, 1)
    )  # fmt: skip
    history = await ask("gateway", changed)
    with pytest.raises(Refused) as refused:
        await ask("gateway", msgspec.structs.replace(changed, command_id=derived_id("operator", 3), method="BEST"))

    trail = await database.fetch("gateway", "select name, action, about from audit where action like 'account.%' order by at, about")
    assert taken.booked and history.methods[-1].method == "HIFO" and refused.value.code == "LOT_METHOD_UNKNOWN"
    assert sorted((row["name"], row["about"]) for row in trail) == [
        ("operator", "A-1: BEST since 2024-06-01"),
        ("operator", "A-1: HIFO since 2024-06-01"),
        ("operator", "A-1: trade"),
    ]
