"""ATR Options: its alerts follow the ATR Matrix, its presets and bounds hold, and a chain through the port leads to a contract."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from services.signals.tests.domain.options.test_choosing import quote
from services.signals.tests.strategies.test_atr_matrix import WORKED_ROW, held, situation

from quantmatrix.common.names import InstrumentId, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.options.choosing import Choice, EntrySignal, choose
from quantmatrix.signals.strategies.atr_options import AtrOptions, AtrOptionsParameters
from quantmatrix.signals.testing import FixedChains


def made(**parameters: object) -> AtrOptions:
    return AtrOptions(AtrOptionsParameters.model_validate(parameters))


def test_an_entry_of_the_matrix_is_an_alert_for_a_call() -> None:
    (alert,) = made().decide(situation(WORKED_ROW))

    assert (alert.kind, alert.side, alert.quantity) == (SignalKind.ALERT, None, None)
    assert alert.valid_for == timedelta(hours=6)
    assert alert.targets[0] == Price(128) and alert.horizon_days == 10
    assert alert.reasons[-1].code == "OPTION"
    assert "a call: the target is +14.29 % away, up to 17 days" in alert.reasons[-1].text


def test_it_looks_at_entries_whatever_is_held_of_the_stock() -> None:
    assert made().decide(situation(WORKED_ROW, holding=held())) == made().decide(situation(WORKED_ROW))
    assert made().decide(situation(WORKED_ROW | {"close": 130.0}, holding=held())) == ()


@pytest.mark.parametrize("parameters", [{"confidence_min": 1.0}, {"move_min_pct": 14.3}, {"risk_reward_min": 2.7}])
def test_an_entry_that_is_not_good_enough_is_passed_over(parameters: dict[str, float]) -> None:
    row = WORKED_ROW | {"position": 40.0}

    assert made().decide(situation(row))
    assert made(**parameters).decide(situation(row)) == ()


def test_the_two_presets_are_not_mixed() -> None:
    long, short = AtrOptionsParameters.model_validate({}), AtrOptionsParameters.model_validate({"preset": "short_premium"})

    assert (long.profit_target_pct, long.max_dte, long.leave_dte) == (20.0, 45, 7)
    assert (short.profit_target_pct, short.leave_dte) == (50.0, 21)
    assert (long.leaving.dte_min, short.leaving.dte_min) == (7, 21)


@pytest.mark.parametrize(
    "wrong",
    [{"profit_target_pct": 9.9}, {"profit_target_pct": 51}, {"stop_loss_pct": 4}, {"max_dte": 91}, {"min_dte": 15}, {"delta_target": 0.71},
     {"position_pct": 11}, {"position_pct": float("nan")}, {"min_dte": 10, "max_dte": 10}, {"other": 1}],
)  # fmt: skip
def test_parameters_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AtrOptionsParameters.model_validate(wrong)


async def test_an_alert_and_a_chain_lead_to_a_contract() -> None:
    strategy = AtrOptionsParameters.model_validate({})
    (alert,) = AtrOptions(strategy).decide(situation(WORKED_ROW))
    stock = InstrumentId("STOCK")
    chains = FixedChains({stock: [quote("112", dte=17), quote("115", dte=17, bid="1.00", ask="1.05", delta=0.35), quote("112", dte=-1)]})
    signal = EntrySignal(quote().expires - timedelta(days=25), Price(112), alert.targets[0], alert.horizon_days or 0, alert.confidence)

    found = choose(await chains.chain(stock, signal.session), signal, Money(10_000, "USD"), strategy.choice, tick_size=Price.parse("0.01"))

    assert isinstance(found, Choice)
    assert (found.candidate.quote.strike, found.contracts, found.limit) == (Price(112), Quantity(2), Price.parse("2.15"))
