"""Run the signals service: `python -m quantmatrix.signals`."""

from quantmatrix.common.runtime.main import main
from quantmatrix.signals.app import serve
from quantmatrix.signals.settings import SignalsSettings

if __name__ == "__main__":
    main(SignalsSettings, serve)
