# `make demo` and `make test` are all that a fresh checkout needs; both set everything up in .venv first.
PYTHON ?= python3
VENV := .venv
# The folder of the corpus, of texts and of published weights.
SHARED ?= $(or $(EARSHOT_SHARED),../shared)
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

# The small version of every published row, on the corpus; PART=mei runs one paper's, PART=tried what was tried where a
# finding does not show. It goes on where it was stopped.
study: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m training study --data $(SHARED)/corpus --out .cache/study \
		--cache .cache/features --part $(or $(PART),all) --jobs $(or $(JOBS),2) --document docs/study.md

# Both models that ship, anew. SENTENCES is the published folder of all-MiniLM-L6-v2 (see docs/models.md).
models: $(READY)
	@test -n "$(SENTENCES)" || { echo "Please give the folder of all-MiniLM-L6-v2: make models SENTENCES=..." >&2; exit 1; }
	@for name in earshot-base earshot-captioner; do \
		EARSHOT_CORPUS=$(SHARED)/corpus EARSHOT_TEXTS=$(SHARED)/text EARSHOT_TRUNK=$(SHARED)/weights/mn04_as_mAP_432.pt \
		EARSHOT_SENTENCES="$(SENTENCES)" OMP_NUM_THREADS=1 sh -c "$(BIN)/python -m training train $$name --out .cache/runs/$$name --cache .cache/features && \
		$(BIN)/python -m training export .cache/runs/$$name --cache .cache/features --model resources/models/$$name" || exit 1; \
	done

samples: $(READY)
	@$(BIN)/python packaging/samples/render.py

clean:
	rm -rf $(VENV) .cache .demo
