"""Run the portfolio service: `python -m quantmatrix.portfolio`."""

from quantmatrix.common.runtime.main import main
from quantmatrix.portfolio.app import serve
from quantmatrix.portfolio.settings import PortfolioSettings

if __name__ == "__main__":
    main(PortfolioSettings, serve)
