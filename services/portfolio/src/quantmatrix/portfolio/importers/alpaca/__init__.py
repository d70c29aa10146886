"""Account activities of Alpaca as JSON: the list that its activities address answers with."""

from quantmatrix.portfolio.importers.alpaca.reading import AlpacaImporter

IMPORTER = AlpacaImporter
