# `make app` opens convexviz, `make test` checks it. Python 3.11 or newer is all that must be there.
# GNU make splits names at spaces, so the folder of this file is found by the shell.
here := $(shell cd "$$(dirname "$(strip $(MAKEFILE_LIST))")" && pwd)
.PHONY: help app test lint clean

help:
	@echo "make app     set up and open the app (PORT=8501 chooses the port)"
	@echo "make test    set up, find or install Chromium, run everything that .ci/run runs"
	@echo "make lint    set up, format the code and show what the linters find"
	@echo "make clean   remove the environment and what tools have cached"

app:
	@"$(here)/.ci/environment" app
	@"$(here)/.ci/app"

test:
	@"$(here)/.ci/run"

lint:
	@"$(here)/.ci/environment" dev
	@cd "$(here)" && export PATH="$(here)/.venv/bin:$$PATH" && \
	  ruff format . && ruff check --fix . && lint-imports && mypy

clean:
	@cd "$(here)" && rm -rf .venv .*_cache .hypothesis convexviz.egg-info
	@find "$(here)" -name __pycache__ -prune -exec rm -rf {} +
