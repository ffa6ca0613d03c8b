# make demo   train on the digits data set, print the table, draw the clusters
# make test   run the test suite, but for commands and whole programs
# make test-programs  run the tests of commands, benchmarks, pages, examples, servers, kills, damage
# make coverage  run it with coverage, which takes half as long again
# make lint   style, types, and who imports whom
# make docs    build the documentation into build/site, from its pages and the docstrings
# make oldest      run the tests with the oldest versions that pyproject.toml admits
# make audit       look for known vulnerabilities in the installed versions
# make release     build wheel and sdist into dist/, and use the wheel alone
# make robustness  kill and damage for half an hour, and write docs/reliability.md
.PHONY: demo test test-programs coverage lint format docs oldest audit release robustness clean

PYTHON ?= python3
STAMP := .venv/.installed

# The package is installed editable, so only a change of its requirements asks for a new install.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $(STAMP)

demo: $(STAMP)
	.venv/bin/pyro-gmvae train digits --clusters 10 --out runs/demo --overwrite
	.venv/bin/pyro-gmvae evaluate runs/demo
	@echo "The picture of the clusters is runs/demo/clusters.png"

test: $(STAMP)
	@.venv/bin/python -m pytest -n auto

test-programs: $(STAMP)
	@.venv/bin/python -m pytest -n auto -m "programs and not slow and not gpu"

coverage: $(STAMP)
	.venv/bin/python -m pytest --cov -n auto -m "not slow and not gpu"

lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: $(STAMP)
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# A warning, such as a link to nothing, is an error.
docs: $(STAMP)
	.venv/bin/python docs/site/assemble.py build/docs
	.venv/bin/python -m sphinx -W --keep-going -q -b html -c docs/site build/docs build/site
	@echo "Open build/site/index.html"

# uv chooses the oldest versions, in an environment of their own.
oldest:
	$(PYTHON) -m venv .oldest
	.oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.oldest/bin/uv pip install --quiet --python .oldest/bin/python --resolution lowest-direct -e ".[dev]"
	.oldest/bin/python -m pytest -n auto -m "not slow and not gpu"

# A package that cannot be looked up is a failure: --strict.
audit: $(STAMP)
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv/bin/python -m pip freeze --exclude-editable > .audit/requirements.txt
	.audit/bin/pip-audit --strict --disable-pip --no-deps --requirement .audit/requirements.txt

# The wheel is installed into an environment of its own, which takes 6 GB for as long as it runs.
release: $(STAMP)
	PYTHON=$(PYTHON) OTHER_PYTHON=$(CURDIR)/.venv/bin/python bash release/check.sh

# The tables are written whether or not there is a fault.
robustness: $(STAMP)
	-OMP_NUM_THREADS=1 .venv/bin/python -m tests.robustness.kills --n 200 --out docs/reliability/kills.json
	-OMP_NUM_THREADS=1 .venv/bin/python -m tests.robustness.fuzz --n 10000 --out docs/reliability/fuzz.json
	.venv/bin/python -m tests.robustness.tables

clean:
	rm -rf .venv .oldest .audit build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
