"""Flex queries of Interactive Brokers as XML: activity and trade confirmations, of one account or several."""

from quantmatrix.portfolio.importers.ibkr_flex_xml.reading import FlexXmlImporter

IMPORTER = FlexXmlImporter
