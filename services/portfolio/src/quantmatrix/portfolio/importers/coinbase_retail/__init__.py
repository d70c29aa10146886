"""Transaction reports of Coinbase's retail side as CSV, of all the generations of their header."""

from quantmatrix.portfolio.importers.coinbase_retail.reading import CoinbaseRetailImporter

IMPORTER = CoinbaseRetailImporter
