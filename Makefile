# The whole study by name; `make` alone lists the targets. Needs only make and Python >= 3.11.
#
# An active conda or virtual environment is used as it is, and only `make setup` installs into
# it. Without one every target first makes .venv: lib/requirements.txt, and openscenes from lib/.

PROFILE ?= demo
DATA ?=
SEEDS ?= 1
DEVICE ?= auto
# How models are trained: 32-true, tf32 or bf16-mixed; 1 for bits that repeat; 1 for more rows, which
# say what each ingredient brings; crops of one pass; GPUs that share one training; files of IOG's and
# DEXTR's published weights to begin with.
PRECISION ?=
DETERMINISTIC ?=
ABLATIONS ?=
MICRO_BATCH ?=
DEVICES_PER_MODEL ?=
INITIAL ?=
DEXTR ?=
# Where: so many processes here, or a Dask scheduler's address, or a file that describes a cluster.
WORKERS ?=
CLUSTER ?=
# 1 shows in a browser what Dask does there (needs bokeh).
DASHBOARD ?=
# Which data `make data` fetches into DATA, such as SETS="voc sbd coco-val".
SETS ?=
# A file that states another machine for `make plan` (lib/openscenes/study/plan/h200.json is one).
ASSUME ?=
LOG ?=
# More options of JupyterLab, such as LAB="--no-browser --port 8890" on a distant machine.
LAB ?=
# More options of the command, such as EVOLVE="--variant st".
EVOLVE ?=
# Your images, for `make annotate`.
FOLDER ?=
# One malformed input, or the beginning of several, such as FUZZ=log/tree/17.
FUZZ ?=

# Candidates for making .venv, the first that fits is taken.
PYTHON3 ?= python3 python3.13 python3.12 python3.11

# A value may hold anything, blanks, quotes, $(shell ...): it is taken as it is and reaches a recipe
# by the environment, as "$$DATA", so that neither make nor the shell runs a word of it.
$(foreach name,PROFILE DATA SEEDS DEVICE PRECISION DETERMINISTIC ABLATIONS MICRO_BATCH DEVICES_PER_MODEL \
	INITIAL DEXTR WORKERS CLUSTER DASHBOARD SETS ASSUME LOG LAB EVOLVE FOLDER FUZZ PYTHON3,\
	$(eval override $(name) := $$(value $(name)))$(eval export $(name)))
$(foreach name,VIRTUAL_ENV CONDA_PREFIX,$(eval override $(name) := $$(value $(name))))

# OpenMP threads that spin while they wait make a busy machine many times slower.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
# In a terminal one sees what is being fetched; a log stays short.
INSTALL = -m pip install --disable-pip-version-check --no-input $$(test -t 1 || echo --quiet)
# Edits in lib/ count at once; everything that the package needs is in the lock.
PACKAGE = $(INSTALL) --no-deps --no-build-isolation -e ./lib
LOCKED = $(INSTALL) -r lib/requirements.txt
ACTIVE := $(if $(VIRTUAL_ENV),VIRTUAL_ENV,$(if $(CONDA_PREFIX),CONDA_PREFIX))

ifneq ($(ACTIVE),)
PYTHON := "$$$(ACTIVE)/bin/python"
ENVIRONMENT := active-environment
else
PYTHON := .venv/bin/python
ENVIRONMENT := .venv/.installed
endif

STUDY = --profile="$$PROFILE" --data="$$DATA" --device="$$DEVICE"
OPTIONS = $(STUDY) --precision="$$PRECISION" --deterministic="$$DETERMINISTIC" --ablations="$$ABLATIONS" \
	--micro-batch="$$MICRO_BATCH" --devices-per-model="$$DEVICES_PER_MODEL" \
	--initial="$$INITIAL" --dextr="$$DEXTR"

PLACE = --workers="$$WORKERS" --cluster="$$CLUSTER" $(if $(DASHBOARD),--dashboard)

TABLES = table-1 table-2 table-3 table-4 table-4-plus table-5 table-6 table-7 figures

# JupyterLab refuses root, who one is in most containers, unless it is told otherwise.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

HAS_NOTEBOOKS = $(wildcard notebooks/*.ipynb)
STRIPPED := --extra-keys "metadata.papermill cell.metadata.papermill cell.metadata.execution"

.PHONY: help setup lab site plan data tables models $(TABLES) lessons dry-run reports status annotate evolve test check format fuzz kills bench house release lock clean
.PHONY: supported-environment active-environment
.DEFAULT_GOAL := help

#: Start

help: ## list the targets and variables (default)
	@echo "make <target> [PROFILE=demo|study|paper] [DATA=folder] [SEEDS=1] [DEVICE=auto]"
	@echo
	@awk -F ':.*## ' '/^#: / { printf "%s%s\n", n++ ? "\n" : "", substr($$0, 4) } \
		/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables"
	@echo "  PROFILE  demo: synthetic scenes; study: real images from DATA; paper: its full size"
	@echo "  DATA     folder that holds the data sets (study, paper)"
	@echo "  SEEDS    how many seeds each row is trained with"
	@echo "  ABLATIONS  1: more rows, which say what each ingredient of ours brings"
	@echo "  INITIAL  file of IOG's published weights, under the initial model on VOC+SBD (paper)"
	@echo "  DEXTR    file of DEXTR's published weights, for Tables 1 and 2 (paper)"
	@echo "  DEVICE   auto, cpu, cuda (every GPU) or cuda:K (GPU number K alone)"
	@echo "  WORKERS  models trained side by side here; by default what cores, memory and GPUs allow"
	@echo "  CLUSTER  tcp://host:8786 of a Dask scheduler, or a YAML file of a Slurm, PBS or LSF queue"

setup: $(if $(ACTIVE),supported-environment,$(ENVIRONMENT)) ## install the locked packages and openscenes into .venv, or into the active environment
	$(if $(ACTIVE),$(PYTHON) $(LOCKED),@echo "The environment in .venv is complete.")
	$(if $(ACTIVE),$(PYTHON) $(PACKAGE))

lab: $(ENVIRONMENT) ## open the notebooks in JupyterLab, at 00_start_here
	@test -z "$(AS_ROOT)" || echo "You are root, so JupyterLab gets --allow-root; from outside a" \
		"container it answers with: make lab LAB='--ip=0.0.0.0 --no-browser'"
	@$(PYTHON) -c "$$WITH_WORDS" LAB -m jupyterlab $(AS_ROOT) --ServerApp.root_dir=. \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
		--LabApp.app_settings_dir=lib/openscenes/lab_settings

site: $(ENVIRONMENT) ## write reports/ as web pages to browse, without running anything
	$(PYTHON) -m openscenes site

#: Tables

plan: $(ENVIRONMENT) ## print what would be done: models, scores, memory, disk, time; ASSUME=file for another machine
	$(PYTHON) -m openscenes plan $(OPTIONS) --seeds="$$SEEDS" --assume="$$ASSUME"

data: $(ENVIRONMENT) ## say which data sets DATA lacks; SETS="voc sbd coco weights" fetches those
	@$(PYTHON) -m openscenes data --profile="$$PROFILE" --data="$$DATA" "$$SETS"

tables: $(ENVIRONMENT) ## train what is missing and make every table and figure below, in reports/own
	$(PYTHON) -m openscenes table $(OPTIONS) --seeds="$$SEEDS" $(PLACE)

models: $(ENVIRONMENT) ## train and score all that the tables need, as many side by side as there are cores
	$(PYTHON) -m openscenes models $(OPTIONS) --seeds="$$SEEDS" $(PLACE)

table-1: ## Table 1: every system after three clicks, and the clicks that each needs (NoC)
table-2: ## Table 2: a sequence of three scenes, beside fine-tuned systems
table-3: ## Table 3: which prototypes refine a pseudo mask (IPT)
table-4: ## Table 4: self-training, IPT, feature alignment and both
table-4-plus: ## Table 4+, ours: how much more the same box and clicks can teach
table-5: ## Table 5: components of the alignment loss
table-6: ## Table 6: how much ground truth the initial model needs
table-7: ## Table 7: evolving on more and more of one scene
figures: ## Figures 3 and 4: the framework on one object, masks before and after IPT
$(TABLES): $(ENVIRONMENT)
	$(PYTHON) -m openscenes table $(subst -,_,$(@:table-%=%)) $(OPTIONS) --seeds="$$SEEDS" $(PLACE)

lessons: $(ENVIRONMENT) ## run the lessons and keep their pages in reports/own/notebooks
	$(PYTHON) -m openscenes lessons $(OPTIONS)

dry-run: $(ENVIRONMENT) ## run every table at the paper's size on a few synthetic images (about 12 minutes on two cores)
	$(PYTHON) -m openscenes dry-run --device="$$DEVICE"

reports: $(ENVIRONMENT) ## renew the tables, figures, lessons and status that the repository shows; SEEDS=3 ABLATIONS=1
	$(PYTHON) -m openscenes reports $(OPTIONS) --seeds="$$SEEDS" $(PLACE)

status: $(ENVIRONMENT) ## rewrite reports/README.md: what holds, what is verified, what departs from the paper
	$(PYTHON) -m openscenes status

#: Own images

annotate: $(ENVIRONMENT) ## open the annotator with your images: FOLDER=path/to/images
	@test -n "$$FOLDER" || { echo "make annotate needs your images: FOLDER=path/to/images" >&2; exit 2; }
	@$(PYTHON) -c "$$WITH_WORDS" LAB -m openscenes annotate "$$FOLDER" --

evolve: $(ENVIRONMENT) ## evolve on your own clicks and score the result: LOG=folder/openscenes/log.jsonl
	@test -n "$$LOG" || { echo "make evolve needs the log of your clicks:" \
		"LOG=path/to/images/openscenes/log.jsonl" >&2; exit 2; }
	@$(PYTHON) -c "$$WITH_WORDS" EVOLVE -m openscenes evolve --log="$$LOG" $(STUDY) --initial="$$INITIAL"

#: Development

test: $(ENVIRONMENT) ## run the tests; those of a real browser where Chromium is installed
	$(PYTHON) -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

check: $(ENVIRONMENT) ## check format, lint, types and that notebooks carry no outputs
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(if $(HAS_NOTEBOOKS),$(PYTHON) -m nbstripout $(STRIPPED) --verify notebooks/*.ipynb)

format: $(ENVIRONMENT) ## mend what `check` finds, where a tool can
	$(PYTHON) -m ruff check --fix --exit-zero .
	$(PYTHON) -m ruff format .
	$(if $(HAS_NOTEBOOKS),$(PYTHON) -m nbstripout $(STRIPPED) notebooks/*.ipynb)

fuzz: $(ENVIRONMENT) ## try every malformed input on every door: FUZZ=log/tree/17 takes one
	$(PYTHON) -m tests.fuzz "$$FUZZ"

kills: $(ENVIRONMENT) ## kill training, scoring, tables, evolution, export and log 100 times each; workers 40 times; races
	$(PYTHON) tests/kills/run.py

bench: $(ENVIRONMENT) ## run the measurements in tests/bench/
	@for script in tests/bench/*.py; do \
		test -e "$$script" || { echo "There are no measurements in tests/bench/."; exit 0; }; \
		echo "== $$script"; $(PYTHON) "$$script" || exit 1; \
	done

house: $(ENVIRONMENT) ## print the code's measures and the files between a notebook and each equation
	$(PYTHON) tests/house.py

release: $(ENVIRONMENT) ## train the demo models that lie in the repository, where code has changed
	$(PYTHON) -m openscenes release --device="$$DEVICE"

lock: ## renew lib/requirements.txt from lib/pyproject.toml (needs uv)
	cd lib && uv pip compile pyproject.toml --output-file requirements.txt --quiet \
		--extra dev --universal --python-version 3.11 --no-emit-index-url \
		--annotation-style line --custom-compile-command "make lock"

clean: ## remove tool caches and build outputs; .venv and trained models stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache lib/build lib/openscenes.egg-info
	find $(wildcard lib tests notebooks reports) -depth \( -name __pycache__ \
		-o -name .ipynb_checkpoints -o -name '*.failed.ipynb' \) -exec rm -rf {} +
	@echo "Kept: .venv (the environment) and .cache (data, trained models)."

# A target that is none: the one that is written alike, without its hyphens.
.DEFAULT:
	@near=$$(ASKED='$(subst ','\'',$@)' awk -F ':.*## ' ' \
		function plain(word) { word = tolower(word); gsub(/\+/, "plus", word); \
			gsub(/[^a-z0-9]/, "", word); return word } \
		BEGIN { asked = plain(ENVIRON["ASKED"]) } \
		/^[a-z0-9-]+:.*## / { word = plain($$1); if (word == asked) { best = $$1 } \
			else if (asked != "" && !near && (index(word, asked) == 1 || index(asked, word) == 1)) \
				{ near = $$1 } } \
		END { print best ? best : near }' Makefile); \
	printf 'There is no target %s; %smake alone lists all.\n' '$(subst ','\'',$@)' \
		"$${near:+perhaps make $$near was meant; }" >&2; exit 2

# The stamp is written last: an interrupted install is taken up again by the next make.
.venv/.installed: lib/requirements.txt lib/pyproject.toml
	@rm -f $@
	@for candidate in $$PYTHON3; do \
		if "$$candidate" -c "$(SUPPORTED)" 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "openscenes needs Python 3.11, 3.12 or 3.13, and none of $$PYTHON3 is one:" \
			"install it, or activate an environment that has it." >&2; exit 1; \
	fi; \
	.venv/bin/python -c "import pip; $(SUPPORTED)" 2>/dev/null || "$$found" -m venv --clear .venv
	@echo "Installing lib/requirements.txt into .venv, which takes minutes the first time ..."
	.venv/bin/python $(LOCKED)
	.venv/bin/python $(PACKAGE)
	@touch $@

supported-environment:
	@$(PYTHON) -c "$(SUPPORTED)" || { \
		echo "openscenes needs Python 3.11, 3.12 or 3.13, and the active environment" \
			"$$$(ACTIVE) has another or none: deactivate it, or activate one that fits." >&2; exit 1; }

active-environment: supported-environment
	@$(PYTHON) -c "$$UNFIT"

# Runs Python with more words, those of a variable: quotes hold blanks together, nothing else counts.
define WITH_WORDS
import os, shlex, sys
name, *command = sys.argv[1:]
try:
    command += shlex.split(os.environ[name])
except ValueError as error:
    sys.exit(f"{name} cannot be taken apart into words: {error}; close its quotes")
print("python", shlex.join(command), flush=True)
os.execv(sys.executable, [sys.executable, *command])
endef
export WITH_WORDS

# Asks the package metadata, since importing torch only to see that it is there takes seconds.
define UNFIT
import re, sys, tomllib
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
with open("lib/pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
wanted = sum(project["optional-dependencies"].values(), project["dependencies"])
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
there = {plain(found.name): found.version for found in distributions() if found.name}
named = {plain(re.match("[A-Za-z0-9._-]+", line).group()): line for line in wanted
         if not line.startswith("openscenes[")}
unfit = [line for name, line in named.items() if name not in there]
if not unfit:
    from packaging.requirements import Requirement
    unfit = [line + " (has " + there[name] + ")" for name, line in named.items()
             if not Requirement(line).specifier.contains(there[name], prereleases=True)]
ours = find_spec("openscenes")
if ours is None or Path(ours.origin).resolve().parent != Path("lib/openscenes").resolve():
    unfit.append("openscenes itself, installed from this folder")
if unfit:
    sys.exit("The active environment " + sys.prefix + " lacks " + ", ".join(unfit)
             + ": run `make setup` to install into it, or deactivate it and make uses .venv.")
endef
export UNFIT
