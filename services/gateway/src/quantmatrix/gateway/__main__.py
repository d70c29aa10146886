"""Run the gateway: `python -m quantmatrix.gateway`."""

from quantmatrix.common.runtime.main import main
from quantmatrix.gateway.app import serve
from quantmatrix.gateway.settings import GatewaySettings

if __name__ == "__main__":
    main(GatewaySettings, serve)
