# Everything runs in .venv, which the first target makes by itself: Python 3.11 or newer, make and a package index
# are enough. Paths are relative throughout, so that a folder with a space in its name works.
# "make PYTHON=python3.13 test" chooses the Python, "make UV= test" installs with pip although uv is there.

ifneq ($(origin PYTHON),undefined)
export PYTHON_WAS_CHOSEN = 1
endif
PYTHON ?= python3
ifneq ($(origin UV),undefined)
export UV
endif
ARGS ?=
EVERYTHING = "not broker and not browser"
PARALLEL ?= -n 3 --dist loadfile
export DEMO_PORT

INSTALL = @$(PYTHON) requirements/install.py
RUN = .venv/bin/python
PYTEST = $(RUN) -m pytest
# Runs what follows "--" where the services answer; otherwise says in one line what is missing, and fails under CI=true.
WITH = $(RUN) -m tests.services

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test quality format test-long test-postgres test-mariadb test-brokers test-browser coverage demo demo-reset \
	bench chaos messages dev clean env-test env-quality env-demo

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' Makefile

env-test:
	$(INSTALL) test

env-quality:
	$(INSTALL) quality

env-demo:
	$(INSTALL) demo

dev: ## Install everything a developer uses into .venv
	$(INSTALL) dev

test: env-test ## Run the tests on SQLite
	$(PYTEST) $(PARALLEL) $(ARGS)

test-long: env-test ## Run whole stories, floods, big courses and every admin page as every stranger on SQLite
	$(PYTEST) $(PARALLEL) -m "long and not broker" $(ARGS)

test-postgres: env-test ## Run the tests on PostgreSQL (PROCTORING_TEST_POSTGRES_URL)
	$(WITH) postgres -- $(PYTEST) $(PARALLEL) -m $(EVERYTHING) $(ARGS)

test-mariadb: env-test ## Run the tests on MariaDB or MySQL (PROCTORING_TEST_MARIADB_URL)
	$(WITH) mariadb -- $(PYTEST) $(PARALLEL) -m $(EVERYTHING) $(ARGS)

test-brokers: env-test ## Run the Celery tests (PROCTORING_TEST_RABBITMQ_URL, PROCTORING_TEST_REDIS_URL)
	$(WITH) rabbitmq redis -- $(PYTEST) -m broker $(ARGS)

test-browser: env-test ## Run the tests of the pages in Chromium (PROCTORING_TEST_CHROMIUM)
	$(WITH) chromium -- $(PYTEST) -m browser $(ARGS)

bench: env-test ## Run the benchmarks: one JSON line each
	@for one in allowances onboarding_status violation_report evidence booking_sweep ratings_list heartbeats log_readings; do $(RUN) -m benchmarks.$$one || exit 1; done

chaos: env-test ## Book with a vendor that misbehaves and workers that are killed (ARGS="--help")
	@$(RUN) -m benchmarks.booking_chaos $(ARGS)

coverage: env-test ## Run the tests on SQLite and show what they do not reach
	$(PYTEST) $(PARALLEL) --cov --cov-report=term $(ARGS)

quality: env-quality ## Check style, types, imports, migrations, system checks, documents and security
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(RUN) -m mypy proctoring demo
	.venv/bin/lint-imports
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py check --fail-level WARNING
	$(RUN) -m rstcheck --recursive *.rst docs
	$(RUN) -m bandit -q -c pyproject.toml -r proctoring demo

format: env-quality ## Format the code and mend what ruff can mend
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

messages: env-test ## Collect and compile translations (needs gettext)
	cd proctoring && ../.venv/bin/python ../manage.py makemessages --locale de --no-wrap --no-location
	cd proctoring && ../.venv/bin/python ../manage.py compilemessages

demo: env-demo ## Start the demo LMS (DEMO_PORT, ARGS)
	@exec $(RUN) -m demo.run $(ARGS)

demo-reset: env-demo ## Start the demo LMS from its first state, forgetting what was done in it
	@exec $(RUN) -m demo.run --reset $(ARGS)

clean: ## Remove what these targets made
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis \
		mutants .benchmarks htmlcov .coverage test-results test.sqlite3 test.sqlite3-* .venv.lock
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
