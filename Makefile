# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test test-all lint docs bench clean

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rung needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

demo: .venv/installed
	$(BIN)/rung climb examples/harbor

test: .venv/installed
	$(BIN)/python -m pytest -n $(WORKERS)

test-all: .venv/installed
	$(BIN)/python -m pytest -n $(WORKERS) -m 'slow or not slow'

lint: .venv/installed
	$(BIN)/ruff check src tests bench bundled examples docs
	$(BIN)/ruff format --check --quiet src tests
	$(BIN)/mypy

docs: .venv/installed
	$(BIN)/python docs/generate.py

bench: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[bench]'
	$(BIN)/python -m bench all --small

clean:
	rm -rf .venv examples/*/.rung
