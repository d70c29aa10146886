"""The statements page in a real browser: several files at once, each with its own choices, progress and outcome; a duplicate is refused."""

import os
from pathlib import Path

from playwright.async_api import expect
from services.gateway.tests.browsing import DESK, NEEDS_CHROMIUM, Seen, browser, log_in
from services.gateway.tests.running import Console
from services.portfolio.tests.importers.activity_samples import STATEMENT
from services.portfolio.tests.importers.chained_samples import FEBRUARY, IRA, JANUARY

from quantmatrix.common.testing.here import StartHere
from quantmatrix.operations.testing import FreshDatabase

pytestmark = NEEDS_CHROMIUM
FILES = {
    "january.csv": JANUARY, "february.csv": FEBRUARY, "ira.csv": IRA, "again.csv": JANUARY,
    "wrong.csv": STATEMENT.replace("Ending Value,203799", "Ending Value,203798"),
}  # fmt: skip
SAID = {
    "january.csv": "completed: reconciled; 4 booked",
    "february.csv": "completed: reconciled; 2 booked",
    "ira.csv": "completed: reconciled; 3 booked",
    "again.csv": "failed: the same file as january.csv",
    "wrong.csv": "failed: the file contradicts itself: I6 by -1 USD",
}


async def test_several_files_at_once_each_with_its_own_choices_and_outcome(
    console: Console, start_here: StartHere, database: FreshDatabase, tmp_path: Path
) -> None:
    await start_here("portfolio")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    async with browser(DESK, "light") as context:
        page = await context.new_page()
        seen = Seen(page, console)
        await log_in(page, console)
        await page.goto(f"{console.url}/statements")
        await page.get_by_label("Files, chosen or dropped here").set_input_files([tmp_path / name for name in FILES])
        rows = page.locator("[data-files] li")
        await expect(rows).to_have_count(len(FILES))
        await expect(rows.first).to_contain_text("pending")
        await page.get_by_label("Gains of ira.csv").select_option("tax-deferred")
        await page.get_by_label("Begin of ira.csv").fill("2024-02-01")

        await page.get_by_role("button", name="Book", exact=True).click()

        for place, name in enumerate(FILES):
            await expect(rows.nth(place)).to_contain_text(f"{name} {SAID[name]}")
        bars = await page.locator("[data-files] progress").evaluate_all("all => all.map(one => [one.value, one.max])")
        assert bars == [[len(text.encode()), len(text.encode())] for text in FILES.values()]
        imported = page.locator("#imported")
        for name in ("january.csv", "february.csv", "ira.csv"):
            await expect(imported.get_by_text(name)).to_be_visible()
        await expect(imported.get_by_text("wrong.csv")).to_have_count(0)
        if folder := os.environ.get("SHOTS"):
            await page.screenshot(path=Path(folder) / "statements.png", full_page=True)
    treated = await database.fetch("portfolio", "select number, treatment from statement_account order by number")
    assert [tuple(row) for row in treated] == [("U0000001", "taxable"), ("U0000002", "tax-deferred")]
    assert seen.wrong == []
