"""Every kind of figure leads to where it comes from: pressed one by one, until an execution, a row of a file or a closing price."""

import pytest
from playwright.async_api import Browser, Page, expect
from services.gateway.tests.browsing import DESK, NEEDS_CHROMIUM, Seen, browser, log_in, violations
from services.gateway.tests.running import Desk

pytestmark = [pytest.mark.browser, NEEDS_CHROMIUM, pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(10)]

FIGURES = (
    ("/", '.kpi a[href*="of=equity"]', "closing price"),
    ("/", '.kpi a[href*="of=profit"]', "ledger"),
    ("/", '.kpi a[href*="of=realised"]', "execution"),
    ("/", '.kpi a[href*="of=unrealised"]', "execution"),
    ("/", '.kpi a[href*="of=cash"]', "rule"),
    ("/", '#holdings a[href*="of=unrealised"]', "execution"),
    ("/positions", '#positions a[href*="of=unrealised"]', "closing price"),
    ("/positions", '#positions a[href*="of=realised"]', "execution"),
    ("/positions", '#lots a[href*="of=lot"]', "execution"),
    ("/positions", '#lots a[href*="of=unrealised"]', "execution"),
    ("/positions", '#closings a[href*="closing="]', "execution"),
    ("/performance", '.kpi a[href*="of=profit"]', "ledger"),
    ("/performance", '#performance a[href*="year="][href*="derivation"]', "execution"),
    ("/performance/profits", '#profits a[href*="of=profit"]', "closing price"),
)


async def test_one_figure_of_each_kind_is_pressed(desk: Desk, chromium: Browser) -> None:
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        seen = Seen(page, desk)
        await log_in(page, desk)
        for path, selector, source in FIGURES:
            await page.goto(desk.url + path)
            await page.locator(selector).first.click()
            lines = page.locator("#derivation")
            await expect(lines, f"{selector} of {path}").to_contain_text(source)
            await expect(page.locator("#lines-title + span")).to_have_text("complete")
        assert await violations(page) == []
        assert seen.wrong == []


async def test_a_line_that_stands_for_many_leads_on_to_them(desk: Desk, chromium: Browser) -> None:
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        await log_in(page, desk)
        await page.goto(desk.url + "/performance/derivation?of=equity")
        await _press(page, "cash")
        await _press(page, "fee")
        await expect(page.locator("#derivation")).to_contain_text("execution")


async def _press(page: Page, begins: str) -> None:
    async with page.expect_navigation():
        await page.locator("#derivation a").filter(has_text=begins).first.click()
