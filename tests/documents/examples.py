"""The worked examples and their tests: `python -m tests.documents.examples` writes the list, with `--run` it runs them all.

A test names its examples itself, at the start of its docstring (`L5 and L6: …`), at its end (`(R9)`) or in its name (`test_r7_…`).
Tests that name none are listed here.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.documents import proofs
from tests.documents.proofs import ROOT

PAGE = Path("docs/worked-examples.md")
FAMILIES = {"L": 16, "B": 16, "O": 13, "W": 11, "F": 4, "R": 14}
"""How many numbered examples there are of lots, basis, options, wash sales, currencies and returns."""
LOTS, SIGNALS = "services/portfolio/tests/domain/test_lots.py", "services/signals/tests"
EXECUTION = "services/execution/tests"
UNNAMED: Mapping[str, tuple[str, ...]] = {
    "L14": (f"{LOTS}::test_an_order_that_crosses_zero_closes_and_opens_with_its_fee_shared", f"{LOTS}::test_crossing_zero_from_below"),
    "L15": (f"{LOTS}::test_the_sum_over_partial_sales_is_exact_though_single_bases_are_rounded",),
    "L16": (f"{LOTS}::test_a_total_basis_is_kept_and_no_rounded_unit_price",),
    "B1": (f"{LOTS}::test_fees_are_inside_the_basis_and_inside_the_proceeds",),
    "B2": ("services/portfolio/tests/domain/test_terms.py::test_long_term_is_more_than_a_year",),
    "B3": (f"{LOTS}::test_a_split_divides_lot_by_lot_and_keeps_basis_and_dates",),
    "B4": (f"{LOTS}::test_a_reverse_split_keeps_the_basis",),
    "ATR, basic": (
        f"{SIGNALS}/domain/test_indicators.py::test_true_ranges_of_the_worked_example",
        f"{SIGNALS}/domain/test_indicators.py::test_wilders_seed_starts_with_the_mean_of_the_first_ranges_and_follows_his_recursion",
    ),
    "ATR, options": (
        f"{SIGNALS}/domain/test_volatility.py::test_the_worked_example_of_options",
        f"{SIGNALS}/domain/options/test_selling.py::test_the_worked_example_sells_at_174_60_on_the_nearest_listed_strike",
    ),
    "a sold put": (
        f"{EXECUTION}/brokers/test_sold_puts.py::test_a_put_is_sold_decays_and_is_bought_back",
        f"{EXECUTION}/brokers/test_sold_puts.py::test_a_sold_put_that_nobody_offers_is_assigned_on_its_last_day",
    ),
    "ATR, portfolio": (f"{SIGNALS}/domain/test_volatility.py::test_the_worked_example_of_a_portfolio",),
    "ATR Matrix": (f"{SIGNALS}/strategies/test_atr_matrix.py::test_the_worked_example_is_an_entry_of_44_shares",),
    "cycles of a run": (
        f"{SIGNALS}/domain/test_ledger.py::test_the_worked_cycles_of_ten_thousand_as_rows",
        f"{SIGNALS}/test_run_capital.py::test_four_cycles_book_the_rows_of_the_worked_example",
    ),
    "contributions": (
        f"{SIGNALS}/domain/test_allocation.py::test_a_first_contribution_is_spread_by_weight",
        f"{SIGNALS}/domain/test_allocation.py::test_a_contribution_goes_where_most_is_missing_and_cures_the_bands",
        f"{SIGNALS}/domain/test_allocation.py::test_what_contributions_cannot_cure_is_brought_to_its_targets",
    ),
    "the sentence of a run": (f"{SIGNALS}/domain/test_sentence.py::test_the_sentence_everybody_knows",),
    "scores of a bot": (f"{SIGNALS}/domain/bots/test_scores.py::test_the_worked_example_of_all_three",),
    "price of an option": (f"{SIGNALS}/domain/options/test_pricing.py::test_the_textbook_example_of_a_put_on_a_future",),
    "figures of trades": (f"{SIGNALS}/backtest/test_statistics.py::test_five_trades_have_the_figures_of_the_worked_example",),
    "a fair share": (f"{SIGNALS}/domain/test_envelope.py::test_a_fair_share_of_a_thousand_among_three",),
    "a million": (f"{SIGNALS}/domain/test_envelope.py::test_a_million_needs_thirty_two_cycles",),
    "an RSI, averages and a MACD": (
        f"{SIGNALS}/domain/bots/test_scores.py::test_the_score_of_an_rsi",
        f"{SIGNALS}/domain/bots/test_scores.py::test_the_score_of_two_averages_apart",
        f"{SIGNALS}/domain/bots/test_scores.py::test_the_score_of_a_macd_is_the_same_at_any_price_level",
        f"{SIGNALS}/domain/bots/test_scores.py::test_temperature_is_the_size_of_the_score",
    ),
    "distance and multiple": (f"{SIGNALS}/domain/test_trend.py::test_distance_and_multiple_are_two_numbers",),
    "advisory rules": (
        f"{SIGNALS}/domain/test_advice.py::test_a_rule_advises",
        f"{SIGNALS}/domain/test_advice.py::test_bounds_cut_purchases_and_hold_profits_back",
    ),
    "an entry in a letter": (
        "services/notify/tests/test_wording.py::test_an_entry_has_the_figures_of_its_levels_and_at_most_five_conditions",
    ),
    "distance between alerts": (
        "services/notify/tests/domain/test_throttle.py::test_the_second_of_a_kind_waits_out_the_cooldown_and_another_kind_does_not",
        "services/notify/tests/domain/test_throttle.py::test_the_twenty_first_of_a_minute_waits_for_the_first_to_be_a_minute_old",
    ),
    "figures of a day": ("services/notify/tests/test_day_figures.py::test_the_worked_example_of_a_day",),
    "phases of 2026": (
        "libs/common/tests/values/test_calendars.py::test_the_worked_days_of_2026",
        "services/market/tests/test_phases.py::test_a_half_day_from_night_to_weekend",
    ),
    "deflated Sharpe ratio": (f"{SIGNALS}/backtest/test_doubt.py::test_the_example_of_the_paper",),
}
NOT_BUILT: Mapping[str, str] = {
    "sector and size class of an entry": "no feed here knows them; what is not known is not made up",
    "RSI of an entry of ATR Matrix": "its columns have none; a strategy that tells `rsi` has it shown",
    "top and bottom positions and sectors in the summary": "the positions are there by size; the page of the portfolio ranks them",
    "API calls and data uptime in the summary": "metrics of the services, kept by Prometheus, not by a person's day",
    "webhooks of each user": "Discord is the administrator's; everybody has an inbox",
    "notifications of news, earnings and token renewal": "nothing here hears of them",
    "the economic calendar of a morning": "no feed here has one",
    "a calendar that is always open": "no feed here trades by one",
    "custom alerts with conditions and groups": "not built",
    "a confirmation of five minutes unless one is chosen": "bots decide on daily bars, where nobody looks twice within five minutes; the default is none",
    "a stop at the broker beside a trailing exit": "exits of a run are decided on closes; a person can place a stop order beside it",
    "a scan that is kept for half an hour, of instruments by priority": "a scan reads all that is listed at once; the least confidence is a filter of it",
    "a status kept with each signal": "its order, its fills and its follow-up say what became of it",
    "scans at fixed hours, weekly letters, cleaning up by schedule": "not built; scans are asked for, letters hang on phases",
    "schedules, backfill and index constituents in an admin panel": "not built; the replay and files bring the data",
}
"""What strategies and alerts of this kind often have, and this has not, with the reason."""
_ID = r"[LBOWFR]\d{1,2}"
_HEAD = re.compile(rf"({_ID})(?:(?:, | and | to )({_ID}))?(?:(?:, | and )({_ID}))?\b")
_TAIL = re.compile(rf"\(({_ID})\)\.?")
_NAME = re.compile(r"test_([lbowfr]\d{1,2})_")


def named() -> dict[str, list[str]]:
    """The tests of each example, by the example's name, as pytest takes them."""
    found: dict[str, list[str]] = {f"{letter}{number}": [] for letter, count in FAMILIES.items() for number in range(1, count + 1)}
    for path in sorted(ROOT.glob("**/tests/**/test_*.py")):
        if not path.relative_to(ROOT).parts[0].startswith("."):
            for example, test in _of(path):
                found.setdefault(example, []).append(test)
    for example, tests in UNNAMED.items():
        found.setdefault(example, []).extend(tests)
    return found


def _of(path: Path) -> Iterator[tuple[str, str]]:
    for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_"):
            text = ast.get_docstring(one) or ""
            head, tail, name = _HEAD.match(text), _TAIL.search(text), _NAME.match(one.name)
            examples = [example for match in (head, tail, name) if match for example in match.groups() if example]
            for example in dict.fromkeys(example.upper() for example in examples):
                yield example, f"{path.relative_to(ROOT)}::{one.name}"


def absent() -> list[str]:
    """The tests of the list that are not there."""
    return proofs.absent(test for tests in UNNAMED.values() for test in tests)


def page() -> str:
    """The list as Markdown."""
    lines = [
        "# Worked examples",
        "",
        "Published and measured figures, and the tests that compute them. `python -m tests.documents.examples`",
    ]
    lines += ["writes this page, with `--run` it runs every test on it.", "", "| example | tests |", "|---|---|"]
    lines += [f"| {example} | {'<br>'.join(f'`{test}`' for test in tests)} |" for example, tests in named().items()]
    lines += ["", "## What is not built", "", "| what | why |", "|---|---|"]
    lines += [f"| {what} | {why} |" for what, why in NOT_BUILT.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="store_true", help="run the tests, too")
    given = parser.parse_args()
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
    found = named()
    tests = sorted({test for own in found.values() for test in own})
    sys.stdout.write(f"{PAGE}: {len(found)} examples, {len(tests)} tests\n")
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False).returncode if given.run else 0


if __name__ == "__main__":
    sys.exit(main())
