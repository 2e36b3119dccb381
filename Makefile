PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: app test slow lint clean

app: $(STAMP)          ## install if needed, then serve everything on http://localhost:8501
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: lint             ## install if needed, then check the code and run the fast tests
	$(BIN)/python -m pytest

slow: $(STAMP)         ## the tests that take minutes or need data
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)         ## install if needed, then check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 app"; exit 1; }
	@echo "Installing into $(VENV): some 7 GB, most of it PyTorch with CUDA's libraries. This takes minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(STAMP)

clean:
	rm -rf $(VENV)
