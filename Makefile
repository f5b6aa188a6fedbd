# Every target makes what it needs by itself (scripts/bootstrap) and can be repeated.
.DEFAULT_GOAL := help
# Python keeps what it compiled, whatever the shell says: else each process of the tests compiles them, for 7 seconds.
export PYTHONDONTWRITEBYTECODE =
.PHONY: help demo demo-stop demo-nodes demo-nodes-stop test test-all test-fast coverage killed decade moved-house mutants test-matrix lint bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: ## see it work: private PostgreSQL, sample leads, a reminder sent by pg_cron
	@scripts/demo

demo-stop: ## stop the demo's PostgreSQL and delete it
	@scripts/private-postgres stop --remove .demo

demo-nodes: ## see four nodes and a router at work, each node with its own pg_cron
	@scripts/demo-nodes

demo-nodes-stop: ## stop them and delete them
	@scripts/demo-nodes stop

# More processes than cores: now and then one waits, for a minute of pg_cron, a lock or a lease.
test: ## run the tests of the day against a temporary PostgreSQL; ARGS='-k cron' goes to pytest
	@scripts/bootstrap
	@.venv/bin/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

test-all: ## run all tests, also those of the night, with all random cases, which CI does at night
	@scripts/bootstrap
	@.venv/bin/python -m pytest --numprocesses 3 --dist worksteal --thorough $(ARGS)

test-fast: ## run the tests but for the slow ones; for after each change
	@scripts/bootstrap
	@.venv/bin/python -m pytest --numprocesses 3 --dist worksteal --fast $(ARGS)

coverage: ## run the tests as `make test` does, and show which statements of PL/pgSQL they run
	@scripts/bootstrap
	@LEAD_PROTECTION_COVERAGE=1 PYTHONPATH=tests .venv/bin/python -m pytest -p helpers.statement_coverage \
		--numprocesses 2 --dist worksteal $(ARGS)

killed: ## end a backend at every single row that each call writes, and see that nothing is lost
	@scripts/bootstrap
	@KILLED_AT_EVERY_WRITE=1 .venv/bin/python -m pytest --numprocesses 2 --dist worksteal \
		tests/catalog/test_killed_at_every_write.py $(ARGS)

decade: ## live through ten years on a server whose clock is set, half an hour; ARGS='--seed 7' or ARGS='--years 1'
	@scripts/bootstrap
	@.venv/bin/python scripts/decade $(ARGS)

moved-house: ## move the database in every way, and starve its server, 14 minutes; more with scripts/older-postgresql
	@scripts/bootstrap
	@.venv/bin/python -m pytest --numprocesses 2 --dist worksteal --thorough \
		tests/install/test_moved_house.py tests/install/test_moved_server.py tests/install/test_upgraded_server.py \
		tests/install/test_private_postgres.py tests/pipeline/test_starved.py tests/pipeline/test_pressure.py $(ARGS)

mutants: ## break the rule in one place after the other: do the tests notice? ARGS='--every 10 --limit 1200'
	@scripts/bootstrap
	@.venv/bin/python scripts/mutants $(ARGS)

test-matrix: ## run all tests on PostgreSQL 15, 16, 17 and 18, as root, hours; ARGS='16 -- make test ARGS=tests/rule'
	@scripts/test-matrix $(ARGS)

lint: ## check the SQL, the shell, the workflows and the Python
	@scripts/bootstrap
	@scripts/lint

bench: ## measure the numbers of the design, as ratios in one run; ARGS='--leads 1000000'
	@scripts/bootstrap
	@.venv/bin/python bench/bench.py $(ARGS)

clean: demo-stop demo-nodes-stop ## delete all that was made here: the demo, .venv and caches
	@rm -rf .venv .tools .hypothesis .pytest_cache .ruff_cache .mypy_cache *.egg-info build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
