# Everything a person does with QuantMatrix from a checkout. `make help` lists it.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := libs/common libs/operations services/market services/signals services/execution services/portfolio services/notify services/gateway
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test lint bench bench-peers lock-peers chaos docs lock clean

help:  ## what can be done here
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## build the environment in .venv (then .venv/bin/qm is there)

setup-dev: $(VENV)/.ready-dev  ## the same with the tools of development: tests, linters, mypy

run: setup  ## start everything, replay real daily bars, serve the console
	@$(BIN)/qm up

test: $(VENV)/.ready-dev  ## every test that needs neither Docker nor a broker account
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.ready-dev  ## style, types, import directions, declared dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.architecture.declared

bench: $(VENV)/.ready-dev  ## latency, throughput, memory, beside floors measured in the same run
	$(BIN)/python -m tests.benchmarks.run

bench-peers: $(VENV)/.ready-dev  ## install the engines that `make bench` compares with, into .venv-peers
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-peers.lock

lock-peers: $(VENV)/.ready-dev  ## resolve those engines again
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command "make lock-peers" -o requirements-peers.lock requirements-peers.in

chaos: setup  ## kill services and servers under ten seeds: the ledger must not change
	$(BIN)/python -m tests.chaos.run

docs: $(VENV)/.ready-dev  ## write the generated documents again
	$(BIN)/qm docs

lock: $(VENV)/.ready-dev  ## resolve the dependencies again, with hashes and without addresses
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 --override overrides.txt \
	  --no-emit-package quantmatrix-common --custom-compile-command "make lock" -o requirements.lock \
	  requirements-build.in $(addsuffix /pyproject.toml,$(MEMBERS))
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  -c requirements.lock --custom-compile-command "make lock" -o requirements-dev.lock requirements-dev.in

clean:  ## remove the environment and built files (never the data folder .qm)
	rm -rf $(VENV) node_modules build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "QuantMatrix needs Python 3.11 or later; '$(PYTHON)' is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 4; }
	@echo "[1/4] creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make a virtual environment here; on Debian: apt install python3-venv"; exit 4; }

$(VENV)/.ready: requirements.lock $(addsuffix /pyproject.toml,$(MEMBERS)) package-lock.json | $(VENV)/bin/python
	@echo "[2/4] installing $$(grep -c '^[a-z].*==' requirements.lock) locked packages"
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@echo "[3/4] installing QuantMatrix itself"
	@$(PIP) install --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@$(BIN)/python -m compileall -q $(addsuffix /src,$(MEMBERS))
	@echo "[4/4] fetching the console's front-end files"
	@$(BIN)/python -m quantmatrix.operations.frontend
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	@echo "installing the tools of development"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@echo "compiling the tests"
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only --quiet >/dev/null || true
	@touch $@
