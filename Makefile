# `make bench` and `make test` need Python 3.11, make and a compiler; everything else they bring themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: bench test fast lint clean

bench: $(VENV)/.bench  ## agent and cascaded baseline on real audio: table and report page
	$(BIN)/duplex-bench

test: $(VENV)/.test debian  ## every test
	$(BIN)/python -m pytest -n 2 -m "not alone"
	$(BIN)/python -m pytest -m alone

fast: $(VENV)/.test  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(VENV)/.test
	$(BIN)/uv pip install --quiet --python $(BIN)/python --overrides .ci/overrides.txt -e ".[lint]"
	$(BIN)/mypy && $(BIN)/ruff check .

# The bench talks to embedded parts and needs no torch; the tests run Moshi and PersonaPlex, on tiny checkpoints.
$(VENV)/.bench: EXTRAS = offline
$(VENV)/.test: EXTRAS = offline,moshi,test
$(VENV)/.bench $(VENV)/.test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --overrides .ci/overrides.txt -e ".[$(EXTRAS)]"
	touch $@

.PHONY: debian
debian:  # pages are tested in a real browser, the microphone on a virtual sound card, where these can be had
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v pulseaudio >/dev/null && command -v parec >/dev/null || missing="$$missing pulseaudio pulseaudio-utils"; \
	ls /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so >/dev/null 2>&1 || missing="$$missing libasound2-plugins"; \
	ls /usr/lib/*/libportaudio.so.2 >/dev/null 2>&1 || missing="$$missing libportaudio2"; \
	ls /usr/lib/*/libopus.so.0 >/dev/null 2>&1 || missing="$$missing libopus0"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else echo "not installed:$$missing; the tests that need them are skipped (apt-get install$$missing)"; fi; fi

clean:
	rm -rf $(VENV) runs outputs multirun
