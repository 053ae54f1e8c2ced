# `make demo` and `make test` need Python 3.11 or newer and nothing else; both make .venv and use it again.

PYTHON ?= python3
DEMO_FOLDER ?= data/demo
# Small traffic and a simulated account need no settings of yours.
CHECK_CONFIG := usage_pipeline_tests/usage_pipeline.yaml

# Modules are compiled once, also where the environment (of a container, say) asks Python not to keep them.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help demo dev test check bench format lock clean

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## the whole pipeline on a simulated AWS organisation; writes and names the report
	$(BIN)/usage-pipeline demo --out $(DEMO_FOLDER)

dev: $(INSTALLED) ## Dagster's UI with the simulated organisation behind it
	$(BIN)/usage-pipeline dev --sandbox --out $(DEMO_FOLDER)

test: $(INSTALLED) ## every test, on all cores
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(INSTALLED) ## format, lint, types, and that Dagster loads everything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	USAGE_PIPELINE_CONFIG=$(CHECK_CONFIG) $(BIN)/dg check defs

format: $(INSTALLED) ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## what is measured, with ratios; takes tens of minutes
	$(BIN)/python -m benchmarks

lock: $(INSTALLED) ## write requirements.lock again from pyproject.toml; needs uv
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header --output-file requirements.lock

clean: ## remove the environment and the demo's data
	rm -rf .venv $(DEMO_FOLDER)
