# `make demo` and `make test` are all the set-up there is; both go through `make setup`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench clean

help:
	@echo "make demo    set up, provision a Paxos cluster, break it, check it, report (first run: minutes)"
	@echo "make test    set up and run every test"
	@echo "make check   ruff, mypy --strict, rustfmt, clippy"
	@echo "make bench   the benchmarks, each beside its baseline"
	@echo "make clean   remove what the above made (keeps store/)"

setup:
	@.ci/setup

demo: setup
	@.venv/bin/paxtest run --system paxos --workload register \
	  --nemesis partition,kill,pause,clock --time-limit 45

test: setup
	@.venv/bin/python -m pytest -q
	@cd core && cargo test --profile checks --no-default-features --quiet

check: setup
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy
	@cd core && cargo fmt --check && cargo clippy --release --all-targets --no-default-features --quiet -- -D warnings

bench: setup
	@for file in benchmarks/*.py; do echo "== $$file"; .venv/bin/python $$file || exit 1; done

clean:
	rm -rf .venv .setup build dist core/target paxtest.egg-info paxtest/_core*.so \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis
