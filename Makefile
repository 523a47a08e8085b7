# Aliases; `make help` lists them. Everything runs in .venv, made from the locks.
PYTHON ?= python3
VENV := .venv/bin/python
# No variable of a shell makes pip install elsewhere, or hides the modules beside a script.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONSAFEPATH PYTHONHOME

.PHONY: run paper record test test-slow test-nightly lint format lock docs audit report benchmark gpu-check \
	gpu-day clean help usable

run: .venv/run.stamp  ## the whole pipeline: everything that is not up to date
	$(VENV) -m snakemake --cores all

paper: .venv/run.stamp  ## all six methods with five seeds, which the pages' tables are made of; keeps what `run` has made
	$(VENV) -m snakemake --cores all --configfile studies/paper.yaml

record: .venv/test.stamp  ## copy the tables and figures of a finished `make paper` to docs/ (CONTRIBUTING.md)
	$(VENV) docs/record.py

# Without the variable pytest keeps the tests that it has compiled.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(VENV) -m pytest --maxprocesses 8 --durations 10
# Processes for the slow tests, which wait for others half of the time.
MANY = $(shell $(PYTHON) -c 'import os; print(2 * os.cpu_count())')

# The time limits end a suite that takes twice its budget (CONTRIBUTING.md has the budgets), and a test that hangs.
test: .venv/test.stamp  ## all that proves a change
	$(PYTEST) -n logical --dist worksteal --timeout 120 --session-timeout 480 -m 'not (slow or nightly or gpu)'

test-slow: .venv/test.stamp  ## whole runs through both engines, faults, each method on a pretended GPU
	$(PYTEST) -n $(MANY) --dist worksteal --timeout 600 --session-timeout 1200 -m 'slow and not (nightly or gpu)'

test-nightly: .venv/test.stamp  ## what takes long and rarely breaks (CONTRIBUTING.md)
	$(PYTEST) -n $(MANY) --dist loadgroup --timeout 1800 -m 'nightly and not gpu'

gpu-check: .venv/test.stamp  ## on a GPU: whether trainings, probes and scores are those of the CPU, and what waits
	@$(VENV) -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else \
	"gpu-check needs a CUDA device, and torch finds none here. \"make test\" checks the same on a pretended one.")'
	$(PYTEST) -n logical -m gpu

MINUTES ?= 60
ARCHIVE ?= cifar10-jpeg.zip

gpu-day: .venv/test.stamp  ## on a GPU, in MINUTES=60: gpu-check, the speed of a step, CIFAR-10 from ARCHIVE to its measures
	$(VENV) benchmarks/gpu_day.py --minutes $(MINUTES) --archive $(ARCHIVE)

lint: .venv/test.stamp  ## linters and types: ruff, mypy, snakefmt, snakemake
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	$(VENV) -m snakefmt --check Snakefile workflow
	$(VENV) -m pytest -q tests/workflow/test_pipeline.py -k lint

format: .venv/test.stamp  ## format all code, repair what the linter can
	$(VENV) -m ruff check --fix .
	$(VENV) -m ruff format .
	$(VENV) -m snakefmt Snakefile workflow

lock: .venv/bin/python  ## pin the newest versions that pyproject.toml allows
	$(PIP) --quiet $(UV)
	$(LOCK) pyproject.toml --extra workflow --output-file requirements.lock
	$(LOCK) pyproject.toml --extra workflow --extra test --constraint requirements.lock --output-file requirements-test.lock
	$(LOCK) --group docs --output-file requirements-docs.lock

docs: .venv/docs/bin/mkdocs  ## the pages as a site, in site/; a broken link is an error
	.venv/docs/bin/mkdocs build --strict

audit: .venv/bin/python  ## look the pinned packages up among the known vulnerabilities (needs the network)
	test -x .venv/audit/bin/pip-audit || $(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv/audit/bin/pip-audit --strict --disable-pip --requirement requirements.lock

report: .venv/run.stamp  ## report.html: figures, tables, gallery, run times in one file
	$(VENV) -m snakemake --report report.html

benchmark: .venv/benchmark.stamp  ## speed beside that of other packages: benchmarks/results.csv
	$(VENV) benchmarks/compare.py

clean:  ## remove logs and unfinished trainings; results and .venv stay
	find data results -name .unfinished -prune -exec rm -rf {} +
	rm -rf logs scratch site report.html dvc_plots .mypy_cache .pytest_cache .ruff_cache

help:
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 16

UV := uv==0.13.9
LOCK = $(VENV) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --quiet --upgrade \
	--custom-compile-command "make lock"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

# A copied environment runs the code of the first checkout. `pyvenv.cfg` has the folder for which it was made.
usable: | .venv/bin/python
	@$(VENV) -c 'import pip' 2>/dev/null || { echo "error: .venv has no pip (on Debian it comes with the package \
	python3-venv). Install it, remove .venv (rm -r .venv), and run make again." >&2; exit 1; }
	@made=$$(sed -n 's/^command = .* -m venv \(--[a-z-]* \)*//p' .venv/pyvenv.cfg); \
	test -z "$$made" || test "$$made" -ef .venv || { echo "error: .venv was made for $$made, and copied or moved here. \
	Remove it (rm -r .venv), and run make again." >&2; exit 1; }

# uv is seven times as fast as pip with these gigabytes; pip is for indexes that only it has been told of. Both compile
# what they install: where PYTHONDONTWRITEBYTECODE is set, as in most containers, each job would compile torch again. The
# project itself comes last, so that `vi-simsiam` is a command of the environment.
PIP = $(VENV) -m pip install --disable-pip-version-check
define install
	($(PIP) --quiet $(UV) && $(VENV) -m uv pip install --python $(VENV) --compile-bytecode --require-hashes -r $<) || $(PIP) -r $<
	$(PIP) --quiet --no-deps --editable .
	$(VENV) -m compileall -q src workflow
endef

.venv/run.stamp: requirements.lock | usable
	$(install)
	touch $@

# The test lock holds all of the run lock, so this serves `make run` too.
.venv/test.stamp: requirements-test.lock | usable
	$(install)
	touch .venv/run.stamp $@

.venv/docs/bin/mkdocs: requirements-docs.lock | .venv/bin/python
	$(PYTHON) -m venv .venv/docs
	($(PIP) --quiet $(UV) && $(VENV) -m uv pip install --quiet --python .venv/docs/bin/python -r $<) || \
		.venv/docs/bin/python -m pip install --disable-pip-version-check --quiet -r $<
	touch $@

# The other packages come without their dependencies, which the run lock holds.
.venv/benchmark.stamp: benchmarks/requirements.txt .venv/run.stamp
	$(PIP) --no-deps -r benchmarks/requirements.txt
	touch $@
