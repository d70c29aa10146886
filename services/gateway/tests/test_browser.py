"""The console in a real browser: accessible, quiet, drawn, live; in light and dark, on a desk and on a phone."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright, expect
from services.gateway.tests.running import BEHIND, PASSWORD, Console, gateway_here

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[3] / "node_modules/axe-core/axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE = (1440, 900), (390, 844)
PAGES = ("/", "/positions", "/orders", "/signals", "/symbols", "/symbols/AAPL", "/notifications", "/system", "/about")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium here"),
]


class Seen:
    """What a page complained about: console errors, failed requests, requests to other hosts."""

    def __init__(self, page: Page, console: Console) -> None:
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(console.url) else self.wrong.append(f"asked {request.url}"))


@pytest.fixture
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@asynccontextmanager
async def _browser(playwright: Playwright, size: tuple[int, int], scheme: str) -> AsyncIterator[BrowserContext]:
    with tempfile.TemporaryDirectory(prefix="qm-browser-") as folder:
        context = await playwright.chromium.launch_persistent_context(
            folder,
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        try:
            yield context
        finally:
            await context.close()


async def _log_in(page: Page, console: Console) -> None:
    await page.goto(f"{console.url}/login")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("#main")).to_be_visible()


async def _violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA and its own best practices."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = await page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)")
    return [f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}" for one in found for node in one["nodes"]]


async def _settled(page: Page) -> None:
    """The page and its charts are there."""
    await page.wait_for_load_state("load")
    for chart in await page.locator("qm-equity, qm-candles").all():
        await expect(chart).to_have_attribute("data-state", "drawn", timeout=15_000)


async def test_every_page_is_accessible_quiet_and_fits(desk: Console, playwright: Playwright) -> None:
    order = (await desk.get("/api/v1/orders/?limit=1")).json()["orders"][0]["order_id"]
    wrong: list[str] = []
    for size in (DESK, PHONE):
        for scheme in ("light", "dark"):
            async with _browser(playwright, size, scheme) as context:
                page = await context.new_page()
                look = f"{size[0]} px, {scheme}:"
                wrong += [f"{look} {one}" for one in await _complaints(page, desk, size[0], (*PAGES, f"/orders/{order}", "/no-such-page"))]

    assert wrong == []


async def _complaints(page: Page, console: Console, width_max: int, paths: tuple[str, ...]) -> list[str]:
    """What axe finds, what the browser's console says, and how far a page is too wide."""
    seen = Seen(page, console)
    await page.goto(f"{console.url}/login")
    wrong = [f"/login {one}" for one in await _violations(page)]
    await _log_in(page, console)
    for path in paths:
        said = len(seen.wrong)
        answer = await page.goto(console.url + path)
        assert answer is not None and answer.status == (404 if path == "/no-such-page" else 200)
        if answer.status == 404:
            del seen.wrong[said:]  # the browser writes the expected 404 to its console
        await _settled(page)
        wrong += [f"{path} {one}" for one in await _violations(page)]
        width = await page.evaluate("document.documentElement.scrollWidth")
        wrong += [f"{path} is {width} px wide"] if width > width_max else []
    return wrong + seen.wrong


async def test_empty_pages_say_what_will_appear(console: Console, start_here: StartHere, playwright: Playwright, ask: Ask) -> None:
    for service in BEHIND:
        told = {"replay_from": "2000-03-01", "replay_to": "2000-12-29", "replay_pace_s": 3_600.0}
        await start_here(service, **(told if service == "market" else {}))

    async def accounts() -> bool:
        await console.log_in()
        answer = await console.get("/api/v1/portfolio/summary")
        return answer.status_code == 200 and bool(answer.json()["accounts"])

    await wait_until(accounts, "the paper account is known", within_s=30)
    async with _browser(playwright, DESK, "light") as context:
        page = await context.new_page()
        seen = Seen(page, console)
        await _log_in(page, console)
        for path, text in (
            ("/", "Open positions appear here after the first fill."),
            ("/positions", "Every purchase opens a tax lot"),
            ("/orders", "Every order appears here the moment it is decided"),
            ("/signals", "The first decision appears here"),
            ("/notifications", "Signals, fills, denials and warnings are told here"),
        ):
            await page.goto(console.url + path)
            await expect(page.get_by_text(text)).to_be_visible()
            assert await _violations(page) == [], path
        assert seen.wrong == []


async def test_candles_averages_ladder_and_fills_are_drawn(desk: Console, playwright: Playwright) -> None:
    fills = (await desk.get("/api/v1/market/chart/AAPL?limit=600")).json()["fills"]
    assert fills, "the replay has fills of AAPL"
    async with _browser(playwright, DESK, "light") as context:
        page = await context.new_page()
        await _log_in(page, desk)
        await page.goto(f"{desk.url}/symbols/AAPL")
        chart = page.locator("qm-candles")
        await expect(chart).to_have_attribute("data-state", "drawn")
        label = await chart.get_attribute("aria-label") or ""
        assert "daily candles until 2004-04-30" in label and f"{len(fills)} fills" in label
        painted = await page.evaluate(_COLOURS)
        for token in ("--up", "--down", "sma20", "sma50"):
            assert painted[token] > 20, f"{token}: {painted}"
        assert await page.locator("#tv-attr-logo").count() == 1  # the library's licence asks for it


_COLOURS = """() => {
  const probe = document.createElement("span");
  document.body.append(probe);
  const wanted = {};
  for (const [name, value] of [["--up", "var(--up)"], ["--down", "var(--down)"], ["sma20", "#b26a00"], ["sma50", "#6b3fc9"]]) {
    probe.style.color = value;
    wanted[name] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  }
  probe.remove();
  const counts = Object.fromEntries(Object.keys(wanted).map((name) => [name, 0]));
  for (const canvas of document.querySelectorAll("qm-candles canvas")) {
    if (!canvas.width || !canvas.height) continue;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
      for (const [name, rgb] of Object.entries(wanted)) {
        if (Math.abs(data[i] - rgb[0]) + Math.abs(data[i + 1] - rgb[1]) + Math.abs(data[i + 2] - rgb[2]) < 12 && data[i + 3] > 200) counts[name]++;
      }
    }
  }
  return counts;
}"""


async def test_an_open_page_follows_the_replay_and_survives_a_restart_of_the_gateway(
    start_here: StartHere, playwright: Playwright, ask: Ask
) -> None:
    async with gateway_here(start_here) as console:
        for service in BEHIND:
            told = {"replay_from": "2004-01-02", "replay_to": "2004-12-31", "replay_pace_s": 0.1}
            await start_here(service, **(told if service == "market" else {}))
        await console.log_in()

        async def running() -> bool:
            answer = await console.get("/api/v1/replay")
            return answer.status_code == 200 and answer.json()["sessions_done"] > 2

        await wait_until(running, "the replay runs", within_s=60)
        async with _browser(playwright, DESK, "dark") as context:
            page = await context.new_page()
            seen = Seen(page, console)
            await _log_in(page, console)
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

            await wait_until(another_fill, "something is filled", within_s=60)
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
                await expect(date).not_to_have_text(stood, timeout=15_000)
                await expect(page.locator("body")).to_have_attribute("data-live", "on", timeout=15_000)
            assert await page.evaluate("window.here") == "never reloaded"


async def test_the_console_is_worked_by_keyboard(desk: Console, playwright: Playwright) -> None:
    async with _browser(playwright, DESK, "light") as context:
        page = await context.new_page()
        await _log_in(page, desk)
        await page.goto(desk.url + "/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.get_by_role("button", name="Restart", exact=True).focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Restart the replay?")
        await expect(dialog).to_be_visible()
        await expect(dialog.get_by_role("button", name="Keep it running")).to_be_focused()
        assert await _violations(page) == []
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()


async def test_zen_hides_amounts_and_the_theme_is_remembered(desk: Console, playwright: Playwright) -> None:
    async with _browser(playwright, DESK, "light") as context:
        page = await context.new_page()
        await _log_in(page, desk)
        await page.get_by_role("button", name="Hide amounts").click()
        await page.get_by_role("button", name="Switch between light and dark").click()
        await page.goto(desk.url + "/positions")
        amount = page.locator("#positions td.amount").first
        assert "blur" in await amount.evaluate("(cell) => getComputedStyle(cell).filter")
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        await page.get_by_role("button", name="Hide amounts").click()
        assert await amount.evaluate("(cell) => getComputedStyle(cell).filter") == "none"


async def test_the_inbox_is_read_with_one_press(desk: Console, playwright: Playwright) -> None:
    async with _browser(playwright, PHONE, "dark") as context:
        page = await context.new_page()
        seen = Seen(page, desk)
        await _log_in(page, desk)
        await page.goto(desk.url + "/notifications")
        unread = await page.locator("li.unread").count()
        assert unread > 2
        await page.locator("li.unread button").first.click()
        await expect(page.locator("li.unread")).to_have_count(unread - 1)
        await page.get_by_role("button", name="Mark all as read").click()
        await expect(page.locator("li.unread")).to_have_count(0)
        assert (await desk.get("/api/v1/notifications/?limit=1")).json()["unread"] == 0
        assert seen.wrong == []


async def test_older_items_come_page_by_page(desk: Console, playwright: Playwright) -> None:
    async with _browser(playwright, DESK, "light") as context:
        page = await context.new_page()
        await _log_in(page, desk)
        await page.goto(desk.url + "/notifications")
        older = page.get_by_role("button", name="Older")
        if await older.count():
            first = await page.locator("li.unread").first.get_attribute("id")
            await older.click()
            await expect(page.locator(f"#{first}")).to_have_count(0)
            assert await page.locator("#inbox li").count() > 0
        else:
            total = (await desk.get("/api/v1/notifications/?limit=200")).json()["notifications"]
            assert await page.locator("#inbox li").count() == len(total)
