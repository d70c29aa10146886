"""Lot matching against the golden reports of another program: four methods, coins, fees in kind, several assets (L9)."""

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from services.portfolio.tests.domain.making import COIN, fill, usd
from services.portfolio.tests.domain.tax.shared import shared

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId, Side
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.domain.events import Event
from quantmatrix.portfolio.domain.keeping import LedgerRules
from quantmatrix.portfolio.domain.ledger import booked
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods

TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
INPUTS = ("test_hifo", "test_hifo2", "test_data", "test_data2", "crypto_example")
RANKED_BY_SPOT = ("test_hifo", "B1")
"""Its spot prices are not what was paid (14,000 for a coin that cost 11,100); that program ranks by the former, we by cost."""
METHODS = (LotMethod.FIFO, LotMethod.LIFO, LotMethod.HIFO, LotMethod.LOFO)


def sheets(path: Path) -> dict[str, list[list[str]]]:
    """The sheets of a spreadsheet, rows without empty ends."""
    root = ET.fromstring(zipfile.ZipFile(path).read("content.xml"))
    return {table.get(f"{TABLE}name", ""): list(_rows(table)) for table in root.iter(f"{TABLE}table")}


def _rows(table: ET.Element) -> Iterator[list[str]]:
    for row in table.iter(f"{TABLE}table-row"):
        cells: list[str] = []
        for cell in row:
            value = cell.get(f"{OFFICE}value") or cell.get(f"{OFFICE}date-value") or "".join(cell.itertext())
            cells += [value] * min(int(cell.get(f"{TABLE}number-columns-repeated", "1")), 30)
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def trades(rows: list[list[str]]) -> Iterator[tuple[Fill, str]]:
    """The fills of an asset with the kind of what went. What was earned is bought at its value, a transfer's fee is a sale."""
    block, header = "", list[str]()
    for number, row in enumerate(rows):
        if row[0] in ("IN", "OUT", "INTRA", "TABLE END"):
            block = row[0] if row[0] != "TABLE END" else ""
        elif row[0] == "Timestamp":
            header = row
        elif block:
            told = dict(zip(header, row, strict=False))
            one = _trade(number, block, told)
            if one is not None:
                at = datetime.fromisoformat(told["Timestamp"]) + timedelta(microseconds=number)  # rows of one instant in their order
                yield _at(one, at), told.get("Transaction Type", "MOVE").upper()


def _trade(number: int, block: str, told: dict[str, str]) -> Fill | None:
    match block:
        case "IN":
            units, spot = told["Crypto In"], told["Spot Price"]
            value = told.get("USD In (With Fee)") or str(Decimal(units) * Decimal(spot) + Decimal(told.get("USD Fee") or "0"))
            return replace(fill(number, units, spot, of=COIN), amount=usd(value))
        case "OUT":
            one = fill(number, f"-{told['Crypto Out']}", told["Spot Price"], of=COIN)
            return replace(one, fee_in_kind=Quantity(Decimal(told.get("Crypto Fee") or "0")))
        case _:
            fee = Decimal(told["Crypto Sent"]) - Decimal(told["Crypto Received"])
            return fill(number, -fee, told["Spot Price"], of=COIN) if fee else None


def _at(one: Fill, at: datetime) -> Fill:
    return replace(one, session=at.date(), executed_at=at, fill_id=FillId(derived_id(one.fill_id, at)))


def gains(rows: list[list[str]], methods: LotMethods) -> dict[tuple[str, str], Decimal]:
    """Gain by year and kind of transaction."""
    told = list(trades(rows))
    kinds = {one.fill_id: kind for one, kind in told}
    ledger = booked([Event(one.fill_id, one, place) for place, (one, _) in enumerate(told)], LedgerRules(methods))
    found: dict[tuple[str, str], Decimal] = {}
    for closing in ledger.closings:
        key = str(closing.closed_on.year), kinds[closing.fill_id]
        found[key] = found.get(key, Decimal(0)) + closing.known_realised.amount
    return found


def printed(rows: list[list[str]], kinds: set[str]) -> dict[tuple[str, str], Decimal]:
    """The report's summary: gain by year and kind, of the kinds that close lots."""
    found: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        if len(row) >= 8 and row[0].isdigit() and row[4] in kinds:
            key = row[0], row[4]
            found[key] = found.get(key, Decimal(0)) + Decimal(row[2])
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", INPUTS)
def test_gains_by_year_and_kind_are_those_of_the_golden_report(name: str, method: LotMethod) -> None:
    """Compared to a hundredth of a cent: the program writes binary floats."""
    folder = shared("rp2")
    given = sheets(folder / f"input_{name}.ods")
    report = sheets(folder / f"{name}_generic_{method.lower()}_rp2_full_report.ods")
    compared = 0
    for asset, rows in given.items():
        if (name, asset) == RANKED_BY_SPOT and method in (LotMethod.HIFO, LotMethod.LOFO):
            continue
        kinds = {kind for one, kind in trades(rows) if one.side is Side.SELL}
        expected = printed(report[f"{asset} Tax"], kinds)
        found = gains(rows, LotMethods(method))
        assert found.keys() == expected.keys(), asset
        for key, gain in expected.items():
            assert abs(found[key] - gain) < Decimal("0.0001"), (asset, key)
            compared += 1

    assert compared


@pytest.mark.parametrize(
    ("asset", "method", "sums"),
    [
        ("B2", LotMethod.FIFO, (8970, 14_223, 12_952)),
        ("B2", LotMethod.LIFO, (3975, -1765, 29_931)),
        ("B2", LotMethod.HIFO, (3975, -1765, 29_931)),
        ("B2", LotMethod.LOFO, (8970, 14_223, 12_952)),
    ],
)
def test_the_sums_of_two_assets_that_mirror_each_other(asset: str, method: LotMethod, sums: tuple[int, int, int]) -> None:
    """L9: sales of 2018 and 2019 and gifts of 2020."""
    found = gains(sheets(shared("rp2") / "input_test_hifo.ods")[asset], LotMethods(method))

    assert (found["2018", "SELL"], found["2019", "SELL"], found["2020", "GIFT"]) == sums


def test_methods_that_change_from_year_to_year_are_those_of_the_golden_report() -> None:
    """FIFO in 2020, LIFO in 2021, HIFO in 2022, FIFO again in 2023, as the input's configuration says."""
    folder = shared("rp2")
    configuration = ConfigParser()
    configuration.read(folder / "test_data_multi_method.ini")
    methods = LotMethods()
    for year, method in configuration["accounting_methods"].items():
        methods = methods.changed(date(int(year), 1, 1), LotMethod(method.upper()))
    given = sheets(folder / "input_test_data_multi_method.ods")
    report = sheets(folder / "test_data_multi_method_generic_mixed_rp2_full_report.ods")

    assert len(methods.changes) == 4
    for asset, rows in given.items():
        kinds = {kind for one, kind in trades(rows) if one.side is Side.SELL}
        expected, found = printed(report[f"{asset} Tax"], kinds), gains(rows, methods)
        assert found.keys() == expected.keys()
        assert all(abs(found[key] - gain) < Decimal("0.0001") for key, gain in expected.items()), asset
