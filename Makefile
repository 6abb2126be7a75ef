# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first if it is not there.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?= primatrix-demo

.PHONY: demo test check format docs clean

demo: .venv/base
	$(BIN)/primatrix demo --out $(DEMO)

test: .venv/dev
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/dev
	$(BIN)/mkdocs build --strict

.venv/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/dev: .venv/base
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv site $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis
