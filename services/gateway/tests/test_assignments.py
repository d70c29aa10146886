"""A broker's letter of an early assignment over HTTP, on the page and as qm asks: booked once, refused whole, written down."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from services.execution.tests.test_contract_ends import PUT, sell_two_puts
from services.execution.tests.test_splits import book_of
from services.gateway.tests.running import Console, gateway_here

from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.common.testing.examples import INSTRUMENT, SESSION
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.values import Money, Quantity

ACCOUNT = "DU0000001"
PATH = f"/api/v1/accounts/{ACCOUNT}/assignments"
NEXT = (SESSION + timedelta(days=1)).isoformat()
LETTER = {"option": PUT.symbol, "contracts": 1, "session": NEXT}


@pytest.fixture
async def sold(start_here: Any, ask: Any, bus: Any) -> AsyncIterator[Console]:
    """Whoever is logged in has sold two puts at 20 on paper, for 180.00 less 1.30."""
    await sell_two_puts(start_here, ask, Saying(bus.connect))
    async with gateway_here(start_here) as console:
        await console.log_in()
        yield console


async def trail(database: Any) -> list[tuple[str, str]]:
    rows = await database.fetch("gateway", "select name, about from audit where action = 'account.assignment' order by at")
    return [(row["name"], row["about"]) for row in rows]


async def test_a_letter_over_http_is_booked_once_and_written_down(sold: Console, ask: Any, database: Any) -> None:
    first, again = [await sold.post(PATH, LETTER, **{"Idempotency-Key": "letter 1"}) for _ in range(2)]
    without = await sold.post(PATH, LETTER)
    beyond = await sold.post(PATH, {**LETTER, "contracts": 2}, **{"Idempotency-Key": "letter 2"})
    absent = await sold.post("/api/v1/accounts/OTHER/assignments", LETTER, **{"Idempotency-Key": "letter 3"})
    none = await sold.post(PATH, {**LETTER, "contracts": 0}, **{"Idempotency-Key": "letter 4"})

    assert (first.status_code, first.json()["booked"]) == (201, True)
    assert again.json() == {**first.json(), "booked": False}
    assert (without.status_code, without.json()["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert (beyond.status_code, beyond.json()["code"]) == (422, "ASSIGNMENT_IMPOSSIBLE") and "is booked already" in beyond.json()["detail"]
    assert (absent.status_code, none.status_code) == (404, 422)
    book = await book_of(ask)
    assert book.positions == book.broker_positions == {PUT.instrument_id: Quantity(-1), INSTRUMENT.instrument_id: Quantity(100)}
    assert book.cash == book.broker_cash == Money.parse("98178.70", "USD")
    told = f"{ACCOUNT}: 1 of {PUT.symbol} after {NEXT}"
    assert await trail(database) == [("admin", told), ("admin", told), ("admin", told.replace(" 1 of", " 2 of"))]
    (end, _) = (await sold.get("/api/v1/fills/")).json()["fills"]
    assert (end["fill_id"], end["ended"]["how"], end["order_id"]) == (first.json()["end_id"], "assignment", None)


async def test_a_letter_on_the_page_says_what_was_booked_or_why_not(sold: Console, ask: Any) -> None:
    page = (await sold.get("/accounts")).text
    form = {"csrf": sold.csrf, "key": re.findall(r'name="key" value="([^"]+)"', page)[0], "option": PUT.symbol.replace(" ", "")}

    async def sent(**more: str) -> str:
        return (await sold.client.post(f"/accounts/{ACCOUNT}/assignments", data={**form, **more})).text

    assert "has sold 2" in await sent(contracts="3", session=NEXT)
    assert "contracts: " in await sent(contracts="many", session=NEXT)
    assert "session: " in await sent(contracts="1", session="yesterday")
    booked, again = [await sent(contracts="2", session=NEXT) for _ in range(2)]
    unsigned = await sold.client.post(f"/accounts/{ACCOUNT}/assignments", data={**form, "csrf": "", "contracts": "1", "session": NEXT})

    assert f"2 of {form['option']} after {NEXT}: booked" in booked
    assert f"2 of {form['option']} after {NEXT}: was booked before" in again
    assert unsigned.status_code == 403
    assert (await book_of(ask)).positions == {INSTRUMENT.instrument_id: Quantity(200)}
    listed = (await sold.get("/orders")).text
    assert "assigned" in listed and "gets" in listed


async def test_what_the_operator_tells_goes_through_the_trail(sold: Console, ask: Any, database: Any) -> None:
    told = AssignmentBookingAsked(
        command_id=derived_id("letter", 1), account_id=AccountId(ACCOUNT), option=PUT.symbol, contracts=Quantity(2), session=SESSION + timedelta(days=1)
    )  # fmt: skip
    taken = await ask("gateway", told)

    assert taken.booked and (await book_of(ask)).positions == {INSTRUMENT.instrument_id: Quantity(200)}
    assert await trail(database) == [("operator", f"{ACCOUNT}: 2 of {PUT.symbol} after {NEXT}")]
