"""Transactions of E*TRADE as CSV, in both shapes: a line that names the account, then the rows."""

from quantmatrix.portfolio.importers.etrade.reading import EtradeImporter

IMPORTER = EtradeImporter
