# Everything a person needs here. `make run` and `make test` work on a fresh machine with git, make, Python >= 3.11 with
# venv, and Node >= 20.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SUITES := $(BIN)/python tools/suites.py

.PHONY: run test check bench fidelity soak page lock clean

run: $(READY) ## start attn and open its page
	@$(BIN)/python tools/run.py

test: $(READY) ## install what the tests need and run all of them
	@$(BIN)/python tools/prepare.py
	@$(SUITES)

check: $(READY) ## the fast loop: format, lint, types, layers, unit tests
	@$(SUITES) lint unit $(if $(wildcard web/node_modules),page)

bench: $(READY) ## measure against tmux and the bare PTY: bench/RESULTS.md
	@$(BIN)/python -m bench

fidelity: $(READY) ## the full form of the terminal's tests
	ATTN_TEST_FULL=1 $(BIN)/pytest tests/terminal

soak: $(READY) ## the full form of the tests with real processes
	ATTN_TEST_FULL=1 $(BIN)/pytest tests/core tests/store tests/system tests/durability tests/browser/test_store.py

page: $(READY) ## build the page from web/
	@$(BIN)/python tools/page.py

lock: $(READY) ## resolve the dependencies again and write requirements.lock
	@$(BIN)/python tools/lock.py

clean: ## remove everything that is not in git
	rm -rf .venv dist build src/attn/daemon/page web/node_modules tests/agents/node_modules tests/.artifacts
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests tools bench -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "attn needs Python 3.11 or newer: make PYTHON=python3.11 run")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "missing: python3-venv; install: sudo apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
