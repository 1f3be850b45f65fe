PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# A folder of recordings for `make demo`; by default, it uses the embedded corpus. Another folder
# needs another RUN: make demo DATA=other RUN=runs/other.
DATA ?=
RUN ?= runs/$(if $(DATA),own,demo)

# `make results` trains all networks with equal budgets on the recordings in DATA, which may have a
# manifest.csv. PRECISION=mixed_bfloat16 saves up to half of the time on CPUs with AVX512-BF16.
RATIO ?= 4
PRECISION ?= float32
RESULTS ?= runs/results-$(RATIO)x
# TABLE=docs/results.md updates the table of this ratio in that page.
TABLE ?= $(RESULTS)/table.md
# Each NAME of the recipes compare_NAME; `results` sets it once wideband-train can list them.
NETWORKS =

.PHONY: demo results tables bench test quick test-tfio test-beam lint docs try build clean

demo: $(VENV)/demo.stamp
	$(BIN)/wideband-prepare $(if $(DATA),--corpus=folder --source="$(DATA)",--corpus=demo) \
		--ratio=4 --output="$(RUN)/data"
	$(BIN)/wideband-train --recipe=demo --data="$(RUN)/data" --run="$(RUN)"
	$(BIN)/wideband-evaluate --run="$(RUN)" --baselines=spline,sinc,speech-4x

results: $(VENV)/demo.stamp
	$(MAKE) tables NETWORKS="$$($(BIN)/wideband-train --recipe=list | sed -n 's/^compare_\(\w*\) .*/\1/p' | xargs)"

tables: $(NETWORKS:%=$(RESULTS)/%/speed.json)
	$(BIN)/python benchmarks/table.py $(NETWORKS:%=--run="$(RESULTS)/%") \
		--output="$(TABLE)" --name=$(RATIO)x
	$(BIN)/python -m wideband.evaluate.fusion $(addprefix --run="$(RESULTS)/,tfnet" gionet" gionet2") \
		--output="$(TABLE:.md=_fusion_$(RATIO)x.png)"

$(RESULTS)/data/manifest.csv: | $(VENV)/demo.stamp
	$(BIN)/wideband-prepare --ratio=$(RATIO) --output="$(RESULTS)/data" $(if $(DATA),--source="$(DATA)" \
		--corpus=$(if $(wildcard $(DATA)/manifest.csv),manifest,folder),--corpus=demo)

# An interrupted training continues.
$(RESULTS)/%/evaluation.json: $(RESULTS)/data/manifest.csv
	$(BIN)/wideband-train --recipe=compare_$* --set=ratio=$(RATIO) --set=precision=$(PRECISION) \
		--data="$(RESULTS)/data" --run="$(RESULTS)/$*"
	$(BIN)/wideband-evaluate --run="$(RESULTS)/$*"

.SECONDARY: $(NETWORKS:%=$(RESULTS)/%/evaluation.json)

# Speed is measured after all trainings, which would slow it down.
$(RESULTS)/%/speed.json: $(NETWORKS:%=$(RESULTS)/%/evaluation.json)
	$(BIN)/python benchmarks/speed.py --run="$(RESULTS)/$*"

# Measures speed and memory in a quarter of an hour, on a machine that is idle.
bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/bench.py --page=docs/performance.md

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

# The tests to run during development; a minute and a half.
quick: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal -m "not slow"

# The tests that need tensorflow-io, in an environment of its own: TFIO_PYTHON is Python 3.10 to 3.12.
# moto is an object store on this machine.
TFIO_PYTHON ?= $(PYTHON)
test-tfio:
	$(MAKE) .venv-tfio/tfio.stamp VENV=.venv-tfio PYTHON=$(TFIO_PYTHON)
	.venv-tfio/bin/python -m pip install --quiet 'pytest>=8' 'moto[server]>=5'
	.venv-tfio/bin/python -m pytest tests/data_gen/test_tfio.py

# The tests that need Apache Beam, in an environment of its own: Beam keeps packages at versions below
# the newest ones. moto is an object store on this machine.
test-beam:
	$(MAKE) .venv-beam/beam.stamp VENV=.venv-beam
	.venv-beam/bin/python -m pip install --quiet 'pytest>=8' 'moto[server]>=5' 'apache-beam[aws]'
	.venv-beam/bin/python -m pytest tests/data_gen/test_beam.py tests/upsample/test_beam.py

# The packages for a package index, in dist/.
build: $(VENV)/build.stamp
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

# The page to try the networks in a browser, in build/try: any web server can serve it.
try: $(VENV)/web.stamp
	$(BIN)/python -m wideband.web.build --output=build/try

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# The pages, in build/docs, without anything from elsewhere; then their tests.
# Not with --quiet, which would turn off the strictness.
docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	$(BIN)/python -m pytest --quiet tests/docs/check_site.py

# A stamp marks an installed extra of setup.cfg.
$(VENV)/%.stamp: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) .venv-tfio .venv-beam build dist *.egg-info
