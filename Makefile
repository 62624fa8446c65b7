# Everything a stranger needs: `make demo` and `make test` set themselves up.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SERVED := .venv-services/.installed
PLOTS  := .venv-plots/.installed
MUTANTS := .venv-mutants/.installed
SERIES := bench-sizes bench-recorders bench-histories bench-s3

.PHONY: setup demo test campaigns browser check check-dock services services-ceph stops bench bench-all $(SERIES) bench-wall long-run plots mutants faults deb hardware lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

setup: $(STAMP) ## a virtual environment with every dependency, pinned by hash

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "bwcdock needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is not whole. On Debian and Ubuntu: apt-get install python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## make cards, dock them, show the whole way to the receipt (in demo-station/)
	@rm -rf demo-station
	$(BIN)/bwcdock demo demo-station

test: $(STAMP) ## the tests, without what takes long; under ten minutes on two cores
	$(BIN)/python -m pytest -n 4 --dist loadgroup -q

campaigns: $(STAMP) $(SERVED) ## a bounded part of what takes long: kill -9, power cuts, 500 random lives, a small run of every measurement (needs Debian's libfuse2)
	$(BIN)/python -m pytest -n 2 -q tests/faults tests/life tests/benches

browser: $(STAMP) ## the pages in a real Chromium (needs Debian's chromium and chromium-driver); pictures in build/screenshots
	$(BIN)/python -m pytest -q -m chromium tests/web

check: $(STAMP) ## format, lint, types, import contracts
	$(BIN)/ruff format --check daemon drivers tests bench packaging
	$(BIN)/ruff check daemon drivers tests bench packaging
	$(BIN)/mypy -p bwcdock -p bwcdock_drivers
	MYPYPATH=tests/typed $(BIN)/mypy tests/typed/api.py tests/typed/example_driver.py
	$(BIN)/lint-imports

check-dock: $(STAMP) ## the dock against this machine's udev and systemd (needs Debian's udev, systemd, strace; as root it does more, else it says what it skips)
	$(BIN)/python -m pytest -q tests/dock

services: $(STAMP) $(SERVED) ## central storage and the catalogue on real servers: SeaweedFS, OpenSSH, PostgreSQL (needs Debian's openssh-server and postgresql)
	$(BIN)/python -m pytest -q tests/services --ignore tests/services/test_s3_on_ceph.py

services-ceph: $(STAMP) ## central storage on a Ceph of one node, and its gaps (needs Debian's ceph-mon, ceph-mgr, ceph-osd, radosgw, ceph-common)
	$(BIN)/python -m pytest -q -s tests/services/test_s3_on_ceph.py

stops: $(STAMP) $(SERVED) ## stations killed and real servers stopped while they push, as often as in a bad year (a quarter of an hour)
	BWCDOCK_CAMPAIGN=long $(BIN)/python -m pytest -q -s tests/services/test_stops.py

$(SERVED): requirements.services.lock
	@$(PYTHON) -m venv .venv-services
	.venv-services/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.services.lock
	@touch $@

bench: $(STAMP) ## measure against peers and floors; one JSON line a figure, and the table in docs/performance.md
	@mkdir -p build
	@bash -o pipefail -c '$(BIN)/python -m bench | tee build/bench.jsonl'
	$(BIN)/python -m bench.tables build/bench.jsonl

bench-all: bench bench-sizes bench-recorders bench-histories bench-s3 bench-wall ## every measurement but the long run, with tables and plots (an hour and a half)
	$(MAKE) plots

# By size of file, number of recorders, length of history; to an S3 store. Needs Debian's rsync and 12 GiB.
$(SERIES): bench-%: $(STAMP) $(SERVED)
	@mkdir -p build
	@bash -o pipefail -c '$(BIN)/python -m bench --only $* | tee build/$*.jsonl'

bench-wall: $(STAMP) ## ten minutes of thirty screens while eight recorders are pulled (needs 4 GiB of memory)
	@mkdir -p build
	@bash -o pipefail -c '$(BIN)/python -m bench.wall | tee build/wall.jsonl'

long-run: $(STAMP) ## a dock's month in an hour: forty recorders, yanks, outages, a full spool, holidays
	@mkdir -p build
	@bash -o pipefail -c '$(BIN)/python -m bench.longrun | tee build/longrun.jsonl'

plots: $(PLOTS) ## draw what build/*.jsonl tell into docs/plots, and write its tables into docs/performance.md
	.venv-plots/bin/python -m bench.plots build/*.jsonl
	.venv-plots/bin/python -m bench.tables build/*.jsonl

$(PLOTS): requirements.plots.lock
	@$(PYTHON) -m venv .venv-plots
	.venv-plots/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.plots.lock
	@touch $@

mutants: $(MUTANTS) ## change the core in one place after the other, and see whether a test notices (an hour; MODULES="rules record" some)
	.venv-mutants/bin/python tests/mutants $(MODULES)

$(MUTANTS): requirements.lock requirements.mutants.lock pyproject.toml
	@$(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock -r requirements.mutants.lock
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

faults: $(STAMP) ## the fault campaigns, whole; BWCDOCK_STATES=200000 for ten times the power cuts (needs Debian's libfuse2)
	BWCDOCK_CAMPAIGN=long $(BIN)/python -m pytest -q tests/faults tests/life

deb: $(STAMP) ## the Debian package, in dist/ (needs Debian's python3-venv and dpkg-dev)
	$(BIN)/python packaging/deb.py dist

hardware: $(STAMP) ## a dock in a virtual machine: real udev, systemd and USB recorders (needs root and QEMU)
	$(BIN)/python tests/hardware

lock: ## write the requirements.*.lock files anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --all-extras pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -c requirements.lock pyproject.toml -o requirements.run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header tests/services/requirements.in -o requirements.services.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header bench/requirements.in -o requirements.plots.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -c requirements.lock tests/mutants/requirements.in -o requirements.mutants.lock

clean: ## remove what was made here
	rm -rf $(VENV) .venv-services .venv-plots .venv-mutants demo-station dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
