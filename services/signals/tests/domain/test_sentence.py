"""Sentences that start a run: what they mean, and which word is not understood."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.values import Money
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.domain.proposing import parameters_from
from quantmatrix.signals.domain.sentence import BROKERS, FREQUENCIES, NotUnderstood, RunForm, read_sentence

STRATEGIES = {name: strategy.title for name, strategy in strategies_in_slot().items()}


def read(text: str) -> RunForm:
    found = read_sentence(text, STRATEGIES)
    assert isinstance(found, RunForm), str(found)
    return found


def not_understood(text: str) -> NotUnderstood:
    found = read_sentence(text, STRATEGIES)
    assert isinstance(found, NotUnderstood), found
    return found


def test_the_sentence_everybody_knows() -> None:
    found = read("Run ATR Options on TastyTrade, $10k, 20% profit, 80% reinvest")

    assert found == RunForm("atr_options", "tastytrade", Money(10_000, "USD"), Decimal("0.20"), Decimal("0.80"))


def test_premium_is_sold_in_a_sentence_of_its_own() -> None:
    found = read("Sell premium with ATR Options on TastyTrade, $20k, 50% profit, 300% stop")

    assert found == RunForm("atr_options", "tastytrade", Money(20_000, "USD"), Decimal("0.5"), stop_loss=Decimal(3), preset="short_premium")
    assert not_understood("sell premium with atr_options on paper, $20k, 501% stop").why == "stop lies between 0.1 % and 500 %"
    assert read(found.sentence()) == found
    assert not_understood("sell premium with the moon on paper, $20k").position == 18
    assert not_understood("sell shares with atr_options on paper, $20k").possible == ("run", "sell premium with")


def test_what_becomes_of_the_words_of_sold_premium() -> None:
    strategies = strategies_in_slot()
    options, matrix = (tuple(strategies[name].parameters.model_fields) for name in ("atr_options", "atr_matrix"))

    found = parameters_from(
        read("sell premium with ATR Options on paper, $20k, 50% profit, 300% stop, 40% position"), options, spreads=False
    )
    none = parameters_from(read("sell premium with ATR Matrix on paper, $20k"), matrix, spreads=False)

    assert found == {"preset": "short_premium", "profit_target_pct": 50.0, "short_stop_pct": 300.0, "secured_pct": 40.0}
    assert strategies["atr_options"].parameters.model_validate(found)
    assert isinstance(none, NotUnderstood) and (none.part, none.why) == ("atr_matrix", "atr_matrix sells no premium")
    assert "preset" not in parameters_from(read("run ATR Options on paper, $20k, 20% profit"), options, spreads=False)  # type: ignore[operator]


def test_its_sisters() -> None:
    conservative = read("Run Conservative DCA on IBKR, $25k, monthly rebalancing")
    aggressive = read("run aggressive DCA on interactive brokers, $50k, growth allocation")

    assert conservative == RunForm("dca_conservative", "ibkr", Money(25_000, "USD"), rebalancing="monthly")
    assert aggressive == RunForm("dca_aggressive", "ibkr", Money(50_000, "USD"), allocation="growth")


@pytest.mark.parametrize(
    ("amount", "dollars"),
    [("$10k", "10000"), ("$1.5m", "1500000"), ("$ 25,000", "25000"), ("$1,234,567.89", "1234567.89"), ("$500", "500"), ("$2.5K", "2500")],
)
def test_amounts(amount: str, dollars: str) -> None:
    assert read(f"run atr_matrix on paper, {amount}, 20% profit").capital == Money.parse(dollars, "USD")


def test_what_follows_the_amount_stands_in_any_order_and_form() -> None:
    found = read(
        "start  atr matrix  on  E*TRADE ,$10k,80% reinvestment , 5 % stop loss,12.5% profit target, 10% position size, weekly rebalancing."
    )

    assert found == RunForm(
        "atr_matrix", "etrade", Money(10_000, "USD"), Decimal("0.125"), Decimal("0.80"), Decimal("0.05"), Decimal("0.10"), "weekly"
    )


@pytest.mark.parametrize(
    ("text", "part", "position", "offers"),
    [
        ("walk atr_matrix on paper, $10k", "walk", 0, "run"),
        ("", "", 0, "run"),
        ("run atr matrx on paper, $10k", "atr matrx", 4, "ATR Matrix"),
        ("run the moon on paper, $10k", "the moon", 4, "ATR Options"),
        ("run atr_matrix, $10k", "atr_matrix", 4, "on paper"),
        ("run atr_matrix on tastytrad, $10k", "tastytrad", 18, "tastytrade"),
        ("run atr_matrix on mars, $10k", "mars", 18, "alpaca"),
        ("run atr_matrix on paper", "", 23, "$10k"),
        ("run atr_matrix on paper, 10k", "10k", 25, "$10k"),
        ("run atr_matrix on paper, $0", "$0", 25, "$10k"),
        ("run atr_matrix on paper, $1.001", "$1.001", 25, "$10k"),
        ("run atr_matrix on paper, $10k, 20% luck", "20% luck", 31, "20% profit"),
        ("run atr_matrix on paper, $10k, hourly rebalancing", "hourly", 31, "monthly"),
        ("run atr_matrix on paper, $10k, lunar allocation", "lunar", 31, "growth"),
        ("run atr_matrix on paper, $10k, quickly", "quickly", 31, "80% reinvest"),
    ],
)
def test_a_word_that_is_not_understood_is_named_with_what_is_possible(text: str, part: str, position: int, offers: str) -> None:
    found = not_understood(text)

    assert (found.part, found.position) == (part, position)
    assert offers in found.possible
    assert text[position : position + len(part)] == part


@pytest.mark.parametrize(
    ("clauses", "why"),
    [
        ("20% profit, 30% profit", "this was said before"),
        ("monthly rebalancing, weekly rebalancing", "this was said before"),
        ("101% reinvest", "reinvest lies between 0 % and 100 %"),
        ("0% profit", "profit lies between 1 % and 1000 %"),
        ("20% profit on mondays only", "a percentage of what?"),
    ],
)
def test_a_clause_twice_or_out_of_bounds_is_refused(clauses: str, why: str) -> None:
    assert not_understood(f"run atr_matrix on paper, $10k, {clauses}").why == why


def test_a_very_long_sentence_is_not_read() -> None:
    assert "at most 300" in str(not_understood("run " + "x" * 400))


forms = st.builds(
    RunForm,
    strategy=st.sampled_from(sorted(STRATEGIES)),
    broker=st.sampled_from(sorted(BROKERS)),
    capital=st.integers(1, 10**10).map(lambda cents: Money(Decimal(cents) / 100, "USD")),
    profit_target=st.none() | st.integers(10, 10_000).map(lambda tenths: Decimal(tenths) / 1_000),
    reinvest=st.none() | st.integers(0, 1_000).map(lambda tenths: Decimal(tenths) / 1_000),
    stop_loss=st.none() | st.integers(1, 1_000).map(lambda tenths: Decimal(tenths) / 1_000),
    rebalancing=st.none() | st.sampled_from(FREQUENCIES),
)


@given(forms)
def test_the_echo_of_a_form_reads_as_the_form(form: RunForm) -> None:
    assert read_sentence(form.sentence(), STRATEGIES) == form


@given(st.text(max_size=120))
def test_no_text_at_all_makes_it_fail(text: str) -> None:
    found = read_sentence(text, STRATEGIES)

    assert isinstance(found, RunForm | NotUnderstood)
    assert isinstance(read_sentence(f"run atr_matrix on paper, $10k, {text}", STRATEGIES), RunForm | NotUnderstood)
