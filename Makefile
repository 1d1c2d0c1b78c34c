# demo, test, check and bench need Python 3.11 or newer with venv, and git; everything else comes from uv.lock.
PYTHON ?= python3
UV := .tools/bin/uv
UV_VERSION := $(shell sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p}' uv.lock)
RUN := $(UV) run --frozen --extra dev
# What is resolved anew (a lock, the image's packages) takes no release younger than this: the newest ones are
# not on every mirror yet. Move it forward with uv.lock.
export UV_EXCLUDE_NEWER ?= 2026-11-12T00:00:00Z
PYTEST_ARGS ?= -n auto --dist loadscope --no-loadscope-reorder

.PHONY: demo test check bench bench-serving bench-soak generate clean

# The example's script writes into no package, so its environment may share files with uv's cache.
demo: export UV_LINK_MODE ?= hardlink
demo: $(UV) ## a whole release of examples/churn on this machine
	@$(UV) sync --quiet --frozen --no-dev --inexact
	@$(UV) run --quiet --frozen --no-sync generator rehearse --model churn

test: $(UV) ## all tests; those that need an absent part say so
	$(RUN) pytest $(PYTEST_ARGS)

check: $(UV) ## what CI checks besides tests
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) generator validate
	$(RUN) generator generate --check
	$(RUN) python -m tests.checks

bench: $(UV) ## side by side with what one would use instead; prints tables
	$(RUN) python -m benchmarks

bench-serving: $(UV) ## model servers side by side; needs Linux, two idle cores and wrk
	$(RUN) python -m benchmarks.serving --docs

bench-soak: $(UV) ## this server at twice its capacity for ten minutes
	$(RUN) python -m benchmarks.serving.soak --docs

generate: $(UV) ## after a change of templates, schema or examples: everything that is made from them
	$(RUN) generator schema > templates/editor/model.schema.json
	$(RUN) generator generate
	$(RUN) generator schema --markdown > docs/model-yaml.md

clean:
	rm -rf .tools .venv dist .tagship

$(UV):
	@$(PYTHON) -m venv .tools || { echo "make: needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)"; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
