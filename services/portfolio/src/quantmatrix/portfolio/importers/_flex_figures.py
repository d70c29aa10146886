"""What a Flex query says about the account as a whole: its change in value, and cash by currency."""

from decimal import Decimal

from quantmatrix.portfolio.domain.statements import Figures, PrintedLine, Summary
from quantmatrix.portfolio.importers._reading import Row, money

_NO_MOVES = {
    "accountid", "acctalias", "accountalias", "clientaccountid", "model", "currency", "currencyprimary", "fromdate", "todate", "reportdate",
    "startingvalue", "endingvalue", "twr", "levelofdetail", "fxratetobase",
}  # fmt: skip
_OF_LOTS = ("realized", "changeinunrealized")
BASE_SUMMARY = "BASE_SUMMARY"


class FlexFigures:
    """Summaries as they are read; only a file of one account and period has figures that chain to another file's."""

    def __init__(self) -> None:
        self._values: list[Summary] = []
        self._cash: list[Summary] = []
        self.currency = ""

    def take_value(self, row: Row) -> None:
        """A change in value: every figure in it moves the value, by marks or by lots, never by both."""
        currency = row.text("currency") or row.text("currencyprimary") or self.currency or "USD"
        start, end = row.needed_decimal("startingvalue"), row.needed_decimal("endingvalue")
        moves = {name: row.decimal(name) or Decimal(0) for name in row.columns if name not in _NO_MOVES}
        if moves.get("mtm"):
            moves = {name: amount for name, amount in moves.items() if name not in _OF_LOTS}
        if not moves:
            return
        total = sum(moves.values(), Decimal(0))
        lines = tuple(PrintedLine(name, money(amount, currency, name)) for name, amount in moves.items())
        self._values.append(
            Summary(
                "value", money(start, currency, "startingValue"), money(total, currency, "moves"), money(end, currency, "endingValue"), lines
            )
        )  # fmt: skip

    def take_cash(self, row: Row) -> None:
        """Cash of one currency; the summary in base currency is left out."""
        currency = row.text("currency") or row.text("currencyprimary")
        if currency == BASE_SUMMARY or not row.has("startingcash") or not row.has("endingcash"):
            return
        start, end = row.needed_money("startingcash", currency), row.needed_money("endingcash", currency)
        self._cash.append(Summary(f"cash {currency}", start, end - start, end))

    def figures(self) -> Figures:
        alone = len({one.name for one in self._cash}) == len(self._cash)
        return Figures(
            value=self._values[0] if len(self._values) == 1 else None,
            values=tuple(self._values),
            cash=tuple(self._cash) if alone and len(self._values) <= 1 else (),
        )
