"""Run the execution service: `python -m quantmatrix.execution`."""

from quantmatrix.common.runtime.main import main
from quantmatrix.execution.app import serve
from quantmatrix.execution.settings import ExecutionSettings

if __name__ == "__main__":
    main(ExecutionSettings, serve)
