# Everything a person or a machine runs. Needs Python 3.11 to 3.13 and make, nothing else.
PYTHON ?= python3
VENV   := .venv
SPARK  := .venv-spark
BIN    := $(VENV)/bin
PORT   ?= 8000
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK   := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate \
          --custom-compile-command "make lock"

.PHONY: help setup demo browser test test-system test-long test-spark coverage lint docs lock clean

help:
	@echo "make demo    build the sample catalogue and serve it (PORT=$(PORT))"
	@echo "make test    run the tests"
	@echo "make test-system  run those of the whole: pages in Chromium (make browser), servers, commands, the wheel"
	@echo "make test-long  run those that take long, too"
	@echo "make test-spark  run those of work over a Spark cluster; needs Java 17 ($(SPARK) has pyspark)"
	@echo "make coverage  run the tests and print which lines they leave out"
	@echo "make browser Chromium and nginx for the tests of the page, by apt (they are skipped without)"
	@echo "make lint    ruff and mypy --strict"
	@echo "make docs    the documentation as a site, in site/"
	@echo "make setup   the virtual environment alone ($(VENV))"
	@echo "make lock    pin the newest dependencies again (needs uv)"
	@echo "make clean   remove the virtual environment and caches; data stays"

# A stamp is newer than what it was made from, so a second run installs nothing.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.installed

demo: setup
	$(BIN)/posterity demo --port $(PORT)

# As root on Debian; elsewhere it is yours to install. A second run installs nothing.
browser:
	command -v chromium-headless-shell || (apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium-headless-shell) \
		|| command -v chromium || command -v google-chrome
	command -v nginx || [ -x /usr/sbin/nginx ] || apt-get install -qq --yes --no-install-recommends nginx-light \
		|| (apt-get update -qq && apt-get install -qq --yes --no-install-recommends nginx-light) \
		|| echo "no nginx: the tests under a path behind it are skipped"

# Tests write some 10,000 small files durably: in memory where Linux has 8 GB for that, else on the disk, which takes longer.
TEMP := $(shell [ "$$(df --output=avail /dev/shm 2>&1 | tail -n 1)" -gt 8000000 ] 2>&1 && echo PYTEST_DEBUG_TEMPROOT=/dev/shm)

# Three processes, as many tests wait for servers. Each has a TensorFlow of its own, 2 GB with it.
# They share rewritten assertions by way of bytecode. A file of tests has one process, for its fixtures; files run in order:
# xdist would keep those of few and long tests for the end.
test: $(VENV)/.installed-dev
	env -u PYTHONDONTWRITEBYTECODE $(TEMP) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# pyspark and pyarrow are 500 MB, and pandas is another one beside pyarrow: they have an environment of their own.
$(SPARK)/.installed: requirements-dev.txt requirements-spark.txt
	$(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.txt
	$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test-spark: $(SPARK)/.installed
	$(TEMP) $(SPARK)/bin/python -m pytest -m 'long or not long' tests/indexer/spark

test-system: $(VENV)/.installed-dev
	$(TEMP) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'system and not long'

test-long: test test-system
	$(TEMP) $(BIN)/python -m pytest -n 2 -m long

# Printed, not demanded: lines that no quick test runs, in subprocesses too.
coverage: $(VENV)/.installed-dev
	$(TEMP) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not long' --cov --cov-report=term:skip-covered

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Strict: a broken link, an anchor that is missing, or a page that asks another host fails it.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

lock:
	$(LOCK) pyproject.toml --output-file requirements.txt
	$(LOCK) pyproject.toml --constraints requirements.txt --extra dev --output-file requirements-dev.txt
	$(LOCK) --constraints requirements.txt --group server --output-file requirements-server.txt
	$(LOCK) pyproject.toml --constraints requirements.txt --extra spark --output-file requirements-spark.txt

clean:
	rm -rf $(VENV) $(SPARK) site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
