PYTHON ?= python3
PORT ?= 8501
# Test processes side by side; a module goes to one of them as a whole.
WORKERS ?= 2
# Empty for PyTorch as PyPI has it, on Linux with CUDA's libraries; cpu for its build without them.
TORCH ?=
# 1 for HTTPS on all of this machine's addresses, with a certificate of its own: a phone's camera needs that.
HTTPS ?=
VENV := .venv
BIN := $(VENV)/bin
# A stamp for each build of PyTorch, so that asking for the other one is noticed.
STAMP := $(VENV)/.installed$(TORCH:%=-%)
# The Live page, which goes to the user's cache folder; the stamp says that it is as new as what it is made from.
LIVE := $(VENV)/.live-page
# As new as the last time that the page was found to be of another model than FER_DEMO_MODEL, or not to be there.
LIVE_MODEL := $(VENV)/.live-model
DIST_ENV := build/env

ifeq ($(TORCH),cpu)
# The build is labelled +cpu, which pip takes for newer than the same release without a label.
PIP_OPTIONS := --extra-index-url https://download.pytorch.org/whl/cpu
SIZE := everything but CUDA's libraries
else ifeq ($(TORCH),)
SIZE := some 7 GB, most of it PyTorch with CUDA's libraries
else
$(error TORCH=$(TORCH) is not known here: say TORCH=cpu, or leave it out for PyTorch as PyPI has it)
endif

ifeq ($(HTTPS),1)
CERTIFICATE := build/https
SERVE := --server.address 0.0.0.0 \
	--server.sslCertFile $(CERTIFICATE)/certificate.pem --server.sslKeyFile $(CERTIFICATE)/key.pem
else ifneq ($(HTTPS),)
$(error HTTPS=$(HTTPS) is not known here: say HTTPS=1, or leave it out for HTTP on this machine alone)
endif

.PHONY: FORCE app attack test slow timm-contract lint dist clean

app: $(STAMP) $(LIVE)  ## install if needed, then serve everything on http://localhost:8501
ifeq ($(HTTPS),1)
	@$(BIN)/python deploy/certificate.py $(CERTIFICATE) $(PORT)
endif
	$(BIN)/streamlit run app.py --server.port $(PORT) $(SERVE)

test: lint             ## install if needed, then check the code and run the fast tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

attack: $(STAMP)       ## load, slow and damaged pictures, faults: prints docs/reliability.md's table; some 20 minutes
	$(BIN)/python -m tests.load all

slow: $(STAMP)         ## the tests that take minutes or need data
	$(BIN)/python -m pytest -m slow

timm-contract: $(STAMP)  ## timm's own tests of models over the networks here; NAMES="fer_sedense*" for a part
	$(BIN)/python -m tests.timm_contract $(foreach name,$(NAMES),'$(name)')

lint: $(STAMP)         ## install if needed, then check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist: $(DIST_ENV)/.installed  ## build dist/*.tar.gz, and from it dist/*.whl, and check both
	rm -rf dist
	$(DIST_ENV)/bin/python -m build
	$(DIST_ENV)/bin/python -m twine check --strict dist/*
	@wc -c dist/*

$(STAMP): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 app"; exit 1; }
	@echo "Installing into $(VENV): $(SIZE). This takes minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) -r requirements.txt
ifeq ($(TORCH),cpu)
	@$(BIN)/python -c 'import sys, torch; sys.exit(torch.version.cuda is not None)' || \
		{ echo "PyTorch came with CUDA's libraries, or was there before: see that" \
		"https://download.pytorch.org/whl/cpu can be reached, then make clean and try again."; exit 1; }
endif
	@touch $(STAMP)

# Without it the app starts all the same, and tries again the next time.
$(LIVE): $(STAMP) $(LIVE_MODEL) $(wildcard fer_demo/export/*.py fer_demo/export/page/*)
	@if ! command -v npm > /dev/null; then \
		echo "npm is not installed: the Live page will send pictures to this server instead of reading them in the browser."; \
	elif $(BIN)/python -m fer_demo export $${FER_DEMO_MODEL:+"$$FER_DEMO_MODEL"} --web; then touch $@; \
	else echo "The Live page will send pictures to this server instead of reading them in the browser."; fi

$(LIVE_MODEL): $(STAMP) FORCE
	@{ $(BIN)/python -m fer_demo.web.browser_page && test -e $@; } || touch $@

FORCE:

$(DIST_ENV)/.installed:
	$(PYTHON) -m venv $(DIST_ENV)
	$(DIST_ENV)/bin/python -m pip install --quiet --disable-pip-version-check 'build>=1.2,<2' 'twine>=6.1,<8'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
