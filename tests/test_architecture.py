"""The house's laws: imports go one way, modules stay small, names say what a thing is."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "lib" / "openscenes"

LAYERS = (
    *("synthetic", "data", "networks", "method", "peers", "prediction", "study"),
    *("widgets", "lessons", "annotator"),
)
# In the study: what is trained, how it is scored, which rows a table has, what is still to do.
# Its figures and pages serve all of these.
STUDY = ("profiles", "runs", "scores", "experiments", "graph", "plan", "status", "command")
# The package's front door and its command line show what all layers do.
FRONT = ("openscenes", "openscenes.__main__")
BELOW_THE_STUDY = ("", *LAYERS[: LAYERS.index("study")])
FOR_THE_STUDY_ONLY = {
    *("matplotlib", "seaborn", "pandas", "IPython", "ipywidgets", "ipykernel"),
    *("papermill", "nbformat", "nbclient", "nbconvert"),
}
MAX_LINES = 300
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "manager", "engine", "misc"}


def backwards(word: str) -> str:
    """Spell a word that this file forbids, so that it does not itself contain it."""
    return word[::-1]


FORBIDDEN = re.compile(
    "|".join(
        (
            rf"{backwards('ipyp')}\.org|{backwards('detsohnohtyp')}",
            rf"{backwards('adnocana')}\.(org|com)",
            rf"download\.{backwards('hcrotyp')}\.org/whl",
            rf"(?<![\w.])/({backwards('krow')}|{backwards('toor')}|{backwards('hsab/pmt')})",
            rf"(?<![\w.])/{backwards('emoh')}/\w",
        )
    )
)


def modules(package: Path) -> dict[str, Path]:
    """Return every module of a package by dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}, line {node.lineno}: write the import's full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def edges(package: Path) -> dict[str, set[str]]:
    """Return, for every module, the modules of the same package that it imports."""
    known = modules(package)
    return {
        name: {_module(target, known) for target in imported(name, path)} - {None, name}
        for name, path in known.items()
    }


def _module(target: str, known: dict[str, Path]) -> str | None:
    while target and target not in known:
        target = target.rpartition(".")[0]
    return target or None


def layer(name: str) -> str:
    """Return a module's layer; "" for the modules that all layers stand on."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else ""


def against_the_flow(package: Path) -> list[str]:
    """Return the imports of a higher layer by a lower one."""
    order = ("", *LAYERS)
    return [
        f"{name} imports {target}"
        for name, targets in edges(package).items()
        for target in sorted(targets)
        if name not in FRONT and order.index(layer(target)) > order.index(layer(name))
    ]


def against_the_study(package: Path) -> list[str]:
    """Return the imports of a later part of the study by an earlier one."""
    place = {f"openscenes.study.{part}": number for number, part in enumerate(STUDY)}
    found = {n: place.get(".".join(n.split(".")[:3]), -1) for n in modules(package)}
    return [
        f"{name} imports {target}"
        for name, targets in edges(package).items()
        for target in sorted(targets)
        if 0 <= found[name] < found[target]
    ]


def banned(package: Path) -> list[str]:
    """Return the imports of plotting, tables and notebooks below the study."""
    return [
        f"{name} imports {target}"
        for name, path in modules(package).items()
        if layer(name) in BELOW_THE_STUDY and name not in FRONT
        for target in imported(name, path)
        if target.split(".")[0] in FOR_THE_STUDY_ONLY
    ]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return one import cycle as a path that ends where it began, or nothing."""
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if found := visit(target, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := visit(name, []))), [])


def without_source(path: Path) -> list[str]:
    """Return the public functions whose docstring names neither the paper nor our choice.

    A module that says "Ours: all of it" has said it for each of them.
    """
    module = ast.parse(path.read_text(encoding="utf-8"))
    if "Ours: all of it" in (ast.get_docstring(module) or ""):
        return []
    return [
        f"{path.name}: {node.name}"
        for node in module.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if not re.search(r"\b(Paper|Ours):", ast.get_docstring(node) or "")
    ]


def project_files() -> list[Path]:
    """Return the files that are, or are about to be, under version control."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        places = [PROJECT / name for name in ("lib", "notebooks", "reports", "tests", ".ci")]
        files = [*PROJECT.iterdir(), *(path for place in places for path in place.rglob("*"))]
        return [path for path in files if "__pycache__" not in path.parts and path.is_file()]
    return [
        path for name in answer.stdout.split("\0") if name and (path := PROJECT / name).is_file()
    ]


def forbidden_words(path: Path) -> list[str]:
    """Return the machine paths and registry hosts that a text file mentions."""
    content = path.read_bytes()
    if b"\0" in content:
        return []
    return [found.group() for found in FORBIDDEN.finditer(content.decode("utf-8", "replace"))]


def test_imports_go_one_way():
    assert against_the_flow(PACKAGE) == []


def test_the_study_is_trained_scored_and_shown_in_this_order():
    assert against_the_study(PACKAGE) == []


def test_no_plots_tables_or_notebooks_below_the_study():
    assert banned(PACKAGE) == []


def test_what_runs_notebooks_is_loaded_by_the_command_alone():
    """It takes more than a second, which every kernel and worker would wait for."""
    runners = {"openscenes.study.pages.kernels", "openscenes.study.pages.notebooks"}
    loading = {
        name
        for name, path in modules(PACKAGE).items()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        and runners & {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    }
    assert loading == {"openscenes.study.pages.notebooks", "openscenes.study.command"}


def test_imports_make_no_cycle():
    graph = {name: targets for name, targets in edges(PACKAGE).items() if name not in FRONT}
    assert cycle(graph) == []


@pytest.mark.parametrize("name", modules(PACKAGE))
def test_a_module_is_small_and_named_after_an_idea(name):
    n_lines = modules(PACKAGE)[name].read_bytes().count(b"\n")
    assert n_lines <= MAX_LINES
    assert name.rpartition(".")[2] not in SAYS_NOTHING


def test_every_public_function_of_the_method_names_its_source():
    paths = sorted((PACKAGE / "method").rglob("*.py"))
    paths.remove(PACKAGE / "method/checks.py")  # refuses inputs, computes nothing
    assert [line for path in paths for line in without_source(path)] == []


def test_files_speak_of_no_machine_and_no_registry():
    found = {str(path.relative_to(PROJECT)): forbidden_words(path) for path in project_files()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.fixture
def package(tmp_path):
    """Return a small package that keeps every law."""
    sources = {
        "openscenes/__init__.py": "from openscenes.study.tables import table",
        "openscenes/errors.py": "import torch",
        "openscenes/data/crops.py": "from openscenes import errors\nimport numpy",
        "openscenes/method/ipt.py": "from openscenes.data import crops",
        "openscenes/study/tables.py": "import pandas\nfrom openscenes.method.ipt import refine",
    }
    for path, text in sources.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path / "openscenes"


def test_the_laws_hold_for_a_good_package(package):
    assert against_the_flow(package) == banned(package) == cycle(edges(package)) == []


@pytest.mark.parametrize(
    "line",
    ["from openscenes.method import ipt", "def crop():\n    import openscenes.study.tables"],
)
def test_an_import_against_the_flow_is_seen(package, line):
    (package / "data" / "crops.py").write_text(line)
    target = "openscenes.method.ipt" if "ipt" in line else "openscenes.study.tables"
    assert against_the_flow(package) == [f"openscenes.data.crops imports {target}"]


def test_a_run_that_knows_a_table_is_seen(package):
    for part, text in (("runs", "import openscenes.study.status"), ("status", "")):
        (package / "study" / f"{part}.py").write_text(text)
    assert against_the_study(package) == ["openscenes.study.runs imports openscenes.study.status"]


def test_the_foundation_imports_no_layer(package):
    (package / "errors.py").write_text("from openscenes.data.crops import crop")
    assert against_the_flow(package) == ["openscenes.errors imports openscenes.data.crops"]
    assert cycle(edges(package))[0] in {"openscenes.errors", "openscenes.data.crops"}


def test_a_plot_below_the_study_is_seen(package):
    (package / "method" / "ipt.py").write_text("from matplotlib import pyplot")
    assert banned(package) == ["openscenes.method.ipt imports matplotlib.pyplot"]


def test_a_cycle_inside_a_layer_is_seen(package):
    (package / "data" / "warps.py").write_text("from openscenes.data import crops")
    (package / "data" / "crops.py").write_text("from openscenes.data.warps import warp")
    assert cycle(edges(package)) == [
        *("openscenes.data.crops", "openscenes.data.warps", "openscenes.data.crops"),
    ]


def test_a_function_without_source_is_seen(package):
    (package / "method" / "ipt.py").write_text(
        'def a():\n    """Paper: Eq. 1."""\ndef b():\n    """Ours: more."""\n'
        'def c():\n    """Refine."""\ndef _d(): ...\n'
    )
    assert without_source(package / "method" / "ipt.py") == ["ipt.py: c"]
    path = package / "method" / "ipt.py"
    path.write_text('"""A control.\n\nOurs: all of it."""\n' + path.read_text())
    assert without_source(path) == []


@pytest.mark.parametrize("text", ["atad/krow/", "gro.ipyp ees", "'x/toor/'", "em/emoh/"])
def test_a_forbidden_word_is_seen(tmp_path, text):
    (tmp_path / "a.md").write_text(f"read {backwards(text)} now")
    assert len(forbidden_words(tmp_path / "a.md")) == 1


@pytest.mark.parametrize("text", ["net/work/data", "a conda-forge channel", "../home/me"])
def test_a_harmless_word_is_not(tmp_path, text):
    (tmp_path / "a.md").write_text(f"read {text} now")
    assert forbidden_words(tmp_path / "a.md") == []
