"""Trades whose lots somebody chose at the broker: its letters decide which lots they use up, beside the account's own method."""

import pytest
from services.portfolio.tests.importers.chained_samples import HEAD

from quantmatrix.portfolio.import_report import ImportTold, told
from quantmatrix.portfolio.importing import File, check_files

TRADE = 'Trades,Data,Order,Stocks,USD,ABC,"{at}, 10:00:00",{units},{price},{price},{value},-1,{basis},{gain},0,{codes}\n'
BUYS = TRADE.format(at="2022-01-10", units=50, price=20, value=-1000, basis=1001, gain=0, codes="O") + "".join(
    TRADE.format(at=day, units=50, price=price, value=-50 * price, basis=50 * price + 1, gain=0, codes="O")
    for day, price in (("2024-01-10", 30), ("2024-01-11", 24))
)


def check(codes: str, basis: int, held_before: int = 0) -> ImportTold:
    """Lots of 50 for 1,001 (held long), 1,501 and 1,201; 50 sold at 25 for 1,249 after the commission, with this printed basis."""
    sale = TRADE.format(at="2024-02-12", units=-50, price=25, value=1250, basis=-basis, gain=1249 - basis, codes=codes)
    text = HEAD.format(
        period="January 1, 2022 - February 29, 2024", account="U0000001", nav=("0", "0", "0"),
        prior=f"Mark-to-Market Performance Summary,Data,Stocks,ABC,{held_before},{held_before + 100},--,25\n", cash=("5000", "-2454", "2546"),
        held=f"Open Positions,Data,Summary,Stocks,USD,ABC,{held_before + 100},1,--,--,25,2500,--,\n", trades=BUYS + sale,
    )  # fmt: skip
    return told(check_files([File("file.csv", text.encode())])[0])


@pytest.mark.parametrize(
    ("codes", "basis"),
    [("C", 1001), ("C;HC", 1501), ("ML;C;P", 1501), ("C;LI", 1201), ("C;MLG", 1001), ("MLL;C", 1501), ("C;MSG", 1201), ("C;MSL", 1501), ("C;SL", 1001)],
)  # fmt: skip
def test_the_letters_of_a_sale_tell_which_lots_it_used_up(codes: str, basis: int) -> None:
    """Highest cost and losses: the lot of 30. Newest, and the one short-term gain there is: the lot of 24. Long-term gain: the lot of 20."""
    found = check(codes, basis)

    assert (found["closings_checked"], found["closings_equal"], found["status"]) == (1, 1, "reconciled")


def test_a_basis_of_other_lots_than_the_letters_tell_is_a_difference() -> None:
    found = check("C;HC", 1001)

    assert [(one["printed"], one["expected"], one["cause"]) for one in found["closings"]] == [("1001", "1501", None)]


@pytest.mark.parametrize(("codes", "pending"), [("C;HC", 1), ("C;MSL", 1), ("C;LI", 0)])
def test_lots_are_not_ranked_by_cost_while_one_has_none(codes: str, pending: int) -> None:
    """What was held before may be what the broker took; the newest lot is known whatever the others cost."""
    found = check(codes, 1201, held_before=50)

    assert (found["closings_pending"], found["closings_checked"]) == (pending, 1 - pending)
