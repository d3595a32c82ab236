# Everything here needs only make and Python 3.11 or later. `make help` lists the targets.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

READY := .venv/ready
MTBSYNC := $(BIN)/mtbsync
SAMPLE := data/sample

.PHONY: help setup demo test test-all lint bench

help:
	@$(PYTHON) scripts/help.py

setup: $(READY)  ## make the virtual environment with the versions that were tested

$(READY): pyproject.toml constraints.txt scripts/setup_venv.py
	$(PYTHON) scripts/setup_venv.py

demo: $(READY)  ## let a ride land in a watched folder, and measure the markers that come out
	$(BIN)/python scripts/demo.py

test: $(READY)  ## run the tests, but for those that take longest
	$(BIN)/python -m pytest -n auto -m "not long"

test-all: $(READY)  ## run every test
	$(BIN)/python -m pytest -n auto

lint: $(READY)  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## measure accuracy, speed and memory; writes docs/benchmarks.md
	$(BIN)/python -m scripts.bench $(PARTS)
