"""The contract of importers, on the double, and on whatever lies in the slot."""

from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.portfolio import importers
from quantmatrix.portfolio.testing import ImporterContract, PlainImporter

SAMPLE = b"""key,date,symbol,quantity,price,fee
1,2024-03-05,ABC,100,10.20,1.00
2,2024-03-06,ABC,-40,11.00,1.00
total,,,60,,2.00
"""


class TestThePlainImporter(ImporterContract):
    importer = PlainImporter()
    file_name = "plain.csv"
    sample = SAMPLE
    rows = 3
    damaged = SAMPLE.replace(b"11.00", b"eleven")
    damaged_line = 3
    stranger = b"Statement,Header,Field Name,Field Value\n"


def test_what_lies_in_the_slot_is_an_importer() -> None:
    for name in names_in(importers):
        importer = load(importers, name).IMPORTER
        assert importer.name == name
        assert callable(importer.read) and callable(importer.recognises)


def test_the_double_keeps_the_brokers_signs() -> None:
    bought, sold = PlainImporter().read(SAMPLE).entries

    assert (bought.amount.amount, sold.amount.amount) == (-1020, 440)
