"""Flex queries of Interactive Brokers as CSV: any columns, one section after the other, with or without record marks."""

from quantmatrix.portfolio.importers.ibkr_flex_csv.reading import FlexCsvImporter

IMPORTER = FlexCsvImporter
