PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# A folder of recordings; empty means the embedded corpus of synthetic speech.
DATA ?=
RUN ?= runs/demo

.PHONY: demo test lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/wideband-demo
test: $(VENV)/test.stamp
	$(BIN)/python -m pytest

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# One environment for every extra: each stamp says which extra was installed from which setup.cfg.
$(VENV)/%.stamp: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
