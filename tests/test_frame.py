"""One source of truth for the environment, and a Makefile that does what its help says."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from openscenes.study.experiments.registry import EXPERIMENTS

PROJECT = Path(__file__).resolve().parents[1]
LOCK = PROJECT / "lib" / "requirements.txt"
PYPROJECT = tomllib.loads((PROJECT / "lib" / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
CONDA = (PROJECT / "environment.yml").read_text(encoding="utf-8")
# Targets of make, and what the command line calls them.
TABLES = {
    "table-1": "1", "table-2": "2", "table-3": "3", "table-4": "4", "table-4-plus": "4_plus",
    "table-5": "5", "table-6": "6", "table-7": "7", "figures": "figures",
}  # fmt: skip
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
TOP_LEVEL = {"notebooks", "lib", "reports", "tests", "environment.yml", "Makefile", "README.md"}


def wanted() -> list[Requirement]:
    """Return what lib/pyproject.toml asks for, all extras included."""
    project = PYPROJECT["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    return [found for line in lines if (found := Requirement(line)).name != "openscenes"]


def locked(python: str, platform: str) -> dict[str, list[str]]:
    """Return the versions that the lock gives each package on one kind of machine."""
    here = {"python_version": python, "python_full_version": f"{python}.1"}
    here |= {"sys_platform": platform, "platform_system": PLATFORMS[platform]}
    versions: dict[str, list[str]] = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if text := line.partition("#")[0].strip():
            pin = Requirement(text)
            if pin.marker is None or pin.marker.evaluate({**default_environment(), **here}):
                (exact,) = pin.specifier
                assert exact.operator == "==", line
                versions.setdefault(canonicalize_name(pin.name), []).append(exact.version)
    return versions


def make(folder: Path, *arguments: str, **environment: str):
    """Run make with no environment active but the one that is given."""
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_lock_gives_every_dependency_one_version_in_range(python, platform):
    pins = locked(python, platform)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}
    for requirement in wanted():
        (version,) = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_the_lock_tells_which_pins_are_ours():
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    ours = {line.partition("==")[0] for line in lines if "openscenes (pyproject.toml)" in line}
    assert ours == {canonicalize_name(requirement.name) for requirement in wanted()}


def test_this_environment_is_a_supported_one():
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(sys.version.split()[0])


def test_the_lock_is_of_all_extras():
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert extras["interactive"][0] == "openscenes[study]"
    assert extras["dev"][0] == "openscenes[interactive]"
    assert "--extra dev" in MAKEFILE and set(extras) == {"study", "interactive", "dev"}


def test_every_dependency_says_who_needs_it():
    text = (PROJECT / "lib" / "pyproject.toml").read_text(encoding="utf-8")
    for requirement in wanted():
        assert re.search(rf'^    "{requirement.name}\b.*", +# \w+', text, re.M), requirement.name


def test_the_supported_pythons_are_said_once_and_repeated_faithfully():
    supported = SpecifierSet(PYPROJECT["project"]["requires-python"])
    tried = [f"3.{minor}" for minor in range(8, 20)]
    assert tuple(python for python in tried if python in supported) == PYTHONS
    assert "(3, 11) <= sys.version_info[:2] < (3, 14)" in MAKEFILE
    assert re.findall(r"python3\.(\d+)", re.search(r"PYTHON3 \?= (.*)", MAKEFILE)[1]) == [
        *("13", "12", "11"),
    ]
    assert re.search(r"- python=(3\.\d+)$", CONDA, re.M)[1] in PYTHONS
    assert 'target-version = "py311"' in (PROJECT / ".ruff.toml").read_text(encoding="utf-8")
    assert "python_version = 3.11" in (PROJECT / ".mypy.ini").read_text(encoding="utf-8")


def test_conda_users_get_the_same_lock_and_the_package():
    items = [line.strip() for line in CONDA.splitlines() if line.strip().startswith("- ")]
    assert items[0] == "- conda-forge"
    assert items[2:] == ["- pip", "- pip:", "- -r lib/requirements.txt", "- -e ./lib"]


@pytest.mark.parametrize("name", ["lib/requirements.txt", "lib/pyproject.toml", "environment.yml"])
def test_no_host_or_path_is_named(name):
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert (
        re.findall(r"\w+://\S*|\b[\w-]+\.(?:org|com|io|net)\b|--\w*(?:index|links)\S*", text) == []
    )
    assert re.findall(r"@ \S+|(?<![\w.])/\w+/\w+", text) == []


def test_the_top_level_holds_only_what_belongs_there():
    answer = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        pytest.skip("what belongs to the project is known only in a git checkout")
    names = {Path(name).parts[0] for name in answer.stdout.split("\0") if name}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL | {"LICENSE"}


def test_the_licence_is_apache_2_complete():
    text = (PROJECT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert text.count("\n") == 202
    assert text.rstrip().endswith("limitations under the License.")
    assert PYPROJECT["project"]["license"] == "Apache-2.0"


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_make_alone_lists_every_target():
    answer = make(PROJECT)
    assert answer.returncode == 0, answer.stderr
    phony = re.search(r"^\.PHONY: (help .*)$", MAKEFILE, re.M)[1]
    targets = phony.replace("$(TABLES)", " ".join(TABLES)).split()
    assert re.findall(r"^  ([a-z0-9-]+) +\S", answer.stdout, re.M) == targets
    assert {"setup", "plan", "tables", *TABLES, "site", "test", "check", "lab"} <= set(targets)


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with the frame alone, and an empty PATH folder beside it."""
    for name in ("Makefile", "lib/pyproject.toml", "lib/requirements.txt"):
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / "project" / name)
    return tmp_path / "project"


@needs_make
@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_is_used_as_it_is(checkout, variable):
    for target in ("tables", "test", "check", "lab"):
        answer = make(checkout, "-n", target, **{variable: "/some where/env"})
        assert answer.returncode == 0, answer.stderr
        assert f'"${variable}/bin/python" -' in answer.stdout
        assert ".venv/bin" not in answer.stdout
        assert "pip install" not in answer.stdout
    answer = make(checkout, "-n", "setup", **{variable: "/some where/env"})
    installs = [line for line in answer.stdout.splitlines() if "pip install" in line]
    assert all(line.startswith(f'"${variable}/bin/python" -m pip ') for line in installs)
    assert [line.split()[-1] for line in installs] == ["lib/requirements.txt", "./lib"]


# Stands for an active environment and keeps its words; what takes words apart comes back to it.
RECORDER = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >>words
printf '\\0' >>words
code="$2"
case "$code" in *shlex*) shift 2; exec PYTHON -c "$ITSELF" "$0" "$code" "$@" ;; esac
"""


@pytest.fixture(params=["env", 'it\'s a "b" $HOME `c`; d 例'], ids=["plain", "odd"])
def recorded(checkout, request):
    """Return a function that calls make and gives the words of every ``-m`` that Python got."""
    python = checkout / request.param / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(RECORDER.replace("PYTHON", f"'{sys.executable}'"))
    python.chmod(0o755)

    def call(*arguments: str, code: int = 0, **environment: str) -> list[list[str]]:
        (checkout / "words").write_text("")
        itself = "import sys; sys.executable = sys.argv.pop(1); exec(sys.argv.pop(1))"
        active = {"VIRTUAL_ENV": str(python.parents[1]), "ITSELF": itself}
        answer = make(checkout, "--silent", *arguments, **active | environment)
        assert answer.returncode == code, answer.stderr
        calls = [each.split("\0") for each in (checkout / "words").read_text().split("\0\0")]
        return [words[1:] for words in calls if words[0] == "-m"]

    return call


@needs_make
def test_the_variables_reach_the_tables(recorded):
    none = (
        "precision", "deterministic", "ablations", "micro-batch", "devices-per-model", "initial",
        "dextr",
    )  # fmt: skip
    unused = [f"--{name}=" for name in none]
    place = ["--workers=", "--cluster="]
    options = ["--profile=demo", "--data=", "--device=auto", *unused, "--seeds=1"]
    assert recorded("tables") == [["openscenes", "table", *options, *place]]
    assert recorded("models") == [["openscenes", "models", *options, *place]]
    for target, key in TABLES.items():
        assert recorded(target) == [["openscenes", "table", key, *options, *place]]
    chosen = ("PROFILE=study", "DATA=/some where/data", "SEEDS=3", "DEVICE=cuda")
    study = ["--profile=study", "--data=/some where/data", "--device=cuda"]
    options = [*study, *unused, "--seeds=3"]
    assert recorded("table-4", *chosen) == [["openscenes", "table", "4", *options, *place]]
    assert recorded("plan", *chosen) == [["openscenes", "plan", *options, "--assume="]]
    sets = ("SETS=voc coco-val", *chosen)
    data = ["openscenes", "data", "--profile=study", "--data=/some where/data", "voc coco-val"]
    assert recorded("data", *sets) == [data]
    assert recorded("lessons", *chosen) == [["openscenes", "lessons", *options[:-1]]]
    by_environment = dict(word.split("=", 1) for word in chosen)
    assert recorded("plan", **by_environment) == [["openscenes", "plan", *options, "--assume="]]


ODD = (
    "$(shell touch a) $$(touch b) `touch c` \"; touch d; \" ' ; touch e; ' $(touch f) # | & * ~ \\"
)


@needs_make
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_no_value_is_ever_run(checkout, recorded, how):
    more = (
        "PRECISION", "DETERMINISTIC", "ABLATIONS", "MICRO_BATCH", "DEVICES_PER_MODEL", "INITIAL",
        "DEXTR",
    )  # fmt: skip
    values = dict.fromkeys(
        (
            "PROFILE",
            "DATA",
            "SEEDS",
            "DEVICE",
            *more,
            "WORKERS",
            "CLUSTER",
            "SETS",
            "ASSUME",
            "LOG",
            "PYTHON3",
        ),
        ODD,
    )
    words = [f"{name}={value}" for name, value in values.items()] if how == "argument" else []
    given = values if how == "environment" else {}
    study = [f"--profile={ODD}", f"--data={ODD}", f"--device={ODD}"]
    options = [*study, *(f"--{name.lower().replace('_', '-')}={ODD}" for name in more)]
    before = {path.name for path in checkout.iterdir()} | {"words"}
    assert recorded("plan", *words, **given) == [
        ["openscenes", "plan", *options, f"--seeds={ODD}", f"--assume={ODD}"]
    ]
    assert recorded("evolve", *words, **given) == [
        ["openscenes", "evolve", f"--log={ODD}", *study, f"--initial={ODD}"]
    ]
    assert recorded("data", *words, **given) == [["openscenes", "data", *study[:2], ODD]]
    assert recorded("dry-run", *words, **given) == [["openscenes", "dry-run", study[-1]]]
    place = [f"--seeds={ODD}", f"--workers={ODD}", f"--cluster={ODD}"]
    assert recorded("tables", *words, **given) == [["openscenes", "table", *options, *place]]
    assert {path.name for path in checkout.iterdir()} == before


@needs_make
def test_more_options_are_words_and_nothing_else(checkout, recorded):
    more = "--a 'b c' \"d e\" $(touch a) `touch b` ; touch c * $(shell touch d)"
    words = ["--a", "b c", "d e", "$(touch", "a)", "`touch", "b`", ";", "touch", "c", "*",
             "$(shell", "touch", "d)"]  # fmt: skip
    before = {path.name for path in checkout.iterdir()} | {"words"}
    (called,) = (each for each in recorded("lab", f"LAB={more}") if each[0] == "jupyterlab")
    place = "/lab/tree/notebooks/00_start_here.ipynb"
    assert f"--LabApp.default_url={place}" in called and called[-len(words) :] == words
    (called,) = recorded("evolve", "LOG=log", f"EVOLVE={more}")
    assert called[-len(words) :] == words
    assert {path.name for path in checkout.iterdir()} == before
    assert recorded("lab", "LAB=--a 'b", code=2) == []


@needs_make
@pytest.mark.parametrize(
    ("asked", "meant"),
    [("table4", "table-4"), ("Table_4+", "table-4-plus"), ("lesson", "lessons"),
     ("x'; touch q; '", "")],
)  # fmt: skip
def test_a_target_that_is_none_gets_the_nearest(checkout, asked, meant):
    answer = make(checkout, asked)
    assert answer.returncode == 2 and not (checkout / "q").exists()
    assert answer.stderr.startswith(f"There is no target {asked}; ")
    assert (f"perhaps make {meant} was meant" in answer.stderr) == bool(meant)


def test_jupyterlab_is_told_to_show_no_news():
    folder = re.search(r"--LabApp\.app_settings_dir=(\S+)", MAKEFILE)[1]
    told = json.loads((PROJECT / folder / "overrides.json").read_text(encoding="utf-8"))
    assert told["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_there_is_a_target_for_every_experiment():
    assert list(TABLES.values()) == list(EXPERIMENTS)


@needs_make
def test_an_active_environment_without_the_packages_gets_one_sentence(checkout):
    bare = checkout / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    answer = make(checkout, "test", VIRTUAL_ENV=str(bare))
    assert answer.returncode != 0
    assert re.search(
        r"lacks .*, torch>=2\.11, .*, anywidget>=.*, openscenes itself, .*: run `make setup` to",
        answer.stderr,
    )
    assert "Traceback" not in answer.stderr


@needs_make
def test_an_active_environment_of_another_python_gets_one_sentence(checkout):
    answer = make(checkout, "test", CONDA_PREFIX=str(checkout / "absent"))
    assert answer.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13, and the active environment" in answer.stderr


@needs_make
def test_without_a_fitting_python_make_says_so(checkout):
    answer = make(checkout, "test", "PYTHON3=no-python nor-this")
    assert answer.returncode != 0
    assert "and none of no-python nor-this is one: install it" in answer.stderr
    assert not (checkout / ".venv").exists()


# Stands for Python: makes a `.venv` of copies of itself, and pip works only with `allowed`.
FAKE_PYTHON = """#!/bin/sh
here="$(pwd)"
case "$2" in
venv) mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo made >>"$here/log" ;;
pip) case "$*" in *" -e ./lib") echo package ;; *) echo lock ;; esac >>"$here/log"
    test -e "$here/allowed" ;;
pytest) echo tested >>"$here/log" ;;
esac
"""


@needs_make
def test_an_interrupted_install_is_taken_up_again_and_a_finished_one_is_not(checkout):
    fake = checkout / "fake-python"
    fake.write_text(FAKE_PYTHON)
    fake.chmod(0o755)

    def happened(expected_code: int) -> list[str]:
        (checkout / "log").write_text("")
        answer = make(checkout, "test", f"PYTHON3={fake}")
        assert bool(answer.returncode) == bool(expected_code), answer.stderr
        return (checkout / "log").read_text().split()

    assert happened(2) == ["made", "lock"]
    assert happened(2) == ["lock"]
    (checkout / "allowed").touch()
    assert happened(0) == ["lock", "package", "tested"]
    for name in ("requirements.txt", "pyproject.toml"):
        assert happened(0) == ["tested"]
        (checkout / "lib" / name).touch()
        assert happened(0) == ["lock", "package", "tested"]


@needs_make
def test_two_targets_at_once_share_one_install(checkout):
    fake = checkout / "fake-python"
    fake.write_text(FAKE_PYTHON)
    fake.chmod(0o755)
    (checkout / "allowed").touch()
    answer = make(checkout, "-j2", "table-3", "table-4", "test", f"PYTHON3={fake}")
    assert answer.returncode == 0, answer.stderr
    assert (checkout / "log").read_text().split() == ["made", "lock", "package", "tested"]


@needs_make
def test_clean_keeps_the_environment_and_trained_models(checkout):
    kept = [checkout / ".venv" / "a", checkout / ".cache" / "openscenes" / "model"]
    swept = [checkout / ".ruff_cache" / "a", checkout / "lib" / "__pycache__" / "a"]
    swept += [checkout / "reports" / "notebooks" / "table.failed.ipynb"]
    for path in kept + swept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    answer = make(checkout, "clean")
    assert answer.returncode == 0, answer.stderr
    assert [path.exists() for path in kept + swept] == [True, True, False, False, False]
    assert "Kept: .venv" in answer.stdout


def test_ci_runs_what_a_newcomer_types():
    text = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    assert (PROJECT / ".ci" / "run").stat().st_mode & 0o100
    assert "set -euo pipefail" in text
    assert "make setup" in text and "exec make --jobs=2 check test" in text
