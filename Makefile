# make label  labels the embedded sample and writes a report       make test       the tests (4 to 5 minutes)
# make lint   ruff and mypy                                         make test-slow  the long tests
# make lock   resolves requirements.in again                        make test-faults  kills, signals, full disks, damaged files
# make study-thesis [SEEDS=[0]]       self-training across the drawn domains, from end to end: docs/self_training.md
PY ?= python3.11
BIN := .venv/bin
LOCKS := requirements.lock requirements-detectron2.txt
# The marker carries the interpreter's version and path: another PY means another environment.
INTERPRETER := $(shell $(PY) -c 'import sys; print("%d.%d.%d-%s" % (*sys.version_info[:3], sys.base_prefix.replace("/", "_")))' 2>/dev/null)
READY := .venv/.ready-$(or $(INTERPRETER),missing)

# Waiting OpenMP threads give their core away instead of spinning.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: label setup judges test test-slow test-faults study-thesis lint lock clean

label: setup
	$(BIN)/python label.py

setup: $(READY)

$(READY): $(LOCKS)
	@test -n "$(INTERPRETER)" || { echo "error: no interpreter '$(PY)'. Install it (Debian: apt-get install python3.11-venv) or name another: make PY=python3.12 ..." >&2; exit 2; }
	rm -rf .venv
	$(PY) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --python-version 3.10 --no-deps --require-hashes -r requirements-detectron2.txt
	touch $@

judges: .venv/.judges

.venv/.judges: $(READY) requirements-judges.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r requirements-judges.txt
	touch $@

test: judges
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not faults" -n auto --maxprocesses 4 tests

test-slow: judges
	$(BIN)/python -m pytest -m slow tests

test-faults: judges
	$(BIN)/python -m pytest -m faults tests

SEEDS ?= [0,1,2]
study-thesis: setup
	$(BIN)/python -m relief.samples.draw --root outputs/coloured --domain coloured --train_images 192
	$(BIN)/python -m relief.samples.draw --root outputs/coloured_hazy --domain coloured_hazy --train_images 192
	$(BIN)/python evaluate.py study thesis --study.init_args.seeds "$(SEEDS)"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: setup
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes requirements.in -o requirements.lock

clean:
	rm -rf .venv outputs .pytest_cache .mypy_cache .ruff_cache
