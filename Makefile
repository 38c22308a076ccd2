# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
export HF_HUB_OFFLINE ?= 1

.PHONY: clients demo test test-all lint docs bench clean

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rung needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Other makers' clients, for the tests in which they talk to the server. Where they can't be installed, those tests are skipped.
.venv/clients/installed: tests/clients/requirements.txt | .venv/installed
	($(PYTHON) -m venv .venv/clients && .venv/clients/bin/python -m pip install --quiet --disable-pip-version-check -r $< && touch $@) \
	  || echo "the clients for Python can't be installed: their tests will be skipped"

.venv/clients/node_modules/installed: tests/clients/package.json tests/clients/package-lock.json | .venv/installed
	(mkdir -p .venv/clients && cp tests/clients/package*.json .venv/clients \
	  && npm ci --prefix .venv/clients --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@) \
	  || echo "the client for Node can't be installed: its test will be skipped"

clients: .venv/clients/installed .venv/clients/node_modules/installed

demo: .venv/installed
	$(BIN)/rung climb examples/harbor

test: .venv/installed clients
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

test-all: .venv/installed clients
	OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=new $(BIN)/python -m pytest -n $(WORKERS) -m 'slow or not slow'

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
