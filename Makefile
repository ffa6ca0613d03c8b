# make demo   train on the digits data set, print the table, draw the clusters
# make test   run the test suite with coverage
# make lint   style, types, and who imports whom
.PHONY: demo test lint format clean

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
	@.venv/bin/python -m pytest --cov -n auto

lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: $(STAMP)
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
