# Two commands need nothing but Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env demo test slow gpu check docs format chaos bench mlflow jspsych echarts clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

$(READY): pyproject.toml constraints.txt
	@echo "Making the environment in $(VENV): some minutes and several GB, once."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)) and "facegrid needs Python 3.11 or 3.12; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs,imagenet]'
	@touch $(READY)

env: $(READY) ## the environment alone

demo: $(READY) ## the main job on faces that the project draws: 12 cells, a table, a report
	@$(BIN)/facegrid launch configs/grids/demo.yaml

# Three processes on two cores: tests with Ray wait a lot.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --ignore=tests/bench --ignore=tests/chaos/loops --ignore=tests/gpu \
	--numprocesses 3 --dist loadfile --no-loadscope-reorder

test: $(READY) ## the tests that CI runs, in about a quarter of an hour; prints how long each folder took
	$(PYTEST) -m "not slow"

slow: $(READY) ## the tests that `make test` leaves out because they take long
	$(PYTEST) -m slow

check: $(READY) ## format, lint, types, layers, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/unit -m "not slow"

docs: $(READY) ## the documentation as a site, in build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

format: $(READY) ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

GPU_PYTHON = $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
gpu: ## CUDA against the CPU, then a table of speeds: on a machine with a GPU; installs nothing
	@$(GPU_PYTHON) tests/gpu/ready.py
	OMP_NUM_THREADS=2 $(GPU_PYTHON) -m pytest tests/gpu -m "not alone" --numprocesses 6; \
		correct=$$?; $(GPU_PYTHON) -m pytest tests/gpu -m alone -s -q && exit $$correct

chaos: $(READY) ## hours of kills: at every write of a launch, at 25 random moments, of 200 workers; 10,000 pruned histories; long stops; a quick check of every small grid; a report of each damaged study
	$(BIN)/python -m pytest tests/chaos/loops
	FACEGRID_TEST_REPORTS=all $(BIN)/python -m pytest tests/integration/test_damage.py

bench: $(READY) ## measurements, as ratios
	$(BIN)/python -m pytest tests/bench -s

mlflow: $(READY) ## the pictures of docs/mlflow.md; needs chromium
	FACEGRID_PICTURES=docs/images $(BIN)/python -m pytest tests/bench/test_mlflow_bench.py -k pictures

JSPSYCH ?= 8.3.0
jspsych: ## renew the copy of jsPsych that human studies use; needs npm
	sh grid/human_study/web/jspsych/renew.sh $(JSPSYCH)

ECHARTS ?= 6.1.0
echarts: ## renew the copy of Apache ECharts that draws the charts of reports; needs npm
	sh grid/report/interactive/echarts/renew.sh $(ECHARTS)

clean: ## caches; studies and the environment stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
