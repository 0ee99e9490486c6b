# Everything installs what it needs: a fresh machine has Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: demo test check clean

demo: $(STAMP)           ## the whole life of a newsletter, on sample data (ARGS=--once for machines)
	$(BIN)/newsletter demo $(ARGS)

test: $(STAMP)           ## every test, on SQLite and on PostgreSQL
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(STAMP)          ## lint, format, types, floor plan
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floor_plan.py

clean:
	rm -rf $(VENV) build dist *.egg-info

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@
