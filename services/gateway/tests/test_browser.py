"""The console after a replay: accessible, quiet, drawn; in light and dark, on a desk and on a phone."""

from decimal import Decimal

import pytest
from playwright.async_api import Browser, Page, expect
from services.gateway.tests.browsing import (
    DESK,
    NEEDS_CHROMIUM,
    PAGES,
    PHONE,
    Scheme,
    Seen,
    browser,
    colour_violations,
    log_in,
    settled,
    violations,
)
from services.gateway.tests.running import Console, Desk, backtest_ended

from quantmatrix.common.testing.waiting import wait_until

pytestmark = [pytest.mark.browser, NEEDS_CHROMIUM, pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(45)]


async def test_every_page_is_accessible_quiet_and_fits(desk: Desk, chromium: Browser) -> None:
    order = (await desk.get("/api/v1/orders/?limit=1")).json()["orders"][0]["order_id"]
    ran = [
        await _backtest(desk, **more)
        for more in ({}, {"grid": GRID}, {"grid": GRID, "windows": {"inside": 40, "outside": 20}}, {"cuts": 30})
    ]
    backtests = [*(f"/backtests/{number}" for number in ran), f"/backtests/compare?id={ran[0]}&id={ran[2]}"]
    backtests.append(f"/backtests/{ran[0]}/monte-carlo")
    async with browser(PHONE, "dark", chromium) as context:
        paths = (*PAGES, *backtests, f"/orders/{order}", "/no-such-page")
        wrong = await _complaints(await context.new_page(), desk, paths)

    assert wrong == []


GRID = {"fast": [2, 3, 4], "slow": [6, 8]}


async def _backtest(desk: Desk, **more: object) -> int:
    """The number of one that is done."""
    asked = {"strategy": "moving_average_cross", "symbols": ["AAPL"], "capital": "50000", "parameters": {"fast": 2, "slow": 6}, **more}
    number: int = (await desk.post("/api/v1/backtests/", asked)).json()["backtest_id"]
    assert await backtest_ended(desk, number) == "done"
    return number


async def _complaints(page: Page, console: Console, paths: tuple[str, ...]) -> list[str]:
    """What is wrong with the pages: each is opened on a phone in the dark, made light, laid on a desk, and made dark again."""
    seen = Seen(page, console)
    await page.goto(f"{console.url}/login")
    wrong = [f"/login {one}" for one in await _on_phone_and_desk(page)]
    await log_in(page, console)
    for path in paths:
        said = len(seen.wrong)
        answer = await page.goto(console.url + path)
        assert answer is not None and answer.status == (404 if path == "/no-such-page" else 200)
        if answer.status == 404:
            del seen.wrong[said:]  # the browser writes the expected 404 to its console
        wrong += [f"{path} {one}" for one in await _on_phone_and_desk(page)]
    return wrong + seen.wrong


async def _on_phone_and_desk(page: Page) -> list[str]:
    """Of the page as it is open, a phone's and dark; it is so again afterwards."""
    wrong = await _in_both_schemes(page, PHONE, "light")
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    wrong += await _in_both_schemes(page, DESK, "dark")
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    return wrong


async def _in_both_schemes(page: Page, size: tuple[int, int], other: Scheme) -> list[str]:
    """What axe finds, about colours in the other scheme too, and how far the page is too wide. It is in the other scheme afterwards."""
    await settled(page)
    wrong = await violations(page)
    width = await page.evaluate("document.documentElement.scrollWidth")
    wrong += [f"is {width} px wide"] if width > size[0] else []
    paper = await page.evaluate(_PAPER)
    await page.emulate_media(color_scheme=other)
    assert await page.evaluate(_PAPER) != paper, f"{page.url} looks the same in {other}"
    wrong += [f"{other}: {one}" for one in await colour_violations(page)]
    return [f"{size[0]} px: {one}" for one in wrong]


_PAPER = "() => getComputedStyle(document.body).backgroundColor"


async def test_candles_averages_ladder_and_fills_are_drawn(desk: Desk, chromium: Browser) -> None:
    fills = (await desk.get("/api/v1/market/chart/AAPL?limit=600")).json()["fills"]
    assert fills, "the replay has fills of AAPL"
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        await log_in(page, desk)
        await page.goto(f"{desk.url}/symbols/AAPL")
        chart = page.locator("qm-candles")
        await expect(chart).to_have_attribute("data-state", "drawn")
        label = await chart.get_attribute("aria-label") or ""
        assert "daily candles until 2004-04-30" in label and f"{len(fills)} fills" in label

        async def painted() -> bool:  # with the next frame
            return all(pixels > 20 for pixels in (await page.evaluate(_COLOURS)).values())

        await wait_until(painted, "candles of both colours and both averages are painted")
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


async def test_the_console_is_worked_by_keyboard(desk: Desk, chromium: Browser) -> None:
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        await log_in(page, desk)
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
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()


async def test_zen_hides_amounts_and_the_theme_is_remembered(desk: Desk, chromium: Browser) -> None:
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        await log_in(page, desk)
        await page.get_by_role("button", name="Hide amounts").click()
        await page.get_by_role("button", name="Switch between light and dark").click()
        await page.goto(desk.url + "/positions")
        amount = page.locator("#positions td.amount").first
        assert "blur" in await amount.evaluate("(cell) => getComputedStyle(cell).filter")
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        await page.get_by_role("button", name="Hide amounts").click()
        assert await amount.evaluate("(cell) => getComputedStyle(cell).filter") == "none"


async def test_gains_and_losses_in_other_colours_are_remembered_and_readable(desk: Desk, chromium: Browser) -> None:
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        await log_in(page, desk)
        await page.goto(desk.url + "/positions")
        figures = page.locator("#closings .up, #closings .down")
        before = await figures.first.evaluate(_INK)
        switch = page.get_by_role("button", name="Gains in blue, losses in orange")
        await switch.click()
        await expect(switch).to_have_attribute("aria-pressed", "true")
        assert await figures.first.evaluate(_INK) != before
        await page.goto(desk.url + "/orders")
        await expect(switch).to_have_attribute("aria-pressed", "true")
        assert await violations(page) == []
        await page.get_by_role("button", name="Switch between light and dark").click()
        assert await colour_violations(page) == []
        await switch.click()
        await page.goto(desk.url + "/positions")
        await page.get_by_role("button", name="Switch between light and dark").click()
        assert await figures.first.evaluate(_INK) == before


_INK = "(figure) => getComputedStyle(figure).color"


async def test_the_inbox_is_read_with_one_press(desk: Desk, chromium: Browser) -> None:
    async with browser(PHONE, "dark", chromium) as context:
        page = await context.new_page()
        seen = Seen(page, desk)
        await log_in(page, desk)
        await page.goto(desk.url + "/notifications")
        unread = await page.locator("li.unread").count()
        assert unread > 2
        await page.locator("li.unread button").first.click()
        await expect(page.locator("li.unread")).to_have_count(unread - 1)
        await page.get_by_role("button", name="Mark all as read").click()
        await expect(page.locator("li.unread")).to_have_count(0)
        assert (await desk.get("/api/v1/notifications/?limit=1")).json()["unread"] == 0
        assert seen.wrong == []


async def test_days_are_walked_from_the_overview_back_and_forth(desk: Desk, chromium: Browser) -> None:
    """2004-04-30 is the last session of the replay; the sessions before it are the 29th and the 28th."""
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        seen = Seen(page, desk)
        await log_in(page, desk)
        await page.locator("#kpis").get_by_role("link", name="Day", exact=True).click()
        await page.wait_for_url("**/days/2004-04-30")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Friday, 2004-04-30")
        worth = (await desk.get("/api/v1/portfolio/days/2004-04-30")).json()["days"][0]["end"]["amount"]
        await expect(page.locator("#day .kpi.lead p").first).to_have_text(f"${Decimal(worth):,.2f}")
        sessions = page.get_by_role("navigation", name="Sessions")
        await expect(sessions.get_by_role("link")).to_have_text(["‹ 2004-04-29"])
        await sessions.get_by_role("link").click()
        await page.wait_for_url("**/days/2004-04-29")
        await expect(sessions.get_by_role("link")).to_have_text(["‹ 2004-04-28", "2004-04-30 ›"])
        await page.get_by_label("Session", exact=True).fill("2004-01-31")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("#day")).to_have_text("2004-01-31 is no session of XNYS.")
        await expect(sessions.get_by_role("link")).to_have_text(["‹ 2004-01-30", "2004-02-02 ›", "Latest"])
        assert seen.wrong == []


async def test_advice_is_asked_for_with_bounds_of_ones_own(desk: Desk, chromium: Browser) -> None:
    """The aggressive rule buys 20 percent of a growth holding at a loss of 16; the bound cuts it. December begins on a Tuesday, its week on Monday."""
    async with browser(PHONE, "light", chromium) as context:
        page = await context.new_page()
        seen = Seen(page, desk)
        await log_in(page, desk)
        await page.goto(desk.url + "/scans")
        await page.get_by_role("link", name="Advice on a holding").click()
        await page.get_by_label("Market value of the company, $").fill("60000000000")
        await page.get_by_label("Gain on its cost, %").fill("-16")
        await page.get_by_label("In a growth sector").select_option("yes")
        await page.get_by_label("Rule", exact=True).select_option("aggressive")
        await page.get_by_role("button", name="Ask").click()
        row = page.get_by_role("region", name="What the rules say, table").locator("tbody tr")
        await expect(row.locator("td").nth(2)).to_have_text("20 %")
        await page.get_by_label("Largest increase, %").fill("15")
        await page.get_by_label("Figures of").fill("2026-11-27")
        await page.get_by_role("button", name="Ask").click()
        await expect(row.locator("td").nth(2)).to_have_text("15 %")
        await expect(row.locator("td").nth(1)).to_have_text("buy")
        await expect(page.get_by_text("look again on 2026-12-01")).to_be_visible()
        await page.get_by_label("Looked at").select_option("weekly")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.get_by_text("look again on 2026-11-30")).to_be_visible()
        await page.goto(desk.url + "/scans/advice?market_cap=60e9")
        await expect(page.get_by_role("alert")).to_have_text("the gain is missing")
        await page.goto(desk.url + "/scans/advice?market_cap=60e9&unrealised_pct=1&s.max_position_increase=26")
        await expect(page.get_by_role("alert")).to_contain_text("less than or equal to 25")
        assert seen.wrong == []


async def test_older_items_come_page_by_page(desk: Desk, chromium: Browser) -> None:
    async with browser(DESK, "light", chromium) as context:
        page = await context.new_page()
        await log_in(page, desk)
        await page.goto(desk.url + "/notifications")
        older = page.get_by_role("button", name="Older")
        if await older.count():
            first = await page.locator("#inbox li").first.get_attribute("id")
            await older.click()
            await expect(page.locator(f"#{first}")).to_have_count(0)
            await expect(page.locator("#inbox li")).not_to_have_count(0)
        else:
            total = (await desk.get("/api/v1/notifications/?limit=200")).json()["notifications"]
            assert await page.locator("#inbox li").count() == len(total)
