# Two commands on a fresh machine: `make demo` trains a small StyleGAN (GPU=1: on an NVIDIA GPU), `make test` runs lint and all quick tests.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_DATA = datasets/leaves32
# With GPU=1 the libraries of CUDA are installed, 3 GB more; GPU=0 leaves them out. By default they are where a driver of NVIDIA is.
ifndef GPU
GPU := $(shell if test -e /proc/driver/nvidia/version || PATH="$$PATH:/usr/lib/wsl/lib" nvidia-smi -L >/dev/null 2>&1; then echo 1; fi)
endif
EXTRAS = video$(if $(filter-out 0,$(GPU)),$(COMMA)gpu)
READY = $(VENV)/.ready$(if $(filter-out 0,$(GPU)),-gpu)
COMMA = ,

.PHONY: demo test test-slow lint clean

demo: $(READY)
	@test -f $(DEMO_DATA)/dataset.json || $(BIN)/python dataset_tool.py create_leaves $(DEMO_DATA) --resolution 32 --num-images 4000
	@$(BIN)/python train.py --preset demo --data $(DEMO_DATA)

test: $(VENV)/.ready-for-tests lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-slow: $(VENV)/.ready-for-tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[notebook]"
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.ready-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(READY): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "error: $(PYTHON) is `$(PYTHON) --version 2>&1`. Python 3.10 to 3.13 is needed: try make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "error: $(PYTHON) comes without venv or ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@

$(VENV)/.ready-for-tests: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
