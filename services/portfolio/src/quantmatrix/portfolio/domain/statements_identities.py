"""The identities that a broker's statement fulfils when it was read rightly, with the amount and the cause of each exception.

Numbered as in the broker's accounting: I1 proceeds, I2 mark, I3 realised, I4 option premium, I5 wash sales, I6 value,
I7 positions, I8 from one statement to the next, I9 dividend accruals. Tolerances are in the row's currency.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, OpenPosition, Statement, Summary
from quantmatrix.portfolio.domain.statements_tracing import contradicted_line

CENTS = Decimal("0.02")
EXACT = Decimal("0.00001")
SUMS = Decimal("0.005")
REFUNDED = Decimal("0.001")
REFUND_SUMS_MAX = 4096
_ONE = Quantity(1)
_PERCENT = Decimal("0.01")
_OCC = re.compile(r"(?P<root>[A-Z0-9. ]{1,6})\d{6}(?P<right>[CP])(?P<strike>\d{8})")
_SPELLED = re.compile(r"(?P<root>[A-Z0-9. ]+?) \d{2}[A-Z]{3}\d{2} (?P<strike>\d+(\.\d+)?) (?P<right>[CP])")


class Cause(StrEnum):
    """Why a figure legitimately differs from the plain arithmetic. Without one of these a difference is unexplained."""

    WASH_SALE = "wash sale inside one order"
    COMMISSION_ADJUSTMENT = "commission adjustment booked into the lot"
    RETURN_OF_CAPITAL = "return of capital that lowered the basis"
    SEVERAL_EXECUTIONS = "one order row stands for several executions"
    SPUN_OFF = "spun-off security with zero basis"
    OPTION_PREMIUM = "option premium of an assignment or exercise"
    ROUNDING = "rounding by the broker, below two cents"
    UNVESTED_GRANT = "grant that has not vested"
    NOT_EXPORTED = "section that the file was exported without"
    UNTOLD_TAX = "sales tax on fees, of which no row tells"


COMMISSION_LEFT_OUT = "as large as the commission, as if it had been left out"
OPPOSITE_SIGN = "the same figure with the opposite sign"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where an identity does not hold. line is 0 for a figure of the whole file.

    note: what it looks like, where no cause explains it.
    """

    line: int
    about: str
    printed: Money
    expected: Money
    cause: Cause | None
    note: str = ""

    @property
    def amount(self) -> Money:
        return self.printed - self.expected


@dataclass(frozen=True, slots=True)
class Identity:
    """How often an identity was looked at, and where it does not hold."""

    name: str
    checked: int
    differences: tuple[Difference, ...] = ()

    @property
    def unexplained(self) -> int:
        return sum(one.cause is None for one in self.differences)


def identities_of(statement: Statement, before: Statement | None = None, after: Statement | None = None) -> list[Identity]:
    """All nine; `before` is the statement of the same accounts that ends where this one begins, `after` one that begins where it ends."""
    trades = [entry for entry in statement.entries if entry.kind is EntryKind.TRADE]
    realised, premiums, washed = _realised(trades, statement)
    figures = statement.figures
    again = {one.name: one.amount for one in figures.again}
    return [
        _proceeds(trades), _marks(trades), realised, premiums, washed, _sums("I6", figures.values or (figures.value,), SUMS, again),
        _positions(statement.positions), _between(statement, before, after), _sums("I9", (figures.accruals,), SUMS, {}),
    ]  # fmt: skip


def _times(price: Price, quantity: Quantity, multiplier: Quantity | None, currency: str) -> Money:
    return Money(0, currency) + Money(price.value, currency).times(quantity.value).times((multiplier or _ONE).value)


def _near(left: Money, right: Money, tolerance: Decimal) -> bool:
    return abs(left - right).amount <= tolerance


def _proceeds(trades: Sequence[Entry]) -> Identity:
    """I1: proceeds = -quantity x price x multiplier, where the broker prints all in one currency. Bonds are in percent of their face."""
    differences, checked = [], 0
    for entry in trades:
        if entry.printed is None or entry.amount is None or entry.price is None or entry.quantity is None:
            continue
        checked += 1
        expected = -_times(entry.price, entry.quantity, entry.multiplier, entry.amount.currency)
        tolerance = _tolerance(entry.printed.price_step, entry.quantity, entry.multiplier)
        if not _agrees(entry, entry.amount, expected, tolerance):
            cause = Cause.SEVERAL_EXECUTIONS if _is_rounded_average(entry, entry.amount, expected) else None
            differences.append(Difference(entry.place.line, entry.symbol or "", entry.amount, expected, cause))
    return Identity("I1", checked, tuple(differences))


def _is_rounded_average(entry: Entry, printed: Money, expected: Money) -> bool:
    """Whether the price is the proceeds for one unit, rounded to its last digit, and the row's basis and gain bear the proceeds out.

    Only digits below a cent's place count as rounded away: a price without them may be printed without its zeros.
    """
    if entry.price is None or entry.quantity is None or entry.basis is None or entry.realised is None:
        return False
    borne_out = printed - (entry.fee or Money.zero(printed.currency)) + entry.basis
    step = min(_step(entry.price), Price(_PERCENT))
    return _near(entry.realised, borne_out, EXACT) and _near(printed, expected, _tolerance(step, entry.quantity, entry.multiplier))


def _agrees(entry: Entry, printed: Money, expected: Money, tolerance: Decimal) -> bool:
    return _near(printed, expected, tolerance) or (_quoted_in_percent(entry) and _near(printed, expected.times(_PERCENT), tolerance))


def _quoted_in_percent(entry: Entry) -> bool:
    return "Bond" in entry.asset or "Bill" in entry.asset or entry.asset == "BOND"


def _marks(trades: Sequence[Entry]) -> Identity:
    """I2: the day's mark = (closing price - price) x quantity x multiplier."""
    differences, checked = [], 0
    for entry in trades:
        printed = entry.printed
        if printed is None or printed.marked is None or printed.close_price is None or entry.price is None or entry.quantity is None:
            continue
        checked += 1
        step = printed.close_price - entry.price
        expected = _times(step, entry.quantity, entry.multiplier, printed.marked.currency)
        if _agrees(entry, printed.marked, expected, CENTS):
            continue
        note = OPPOSITE_SIGN if _near(-printed.marked, expected, CENTS) else ""
        differences.append(Difference(entry.place.line, entry.symbol or "", printed.marked, expected, None, note))
    return Identity("I2", checked, tuple(differences))


def _codes(entry: Entry) -> tuple[str, ...]:
    return entry.printed.codes if entry.printed else ()


def _delivered(entry: Entry) -> bool:
    """Whether a trade comes from an option that was assigned or exercised."""
    return bool({"A", "Ex", "GEA"} & set(_codes(entry)))


def is_option(entry: Entry) -> bool:
    return "Option" in entry.asset or entry.asset in ("OPT", "FOP", "FSFOP", "OPTN")


def _realised(trades: Sequence[Entry], statement: Statement) -> tuple[Identity, Identity, Identity]:
    """I3: realised = proceeds + commission + basis; I4 and I5 are its two regular exceptions, premium and wash sale."""
    plain: list[Difference] = []
    premiums: list[tuple[Entry, Difference]] = []
    washed: list[Difference] = []
    checked = delivered = 0
    for entry in trades:
        if entry.basis is None or entry.realised is None or entry.amount is None:
            continue
        expected = entry.amount - (entry.fee or Money.zero(entry.amount.currency)) + entry.basis
        if _delivered(entry):
            delivered += 1
            if not _near(entry.realised, expected, EXACT):
                premiums.append((entry, Difference(entry.place.line, entry.symbol or "", entry.realised, expected, None)))
            continue
        checked += 1
        if _near(entry.realised, expected, EXACT):
            continue
        cause = _cause(entry, entry.realised - expected, statement)
        kept = washed if cause is Cause.WASH_SALE else plain
        note = "" if cause else _looks_like(entry, entry.realised - expected)
        kept.append(Difference(entry.place.line, entry.symbol or "", entry.realised, expected, cause, note))
    explained = _premium_differences(premiums, _premiums(trades))
    return Identity("I3", checked, tuple(plain)), Identity("I4", delivered, tuple(explained)), Identity("I5", checked, tuple(washed))


def option_terms(symbol: str) -> tuple[str, str, Decimal] | None:
    """Root, C or P, and strike out of an option's symbol, in the broker's spelling or the OCC's; None for anything else."""
    occ = _OCC.fullmatch(symbol)
    if occ is not None:
        return occ["root"].strip(), occ["right"], Decimal(occ["strike"]).scaleb(-3)
    spelled = _SPELLED.fullmatch(symbol)
    return (spelled["root"], spelled["right"], Decimal(spelled["strike"])) if spelled else None


def named_contract(symbol: str, description: str) -> str:
    """The symbol, or the broker's spelling in the description where the symbol of an option is its exchange's own, as in `P ABCE 20230317 69 M`."""
    return description if option_terms(symbol) is None and option_terms(description) is not None else symbol


Delivery = tuple[str, str, date, Decimal]
"""Account, root, day and strike: where an option and the stock it delivers meet."""


def delivery_of(entry: Entry) -> Delivery | None:
    """The meeting point of an option that delivers, or of the stock that is delivered at its strike."""
    if entry.symbol is None:
        return None
    if not is_option(entry):
        return (entry.account, _root(entry.symbol), entry.session, entry.price.value) if entry.price is not None else None
    terms = option_terms(entry.symbol)
    return (entry.account, _root(terms[0]), entry.session, terms[2]) if terms else None


def _root(symbol: str) -> str:
    """A symbol without the signs that its options leave out."""
    return symbol.replace(" ", "").replace(".", "")


def _premiums(trades: Sequence[Entry]) -> dict[Delivery, Money]:
    """What options that made stock be sold had brought or cost, as the broker prints it: assigned calls and exercised puts."""
    found: dict[Delivery, Money] = {}
    for entry in trades:
        about = delivery_of(entry)
        if not is_option(entry) or not _delivered(entry) or about is None or entry.amount is None or entry.quantity is None:
            continue
        terms = option_terms(entry.symbol or "")
        if terms is not None and (terms[1] == "C") == (entry.quantity.value > 0):
            basis = entry.basis or Money.zero(entry.amount.currency)
            found[about] = found[about] + basis if about in found else basis
    return found


def _premium_differences(apart: Sequence[tuple[Entry, Difference]], premium_of: dict[Delivery, Money]) -> list[Difference]:
    """The option's row realises nothing, and the stock's rows together have the premium in them, where the file prints it."""
    sums: dict[Delivery, Money] = {}
    for entry, one in apart:
        about = delivery_of(entry)
        if about is not None and not is_option(entry):
            sums[about] = sums[about] + one.amount if about in sums else one.amount
    found = []
    for entry, one in apart:
        about = delivery_of(entry)
        if is_option(entry):
            explained = not one.printed
        else:
            premium = premium_of.get(about) if about is not None else None
            explained = about is not None and premium is not None and (not premium or _near(sums[about], premium, CENTS))
        found.append(replace(one, cause=Cause.OPTION_PREMIUM if explained else None))
    return found


def is_refunded(statement: Statement, symbol: str, size: Decimal, tolerance: Decimal) -> bool:
    """Whether some of a symbol's commission adjustments together make this amount."""
    sums = {Decimal(0)}
    for entry in statement.entries:
        if entry.kind is EntryKind.COMMISSION_ADJUSTMENT and entry.symbol == symbol and entry.amount is not None:
            sums |= {one + abs(entry.amount).amount for one in sums}
            if len(sums) > REFUND_SUMS_MAX:
                return False
    return any(one and abs(one - size) <= tolerance for one in sums)


def _cause(entry: Entry, difference: Money, statement: Statement) -> Cause | None:
    loss = entry.amount is not None and entry.basis is not None and (entry.amount + entry.basis).amount < 0
    if difference.amount > 0 and loss and (statement.figures.wash_sales or "LD" in _codes(entry)):
        return Cause.WASH_SALE
    if is_refunded(statement, entry.symbol or "", abs(difference).amount, REFUNDED):
        return Cause.COMMISSION_ADJUSTMENT
    if abs(difference).amount <= CENTS:
        return Cause.ROUNDING
    return None


def _looks_like(entry: Entry, difference: Money) -> str:
    fee = abs(entry.fee).amount if entry.fee else Decimal(0)
    return COMMISSION_LEFT_OUT if fee and abs(difference).amount in (fee, 2 * fee) else ""


def _sums(name: str, summaries: Sequence[Summary | None], tolerance: Decimal, again: Mapping[str, Money]) -> Identity:
    """Start + moves = end, of figures that the statement sums up. again: the lines of the sum as other sections print them."""
    told = [one for one in summaries if one is not None]
    return Identity(
        name,
        len(told),
        tuple(
            Difference(0, one.name, one.end, one.start + one.moves, None, contradicted_line(one, again))
            for one in told
            if not _near(one.end, one.start + one.moves, tolerance)
        ),
    )


def _positions(positions: Sequence[OpenPosition]) -> Identity:
    """I7: cost price x quantity x multiplier = basis, within half of the price's last digit; value - basis = unrealised.

    Bonds are in percent here too; a position does not say what it is.
    """
    differences, checked = [], 0
    for held in positions:
        if held.basis is None:
            continue
        if held.cost_price is not None:
            checked += 1
            expected = _times(held.cost_price, held.quantity, held.multiplier, held.basis.currency)
            tolerance = _tolerance(_step(held.cost_price), held.quantity, held.multiplier)
            if not _near(held.basis, expected, tolerance) and not _near(held.basis, expected.times(_PERCENT), tolerance):
                cause = Cause.UNVESTED_GRANT if held.multiplier is None else None
                differences.append(Difference(held.line, held.symbol, held.basis, expected, cause))
        if held.value is not None and held.unrealised is not None:
            checked += 1
            expected = held.value - held.basis
            if not _near(held.unrealised, expected, CENTS):
                cause = Cause.UNVESTED_GRANT if held.multiplier is None else None
                differences.append(Difference(held.line, held.symbol, held.unrealised, expected, cause))
    return Identity("I7", checked, tuple(differences))


def _step(price: Price) -> Price:
    """One in the last printed digit of a price."""
    exponent = price.value.as_tuple().exponent
    return Price(Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0))


def _tolerance(step: Price | None, quantity: Quantity, multiplier: Quantity | None) -> Decimal:
    """Two cents, and half of the price's last digit on every unit where the price was rounded to it."""
    if step is None:
        return CENTS
    return CENTS + step.value / 2 * abs(quantity).value * (multiplier or _ONE).value


def _between(statement: Statement, before: Statement | None, after: Statement | None) -> Identity:
    """I8 at both ends."""
    ends = [_chained(statement, before), _chained(after, statement) if after is not None else Identity("I8", 0)]
    return Identity("I8", sum(one.checked for one in ends), tuple(difference for one in ends for difference in one.differences))


def _chained(statement: Statement, before: Statement | None) -> Identity:
    """I8: value, cash, accruals and positions at the start are those at the end of the statement before."""
    if before is None:
        return Identity("I8", 0)
    pairs: list[tuple[str, Money, Money]] = []
    if statement.figures.value and before.figures.value:
        pairs.append(("value", statement.figures.value.start, before.figures.value.end))
    ended = {one.name: one.end for one in before.figures.cash}
    pairs += [(one.name, one.start, ended.get(one.name, Money.zero(one.start.currency))) for one in statement.figures.cash]
    if statement.figures.accruals and before.figures.accruals:
        pairs.append(("dividend accruals", statement.figures.accruals.start, before.figures.accruals.end))
    names = statement.figures.names
    held: dict[tuple[str, str], Quantity] = {}
    for one in before.positions:
        key = (one.account, names.get(one.symbol, one.symbol))
        held[key] = held.get(key, Quantity(0)) + one.quantity
    units = statement.currency
    for prior in statement.figures.prior or ():
        then = held.get((prior.account, prior.symbol), Quantity(0))
        pairs.append((f"prior quantity of {prior.symbol}", Money(prior.quantity.value, units), Money(then.value, units)))
    differing = tuple(Difference(0, name, start, end, None) for name, start, end in pairs if start != end)
    return Identity("I8", len(pairs), differing)
