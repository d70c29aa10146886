"""Transactions of tastytrade as CSV, in the older and the newer shape."""

from quantmatrix.portfolio.importers.tastytrade.reading import TastytradeImporter

IMPORTER = TastytradeImporter
