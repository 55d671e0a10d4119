# Every target sets up what it needs: uv (from PyPI, into .tools/, when it is not on the PATH), then
# the locked environment in .venv. Needed beforehand: Python 3.11 or later, git, make.

UV_VERSION := 0.13.9
VENV := .venv
SYNCED := $(VENV)/.synced
RUN := $(VENV)/bin

# The first interpreter that is new enough; PYTHON=/path/to/python to choose another.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python3.14; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && command -v $$p && break; done)
UV = $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
# The system's Python is used; uv fetches none of its own.
export UV_PYTHON_DOWNLOADS := never
# Where Python is told to keep no compiled files, every process that a service starts, and every
# process of the tests, would compile all of Graft anew.
unexport PYTHONDONTWRITEBYTECODE

FAST := not slow and not gpu and not chaos
# Tests are shared out to three processes on two cores, and so on: many wait for something.
TEST_PROCESSES ?= $(shell $(RUN)/python -c 'import os; n = os.cpu_count() or 1; print(min(6, n + n // 2))')
# PyTorch in each would use every core, and threads that wait for one another's cores wait awake:
# together that took several times as long as one thread each.
TEST_THREADS ?= $(shell $(RUN)/python -c 'import os; print(max(1, (os.cpu_count() or 1) // $(TEST_PROCESSES)))')

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-page test-all chaos fuzz lint format bench lock-check clean distclean

help: ## List the targets
	@echo "Graft. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(SYNCED) ## The main job end to end; DATA=folder-or-zip PROFILE=quick|seed|best SPEC=job.yaml
	@$(RUN)/graft demo $(if $(DATA),--data "$(DATA)") $(if $(PROFILE),--profile "$(PROFILE)") $(if $(SPEC),--spec "$(SPEC)")

serve: $(SYNCED) ## Run the whole service on this machine, until Ctrl-C; DATA_DIR=… PORT=…
	@$(RUN)/graft serve $(if $(DATA_DIR),--data-dir "$(DATA_DIR)") $(if $(PORT),--port "$(PORT)")

test: $(SYNCED) ## Run the tests that take seconds
	OMP_NUM_THREADS=$(TEST_THREADS) $(RUN)/pytest -m "$(FAST)" --numprocesses $(TEST_PROCESSES) --no-loadscope-reorder

test-page: $(SYNCED) ## Walk through the page in a real browser (Debian: chromium)
	$(RUN)/pytest tests/dashboard

test-all: $(SYNCED) ## Run every test that this machine can run
	$(RUN)/pytest

chaos: $(SYNCED) ## Hurt a real service a hundred times, then compare; CHAOS="--faults 20 --seed 3 …"
	@$(RUN)/python tests/chaos/main.py $(CHAOS)

fuzz: $(SYNCED) ## Send and read what nobody should; FUZZ="--cases 1000 --only api --seed 3"
	@$(RUN)/python tests/fuzz/main.py $(FUZZ)

# Everything is checked before the first complaint ends it: one run then tells everything.
lint: $(SYNCED) ## Check style, types, import contracts, openapi.json and its promise
	@status=0; \
	for check in "ruff check" "ruff format --check" "mypy" "lint-imports"; do \
		echo "== $$check"; $(RUN)/$$check || status=1; \
	done; \
	echo "== openapi.json is current"; \
	$(RUN)/python -m api.openapi | diff -u openapi.json - || status=1; \
	echo "== openapi.json keeps the promise of docs/contract/v1.json"; \
	$(RUN)/python tests/support/contract_changes.py docs/contract/v1.json openapi.json || status=1; \
	exit $$status

format: $(SYNCED) ## Format the code, mend what can be mended, write openapi.json anew
	$(RUN)/ruff check --fix-only .
	$(RUN)/ruff format .
	$(RUN)/python -m api.openapi > openapi.json.part && mv openapi.json.part openapi.json
	$(RUN)/python -m api.roles > docs/roles.md.part && mv docs/roles.md.part docs/roles.md

# Each benchmark adds its lines to one file; the last command shows them as one table. The packages
# that two of them are compared with are no dependencies of ours: they lie in a folder of their own,
# and where they cannot be fetched that comparison is left out.
RATIOS := build/ratios.jsonl
bench: $(SYNCED) .peers/.installed ## Measure our training steps against others' ways; DEVICE=cpu|cuda DATA=zip
	@rm -f $(RATIOS)
	$(RUN)/python benchmarks/bench_infogan.py --device $(or $(DEVICE),cpu) --ratios $(RATIOS)
	@if test -f .peers/.installed; then set -x; \
		$(RUN)/python benchmarks/bench_peers.py --device $(or $(DEVICE),cpu) --ratios $(RATIOS) \
		$(if $(DATA),--data "$(DATA)"); fi
	$(RUN)/python benchmarks/bench_seed_cnn.py --device $(or $(DEVICE),cpu) --ratios $(RATIOS)
	$(RUN)/python benchmarks/bench_realesrgan.py --device $(or $(DEVICE),cpu) --ratios $(RATIOS)
	$(if $(DATA),$(RUN)/python benchmarks/bench_upscaling.py "$(DATA)")
	@$(RUN)/python benchmarks/ratios.py $(RATIOS)

# Without their dependencies: torch and the rest are taken from our environment.
.peers/.installed: benchmarks/peers.txt $(SYNCED) | $(UV)
	$(UV) pip install --quiet --no-deps --python $(RUN)/python --target .peers -r benchmarks/peers.txt \
		&& touch $@ || echo "left out: the comparison with other packages, which cannot be fetched"

lock-check: $(UV) ## Say whether uv.lock fits pyproject.toml
	$(UV) lock --check

clean: ## Remove caches and build outputs
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist
	find . -name __pycache__ -not -path './$(VENV)/*' -not -path './.tools/*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environment and the demonstration's data, too
	rm -rf $(VENV) .tools .peers demo

# A file, not a phony target: when nothing has changed, a command starts at once.
$(SYNCED): uv.lock pyproject.toml | $(UV)
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or later is needed; none was found." >&2; \
		echo "hint: install one, or name it with PYTHON=/path/to/python." >&2; exit 1; }
	@echo "setting up the environment in $(VENV)/ (a minute or two the first time)"
	$(UV) sync --locked --compile-bytecode --python "$(PYTHON)"
	@touch $@

.tools/bin/uv:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or later is needed; none was found." >&2; \
		echo "hint: install one, or name it with PYTHON=/path/to/python." >&2; exit 1; }
	@echo "getting uv $(UV_VERSION) into .tools/"
	@"$(PYTHON)" -m venv .tools || { rm -rf .tools; \
		echo "error: this Python cannot make virtual environments." >&2; \
		echo "hint: install its venv module (Debian and Ubuntu: apt install python3-venv), or uv itself." >&2; \
		exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" || { \
		rm -rf .tools; echo "error: uv could not be fetched from PyPI (above)." >&2; \
		echo "hint: is there a network, and a proxy in between? An installed uv is used as it is." >&2; \
		exit 1; }

# uv on the PATH is no file that could be made.
$(filter-out .tools/bin/uv,$(UV)):
