# Two commands for a newcomer: `make demo` and `make test`. Everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test check bench schema clean
.DELETE_ON_ERROR:

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $@

demo: $(VENV)/.installed
	$(BIN)/rollback-ops demo

test: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck rollback_ops/hosts/program.sh tests/packages.sh .ci/run

bench: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m tests.bench

schema: $(VENV)/.installed
	$(BIN)/python -m rollback_ops.record > rollback_ops/record.schema.json

clean:
	rm -rf $(VENV) build dist *.egg-info
