"""The console while things happen: before the first event, during a replay, over a restart of the gateway."""

import pytest
from playwright.async_api import expect
from services.gateway.tests.browsing import DESK, NEEDS_CHROMIUM, Seen, browser, log_in, violations
from services.gateway.tests.running import BEHIND, Console, gateway_here

from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until

pytestmark = [pytest.mark.browser, NEEDS_CHROMIUM, pytest.mark.long(20)]


async def test_empty_pages_say_what_will_appear(console: Console, start_here: StartHere) -> None:
    for service in BEHIND:
        told = {"replay_from": "2000-03-01", "replay_to": "2000-12-29", "replay_pace_s": 3_600.0}
        await start_here(service, **(told if service == "market" else {}))

    async def accounts() -> bool:
        await console.log_in()
        answer = await console.get("/api/v1/portfolio/summary")
        return answer.status_code == 200 and bool(answer.json()["accounts"])

    await wait_until(accounts, "the paper account is known")
    async with browser(DESK, "light") as context:
        page = await context.new_page()
        seen = Seen(page, console)
        await log_in(page, console)
        for path, text in (
            ("/", "No position is open. One appears here with its first fill."),
            ("/positions", "Every purchase opens a tax lot"),
            ("/orders", "Every order appears here the moment it is decided"),
            ("/signals", "The first decision appears here"),
            ("/notifications", "Signals, fills, denials and warnings are told here"),
        ):
            await page.goto(console.url + path)
            await expect(page.get_by_text(text)).to_be_visible()
            assert await violations(page) == [], path
        assert seen.wrong == []


async def test_an_open_page_follows_the_replay_and_survives_a_restart_of_the_gateway(start_here: StartHere) -> None:
    async with gateway_here(start_here) as console:
        for service in BEHIND:
            told = {"replay_from": "2004-01-02", "replay_pace_s": 0.1}  # its nine years do not end while a slow machine opens a browser
            await start_here(service, **(told if service == "market" else {}))
        await console.log_in()

        async def running() -> bool:
            answer = await console.get("/api/v1/replay")
            return answer.status_code == 200 and answer.json()["sessions_done"] > 2

        await wait_until(running, "the replay runs")
        async with browser(DESK, "dark") as context:
            page = await context.new_page()
            seen = Seen(page, console)
            await log_in(page, console)
            await page.evaluate("window.here = 'never reloaded'")
            date = page.locator("#event-date")
            await page.get_by_role("button", name="Pause").click()
            await expect(page.get_by_role("button", name="Resume")).to_be_visible()
            before = await date.inner_text()
            held = (await console.get("/api/v1/fills/?limit=1")).json()["fills"]
            await page.get_by_role("button", name="Resume").click()
            await expect(date).not_to_have_text(before)

            async def another_fill() -> bool:
                latest = (await console.get("/api/v1/fills/?limit=1")).json()["fills"]
                return bool(latest and latest != held)

            await wait_until(another_fill, "something is filled")
            await console.post("/api/v1/replay", {"paused": True})
            latest = (await console.get("/api/v1/fills/?limit=1")).json()["fills"][0]["fill_id"]
            await expect(page.locator(f"#fill-{latest}")).to_be_visible(timeout=15_000)
            assert seen.wrong == []

            await start_here.stop("gateway")
            async with gateway_here(start_here, port=console.port) as again:
                again.client.cookies = console.client.cookies
                again.csrf = console.csrf
                stood = await date.inner_text()
                await again.post("/api/v1/replay", {"paused": False})
                await expect(date).not_to_have_text(stood)
                await expect(page.locator("body")).to_have_attribute("data-live", "on")
            assert await page.evaluate("window.here") == "never reloaded"
