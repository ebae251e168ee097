# Tidemark's commands. `make help` lists them. All that is needed is Python 3.11 or newer; `make services` says what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
LOCK := requirements-dev.txt

# The first Python that is new enough. Another one: make setup PYTHON=/path/to/python
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$name" && break; done)

# What is installed is known by the lock's content and what is compiled: another lock, another stamp.
STAMP := $(VENV)/.locked-$(shell cat $(LOCK) setup.py transforms/parse/_plain_events.c 2>/dev/null | cksum | tr -d " ")

SEGMENTS ?= 10
EVENTS ?= 1000000
TEST_WORKERS ?= 2
OUT ?= out

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-18s %s\n", $$1, $$2 }'

.PHONY: setup
setup: $(STAMP) ## Install everything Python into .venv, from the lock file

$(STAMP):
	@test -n "$(PYTHON)" || { echo "setup: Python 3.11 or newer is needed (make setup PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@if ! $(PY) -m pip --version >/dev/null 2>&1; then rm -rf $(VENV); \
		echo "setup: making $(VENV) with $$($(PYTHON) --version) ($(PYTHON))"; \
		$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
			echo "setup: this Python has no venv module. On Debian: apt-get install python3-venv" >&2; exit 1; }; fi
	@echo "setup: installing $$(grep -c '^[a-zA-Z0-9].*==' $(LOCK)) packages from $(LOCK), each checked by its hash (a minute or two)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --use-pep517 --no-deps --require-hashes -r $(LOCK)
	@PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.locked-*
	@touch $@
	@ls transforms/parse/*.so >/dev/null 2>&1 || echo "setup: no C compiler or no headers of Python were found. All works; batch jobs read their events more slowly"
	@echo "setup: done, $(VENV) is ready"

.PHONY: run
run: setup ## Build profiles and segments of the example shop into out/tidemark.duckdb
	@$(PY) -m pipelines.profiles --input 'examples/events/*' --segments segments --traits traits --output duckdb:$(OUT)/tidemark.duckdb
	@echo && echo "What activation would send (make activate-demo sends it, to made-up vendors):" && echo
	@$(PY) -m pipelines.activate --input duckdb:$(OUT)/tidemark.duckdb --destinations destinations --dry_run

.PHONY: activate-demo
activate-demo: run ## Activate the example shop against made-up vendors, and show what they hold
	@$(PY) -m examples.shop_activated --input duckdb:$(OUT)/tidemark.duckdb --destinations destinations

.PHONY: stream
stream: setup ## Watch a live feed: segments grow and shrink in the terminal (Ctrl-C ends it)
	@# Prism, Beam's local runner, listens on every interface: where Linux lets us, it gets a network of its own.
	@# Without Go it cannot be built here; then Beam downloads it.
	@if command -v go >/dev/null && $(PY) -m services build prism && $(PY) -m services isolated -- true 2>/dev/null; \
		then $(PY) -m services isolated -- $(PY) -m examples.shop_live; else $(PY) -m examples.shop_live; fi

.PHONY: shop
shop: setup ## A shop to click on in a browser: API, stream, and what becomes of one's own clicks (needs npm)
	@npm ci --prefix examples/shop --ignore-scripts --no-audit --no-fund --silent
	@if command -v go >/dev/null && $(PY) -m services build prism && $(PY) -m services isolated -- true 2>/dev/null; \
		then $(PY) -m examples.shop --isolated; else $(PY) -m examples.shop; fi

.PHONY: bench-collect
bench-collect: setup ## Measure the API: events per second, beside an endpoint that only answers
	@$(PY) -m benchmarks.collect

.PHONY: test
test: setup ## Run the tests (a few minutes)
	@$(PY) -m pytest -n $(TEST_WORKERS) --dist=worksteal

.PHONY: test-long
test-long: setup ## Run the thousands of generated cases
	@$(PY) -m pytest -n $(TEST_WORKERS) --dist=worksteal -m long

.PHONY: test-integration
test-integration: setup ## Run the tests against real servers (see make services)
	@$(PY) -m pytest -m integration tests/integration

.PHONY: bench
bench: setup ## Measure: make bench EVENTS=1000000 SEGMENTS=10,100,1000
	@$(PY) -m benchmarks.batch --events $(EVENTS) --segments $(SEGMENTS)

.PHONY: bench-stream
bench-stream: setup ## Measure the stream: events per second, and how soon a change is told
	@$(PY) -m benchmarks.stream --segments $(SEGMENTS)

.PHONY: services
services: setup ## Build (once) and start the servers of the integration tests on 127.0.0.1
	@$(PY) -m services up

.PHONY: services-stop
services-stop: setup ## Stop them
	@$(PY) -m services down

.PHONY: check
check: setup ## Lint, formatting, types, structure
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PY) -m pytest -q tests/test_structure.py tests/test_docs.py

.PHONY: format
format: setup ## Format the code and apply the linter's safe fixes
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: lock
lock: ## Write the lock files again from setup.py (newest versions that fit)
	@test -x $(VENV)/bin/uv || { test -x $(PY) || $(PYTHON) -m venv $(VENV); $(PY) -m pip install --quiet uv; }
	@$(VENV)/bin/uv pip compile setup.py $(UV_LOCK) --output-file requirements.txt
	@$(VENV)/bin/uv pip compile setup.py $(UV_LOCK) --extra dev --extra benchmarks --constraints requirements.txt --output-file $(LOCK)
	@$(VENV)/bin/uv pip compile setup.py $(UV_LOCK) --extra api --constraints $(LOCK) --output-file deploy/requirements-api.txt

UV_LOCK := --quiet --universal --python-version 3.11 --generate-hashes --upgrade --custom-compile-command 'make lock'

.PHONY: clean
clean: ## Remove what was made here: output, caches, the environment (not the built servers: rm -r .services)
	rm -rf $(VENV) $(OUT) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -not -path './.services/*' -exec rm -rf {} +
