"""What a plain install can do, what each extra adds, and what a command says that lacks one."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from runpy import run_path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import openscenes
from openscenes import paths
from openscenes.__main__ import main

LAW = run_path(str(Path(__file__).with_name("test_architecture.py")))
PROJECT = Path(__file__).resolve().parents[1]
METADATA = tomllib.loads((PROJECT / "lib" / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
CORE = ("", "synthetic", "data", "networks", "method", "peers", "prediction")
# Distributions by the import's name, where the two differ or one comes with the other.
DISTRIBUTIONS = {
    "bs4": "beautifulsoup4", "cv2": "opencv-python", "PIL": "pillow",
    "lightning_fabric": "lightning-fabric", "yaml": "pyyaml",
    "IPython": "ipykernel", "nbclient": "papermill", "traitlets": "ipywidgets",
}  # fmt: skip
DOORS = {"predict", "refine", "confidence_maps", "initialise", "evolve"}

# Imports as in an environment that has none of the packages named on the command line.
WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in BLOCKED else self.finder.find_spec(name, path, target)

BLOCKED = sys.argv.pop(1).split(",")
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
IMPORT_ALL = """
from importlib import import_module
import openscenes
for name in sys.argv[1:]:
    import_module(name)
print(*(getattr(openscenes, name).__name__ for name in openscenes.__all__[1:]))
"""
COMMAND = """
from openscenes.__main__ import main
sys.exit(main())
"""


def needed(extra: str | None = None) -> set[str]:
    """Return the distributions of a plain install, or of one with an extra."""
    extras = METADATA["optional-dependencies"]
    found = [Requirement(line) for line in METADATA["dependencies"] + extras.get(extra, [])]
    names = {canonicalize_name(one.name) for one in found if one.name != "openscenes"}
    return names.union(*(needed(inner) for one in found for inner in one.extras))


def without(packages: set[str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code where the packages are not installed."""
    command = [sys.executable, "-c", WITHOUT + code, ",".join(packages), *arguments]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "lib")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def third_party(path: Path) -> set[str]:
    """Return the distributions that a module imports, inside functions too."""
    names = {name.split(".")[0] for name in LAW["imported"](path.name, path)}
    others = names - sys.stdlib_module_names - {"openscenes"}
    return {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in others}


def test_the_core_imports_without_notebooks_tables_and_plots():
    lacking = needed("dev") - needed() | {"IPython", "jupyter", "jupyter_client", "jupyter_core"}
    known = LAW["modules"](LAW["PACKAGE"])
    names = [name for name in known if LAW["layer"](name) in CORE and name not in LAW["FRONT"]]
    assert len(names) > 50
    # torch brings setuptools where Python has none
    answer = without(lacking - {"setuptools"}, IMPORT_ALL, *names)
    assert answer.returncode == 0, answer.stderr
    assert set(answer.stdout.split()) == DOORS


@pytest.mark.parametrize("wing", [*CORE, "study", "widgets", "lessons", "annotator"])
def test_a_wing_imports_what_its_extra_installs(wing):
    extra = None if wing in CORE else "study" if wing == "study" else "interactive"
    known = LAW["modules"](LAW["PACKAGE"])
    used = {name: third_party(path) for name, path in known.items() if LAW["layer"](name) == wing}
    # taken where a user of a cluster's queue has installed it
    installed = needed(extra) | ({"dask-jobqueue"} if wing == "study" else set())
    assert {name: lacks for name in used if (lacks := used[name] - installed)} == {}


def test_every_package_of_a_plain_install_or_an_extra_is_imported_somewhere():
    used = set().union(*(third_party(path) for path in LAW["modules"](LAW["PACKAGE"]).values()))
    assert needed("interactive") - used == {"jupyterlab"}


def test_the_doors_are_known_before_they_are_opened():
    assert set(openscenes.__all__) == {"__version__", *DOORS}
    assert all(callable(getattr(openscenes, name)) for name in DOORS)
    tree = ast.parse(Path(openscenes.__file__).read_text(encoding="utf-8"))
    typed = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    places = {alias.name: node.module for node in typed for alias in node.names}
    assert {name: places[name] for name in DOORS} == openscenes._MODULES


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        (["plan"], "pandas", "study"),
        (["table", "4", "--profile", "smoke"], "pandas", "study"),
        (["lessons", "--profile", "smoke"], "pandas", "interactive"),
        (["data"], "pooch", "study"),
    ],
)
def test_a_command_without_its_extra_says_which_to_install(words, package, extra):
    answer = without({package}, COMMAND, *words)
    assert answer.returncode == 2, answer.stderr
    assert f"`{words[0]}` needs {package}, which a plain install leaves out" in answer.stderr
    assert f'pip install "./lib[{extra}]"' in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_module_of_our_own_that_is_missing_is_no_matter_of_extras():
    answer = without({"pandas"}, COMMAND.replace("main())", "main(['plan']))"))
    assert answer.returncode == 2
    broken = "sys.modules['openscenes.study.plan.plan'] = None" + COMMAND
    assert "Traceback" in without({"nothing"}, broken, "plan").stderr


@pytest.mark.parametrize("words", [["table", "4"], ["lessons"], ["site"], ["status"]])
def test_what_needs_the_checkout_says_so(words, monkeypatch, capsys):
    monkeypatch.setattr(paths, "IN_CHECKOUT", False)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "needs the project's notebooks and reports" in said and said.count("\n") == 1


def test_without_a_checkout_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENSCENES_CACHE")
    assert paths.IN_CHECKOUT
    monkeypatch.setattr(paths, "IN_CHECKOUT", False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "given"))
    assert paths.cache_dir() == tmp_path / "given" / "openscenes"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.cache_dir() == tmp_path / ".cache" / "openscenes"


def test_the_command_line_lists_what_it_can_do(capsys):
    assert METADATA["scripts"] == {"openscenes": "openscenes.__main__:main"}
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    ([a-z-]+)  ", capsys.readouterr().out, re.M)
    assert set(listed) == {
        *("predict", "evolve", "import", "export", "table", "models", "lessons", "plan", "dry-run"),
        *("data", "site", "status", "scenes", "release", "reports", "annotate"),
    }
