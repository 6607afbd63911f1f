# Everything runs in the project's own environment, .venv; nothing is installed elsewhere.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
RUN_TIME ?= 40s
# Where the real data sets lie; tests and benchmarks that need them look here.
DATA ?= $(or $(AUTOGLM_TEST_DATA),$(patsubst %/MANIFEST.md,%,$(firstword $(wildcard ../*/data/MANIFEST.md))))

export OMP_NUM_THREADS ?= 1
export NO_MKDOCS_2_WARNING = 1

.DEFAULT_GOAL := help
.PHONY: help install demo test check house types lint imports doctest bench docs clean ray llm

help:
	@echo "make demo     install and do the main job on the shipped example (under 3 minutes)"
	@echo "make test     install and pass the whole test suite"
	@echo "make check    style, types, floors, house gates, doctests, strict docs"
	@echo "make bench    sentences, waiting times and sizes, thirty kills (five minutes)"
	@echo "make docs     build the documentation into site/"
	@echo "make install  the environment alone (.venv)"
	@echo "make ray      Ray beside it, for the tests of a cluster"
	@echo "make llm      torch, transformers and a sentence encoder beside it, for the tests with them"
	@echo "make clean    remove the environment and everything made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which with: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp is made anew when what it installs has changed.
$(VENV)/core.stamp: pyproject.toml constraints.txt requirements.txt | $(BIN)/python
	$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: $(VENV)/core.stamp
	$(PIP) install -c constraints.txt -e '.[all,dev]'
	@touch $@

# Ray, for the tests of a cluster: it must not change what is installed beside it.
$(VENV)/ray.stamp: $(VENV)/dev.stamp
	$(PIP) install -c constraints.txt -e '.[ray]'
	$(BIN)/python -m pip check
	@touch $@

# A language model's reference libraries, for the tests that compare with them.
$(VENV)/llm.stamp: $(VENV)/dev.stamp
	$(PIP) install -c constraints.txt torch==2.13.0
	$(PIP) install -c constraints.txt -e '.[text]'
	$(BIN)/python -m pip check
	@touch $@

ray: $(VENV)/ray.stamp

llm: $(VENV)/llm.stamp

install: $(VENV)/core.stamp

demo: $(VENV)/core.stamp
	@rm -rf demo && mkdir -p demo
	$(BIN)/autoglm run "预测哪些客户会流失,漏报代价高" autoglm/examples/customers.csv \
	  --time $(RUN_TIME) --run-dir demo/runs --out demo/churn.aglm --yes
	$(BIN)/autoglm predict demo/churn.aglm autoglm/examples/new_customers.csv \
	  --out demo/predictions.csv --proba
	$(BIN)/autoglm report demo/churn.aglm --out demo/report.html
	@echo
	@echo "model        demo/churn.aglm"
	@echo "report       demo/report.html"
	@echo "predictions  demo/predictions.csv"
	@head -n 4 demo/predictions.csv

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

check: lint types imports house doctest docs

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

house: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/test_house.py tests/test_docs.py

doctest: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --doctest-modules autoglm

docs: $(VENV)/dev.stamp
	$(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/dev.stamp
	$(BIN)/python bench/sentences/run.py --file other.jsonl
	$(if $(DATA),$(BIN)/python bench/sentences/run.py --data $(DATA),\
	  @echo "The 60 sentences need the real data sets: make bench DATA=/path/to/them")
	$(BIN)/python bench/figures.py
	$(BIN)/python bench/kill/run.py --kills 30

clean:
	rm -rf $(VENV) demo site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
