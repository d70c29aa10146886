"""Run the notify service: `python -m quantmatrix.notify`."""

from quantmatrix.common.runtime.main import main
from quantmatrix.notify.app import serve
from quantmatrix.notify.settings import NotifySettings

if __name__ == "__main__":
    main(NotifySettings, serve)
