# The whole study by name; `make` alone lists the targets. Needs only make and Python >= 3.11.
#
# An active conda or virtual environment is used as it is, and only `make setup` installs into
# it. Without one every target first makes .venv from lib/requirements.txt.

PROFILE ?= demo
DATA ?=
SEEDS ?= 1
DEVICE ?= auto
LOG ?=

# Candidates for making .venv, the first that fits is taken.
PYTHON3 ?= python3 python3.13 python3.12 python3.11

# Notebook kernels start in another folder, so the path is absolute.
export PYTHONPATH := $(CURDIR)/lib$(if $(PYTHONPATH),:$(PYTHONPATH))
# OpenMP threads that spin while they wait make a busy machine many times slower.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
INSTALL = -m pip install --disable-pip-version-check --no-input -r lib/requirements.txt
# In a terminal one sees what is being fetched; a log stays short.
INSTALL += $$(test -t 1 || echo --quiet)
ACTIVE := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),$(CONDA_PREFIX))

ifneq ($(ACTIVE),)
PYTHON := "$(ACTIVE)/bin/python"
ENVIRONMENT := active-environment
else
PYTHON := .venv/bin/python
ENVIRONMENT := .venv/.installed
endif

OPTIONS = --profile "$(PROFILE)" --seeds "$(SEEDS)" --device "$(DEVICE)" \
	$(if $(DATA),--data "$(DATA)")
TABLE = $(PYTHON) -m openscenes table $(1) $(OPTIONS)

TABLES = table-1 table-2 table-3 table-4 table-4-plus table-5 table-6 table-7 figures

NOTEBOOKS = $(wildcard notebooks/*.ipynb)
STRIPPED := --extra-keys "metadata.papermill cell.metadata.papermill cell.metadata.execution"

.PHONY: help setup plan dry-run tables models $(TABLES) lessons evolve site status test check format bench house lab lock clean
.PHONY: supported-environment active-environment
.DEFAULT_GOAL := help

help: ## list the targets and variables (default)
	@echo "make <target> [PROFILE=demo|study|paper] [DATA=folder] [SEEDS=1] [DEVICE=auto]"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PROFILE  demo: synthetic scenes; study: photographs from DATA; paper: its full size"
	@echo "  DATA     folder that holds the data sets (study, paper)"
	@echo "  SEEDS    how many seeds each row is trained with"
	@echo "  DEVICE   auto, cpu or cuda"

setup: $(if $(ACTIVE),supported-environment,$(ENVIRONMENT)) ## install the locked packages into .venv, or into the active environment
	$(if $(ACTIVE),$(PYTHON) $(INSTALL),@echo "The environment in .venv is complete.")

plan: $(ENVIRONMENT) ## print what would be trained, how long that takes, and what data it needs
	$(PYTHON) -m openscenes plan $(OPTIONS)

dry-run: $(ENVIRONMENT) ## walk every table at the paper's size on a few embedded pictures (about an hour on two cores)
	$(PYTHON) -m openscenes dry-run --device "$(DEVICE)"

tables: models ## train what is missing and make all of these (safe with -j2)
	@$(MAKE) --no-print-directory $(TABLES)

models: $(ENVIRONMENT) ## train and score all that the tables ask, as many side by side as there are cores
	$(PYTHON) -m openscenes models $(OPTIONS)

table-1: $(ENVIRONMENT) ## Table 1: every system after three clicks, and the clicks that each needs
	$(call TABLE,1)

table-2: $(ENVIRONMENT) ## Table 2: a life over three scenes, beside fine-tuned systems
	$(call TABLE,2)

table-3: $(ENVIRONMENT) ## Table 3: which prototypes refine a pseudo mask (IPT)
	$(call TABLE,3)

table-4: $(ENVIRONMENT) ## Table 4: self-training, IPT, feature alignment and both
	$(call TABLE,4)

table-4-plus: $(ENVIRONMENT) ## Table 4+, ours: what the same three clicks still tell
	$(call TABLE,4_plus)

table-5: $(ENVIRONMENT) ## Table 5: components of the alignment loss
	$(call TABLE,5)

table-6: $(ENVIRONMENT) ## Table 6: how much ground truth the initial model needs
	$(call TABLE,6)

table-7: $(ENVIRONMENT) ## Table 7: evolving on more and more of one scene
	$(call TABLE,7)

figures: $(ENVIRONMENT) ## Figures 3 and 4: the framework as it ran, masks before and after
	$(call TABLE,figures)

lessons: $(ENVIRONMENT) ## run the lessons and keep their pages in reports/notebooks
	$(PYTHON) -m openscenes lessons --profile "$(PROFILE)" --device "$(DEVICE)" \
		$(if $(DATA),--data "$(DATA)")

evolve: $(ENVIRONMENT) ## evolve on your own clicks and judge the result: LOG=folder/openscenes/log.jsonl
	@test -n "$(LOG)" || { echo "make evolve needs the log of your clicks:" \
		"LOG=path/to/pictures/openscenes/log.jsonl" >&2; exit 2; }
	$(PYTHON) -m openscenes evolve --log "$(LOG)" --profile "$(PROFILE)" --device "$(DEVICE)" \
		$(if $(DATA),--data "$(DATA)") $(EVOLVE)

site: $(ENVIRONMENT) ## write what lies in reports/ as web pages to browse, without running anything
	$(PYTHON) -m openscenes site

status: $(ENVIRONMENT) ## rewrite reports/README.md: what is verified, what was decided
	$(PYTHON) -m openscenes status

test: $(ENVIRONMENT) ## run the tests; those of a real browser where Chromium is installed
	$(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile -m "not browser"
	$(PYTHON) -m pytest -q -m browser tests/browser

check: $(ENVIRONMENT) ## check format, lint, types and that notebooks carry no outputs
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(if $(NOTEBOOKS),$(PYTHON) -m nbstripout $(STRIPPED) --verify $(NOTEBOOKS))

format: $(ENVIRONMENT) ## mend what `check` finds, where a tool can
	$(PYTHON) -m ruff check --fix --exit-zero .
	$(PYTHON) -m ruff format .
	$(if $(NOTEBOOKS),$(PYTHON) -m nbstripout $(STRIPPED) $(NOTEBOOKS))

bench: $(ENVIRONMENT) ## run the measurements in tests/bench/
	@for script in tests/bench/*.py; do \
		test -e "$$script" || { echo "There are no measurements in tests/bench/."; exit 0; }; \
		echo "== $$script"; $(PYTHON) "$$script" || exit 1; \
	done

house: $(ENVIRONMENT) ## print the code's measures and the files between a notebook and each equation
	$(PYTHON) tests/house.py

lab: $(ENVIRONMENT) ## open the notebooks in JupyterLab
	$(PYTHON) -m jupyterlab notebooks

lock: ## renew lib/requirements.txt from lib/pyproject.toml (needs uv)
	cd lib && uv pip compile pyproject.toml --output-file requirements.txt --quiet \
		--extra dev --universal --python-version 3.11 --no-emit-index-url \
		--annotation-style line --custom-compile-command "make lock"

clean: ## remove tool caches and build outputs; .venv and trained models stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache lib/build lib/openscenes.egg-info
	find $(wildcard lib tests notebooks reports) -depth \( -name __pycache__ \
		-o -name .ipynb_checkpoints -o -name '*.failed.ipynb' \) -exec rm -rf {} +
	@echo "Kept: .venv (the environment) and .cache (data, trained models)."

# The stamp is written last: an interrupted install is taken up again by the next make.
.venv/.installed: lib/requirements.txt
	@rm -f $@
	@for candidate in $(PYTHON3); do \
		if "$$candidate" -c "$(SUPPORTED)" 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "openscenes needs Python 3.11, 3.12 or 3.13, and none of $(PYTHON3) is one:" \
			"install it, or activate an environment that has it." >&2; exit 1; \
	fi; \
	.venv/bin/python -c "import pip; $(SUPPORTED)" 2>/dev/null || "$$found" -m venv --clear .venv
	@echo "Installing lib/requirements.txt into .venv, which takes minutes the first time ..."
	.venv/bin/python $(INSTALL)
	@touch $@

supported-environment:
	@$(PYTHON) -c "$(SUPPORTED)" || { \
		echo "openscenes needs Python 3.11, 3.12 or 3.13, and the active environment" \
			'$(ACTIVE) has another or none: deactivate it, or activate one that fits.' >&2; exit 1; }

active-environment: supported-environment
	@$(PYTHON) -c "$$UNFIT"

# Asks the package metadata, since importing torch only to see that it is there takes seconds.
define UNFIT
import re, sys, tomllib
from importlib.metadata import distributions
with open("lib/pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
there = {plain(found.name): found.version for found in distributions() if found.name}
named = {plain(re.match("[A-Za-z0-9._-]+", line).group()): line for line in wanted}
unfit = [line for name, line in named.items() if name not in there]
if not unfit:
    from packaging.requirements import Requirement
    unfit = [line + " (has " + there[name] + ")" for name, line in named.items()
             if not Requirement(line).specifier.contains(there[name], prereleases=True)]
if unfit:
    sys.exit("The active environment " + sys.prefix + " lacks " + ", ".join(unfit)
             + ": run `make setup` to install into it, or deactivate it and make uses .venv.")
endef
export UNFIT
