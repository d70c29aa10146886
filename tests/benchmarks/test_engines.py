"""The benchmark of strategies measures what it says: both ways of the product make the same fills and equity. No time is asserted."""

from pathlib import Path

from tests.benchmarks.engines import OURS, Timed, disagreements, measure_cross, measure_wide


def test_the_ways_of_the_product_agree_on_the_same_bars(tmp_path: Path) -> None:
    found = measure_cross(tmp_path, 3_000, 1, without=("compiled", "vectorbt", "backtesting"))

    assert [one.engine for one in found] == list(OURS)
    assert found[0].fills > 20
    assert disagreements(found) == []
    assert all(0 < one.warm_s <= one.first_s < one.process_s for one in found)


def test_an_engine_that_makes_something_else_is_named() -> None:
    own, other = (Timed(name, 10, 4, equity, 1.0, 1.0, 1.0, 1.0) for name, equity in (("columns", 100.0), ("else", 100.01)))

    assert disagreements([own, other]) == ["else, 10 bars: 4 fills and 100.01"]


def test_many_symbols_are_run_in_a_process_of_their_own(tmp_path: Path) -> None:
    found = measure_wide(tmp_path, symbols=3)

    assert (found.symbols, found.bars) == (3, 7_560)
    assert found.fills > 0 and found.processor_s > 0 and len(found.digest) == 12
