## make demo    watch 100 due balances being charged       (ARGS=--once: end with the table)
## make test    run the tests                              (ARGS="-k charge": some of them; ARGS='-m ""': the slow ones too)
## make test-fast   the tests that need no database   (ARGS="-k redaction")
## make check   lint, types, layers, migrations, documentation: all of it, and at the end what is not in order
## make format  put the code into its form
## make docs    the documentation of procrastinate_tasks, to read in .local/site/index.html
## make stop    stop the private Postgres, and what a demo left running
## make audit   known faults of the locked packages
## make bench   this worker beside Procrastinate, Celery, PgQueuer  (ARGS=--quick: a hint in two minutes)
## make load    200 guests, 20 slow clients and a worker for a minute, on this machine   (writes docs/load.md)
## make bench-invariants  what check_invariants costs with a million bookings
## make drill   three worker hosts lose power, network and their primary   (root; writes docs/drill.md)
## make collect  10,000 due balances, faults and kills: each is charged once   (writes docs/collections.md)
## make screenshots   a picture of every page, in .local/screenshots (ARGS="-k 1280-light-es")
## make bench-pages  what each page of the admin costs with a million jobs
## make dev     the web server and a worker, until Ctrl-C
## make soak    kills, stops and restarts under load, MINUTES=30 long; the report goes to docs/soak.md   (ARGS="--seed 7")
## make deploys  rolling deploys between two checkouts, with kills; the report goes to docs/deploys.md   (DEPLOYS=300 ARGS="--seed 7")
## make faults   does the house hold, whatever fails wherever?   (writes docs/faults.md; ARGS="--seed 7 --lives 1000")
## make explore  guests, workers, bank and network in any order, HOURS=1 long   (ARGS="--seed 7")
## make mutants  is each guard missed by a test when it is gone?   (writes docs/mutants.md; ARGS="jobs/policies")
## make lock    rewrite the locks of the project, its development and its documentation
## make messages  update and compile the Spanish catalogues (needs GNU gettext)
## make test-newest   the tests on the newest Django and Python 3.13

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help screenshots demo test test-fast check format docs audit bench bench-pages bench-invariants collect load drill explore faults soak deploys dev stop lock messages mutants \
	test-newest check-lint check-form check-types check-calls check-layers check-django check-migrations check-docs

# The tests start Python by the hundred: each process would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
NEWEST_PYTHON ?= python3.13
ARGS ?=
DEPLOYS ?= 300
MINUTES ?= 30
HOURS ?= 1
# A few tests are done before more processes have begun.
# Twice as many as there are processors: tests with real workers wait for most of their time. Who is done takes over.
TEST_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(min(6, 2 * (os.cpu_count() or 1)))')
IN_PARALLEL ?= $(if $(filter -k,$(ARGS)),,--numprocesses $(TEST_PROCESSES) --dist worksteal)

VENV := .venv
INSTALLED := $(VENV)/installed
TOOLS := .local/tools
NEWEST := .local/newest
CELERY := .local/bench/celery
PGQUEUER := .local/bench/pgqueuer
LOCUST := .local/bench/locust
AUDIT := .local/audit
DOCS := .local/docs
SITE := .local/site
PYRIGHT_VERSION := 1.1.414
PYRIGHT := .local/pyright-$(PYRIGHT_VERSION)

help:
	@sed -n 's/^## //p' Makefile

demo: $(INSTALLED)
	@$(VENV)/bin/python manage.py demo $(ARGS)

# A test that never ends is one failure with the stacks of its threads, not a run that says nothing.
ENDING := -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true

test: $(INSTALLED)
	$(VENV)/bin/python -m pytest $(IN_PARALLEL) $(ENDING) $(ARGS)

# What is promised in seconds is held to them here, where nothing else runs.
PROMISES := $(addprefix tests/acceptance/,test_database_away.py $(addprefix procrastinate_tasks/,monitoring/test_alerts.py \
	worker/test_queue_limits.py worker/test_running_jobs.py worker/test_stopping.py worker/test_losses.py))

soak: $(INSTALLED)
	KEEP_TIME=1 $(VENV)/bin/python -m pytest --quiet $(PROMISES)
	@$(VENV)/bin/python -m tests.workers.storm --minutes $(MINUTES) $(ARGS)

deploys: $(INSTALLED)
	@$(VENV)/bin/python -m tests.workers.deploys --deploys $(DEPLOYS) $(ARGS)

screenshots: export SCREENSHOTS := $(CURDIR)/.local/screenshots
screenshots: $(INSTALLED)
	$(VENV)/bin/python -m pytest -m slow tests/browser/test_gallery.py $(ARGS)

# No server is started for them: nobody answers at this address.
test-fast: export DATABASE_URL = postgres://nobody@127.0.0.1:1/none
test-fast: $(INSTALLED)
	@$(VENV)/bin/python -m pytest --quiet --numprocesses logical --maxprocesses 4 --hypothesis-profile fast tests/unit $(ARGS)

CHECKS := check-lint check-form check-types check-calls check-layers check-django check-migrations check-docs

# Two at a time, and on after one that fails: make names each of those. Older makes mix the lines of both.
check: $(INSTALLED)
	@$(MAKE) --no-print-directory --keep-going --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) $(CHECKS) || \
		{ echo 'make check: not in order is what make calls an Error above' >&2; exit 1; }
	@echo 'make check: all in order'

check-lint: $(INSTALLED)
	$(VENV)/bin/ruff check .

check-form: $(INSTALLED)
	$(VENV)/bin/ruff format --check .

check-types: $(INSTALLED)
	$(VENV)/bin/mypy .

# The calls that mypy refuses pyright has to refuse too; it is a program for Node, which not every machine has.
check-calls: $(INSTALLED)
	@if ! command -v npm >/dev/null; then echo 'check-calls: NOT DONE, there is no npm here to install pyright with'; exit; fi; \
	[ -d $(PYRIGHT)/node_modules/pyright ] || npm install --silent --no-audit --no-fund --prefix $(PYRIGHT) pyright@$(PYRIGHT_VERSION) || \
		{ echo 'check-calls: NOT DONE, npm cannot install pyright here'; exit 0; }; \
	node $(PYRIGHT)/node_modules/pyright/index.js --project tests/typing --pythonpath $(VENV)/bin/python

check-layers: $(INSTALLED)
	$(VENV)/bin/lint-imports

# These read the settings as the tests see them, so that no database server is started for them.
check-django check-migrations check-types: export DJANGO_SETTINGS_MODULE = tests.settings
check-django: $(INSTALLED)
	$(VENV)/bin/python manage.py check

check-migrations: $(INSTALLED)
	$(VENV)/bin/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

check-docs: docs

format: $(INSTALLED)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Strict: a link that leads nowhere, or a page that nothing leads to, is an error.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(INSTALLED) $(DOCS)/installed
	@$(DOCS)/bin/mkdocs build --quiet --strict --config-file docs/mkdocs.yml
	@$(VENV)/bin/python -m tests.docs.reference $(SITE)

$(DOCS)/installed: docs/requirements.txt
	@$(call make-venv,PYTHON,$(DOCS))
	$(DOCS)/bin/python -m pip install --quiet --require-hashes --requirement docs/requirements.txt
	@touch $@

# A machine without a way to the advisories says so; it does not pass for one without faults.
audit: $(AUDIT)/installed
	@rm -f $(AUDIT)/report.json
	@if $(AUDIT)/bin/pip-audit --disable-pip --require-hashes --requirement requirements.txt --vulnerability-service osv \
		--progress-spinner off --timeout 15 --format json --output $(AUDIT)/report.json 2>$(AUDIT)/log; then cat $(AUDIT)/log; \
	elif [ -s $(AUDIT)/report.json ]; then cat $(AUDIT)/log $(AUDIT)/report.json; exit 1; \
	else tail -n 1 $(AUDIT)/log; echo 'audit: NOT DONE, the service of advisories cannot be reached from here'; fi

$(AUDIT)/installed:
	@$(call make-venv,PYTHON,$(AUDIT))
	$(AUDIT)/bin/python -m pip install --quiet 'pip-audit>=2.9,<3'
	@touch $@

bench: $(INSTALLED) $(CELERY)/tried $(PGQUEUER)/tried
	@$(VENV)/bin/python -m benchmarks $(ARGS)

bench-pages: $(INSTALLED)
	@$(VENV)/bin/python -m benchmarks.pages $(ARGS)

bench-invariants: $(INSTALLED)
	@$(VENV)/bin/python -m benchmarks.invariants $(ARGS)

# In an environment of its own: the project does without Celery, and so does the benchmark if it has to.
$(CELERY)/tried: benchmarks/celery-requirements.txt
	@$(call make-venv,PYTHON,$(CELERY))
	$(CELERY)/bin/python -m pip install --quiet --requirement benchmarks/celery-requirements.txt || rm -r $(CELERY)/bin
	@touch $@

$(PGQUEUER)/tried: benchmarks/pgqueuer-requirements.txt
	@$(call make-venv,PYTHON,$(PGQUEUER))
	$(PGQUEUER)/bin/python -m pip install --quiet --requirement benchmarks/pgqueuer-requirements.txt || rm -r $(PGQUEUER)/bin
	@touch $@

load: $(INSTALLED) $(LOCUST)/installed
	@$(VENV)/bin/python -m benchmarks.load --locust=$(LOCUST)/bin/locust $(ARGS)

$(LOCUST)/installed: benchmarks/locust-requirements.txt
	@$(call make-venv,PYTHON,$(LOCUST))
	$(LOCUST)/bin/python -m pip install --quiet --requirement benchmarks/locust-requirements.txt
	@touch $@

collect: $(INSTALLED)
	@$(VENV)/bin/python -m benchmarks.collect $(ARGS)

drill: $(INSTALLED)
	@$(VENV)/bin/python -m benchmarks.drill $(ARGS)

# Postgres is no child of honcho's, which ends all its children at once: it starts before and stops after them.
dev: export GUNICORN_CMD_ARGS = --bind 127.0.0.1:8000
dev: $(INSTALLED)
	$(VENV)/bin/python manage.py migrate
	@trap : INT; PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/honcho start web worker; status=$$?; \
	$(VENV)/bin/python -m reyes_estancias.postgres stop --if-unused; [ $$status -eq 130 ] || exit $$status

stop: $(INSTALLED)
	@$(VENV)/bin/python -m reyes_estancias.demo.leftovers .local/demo
	@$(VENV)/bin/python -m reyes_estancias.postgres stop

faults: $(INSTALLED)
	@$(VENV)/bin/python -m tests.faults $(ARGS)

explore: $(INSTALLED)
	@$(VENV)/bin/python -m tests.explore --hours $(HOURS) $(ARGS)

mutants: $(INSTALLED)
	@$(VENV)/bin/python -m tests.mutation $(ARGS)

lock: $(TOOLS)/installed
	$(TOOLS)/bin/uv pip compile pyproject.toml $(LOCK_OPTIONS) --output-file requirements.txt
	$(TOOLS)/bin/uv pip compile pyproject.toml $(LOCK_OPTIONS) --extra dev --constraints requirements.txt \
		--output-file requirements-dev.txt
	$(TOOLS)/bin/uv pip compile docs/requirements.in $(LOCK_OPTIONS) --output-file docs/requirements.txt

LOCK_OPTIONS = --quiet --upgrade --upgrade-package 'django<5.3' --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock'

MESSAGES := bookings payments procrastinate_tasks reyes_estancias

# Without the time of the run, nothing changes where no word did.
messages: export DJANGO_SETTINGS_MODULE = tests.settings
messages: export PYTHONPATH = $(CURDIR)
messages: $(INSTALLED)
	for app in $(MESSAGES); do (cd $$app && ../$(VENV)/bin/django-admin makemessages --locale es \
		--add-location file --no-wrap --no-obsolete) || exit; done
	sed -i '/^"POT-Creation-Date: /d' $(MESSAGES:%=%/locale/es/LC_MESSAGES/django.po)
	$(VENV)/bin/python manage.py compilemessages --locale es --locale es_MX --ignore $(VENV) --ignore .local

test-newest: $(NEWEST)/installed
	$(NEWEST)/bin/python -m pytest $(IN_PARALLEL) $(ENDING) $(ARGS)

$(INSTALLED): requirements-dev.txt
	@echo 'Installing what is needed into $(VENV): about a minute, once.'
	@$(call make-venv,PYTHON,$(VENV))
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	@touch $@

$(TOOLS)/installed:
	@$(call make-venv,PYTHON,$(TOOLS))
	$(TOOLS)/bin/python -m pip install --quiet uv
	@touch $@

# From the ranges in pyproject.toml, not from the lock: the newest of everything.
$(NEWEST)/installed: pyproject.toml $(TOOLS)/installed
	@$(call make-venv,NEWEST_PYTHON,$(NEWEST))
	$(TOOLS)/bin/uv pip install --quiet --upgrade --python $(NEWEST)/bin/python --requirement pyproject.toml --extra dev
	@touch $@

# $(call make-venv,VARIABLE THAT NAMES THE INTERPRETER,DIRECTORY)
define make-venv
$($(1)) -c pass 2>/dev/null || { echo "$($(1)) does not run here. Install Python 3.11 or newer, or name another: make $(1)=/path/to/python" >&2; exit 1; }; \
$($(1)) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$($(1)) is $$($($(1)) --version); Python 3.11 or newer is needed: make $(1)=/path/to/python" >&2; exit 1; }; \
$($(1)) -c 'import ensurepip, venv' 2>/dev/null || { echo "$($(1)) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
$($(1)) -m venv --clear $(2)
endef
