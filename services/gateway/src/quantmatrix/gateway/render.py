"""Pages: the template environment, its filters, whole pages and their parts."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2_fragments import render_block
from starlette.responses import HTMLResponse, Response

from quantmatrix.common.values import Money, Price, Quantity, plain

PACKAGE = Path(__file__).parent
NEW_YORK = ZoneInfo("America/New_York")
MINUS = "−"


def wants_html(request: Request) -> bool:
    """Whether a person looks at the answer: a browser that navigates, not a program and not a part of a page."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/") and not is_part(request)


def is_part(request: Request) -> bool:
    return "hx-request" in request.headers


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Autoescaping is on for everything; an undefined name is an error, not a blank."""
    made = Environment(
        loader=PackageLoader("quantmatrix.gateway", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        lasting=lasting,
        money=money,
        signed=signed,
        pct=pct,
        qty=qty,
        price=price,
        day=day,
        at=at,
        figure=figure,
        tone=tone,
        words=words,
        short=short,
    )
    made.globals["ui"] = made.get_template("parts.html").module
    return made


def page(request: Request, template: str, context: Mapping[str, Any], *, status: int = 200) -> Response:
    """A whole page."""
    html = environment().get_template(template).render({"request": request, "person": None, **context})
    return HTMLResponse(html, status, {"Vary": "HX-Request"})


def part(request: Request, template: str, name: str, context: Mapping[str, Any]) -> Response:
    """One part of a page, as the page itself draws it."""
    html = render_block(environment(), template, f"part_{name}", {"request": request, **context})
    return HTMLResponse(html, headers={"Vary": "HX-Request"})


def error_page(request: Request, status: int, detail: str, headers: Mapping[str, str]) -> Response:
    """A page that says what is wrong; a missing login leads to the login page."""
    if status == 401:
        return Response(status_code=303, headers={"Location": f"/login?{urlencode({'next': request.url.path})}"})
    person = getattr(request.state, "person", None)
    shown = page(request, "error.html", {"person": person, "status": status, "detail": detail, "here": "", "place": ""}, status=status)
    shown.headers.update(dict(headers))
    return shown


def money(value: Money | None) -> str:
    """`1,234.50 USD`, in dollars `$1,234.50`; a dash where nothing is known. Shown with cents, stored exactly."""
    return "–" if value is None else _sign(value.amount < 0 and bool(value.rounded(2))) + _absolute(value)


def signed(value: Money | None) -> str:
    """A gain or loss, always with its sign."""
    if value is None:
        return "–"
    if not value.rounded(2):
        return _absolute(value)
    return ("+" if value.amount > 0 else MINUS) + _absolute(value)


def _absolute(value: Money) -> str:
    figures = f"{abs(value.rounded(2).amount):,.2f}"
    return f"${figures}" if value.currency == "USD" else f"{figures} {value.currency}"


def _sign(negative: bool) -> str:
    return MINUS if negative else ""


def pct(value: Decimal | float | None, digits: int = 2) -> str:
    """Percent, with its sign; a dash where nothing is known."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    figures = f"{abs(value):.{digits}f}"
    sign = "" if float(figures) == 0 else "+" if value > 0 else MINUS
    return f"{sign}{figures} %"


def figure(value: float | None) -> str:
    """A statistic with two digits; a dash where history is too short."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.2f}".replace("-", MINUS)


def qty(value: Quantity | None) -> str:
    """A quantity with thousands apart."""
    return "–" if value is None else _grouped(value.value)


def price(value: Price | None) -> str:
    """A price with at least two digits after the point."""
    if value is None:
        return "–"
    text = _grouped(value.value)
    whole, point, fraction = text.partition(".")
    return f"{whole}.{fraction:0<2}" if point else f"{whole}.00"


def _grouped(value: Decimal) -> str:
    whole, point, fraction = plain(abs(value)).partition(".")
    return _sign(value < 0) + f"{int(whole):,}" + point + fraction


def day(value: date | None) -> str:
    """An exchange date."""
    return "–" if value is None else value.isoformat()


def at(value: datetime | None) -> str:
    """An instant in New York, where the exchange is."""
    return "–" if value is None else value.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M")


def lasting(seconds: float) -> str:
    """A length of time in the unit that a person would use, rounded up: `40 s`, `3 min`, `2 h 5 min`."""
    whole = math.ceil(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(-(-whole // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def tone(value: Money | Decimal | float | None) -> str:
    """The CSS class of a gain, a loss or neither."""
    amount = value.amount if isinstance(value, Money) else value
    return "" if not amount else "up" if amount > 0 else "down"


def words(value: object) -> str:
    """A code as words: `partially_filled` becomes `partially filled`."""
    return str(value).replace("_", " ").lower()


def short(value: object) -> str:
    """The first characters of an id, enough to tell it by."""
    return str(value)[:8]
