# Each target sets up what it needs: a virtual environment in .venv, with the package and its tools.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs bench clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: .venv/.installed ## Train and test on unseen synthetic speakers
	$(BIN)/skser evaluate --speakers 5 --recipe short --epochs 25 --learning-rate 2e-3 --batch-size 8 --out demo-results --resume

test: .venv/.installed-dev ## Run the tests
	$(BIN)/python -m pytest

lint: .venv/.installed-dev ## Check style, types and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/numpydoc lint $$(find skser -name '*.py')

docs: .venv/.installed-docs ## Build the documentation in docs/_build/html
	rm -rf docs/api/generated  # pages of names that are gone would stay
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: .venv/.installed-dev ## Compare the speed with other packages
	$(BIN)/python -m benchmarks

clean: ## Remove the environment and what was built
	rm -rf .venv demo-results docs/_build docs/auto_examples docs/api/generated

.venv/.installed: pyproject.toml
	@echo "Setting up .venv (once; TensorFlow is large, so this takes a few minutes) ..."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.venv/.installed-docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@
