# `make bench` and `make test` need Python 3.11, make and a compiler; everything else they bring themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: bench test fast lint clean

bench: $(VENV)/.bench  ## agent and cascaded baseline on real audio: table and report page
	$(BIN)/duplex-bench

test: $(VENV)/.test browser  ## every test
	$(BIN)/python -m pytest -n 2

fast: $(VENV)/.test  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(VENV)/.test
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[lint]"
	$(BIN)/mypy && $(BIN)/ruff check .

# The bench talks to embedded parts and needs no torch; the tests run Moshi and PersonaPlex, on tiny checkpoints.
$(VENV)/.bench: EXTRAS = offline
$(VENV)/.test: EXTRAS = offline,moshi,test
$(VENV)/.bench $(VENV)/.test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[$(EXTRAS)]"
	touch $@

.PHONY: browser
browser:  # the report page is tested in a real browser where one can be had
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else echo "chromium is not installed: the report page is not tested in a browser (apt-get install chromium)"; fi; }

clean:
	rm -rf $(VENV) runs outputs multirun
