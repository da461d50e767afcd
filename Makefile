# Two commands for a newcomer: `make demo` and `make test`. Everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests of real hosts wait half of the time: two cores carry six of them.
JOBS ?= 6
# Some of the unit tests wait, too: two cores carry six of them.
UNIT_JOBS ?= 6
SECONDS_EACH ?= 60
# Our own, and those that the documents offer to copy.
WORKFLOWS := .github/workflows/*.yml docs/workflows/*.yml

# Every worker of the tests would compile the program and the tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo picture screenshots outputs unit test long check fuzz bench simulate drills faults lock man docs dist schema help clean
.DELETE_ON_ERROR:

# The program alone: enough for `make demo`.
$(VENV)/.program: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed: $(VENV)/.program
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dashboard]' --group dev
	touch $@

demo: $(VENV)/.program
	$(BIN)/rollback-ops demo

# The picture of the demo in the README, from a real run.
picture: $(VENV)/.installed
	$(BIN)/python -m tests.support.picture

# The screenshots of docs/dashboard.md, in Debian's Chromium.
screenshots: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m tests.support.screenshots

# The outputs in the documents, from real hosts.
outputs: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m tests.support.documented

# No root, no network.
unit: $(VENV)/.installed
	tests/unit.sh $(UNIT_JOBS) $(BIN)/python -m pytest -m 'not long'

# In a new clone, one process compiles what all workers import. What is wrong then, the run itself says.
test: $(VENV)/.installed
	tests/packages.sh
	test -d tests/__pycache__ || $(BIN)/python -m pytest -q --collect-only >/dev/null || true
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m 'not long'

# What test leaves out: other forms of the same cases, runs that take long, and new examples for the properties.
# CONTRIBUTING.md lists them.
long: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m 'long or hypothesis' --hypothesis-profile new

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=action $(BIN)/mypy --config-file= --strict --scripts-are-modules action/prepare.py action/install.py
	$(BIN)/lint-imports
	$(BIN)/python -m rollback_ops.hosts.agent installed | $(BIN)/shellcheck --shell=sh --exclude=SC2016 -
	$(BIN)/python -m rollback_ops.hosts.agent sent | $(BIN)/shellcheck --shell=sh --exclude=SC2016,SC2086,SC2174 -
	$(BIN)/shellcheck --shell=sh rollback_ops/hosts/discovery/*.sh
	$(BIN)/shellcheck --shell=bash rollback_ops/cli/completion.bash
	$(BIN)/shellcheck action/*.sh tests/*.sh tests/support/*.sh .ci/run
	$(BIN)/actionlint $(WORKFLOWS)
	$(BIN)/zizmor --offline --persona auditor --no-progress --quiet --config .github/zizmor.yml action.yml .github docs/workflows/*.yml
	tests/support/validate.sh $(VENV)/validator action.yml $(WORKFLOWS)

fuzz: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group fuzz
	$(BIN)/python -m tests.fuzz.fuzz $(SECONDS_EACH)

bench: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m tests.bench $(ARGUMENTS)

# Drills on a real host: the table of docs/evidence.md. ARGUMENTS="--times 20" for fewer.
drills: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m tests.drills $(ARGUMENTS)

# How often the judge of metrics is wrong, and how fast it is: the tables of docs/evidence.md.
simulate: $(VENV)/.installed
	$(BIN)/python -m tests.simulate
	$(BIN)/python -m tests.simulate fleets

lock: $(VENV)/.installed
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" pyproject.toml --output-file action/requirements.lock

# The manual page, made from the help; the wheel has it. `man -l build/rollback-ops.1` shows it.
man: $(VENV)/.installed
	mkdir -p build
	$(BIN)/rollback-ops man > build/rollback-ops.1

# The documents as a site, in build/site. A link that leads nowhere fails it.
docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

dist: $(VENV)/.installed
	$(BIN)/uv build --quiet

# ARGUMENTS="--count 600 --seed 7 --jobs 3", or --only with the name of a trial that lost something.
faults: $(VENV)/.installed
	tests/packages.sh
	$(BIN)/python -m tests.faults $(ARGUMENTS)
	$(BIN)/python -m tests.faults.waves

schema: $(VENV)/.installed
	$(BIN)/python -m rollback_ops.core.record.schema > rollback_ops/core/record.schema.json

# What `rollback-ops --help` prints.
help: $(VENV)/.installed
	$(BIN)/python -m rollback_ops.cli.stored_help > rollback_ops/cli/help.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
