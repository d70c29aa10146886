"""Returns, taxes, reports and derivations from a real database, against figures by hand."""

import csv
import io
import itertools
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from services.portfolio.tests.test_booking import DAY, corrected, filled, moment, opened, prices, split

from quantmatrix.common.contracts.asking.derivations import DerivationAsked
from quantmatrix.common.contracts.asking.performance import (
    BenchmarkClose,
    IncomeAsked,
    LossCandidatesAsked,
    Performance,
    PerformanceAsked,
    ReportAsked,
    ReportName,
)
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.fills import OrderFilled, SettledWatermark
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import CorporateActionAnnounced, InstrumentListed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, ActionKind, UserId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.portfolio import performance_answers
from quantmatrix.portfolio.derivation_answers import derivation
from quantmatrix.portfolio.performance_answers import income, loss_candidates, performance, report

walkers = itertools.count(1)
STRANGER = UserId(derived_id("somebody else"))


async def session(pages: Pages, number: int, close: str, *fills: OrderFilled) -> None:
    """A day: its prices, its fills, and the snapshot at its end."""
    for message in (*prices(number, close), *fills):
        await pages.hear(message)
    await pages.hear(like(SettledWatermark, session=DAY + timedelta(days=number), moment=moment(number), covers={}))


async def three_days(pages: Pages) -> None:
    """100,000; 100 bought at 10 (fee 1), 11 at the close; 40 sold at 12 (fee 1), 12.50 at the close; 9 at the last close."""
    await opened(pages)
    await session(pages, 1, "11", filled(1, 100, "10", "1"))
    await session(pages, 2, "12.50", filled(2, -40, "12", "1"))
    await session(pages, 3, "9")


async def asked(pages: Pages, **more: Any) -> Performance:
    (found,) = (await performance(PerformanceAsked(**{"user_id": USER, **more}), pages.connection)).performances
    return found


async def test_three_days_by_hand(pages: Pages) -> None:
    await three_days(pages)

    found = await asked(pages)

    # Equity: 100,000 - 1 + 100 = 100,099; then 98,999 + 479 + 60 × 12.50 = 100,228; then 99,478 + 540 = 100,018.
    assert [point.equity for point in found.points] == [usd("100099"), usd("100228"), usd("100018")]
    assert (found.start, found.came_in, found.went_out, found.gain) == (usd(0), usd(100_000), usd(0), usd(18))
    assert found.rates.time_weighted == pytest.approx(0.00018)
    assert found.rates.simple == pytest.approx(0.00018) and found.rates.time_weighted_yearly is None
    assert found.points[-1].drawdown == pytest.approx(100_018 / 100_228 - 1) and found.points[-1].growth == pytest.approx(0.00018)
    assert found.deepest is not None and found.deepest.recovered_on is None and found.deepest.days == 1
    assert found.years[0].months[2] == pytest.approx(0.00018)


async def test_the_lines_of_profit_sum_to_the_change_of_the_value(pages: Pages) -> None:
    await three_days(pages)

    whole = await asked(pages)
    part = await asked(pages, since=DAY + timedelta(days=1), until=DAY + timedelta(days=2))

    # Bought at 10, 11 at the close: +100. 100 from 11 to 12.50, 60 from there to 9: +150 - 210. 40 sold at 12, 12.50 at the close: -20.
    prior, traded = "mark to market of prior positions", "mark to market of transactions"
    assert {one.line: one.amount for one in whole.lines} == {prior: usd(-60), traded: usd(80), "commissions": usd(-2)}
    assert (part.start, part.end, part.gain) == (usd("100099"), usd("100228"), usd(129))
    assert {one.line: one.amount for one in part.lines} == {prior: usd(150), traded: usd(-20), "commissions": usd(-1)}
    assert not whole.unexplained and not part.unexplained
    # 40 of 100 that cost 1,001 sold for 479; 60 that cost 600.60 are worth 540.
    assert (whole.realised, whole.unrealised) == (usd("78.60"), usd("-60.60"))


async def test_strategies_and_tax_years_have_what_was_realised(pages: Pages) -> None:
    await three_days(pages)

    found = await asked(pages)

    (year,) = found.tax_years
    assert (year.year, year.short, year.long, year.gain, year.closings) == (2024, usd("78.60"), usd(0), usd("78.60"), 1)
    (strategy,) = found.strategies
    assert strategy.gain == found.gain == strategy.realised + strategy.unrealised
    assert (strategy.cost, strategy.lots, strategy.won) == (usd(1_001), 1, 1)


async def test_two_accounts_together_have_the_gain_of_both(pages: Pages) -> None:
    await three_days(pages)
    await pages.hear(like(AccountOpened, account_id=AccountId("SECOND")))
    await session(pages, 4, "10")

    both, one = await asked(pages), await asked(pages, account_id=AccountId(ACCOUNT))

    assert both.accounts == (AccountId(ACCOUNT), AccountId("SECOND")) and one.accounts == (AccountId(ACCOUNT),)
    assert both.came_in == usd(200_000) and both.gain == one.gain
    assert both.points[-1].equity == one.points[-1].equity + usd(100_000)


async def test_a_benchmark_stands_beside_the_accounts(pages: Pages) -> None:
    await three_days(pages)
    closes = tuple(BenchmarkClose(DAY + timedelta(days=number), close) for number, close in ((1, 100.0), (2, 101.0), (3, 99.0)))

    found = await asked(pages, benchmark=closes)

    assert found.beside is not None and found.beside.sessions == 2
    assert found.beside.benchmark == pytest.approx(-0.01)
    assert found.beside.own == pytest.approx(100_018 / 100_099 - 1)
    assert (await asked(pages)).beside is None


async def test_points_are_thinned_and_the_last_one_is_there(pages: Pages) -> None:
    await opened(pages)
    for number in range(1, 8):
        await session(pages, number, "10")

    found = await asked(pages, limit=3)

    assert [point.session.day for point in found.points] == [5, 8, 11]


async def test_the_form_is_read_in_parts_and_is_the_same_as_in_one(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_days(pages)
    asking = ReportAsked(user_id=USER, name=ReportName.FORM_8949, year=2024)
    whole = await report(asking, pages.connection)

    monkeypatch.setattr(performance_answers, "PART_CHARACTERS", 100)
    text, offset = "", 0
    while offset is not None:
        part = await report(ReportAsked(user_id=USER, name=ReportName.FORM_8949, year=2024, offset=offset), pages.connection)
        assert len(part.text) <= 100 and part.digest == whole.digest
        text, offset = text + part.text, part.next_offset  # type: ignore[assignment]

    assert text == whole.text and whole.next_offset is None
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["Part"], row["(d) Proceeds"], row["(e) Cost or other basis"], row["(h) Gain or loss"]) == ("I", "479.00", "400.40", "78.60")
    assert whole.file_name == "form-8949-2024.csv" and whole.media_type.startswith("text/csv")


async def test_the_page_is_made_of_the_same_figures(pages: Pages) -> None:
    await three_days(pages)

    found = await report(ReportAsked(user_id=USER, name=ReportName.PERFORMANCE), pages.connection)

    assert found.media_type.startswith("text/html") and found.text.startswith("<!doctype html>")
    assert "100,018.00 USD" in found.text and "+78.60 USD" in found.text and ACCOUNT in found.text


async def test_a_gain_is_derived_down_to_the_executions(pages: Pages) -> None:
    await three_days(pages)
    (year,) = (await asked(pages)).tax_years

    found = await derivation(DerivationAsked(user_id=USER, year=2024), pages.connection)

    assert found.faults == ()
    assert found.lines[0].amount == year.gain
    ends = [(line.source_kind, line.reference, line.amount) for line in found.lines if line.source_kind]
    bought, sold = filled(1, 100, "10").execution_id, filled(2, -40, "12").execution_id
    assert ends == [("execution", sold, usd(479)), ("execution", bought, usd("-400.40"))]


async def test_a_corrected_fill_is_derived_from_the_correction(pages: Pages) -> None:
    await three_days(pages)
    correction = corrected(9, filled(2, -40, "12"), 40, "13", "1")
    await pages.hear(correction)
    one = await asked(pages)

    found = await derivation(DerivationAsked(user_id=USER), pages.connection)

    assert found.faults == () and found.lines[0].amount == one.tax_years[0].gain == usd("118.60")
    assert "SELL 40 at 13" in found.lines[2].what


async def test_an_unrealised_gain_is_derived_from_the_close_and_the_open_lots(pages: Pages) -> None:
    await three_days(pages)

    found = await derivation(DerivationAsked(user_id=USER, instrument_id=INSTRUMENT.instrument_id), pages.connection)

    assert found.faults == ()
    assert [line.amount for line in found.lines] == [usd("-60.60"), usd(540), usd("-600.60")]
    assert [line.source_kind for line in found.lines] == [None, "closing price", "execution"]


async def test_commissions_are_costs_of_their_year(pages: Pages) -> None:
    await three_days(pages)

    found = (await income(IncomeAsked(user_id=USER), pages.connection)).totals

    assert [(one.year, one.kind, one.source, one.total, one.lines) for one in found] == [(2024, "commission", "ledger", usd(-2), 2)]
    assert (await income(IncomeAsked(user_id=STRANGER), pages.connection)).totals == ()


async def test_income_of_imported_statements_stands_apart(pages: Pages) -> None:
    """The rows are put in as an import leaves them."""
    await three_days(pages)
    batch = derived_id("import")
    await pages.connection.execute(
        """insert into statement_import values ($1, $2, 'x', 'plain', '{A}', '2024-01-01', '2024-12-31', 'USD', 'reconciled', 2, 2, 0, 0, 0,
           '{}', '2024-12-31T00:00:00Z')""",
        batch,
        USER,
    )
    for line, kind, amount in ((1, "dividend", "12.50"), (2, "withholding_tax", "-1.25")):
        await pages.connection.execute(
            """insert into statement_entry (user_id, account, broker_key, import_id, line, section, kind, session, asset, amount, currency, text)
               values ($1, 'A', $2, $3, $4, '', $5, '2024-05-01', '', $6, 'USD', '')""",
            USER, f"row {line}", batch, line, kind, Decimal(amount),
        )  # fmt: skip

    found = (await income(IncomeAsked(user_id=USER), pages.connection)).totals

    assert {(one.kind, one.source): one.total for one in found} == {
        ("commission", "ledger"): usd(-2),
        ("dividend", "statements"): usd("12.50"),
        ("withholding tax", "statements"): usd("-1.25"),
    }


async def test_a_split_changes_no_gain(pages: Pages) -> None:
    await opened(pages)
    await session(pages, 1, "10", filled(1, 100, "10", "0"))
    await pages.hear(split(2, 2))
    await session(pages, 2, "6", filled(2, -200, "6", "0"))

    found = await asked(pages)

    assert found.gain == found.tax_years[0].gain == found.strategies[0].gain == usd(200)
    assert not found.unexplained


async def test_a_lot_at_a_loss_is_a_candidate_with_what_would_wash_it(pages: Pages) -> None:
    await three_days(pages)
    alone = await loss_candidates(LossCandidatesAsked(user_id=USER), pages.connection)
    await session(pages, 4, "9", filled(4, 15, "9", "0"))

    found = (await loss_candidates(LossCandidatesAsked(user_id=USER), pages.connection)).candidates[0]

    assert alone.as_of == DAY + timedelta(days=3)
    assert [(one.loss, one.disallowed, one.quantity.value) for one in alone.candidates] == [(usd("-60.60"), usd(0), Decimal(60))]
    assert (found.loss, found.disallowed, found.usable) == (usd("-60.60"), usd("15.15"), usd("-45.45"))
    assert found.buy_again_from == date(2024, 4, 8) and len(found.washed_by) == 1


async def test_nothing_is_said_to_a_stranger(pages: Pages) -> None:
    await three_days(pages)

    assert (await performance(PerformanceAsked(user_id=STRANGER), pages.connection)).performances == ()
    assert (await performance(PerformanceAsked(user_id=STRANGER, account_id=AccountId(ACCOUNT)), pages.connection)).performances == ()
    form = await report(ReportAsked(user_id=STRANGER, name=ReportName.FORM_8949, account_id=AccountId(ACCOUNT)), pages.connection)
    assert len(form.text.splitlines()) == 1
    assert (await loss_candidates(LossCandidatesAsked(user_id=STRANGER), pages.connection)).candidates == ()
    with pytest.raises(Refused, match="NOT_FOUND"):
        await derivation(DerivationAsked(user_id=STRANGER), pages.connection)
    with pytest.raises(Refused, match="REPORT_EMPTY"):
        await report(ReportAsked(user_id=STRANGER, name=ReportName.PERFORMANCE), pages.connection)


async def test_an_answer_fits_a_message(pages: Pages) -> None:
    await three_days(pages)
    one = (await asked(pages)).points[0]

    assert len(encode(one)) * performance_answers.POINTS_MAX < 1_000_000 * 0.9


days = st.lists(
    st.tuples(st.integers(-60, 60), st.integers(500, 3_000), st.sampled_from([None, None, None, (2, 1), (1, 5)])), min_size=1, max_size=8
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days)
async def test_profit_is_explained_to_the_last_digit_whatever_is_traded(
    pages: Pages, story: list[tuple[int, int, tuple[int, int] | None]]
) -> None:
    """Over random trades and splits: no line is missing, and realised gains, strategies and derivations say the same."""
    user, account = UserId(derived_id("walker", next(walkers))), f"W{next(walkers)}"
    await pages.hear(like(InstrumentListed))
    await pages.hear(like(AccountOpened, account_id=AccountId(account), user_id=user))
    for number, (quantity, cents, parts) in enumerate(story, start=1):
        price = str(Decimal(cents) / 100)
        if parts is not None:
            await pages.hear(like(CorporateActionAnnounced, action_id=derived_id("parts", account, number), kind=ActionKind.SPLIT,
                                  effective=DAY + timedelta(days=number), numerator=parts[0], denominator=parts[1], amount=None))  # fmt: skip
        fills = [structs.replace(filled(number, quantity, price, "0.35", account), user_id=user)] if quantity else []
        await session(pages, number, str(Decimal(cents + 37) / 100), *fills)

    found = await asked(pages, user_id=user)

    zero = usd(0)
    assert found.unexplained == zero and sum((one.amount for one in found.lines), zero) == found.gain
    assert sum((one.gain for one in found.strategies), zero) == found.gain
    washed = sum((one.disallowed for one in found.tax_years), zero)
    if found.tax_years and not washed:
        assert sum((one.gain for one in found.tax_years), zero) == found.realised
        derived = await derivation(DerivationAsked(user_id=user), pages.connection)
        assert derived.faults == () and derived.lines[0].amount == found.realised
