# Everything starts with `make run`. Each target sets up what it needs first; a second time that takes no time.

PYTHON_OF_VENV := .venv/bin/python
# Given on the command line or in the environment: PORT, MODEL_URL, MODEL_KEY, MODEL for `run`, PYTHON for all.
export PYTHON PORT MODEL_URL MODEL_KEY MODEL

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## install what the other targets need (they do it themselves)
	@bash local/setup.sh

run: setup ## start the gateway with a stand-in model; PORT=7072, MODEL_URL=... MODEL_KEY=... change it
	@exec $(PYTHON_OF_VENV) -I -S local/tied.py $$PPID 15 $(PYTHON_OF_VENV) -m local.run

# Where nginx and wrk are missing and cannot be installed, this says so, and the two tests that need them fail.
test: setup ## run every test; ARGS="-k name" chooses
	@bash local/setup.sh bench-tools || true
	@$(PYTHON_OF_VENV) -m pytest $(ARGS)

lint: setup ## check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@$(PYTHON_OF_VENV) -m mypy

bench: setup ## measure the gateway on this machine, beside nginx
	@bash local/setup.sh bench-tools
	@$(PYTHON_OF_VENV) -m bench $(ARGS)

clean: ## remove everything that make made, the local data included
	rm -rf .venv node_modules .local local.settings.json .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
