"""Gains and losses line by line under the law of one country, as CSV; the law is a policy and nothing else changes with it."""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum

from quantmatrix.common.names import InstrumentId
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.tax.jurisdictions import TaxLine
from quantmatrix.portfolio.reports.tables import csv_of

HEADER = (
    "Security", "Treatment", "Quantity", "Date acquired", "Date disposed of", "Proceeds", "Cost", "Disallowed", "Gain", "Currency", "Rule",
    "Tax year",
)  # fmt: skip
_UK_YEAR_STARTS = (4, 6)


class Law(StrEnum):
    """US: lots, terms, short-sale and wash-sale rules. UK: same day, thirty days, pool."""

    US = "us"
    UK = "uk"


def tax_year(law: Law, day: date) -> int:
    """The year a day belongs to; in the United Kingdom it starts on 6 April, and 2024 is 2024-25."""
    match law:
        case Law.US:
            return day.year
        case Law.UK:
            return day.year if (day.month, day.day) >= _UK_YEAR_STARTS else day.year - 1


def gains_csv(law: Law, lines: Iterable[TaxLine], symbols: Mapping[InstrumentId, str], year: int | None = None) -> str:
    """The lines of a tax year (of all years when None) by day. A tax-deferred account's are labelled as not taxable."""
    return csv_of(
        HEADER,
        [
            (
                symbols.get(one.instrument_id, one.instrument_id),
                one.treatment.value if one.treatment is Treatment.TAXABLE else f"{one.treatment.value}, not taxable",
                one.quantity, one.acquired_on, one.disposed_on, one.proceeds, one.cost, one.disallowed, one.gain, one.proceeds.currency,
                one.label, tax_year(law, one.disposed_on),
            )
            for one in lines
            if year in (None, tax_year(law, one.disposed_on))
        ],
    )  # fmt: skip
