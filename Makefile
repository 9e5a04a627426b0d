# make demo: install, train the demonstration, see its attention.   make test: install, run every test.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
STAMP  := $(VENV)/.installed

.PHONY: help install demo test docs check constraints clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## Jumok and its tools into .venv, at the versions of constraints.txt

demo: $(STAMP) ## train a small Transformer on generated dates, under 3 minutes; writes attention.html
	$(VENV)/bin/jumok demo

test: $(STAMP) ## every test
	$(VENV)/bin/pytest -n $(JOBS) --dist worksteal $(ARGS)

docs: $(STAMP) ## the book, English and Korean, every cell run: docs/book/_build/en/index.html
	$(VENV)/bin/pip install -q -c constraints.txt -e ".[docs]"
	cd docs/book && $(CURDIR)/$(VENV)/bin/sphinx-build -q -W -b gettext . _build/gettext
	cd docs/book && $(CURDIR)/$(VENV)/bin/sphinx-intl update -p _build/gettext -l ko
	for language in en ko; do \
	  $(VENV)/bin/sphinx-build -q -W -D language=$$language -d docs/book/_build/trees-$$language docs/book docs/book/_build/$$language || exit 1; \
	done

check: $(STAMP) ## lint, format, types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

constraints: $(STAMP) ## pin what .venv holds into constraints.txt
	$(VENV)/bin/pip install --upgrade -e ".[dev,bench]"
	@{ echo "# The tested set, for Python 3.11 and newer. Regenerate: make constraints"; \
	   $(VENV)/bin/pip freeze --all --exclude-editable | grep -v -e '^pip==' -e ' @ ' | sed -E 's/\+[a-z0-9]+$$//'; } > constraints.txt

clean: ## remove .venv and caches; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old; Jumok needs 3.11 or newer: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: $(PYTHON) lacks the venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -c constraints.txt -e ".[dev]"
	@touch $@
