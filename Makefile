# `make demo` and `make test` are all that a fresh checkout needs; both set everything up in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test unit lint bench models samples study clean

$(READY): pyproject.toml constraints.txt packaging/system_packages.sh
	@sh packaging/system_packages.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Earshot and what it needs into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt setuptools wheel
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install -q --disable-pip-version-check -e ".[dev]"
	@touch $@

demo: $(READY)
	@$(BIN)/python packaging/demo.py

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

unit: $(READY)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow" tests/unit

test: lint
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -q -n auto --dist loadfile

bench: $(READY)
	@$(BIN)/python tests/benchmarks/run.py

# The small version of every published row, on the corpus; PART=mei runs one paper's. It goes on where it was stopped.
study: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m training study --data $${EARSHOT_SHARED:-../shared}/corpus --out .cache/study \
		--cache .cache/features --part $(or $(PART),all) --document docs/study.md

samples: $(READY)
	@$(BIN)/python packaging/samples/render.py

clean:
	rm -rf $(VENV) .cache .demo
