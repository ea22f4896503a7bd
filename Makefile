# make serve and make test set up all they need in .venv: Python 3.11 or later with venv, and make, is enough.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)

.PHONY: serve test lint bench gallery nightly clean
.DEFAULT_GOAL := serve

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed (Debian: apt-get install python3 python3-venv)"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

serve: $(STAMP)
	@CDS_PORT="$${PORT:-$${CDS_PORT:-8080}}" exec $(BIN)/myeloma-cds serve

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/myeloma-cds knowledge check
	@if [ -x $(BIN)/hadolint ]; then echo hadolint Dockerfile; $(BIN)/hadolint Dockerfile; \
	else echo "hadolint is not there for this machine: Dockerfile not linted"; fi

bench:
	@echo "There is no benchmark yet."

# Every kind of card for every test patient, in both languages: docs/gallery.html, to be opened in a browser.
gallery: $(STAMP)
	$(BIN)/python -m tests.gallery

# Every state of pathways/state-space.yaml, the properties over forty times as many charts, then every mutant of
# the state rooms: some three hours on two cores. MUTANTS=cds_service.patient.progression* takes those of one room; docs/mutation-testing.md says more.
nightly: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,nightly]'
	$(BIN)/myeloma-cds knowledge walk --all
	$(BIN)/python -m pytest tests/properties -n auto --hypothesis-profile=nightly
	$(BIN)/python tests/run_mutants.py $(MUTANTS)

clean:
	rm -rf $(VENV) build dist mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
