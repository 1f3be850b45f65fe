PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# A folder of recordings for `make demo`; without one it takes the embedded corpus. A second folder
# needs another RUN: make demo DATA=other RUN=runs/other
DATA ?=
RUN ?= runs/$(if $(DATA),own,demo)

.PHONY: demo test lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/wideband-prepare $(if $(DATA),--corpus=folder --source="$(DATA)",--corpus=demo) \
		--ratio=4 --output="$(RUN)/data"
	$(BIN)/wideband-train --recipe=demo --data="$(RUN)/data" --run="$(RUN)"
	$(BIN)/wideband-evaluate --run="$(RUN)"

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# A stamp stands for one extra of setup.cfg, installed.
$(VENV)/%.stamp: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
