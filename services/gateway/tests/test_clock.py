"""The machine's clock jumps by an hour while somebody is logged in, or guesses passwords."""

from datetime import timedelta

import pytest
from services.gateway.tests.running import gateway_here

from quantmatrix.common.runtime import service
from quantmatrix.common.testing.clock import ShiftedClock
from quantmatrix.common.testing.here import StartHere
from quantmatrix.operations.testing import FreshDatabase

HOUR = timedelta(hours=1)
GUESSED_ELSEWHERE = """insert into audit (at, name, action, about, address, request_id)
    select clock_timestamp(), 'admin', 'login.failed', 'admin', '203.0.113.' || n, gen_random_uuid() from generate_series(1, 20) n"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    made = ShiftedClock()
    monkeypatch.setattr(service, "SystemClock", lambda: made)
    return made


async def test_a_session_lives_through_a_clock_that_jumps_and_ends_by_it(start_here: StartHere, clock: ShiftedClock) -> None:
    """It may last an hour more or less than it should, and never for ever."""
    async with gateway_here(start_here, session_hours=2) as console:
        await console.log_in()
        codes = {}
        for by in (HOUR, -HOUR, 3 * HOUR):
            clock.by = by
            codes[by] = (await console.get("/api/v1/auth/sessions")).status_code

    assert codes == {HOUR: 200, -HOUR: 200, 3 * HOUR: 401}


async def test_guesses_are_counted_in_their_order_whatever_the_clock_said(
    start_here: StartHere, database: FreshDatabase, clock: ShiftedClock
) -> None:
    """A login that the clock dates after them clears none that came later, and guesses of the future shut nobody out for an hour."""
    async with gateway_here(start_here, proxies="127.0.0.1") as owner:
        clock.by = HOUR
        await owner.log_in()
        clock.by = timedelta()
        await (await database.connect("gateway")).execute(GUESSED_ELSEWHERE)
        stranger = owner.another()
        stranger.client.headers["X-Forwarded-For"] = "198.51.100.9"
        strange = (await stranger.log_in()).status_code
        clock.by = HOUR
        early = [(await owner.another().log_in(password=f"guess {number}")).status_code for number in range(6)]
        clock.by = timedelta()
        back = (await owner.another().log_in()).status_code

    assert strange == 429
    assert (early, back) == ([401] * 5 + [429], 303)
