"""Run the market service: `python -m quantmatrix.market`."""

from quantmatrix.common.runtime.main import main
from quantmatrix.market.app import serve
from quantmatrix.market.settings import MarketSettings

if __name__ == "__main__":
    main(MarketSettings, serve)
