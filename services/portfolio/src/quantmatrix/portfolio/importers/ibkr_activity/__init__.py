"""Activity Statements of Interactive Brokers as CSV, in English, of one account or several."""

from quantmatrix.portfolio.importers.ibkr_activity.reading import ActivityImporter

IMPORTER = ActivityImporter
