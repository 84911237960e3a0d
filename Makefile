# make install | demo | test | test-all | test-cluster | test-faults | soak | lint | docs | bench — each does all it needs on a fresh machine.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3.11
EXTRAS ?= spark,train,registry,dev
# Python keeps its bytecode, whatever the environment says: without it every process compiles anew
# what it imports, torch and pandas first of all.
export PYTHONDONTWRITEBYTECODE =
.DEFAULT_GOAL := help
.PHONY: help install java demo test test-all test-cluster test-faults soak lint format docs bench clean

help:
	@grep -E '^# make' Makefile | sed 's/^# //'

# The stamp is as new as what was installed: a changed pin installs again.
install: java $(VENV)/.installed

java:
	@deploy/install-java.sh

$(VENV)/.installed: pyproject.toml constraints.txt
	@deploy/check-python.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt setuptools wheel
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $@

demo: install
	$(BIN)/tastemill run --dataset completejourney

# Two processes, a Spark session each: the driver's planning, most of the time, is one thread.
test: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not slow and not faults and not cluster"

# Slow ones too. Files begin in the order of conftest.py, those that take longest first.
test-all: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not faults and not cluster"

test-cluster: install
	$(BIN)/python -m pytest tests/cluster -m "cluster and not faults"

test-faults: install
	$(BIN)/python -m pytest -m faults

soak: install
	$(BIN)/python -m tests.benchmarks.soak

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/python -m tastemill.config.docs > conf/README.md
	$(BIN)/python -m tastemill.tables.docs > lib/tastemill/tables/README.md
	$(BIN)/python -m tastemill.evaluation.docs > lib/tastemill/evaluation/README.md

bench: install
	$(BIN)/python -m tests.benchmarks.bench
	$(BIN)/python -m tests.benchmarks.merge
	$(BIN)/python -m tests.benchmarks.training

clean:
	rm -rf $(VENV) build dist lib/*.egg-info warehouse .pytest_cache .mypy_cache .ruff_cache
