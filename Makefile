# make run: install and run the quick matrix. make check: lint, types.
# make test: install and test on all cores; ARGS are given to pytest, as ARGS=--durations=10.
# make peers: an environment with JoeyNMT, to compare with; make doctor-peers: one with other doctors.
# make guard: counts against the baseline.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.installed

# python keeps what it compiles: hundreds of short processes would compile it again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run test check guard peers doctor-peers clean

install: $(DONE)

run: $(DONE)
	$(BIN)/bench run

test: $(DONE)
	$(BIN)/python -m pytest -n auto --no-loadscope-reorder $(ARGS)

check: $(DONE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

$(DONE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	# the one that comes with an older Python takes twice as long to choose versions
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip || true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[zh,ja,ko,parquet,ray,trackers,dev]'
	# pip would compile on one core; packages may have files for other versions of Python
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	# what it lists is kept: the first time takes torch, and seconds
	$(BIN)/bench list >/dev/null
	touch $(DONE)

guard: $(DONE)
	$(BIN)/bench guard --baseline tests/perf/guard.json

PEERS := .venv-joeynmt

# JoeyNMT, for tests/peers: JOEYNMT_PYTHON=$(PEERS)/bin/python make test
peers: $(PEERS)/.installed

$(PEERS)/.installed: tests/peers/requirements.txt $(DONE)
	$(PYTHON) -m venv $(PEERS)
	# torch and all else that the two have in common is taken from the suite's own environment
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' >"$$($(PEERS)/bin/python -c 'import site; print(site.getsitepackages()[0])')/suite.pth"
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/peers/requirements.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps joeynmt==2.3.0
	touch $@

DOCTOR_PEERS := .venv-doctor-peers

# torchtest2 and TrainCheck, for python -m tests.perf.doctor_peers
doctor-peers: $(DOCTOR_PEERS)/.installed

$(DOCTOR_PEERS)/.installed: tests/perf/doctor_peers_requirements.txt
	$(PYTHON) -m venv $(DOCTOR_PEERS)
	$(DOCTOR_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/perf/doctor_peers_requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) $(DOCTOR_PEERS) .bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
