# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
# Of uneven tests, a worker that has finished takes the rest of another.
WORKERS := -n $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick test-slow lint docs format figures clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
	  awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/core.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	  f"error: Python 3.11 to 3.13 is needed and $(PYTHON) is {v[0]}.{v[1]}; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/quick.installed: pyproject.toml | $(VENV)/core.installed
	$(BIN)/python -m pip install --quiet --editable '.[quick]'
	@touch $@

$(VENV)/full.installed: pyproject.toml | $(VENV)/core.installed
	$(BIN)/python -m pip install --quiet --editable '.[test,vlm,dev]'
# Without its dependencies: opencv-python would overwrite opencv-python-headless.
	$(BIN)/python -m pip install --quiet --no-deps grad-cam==1.5.7 ttach==0.0.3 || \
	  echo "could not be installed: pytorch-grad-cam; the tests that compare with it are skipped"
	@touch $@

$(VENV)/docs.installed: pyproject.toml | $(VENV)/full.installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

demo: $(VENV)/core.installed  ## train and report on synthetic radiographs, from nothing
	$(BIN)/python scripts/demo.py

test-quick: $(VENV)/quick.installed  ## tests that need neither PyTorch nor compilation
	$(BIN)/python -m pytest $(WORKERS) -m "not slow and not gpu" \
	  tests/core tests/evaluation tests/test_packages.py tests/test_documents.py

test: $(VENV)/full.installed  ## the test suite, in minutes
	$(BIN)/python -m pytest $(WORKERS) -m "not slow and not gpu"

test-slow: $(VENV)/full.installed  ## what takes longer
	$(BIN)/python -m pytest $(WORKERS) -m "slow and not gpu"

lint: $(VENV)/full.installed  ## ruff, ruff format, pyright, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/docs.installed  ## build the documentation site into docs/_build/html
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build/html

format: $(VENV)/full.installed  ## auto-fixes by ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

figures: $(VENV)/full.installed  ## rewrite the documents' figures
	$(BIN)/python -m scripts.make_figures
	$(BIN)/python -m scripts.make_schedule_figure
	$(BIN)/python -m scripts.make_architecture

clean:  ## remove the environment, caches, and the demo's data and runs
	rm -rf $(VENV) .venv-3.* .cache .hypothesis data/demo runs/demo docs/_build docs/reference
