# The main jobs of this repository. `make setup` needs only python3 (3.11 or newer) with venv, and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
TESTS ?= not chaos and not services and not sweep and not long
LOCAL_BIN ?= $(HOME)/.local/bin

.PHONY: setup install uninstall demo test test-services lint bench chaos clean

setup: $(READY)

$(READY): requirements.lock scripts/setup.sh
	@sh scripts/setup.sh $(PYTHON) $(VENV)

install: $(READY)
	@sh scripts/install.sh $(VENV) $(LOCAL_BIN)

uninstall:
	@sh scripts/install.sh --remove $(LOCAL_BIN)

demo: $(READY)
	@$(BIN)/ctl demo

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "$(TESTS)" $(PYTEST_ARGS)

# Tests against real servers: Vault is built once (minutes, needs Go) and kept in ~/.cache/codetether-agent.
test-services: $(READY)
	@sh scripts/build-service.sh vault >/dev/null || true
	@$(BIN)/python -m pytest -q -m services $(PYTEST_ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(READY)
	@$(BIN)/python -m benchmarks

chaos: $(READY)
	@$(BIN)/python -m pytest -q -m "chaos or sweep" tests/chaos

clean:
	rm -rf $(VENV)
