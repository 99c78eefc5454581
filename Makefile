PYTHON ?= python3

.PHONY: install test lint run

install:
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -r requirements-dev.txt

test:
	.venv/bin/python -m pytest

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

run:
	.venv/bin/python app.py
