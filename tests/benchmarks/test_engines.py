"""The benchmark of strategies measures what it says: both ways of the product make the same fills and equity. No time is asserted."""

from pathlib import Path

from tests.benchmarks.engines import OURS, THEIRS, Timed, disagreements, measure_cross, measure_live, measure_wide, verdicts_of_engines
from tests.benchmarks.sweeps import Swept, measure_sweep, strays


def test_the_ways_of_the_product_agree_on_the_same_bars(tmp_path: Path) -> None:
    found = measure_cross(tmp_path, 3_000, 1, without=THEIRS)

    assert [one.engine for one in found] == list(OURS)
    assert found[0].fills > 20
    assert disagreements(found) == []
    assert all(0 < one.warm_s <= one.first_s < one.process_s for one in found)


def test_an_engine_that_makes_something_else_is_named() -> None:
    own, other = (Timed(name, 10, 4, equity, 1.0, 1.0, 1.0, 1.0) for name, equity in (("columns", 100.0), ("else", 100.01)))

    assert disagreements([own, other]) == ["else, 10 bars: 4 fills and 100.01"]


def test_ratios_are_those_of_the_quickest_runs_on_the_fewest_bars() -> None:
    seconds = {"columns": 0.01, "events": 0.5, "vectorbt": 0.04, "backtesting": 1.0}
    timed = [Timed(name, 10, 4, 1.0, 9.0, warm_s, 2 * warm_s, 9.0) for name, warm_s in seconds.items()]

    told = verdicts_of_engines([*timed, Timed("columns", 40, 4, 1.0, 9.0, 9.0, 9.0, 9.0)])

    assert told == [
        "  freqtrade: not finished after 120 s",
        "  nautilus: not finished after 90 s",
        "✓ columns: 4.0 times as fast as vectorbt, 4.0 by processor time (wanted: 3)",
        "✓ events: 2.0 times as fast as backtesting, 2.0 by processor time (wanted: 1)",
    ]


def test_many_symbols_are_run_in_a_process_of_their_own(tmp_path: Path) -> None:
    found = measure_wide(tmp_path, symbols=6)

    assert (found.symbols, found.bars) == (6, 15_120)
    assert found.fills > 0 and found.processor_s > 0 and len(found.digest) == 12

    live = measure_live(tmp_path)
    assert (live.symbols, live.few) == (6, 5)
    assert 0 < live.few_ms <= live.few_usual_ms and 0 < live.all_ms <= live.all_usual_ms


def test_a_sweep_of_a_hundred_pairs_has_the_figures_of_each(tmp_path: Path) -> None:
    (found,) = measure_sweep(tmp_path, 3_000, engines=("columns",))

    assert len(found.pairs) == 100 and all(trades > 0 and fall < 0 for trades, _, _, fall in found.pairs)
    assert 0 < found.warm_s <= found.first_s and found.peak_mib > 50


def test_pairs_that_come_to_something_else_are_counted() -> None:
    own = [[3, 100.0, 0.1, -0.2], [4, 90.0, -0.1, -0.3]]
    other = [[3, 100.0, 0.1, -0.2000001], [4, 90.01, -0.1, -0.3]]

    told = [Swept(name, 10, pairs, 1.0, 1.0, 1.0, 1.0) for name, pairs in (("columns", own), ("else", other))]

    assert strays(told) == ["else: 1 of 2 pairs"]
