# Everything installs what it needs: a fresh machine has Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLOCK := $(VENV)/clock-notes.tsv
DEMO := $(VENV)/.demo
ARGS ?=

.PHONY: demo test test-servers test-processes-ahead test-days-ahead trial mutants check texts bench lock audit clean

demo: $(DEMO)            ## the whole life of a newsletter, on sample data (ARGS=--once for machines)
	$(BIN)/newsletter demo $(ARGS)

test: $(STAMP)           ## the tests, on SQLite and on PostgreSQL; Python is all that they need
	$(BIN)/python -m pytest -n 2 --dist loadgroup --write-clock-notes=$(CLOCK) \
	  -m "not servers and not lives" $(ARGS)

test-servers: $(STAMP)   ## the others: with a browser, WordPress, mail servers, proxies, Redis, and long lives
	$(BIN)/python -m pytest -n 3 --dist loadgroup --write-clock-notes=$(CLOCK) \
	  -m "servers or lives" $(ARGS)

test-processes-ahead: $(STAMP) ## what starts processes, with the clock five years ahead
	$(BIN)/python -m pytest -q -n 3 --dist loadgroup --database sqlite --days-ahead 1826 -m processes $(ARGS)

test-days-ahead: $(STAMP) ## what else reads the clock, as the runs before have noted, 400 days ahead
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup --database sqlite --days-ahead 400 \
	  --by-clock-notes=$(CLOCK) -m "not processes and not servers" $(ARGS)

trial: $(STAMP)          ## a letter to 1,000, a server that fails one in ten, 20 kills: ten times each, an hour
	TRIAL_READERS=1000 TRIAL_KILLS=20 TRIAL_RUNS=10 $(BIN)/python -m pytest -q -s tests/crash/test_trial.py $(ARGS)

mutants: $(STAMP)        ## change the core in one place at a time, print what no test notices (ARGS="--sample 60 --seed core")
	$(BIN)/python -m tests.mutants $(ARGS)

check: $(STAMP)          ## lint, format, types, floor plan, language
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floor_plan.py tests/test_language.py tests/test_closed_sets.py

texts: $(STAMP)          ## collect the texts for people into the catalogues (docs/translating.md)
	$(BIN)/pybabel -q extract -F pyproject.toml -k Text -k PluralText:1,2 --no-location --sort-output --no-wrap -o $(VENV)/messages.pot .
	for language in de fr es ro ar; do $(BIN)/pybabel -q update -l $$language -i $(VENV)/messages.pot \
	  -d newsletter/translations --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap; done

bench: $(STAMP)          ## speed and memory, beside others in one run (ARGS="targets wire stages distance scale freeze millions workers signup author-pages idle returned import"); needs postfix
	$(BIN)/python -m bench $(ARGS)

lock:                    ## pin every dependency of a deployment with its hashes (requirements.lock)
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install -q "uv>=0.9,<1"
	$(VENV)/lock/bin/uv pip compile -q --upgrade pyproject.toml --extra postgres --extra redis --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  -o requirements.lock

audit:                   ## ask for known vulnerabilities in requirements.lock
	$(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install -q "pip-audit>=2.9,<3"
	.ci/audit $(VENV)/audit/bin/pip-audit

clean:
	rm -rf $(VENV) build dist *.egg-info

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

$(DEMO): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@
