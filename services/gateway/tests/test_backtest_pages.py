"""The pages of backtests with hostile text in every field: it stays text."""

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace
from starlette.requests import Request

from quantmatrix.common.contracts.asking.backtests import (
    Backtest,
    BacktestLine,
    Backtests,
    BacktestStep,
    BacktestTrade,
    BacktestTry,
    BacktestYear,
    Compared,
    ComparedRow,
    Drawing,
    DrawnShape,
    DrawnText,
    Lookahead,
    Lookaheads,
)
from quantmatrix.common.contracts.asking.checks import BacktestChange, BacktestCheck, BacktestLooked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.values import Money
from quantmatrix.gateway.people import Person
from quantmatrix.gateway.render import lasting, part

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
DAY, NOON, ONE = date(2024, 3, 5), datetime(2024, 3, 5, 17, 0, tzinfo=UTC), Money(1, "USD")
DRAWING = Drawing(EVIL, 1, 1, (DrawnShape(EVIL, EVIL), DrawnShape(EVIL, EVIL, closed=True, opacity=0.5)), (DrawnText(1, 1, EVIL, EVIL),))
LINE = BacktestLine(1, "run", EVIL, (EVIL,), "done", 1, 1, NOON, NOON, 0.1, None, -0.1, 3, EVIL, EVIL, 61.0)
SHOWN = Backtest(
    line=LINE,
    parameters={EVIL: EVIL},
    code_digest=EVIL,
    code_revision=EVIL,
    data_digest=EVIL,
    seed=0,
    first=DAY,
    last=DAY,
    opening=ONE,
    equity=ONE,
    fees=ONE,
    curve={"total_return": 0.1, "sharpe": None, "sortino": None, "calmar": None, "max_drawdown": -0.1, "max_drawdown_sessions": 3},
    closed={"trades": 3, "win_rate": 0.5, "profit_factor": None},
    assumptions=(EVIL,),
    years=(BacktestYear(2024, (0.1, None, -0.1, *(None,) * 9), 0.0),),
    trades=1,
    shown=(BacktestTrade(EVIL, DAY, DAY, False, EVIL, ONE, 0.1, 3, EVIL, (EVIL,)),),
    tried=(BacktestTry({EVIL: EVIL}, 0.1, None, 0.1, -0.1, 3),),
    steps=(BacktestStep(DAY, DAY, DAY, DAY, {EVIL: EVIL}, 0.1, None, 0.1, None),),
    drawings=(DRAWING,),
)
CHECK = BacktestCheck(1, 0, 2, (BacktestLooked(EVIL, 1, 1, 0, 2),), (BacktestChange(EVIL, DAY, EVIL, EVIL, EVIL),))


@pytest.mark.parametrize(
    ("template", "name", "value"),
    [
        ("backtests.html", "backtests", Backtests((LINE,))),
        ("backtest.html", "backtest", SHOWN),
        ("backtest.html", "backtest", replace(SHOWN, line=replace(LINE, clean=False), check=CHECK)),
        ("lookahead.html", "checks", Lookaheads((Lookahead(replace(LINE, clean=False), False, CHECK), Lookahead(LINE, True)))),
        ("backtests_compared.html", "compared", Compared((LINE,), (ComparedRow(EVIL, (EVIL,)),), (DRAWING,))),
    ],
)
def test_hostile_text_stays_text(template: str, name: str, value: object) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    person = Person(FIRST_ADMINISTRATOR, "admin", "admin", "token", b"")

    html = bytes(part(request, template, name, {"person": person, "here": "/", "look": {"offset": 0}, name: value}).body).decode()

    assert "<script" not in html and "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.0, "0 s"), (0.2, "1 s"), (58.4, "59 s"), (59.4, "1 min"), (61.0, "2 min"), (3_600.0, "1 h 0 min"), (7_441.0, "2 h 5 min")],
)
def test_time_left_is_told_in_the_unit_of_people(seconds: float, says: str) -> None:
    assert lasting(seconds) == says
