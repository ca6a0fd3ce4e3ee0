# `make` lists what there is. Everything runs in .venv; `make setup` makes it.
PYTHON ?= .venv/bin/python

.PHONY: help setup exports golden pages check format test slow doctest sizes ci

help:      ## list the targets
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 12

setup:     ## make .venv with everything a developer needs
	python3 -m venv .venv && .venv/bin/pip install -q -e ".[dev]"

exports:   ## write the export lists of dist, bijectors and nn
	$(PYTHON) tools/exports.py

golden:    ## write what the passes give today into tests/golden
	$(PYTHON) -m tools.golden

pages:     ## write what the blocks of the documentation print today
	$(PYTHON) -m tools.pages

check:     ## format, lint, spelling, types, layers, exports, sizes
	PYTHON=$(abspath $(PYTHON)) .ci/check

format:    ## format the code and mend what the linter can mend
	$(PYTHON) -m ruff check --fix . && $(PYTHON) -m ruff format .

test:      ## the tests that run anywhere, in some minutes
	$(PYTHON) -m pytest -n 2 -m "not slow"

slow:      ## the slow tests, most of them statistical
	$(PYTHON) -m pytest -m slow

doctest:   ## the examples in the docstrings
	$(PYTHON) -m pytest -q --doctest-modules bayesdl --ignore=bayesdl/bench/peers

sizes:     ## how large modules, functions and classes are
	$(PYTHON) tools/sizes.py

ci:        ## everything, in a fresh copy
	.ci/run
