"""The console in a real browser: launching it, logging in, what axe and the browser complain about."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from services.gateway.tests.running import PASSWORD, Console

from quantmatrix.common.testing.waiting import WITHIN_S

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
Scheme = Literal["light", "dark"]
PAGES = (
    "/",
    "/positions",
    "/days",
    "/days/2004-01-02",
    "/days/2004-01-03",
    "/days/2009-01-02",
    "/performance",
    "/performance/taxes",
    "/performance/allocation",
    "/performance/profits",
    "/statements",
    "/orders",
    "/strategies",
    "/strategies/atr_matrix",
    "/ticket?symbol=AAPL",
    "/accounts",
    "/backtests",
    "/backtests/new/moving_average_cross",
    "/backtests/lookahead",
    "/signals",
    "/scans",
    "/scans?preset=all&f.min_price=1",
    "/scans/advice",
    "/scans/advice?market_cap=60e9&unrealised_pct=-16",
    "/symbols",
    "/symbols/AAPL",
    "/notifications",
    "/system",
    "/users",
    "/me",
    "/about",
)
expect.set_options(timeout=WITHIN_S * 1e3)
NEEDS_CHROMIUM = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium here")


class Seen:
    """What a page complained about: console errors, failed requests, requests to other hosts."""

    def __init__(self, page: Page, console: Console) -> None:
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(console.url) else self.wrong.append(f"asked {request.url}"))


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Chromium, for as many profiles as are wanted."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def browser(size: tuple[int, int], scheme: Scheme, chromium: Browser | None = None) -> AsyncIterator[BrowserContext]:
    """An empty profile, in a Chromium that runs or in one of its own."""
    async with AsyncExitStack() as stack:
        context = await (chromium or await stack.enter_async_context(launched())).new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        context.set_default_timeout(WITHIN_S * 1e3)
        try:
            yield context
        finally:
            await context.close()


async def log_in(page: Page, console: Console) -> None:
    await page.goto(f"{console.url}/login")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(lambda url: "/login" not in url)


async def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA and its own best practices."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    return await _found(page, {})


async def colour_violations(page: Page) -> list[str]:
    """What axe finds about colours only, on a page that `violations` has looked at."""
    return await _found(page, {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}})


async def _found(page: Page, more: dict[str, Any]) -> list[str]:
    found: list[dict[str, Any]] = await page.evaluate(
        "(options) => axe.run(document, options).then((found) => found.violations)",
        {"resultTypes": ["violations"], "preload": False, **more},
    )
    return [f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}" for one in found for node in one["nodes"]]


async def settled(page: Page) -> None:
    """The page and its charts are there."""
    await page.wait_for_load_state("load")
    for chart in await page.locator("qm-equity, qm-course, qm-drawdown, qm-candles").all():
        await expect(chart).to_have_attribute("data-state", "drawn")
