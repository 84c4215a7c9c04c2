"""Measures of the code beside what they should be; nothing fails.

Run: ``make house``. The laws are those of ``test_architecture.py``. The files between a notebook
and each equation are those of a real run: the cells of Table 4's notebook, of the smoke profile,
in an empty cache, until every equation was entered. What the notebook's run does not enter is
looked for in ``openscenes table 4``, which trains before its notebook runs.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from runpy import run_path
from types import FrameType, FunctionType, ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

LAW = SimpleNamespace(**run_path(str(Path(__file__).with_name("test_architecture.py"))))
NOTEBOOK = LAW.PROJECT / "notebooks" / "table_4_alignment.ipynb"
# The functions that are the equations; a function that is renamed is renamed here.
EQUATIONS = {
    "Eq. 1-3": "confidence_maps",
    "Eq. 4": "mean_confidence",
    "Eq. 5-6": "majority",
    "Eq. 7-8": "feature_alignment_loss",
    "Eq. 9-10": "maximum_squares_loss",
    "Eq. 11": "pair_losses",
}
OURS_BELONGS_IN = ("data", "networks", "method", "peers")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Row = tuple[str, str, str]  # measure, value, aim


def functions(tree: ast.AST) -> Iterator[tuple[Function, bool]]:
    """Yield every function, nested ones too, and whether it stands in a class."""
    for parent in ast.walk(tree):
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, Function):
                yield node, isinstance(parent, ast.ClassDef)


def length(function: Function) -> int:
    """Lines from ``def`` to the end, with the docstring and without decorators."""
    return function.end_lineno - function.lineno + 1


def typed(function: Function, in_class: bool) -> list[bool]:
    """For each argument but ``self`` and ``cls``, whether it has a type."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args]
    static = any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    if in_class and not static:
        arguments = arguments[1:]
    arguments += [a for a in (given.vararg, *given.kwonlyargs, given.kwarg) if a is not None]
    return [argument.annotation is not None for argument in arguments]


def public(body: Iterable[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    """Yield the public functions and classes of a module's body, and their public methods."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def nearest_rank(values: Iterable[int], part: float) -> int:
    """Return the smallest value that at least this part of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


def share(flags: list[bool]) -> str:
    """Return the percentage of True, and how many lack it."""
    return f"{100 * sum(flags) / max(len(flags), 1):.1f} % ({flags.count(False)} without)"


def code_rows(package: Path) -> list[Row]:
    """Measure the Python modules of a package."""
    modules = LAW.modules(package)
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules.items()}
    trees = [ast.parse(text) for text in texts.values()]
    found = [pair for tree in trees for pair in functions(tree)]
    lengths = [length(function) for function, _ in found]
    documented = [ast.get_docstring(n) is not None for tree in trees for n in public(tree.body)]
    ours = Counter(LAW.layer(name) in OURS_BELONGS_IN for name, text in texts.items()
                   for _ in re.finditer("Ours:", text))  # fmt: skip
    upward = LAW.against_the_flow(package)
    return [
        ("lines of lib/, Python", f"{sum(map(lines, modules.values())):,}", "<= 29,000"),
        ("lines of lib/, other files", others(package), ""),
        ("modules", str(len(modules)), ""),
        (f"files over {LAW.MAX_LINES} lines", listed(long_files(package)), "0"),
        ("functions", f"{len(found):,}", ""),
        ("function length, median", f"{statistics.median(lengths):g} lines", "about 10"),
        ("function length, p90", f"{nearest_rank(lengths, 0.9)} lines", ""),
        ("arguments typed", share([flag for pair in found for flag in typed(*pair)]), "100 %"),
        ("public names documented", share(documented), "100 %"),
        ("upward imports", listed(upward), "0"),
        ("`# fmt: skip`", str(sum(text.count("# fmt: skip") for text in texts.values())), "fewer"),
        (f"`Ours:` in {', '.join(OURS_BELONGS_IN)}", str(ours[True]), "departures only"),
        ("`Ours:` elsewhere", str(ours[False]), "0"),
    ]


def lines(path: Path) -> int:
    """Count the lines of a file."""
    return path.read_bytes().count(b"\n")


def listed(items: list[str]) -> str:
    """Return how many there are, and which."""
    return f"{len(items)}: {', '.join(items)}" if items else "0"


def text_files(package: Path) -> list[Path]:
    """Return a package's files of text: code, styles, templates, tables."""
    files = (p for p in sorted(package.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
    return [path for path in files if b"\0" not in path.read_bytes()]


def long_files(package: Path) -> list[str]:
    """Return the code files over the limit and their lines."""
    code = [path for path in text_files(package) if path.suffix in (".py", ".js")]
    counted = {str(path.relative_to(package)): lines(path) for path in code}
    return [f"{name} ({n})" for name, n in counted.items() if n > LAW.MAX_LINES]


def others(package: Path) -> str:
    """Return the lines of all text that is not Python, by kind."""
    counted: Counter[str] = Counter()
    for path in text_files(package):
        counted[path.suffix] += lines(path)
    return ", ".join(f"{n} {suffix}" for suffix, n in counted.items() if suffix != ".py") or "0"


def page_rows(project: Path, package: Path) -> list[Row]:
    """Measure what is read: the two front pages and the method's files."""
    readme = (project / "README.md").read_text(encoding="utf-8")
    status = (project / "reports" / "README.md").read_text(encoding="utf-8")
    method = [p for p in sorted((package / "method").glob("*.py")) if p.name != "__init__.py"]
    rows = [
        ("README.md", f"{len(readme.split()):,} words", "<= 1,200"),
        ("reports/README.md", f"{len(status.split()):,} words", "<= 2,500"),
        ("method/*.py to read, files", str(len(method)), "<= 10"),
        ("method/*.py to read, lines", f"{sum(map(lines, method)):,}", "<= 2,500"),
    ]
    if named := reading_list(readme):
        there = [path for name in named if (path := package / name).is_file()]
        rows.append(("README's ten files", f"{len(named)}, {len(named) - len(there)} missing", ""))
        rows.append(("README's ten files, lines", f"{sum(map(lines, there)):,}", "<= 2,500"))
    return rows


def reading_list(readme: str) -> list[str]:
    """Return the files that README names in its section of the ten files, if it has one."""
    section = re.search(r"^#+ [^\n]*ten files.*?(?=^#|\Z)", readme, re.M | re.S | re.I)
    return list(dict.fromkeys(re.findall(r"`([\w/]+\.py)`", section[0]))) if section else []


def defining_file(package: Path, name: str) -> Path:
    """Return the one module that defines a function at its top level."""
    found = [
        path
        for path in LAW.modules(package).values()
        if f"def {name}(" in (text := path.read_text(encoding="utf-8"))
        for node in ast.parse(text).body
        if isinstance(node, Function) and node.name == name
    ]
    if len(found) != 1:
        raise SystemExit(
            f"{len(found)} functions of {package.name} are called {name}, and an equation is"
            f" exactly one: correct EQUATIONS in {Path(__file__).name}."
        )
    return found[0]


class Ways:
    """A profile function for ``sys.setprofile``: the shortest way to each equation so far.

    Attributes:
        found: equation -> the package's files on the stack, outermost first.
        before: files that the notebook's own statement names, which its reader opens first.
    """

    def __init__(self, package: Path, equations: dict[str, str]) -> None:
        self.package = package
        self.found: dict[str, list[Path]] = {}
        self.before: list[Path] = []
        self._of = {
            (name, str(defining_file(package, name))): key for key, name in equations.items()
        }
        self._names = set(equations.values())

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event != "call" or code.co_name not in self._names:
            return
        key = self._of.get((code.co_name, str(Path(code.co_filename).resolve())))
        if key is not None:
            way = list(dict.fromkeys([*self.before, *self._stack(frame)]))
            self.found[key] = min(way, self.found.get(key, way), key=len)

    def missing(self) -> list[str]:
        """Return the equations that nothing entered."""
        return [key for key in self._of.values() if key not in self.found]

    def _stack(self, frame: FrameType | None) -> list[Path]:
        """Return the package's files from the outermost call to this one, without ``__main__``."""
        files: list[Path] = []
        while frame is not None:
            files.append(Path(frame.f_code.co_filename).resolve())
            frame = frame.f_back
        inside = [path for path in reversed(files) if self.package in path.parents]
        return [path for path in inside if path.name != "__main__.py"]


def run_cells(notebook: Path, parameters: dict[str, Any], ways: Ways) -> None:
    """Run a notebook's cells here, statement by statement, until every equation was entered."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        for statement in ast.parse("".join(cell["source"])).body:
            ways.before = named_files(statement, scope, ways.package)
            code = compile(ast.Module([statement], []), notebook.name, "exec")
            traced(lambda code=code: exec(code, scope), ways)
        if "parameters" in cell["metadata"].get("tags", []):
            scope.update(parameters)
        if not ways.missing():
            return


def named_files(statement: ast.stmt, scope: dict[str, Any], package: Path) -> list[Path]:
    """Return the package's files whose module, function or class a statement names."""
    named = [scope.get(n.id) for n in ast.walk(statement) if isinstance(n, ast.Name)]
    modules = [
        value if isinstance(value, ModuleType) else sys.modules.get(value.__module__)
        for value in named
        if isinstance(value, ModuleType | FunctionType | type)
    ]
    files = [Path(file).resolve() for m in modules if (file := getattr(m, "__file__", None))]
    return [path for path in dict.fromkeys(files) if package in path.parents]


def traced(run: Any, ways: Ways) -> None:
    """Call ``run`` and let ``ways`` see every function that it enters."""
    sys.setprofile(ways)
    try:
        run()
    finally:
        sys.setprofile(None)


def way_rows(package: Path) -> list[Row]:
    """Run the smoke profile of Table 4 and follow it from the notebook to each equation."""
    ways = Ways(package, EQUATIONS)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"OPENSCENES_CACHE": f"{folder}/cache", "MPLBACKEND": "agg"}
        notebook = _from_notebook(ways, Path(folder))
        if ways.missing():
            os.environ["OPENSCENES_CACHE"] = f"{folder}/second-cache"
            _from_command(ways, Path(folder))
    if missing := ways.missing():
        raise SystemExit(f"The smoke run of Table 4 enters no function of {', '.join(missing)}.")
    return [
        (
            f"{key}, {EQUATIONS[key]}",
            f"{len(ways.found[key])} files from the {'notebook' if key in notebook else 'command'}",
            "<= 5",
        )
        for key in EQUATIONS
    ] + [(f"  {key}", chain(ways.found[key], package), "") for key in EQUATIONS]


def _from_notebook(ways: Ways, folder: Path) -> set[str]:
    """Return the equations that the notebook's own process enters."""
    from openscenes.errors import OpenScenesError

    parameters = {"profile": "smoke", "seeds": 1, "device": "cpu", "reports": str(folder)}
    try:
        run_cells(NOTEBOOK, parameters, ways)
    except OpenScenesError as error:
        print(f"The notebook alone stops: {error}", file=sys.stderr)
    return set(ways.found)


def _from_command(ways: Ways, folder: Path) -> None:
    """Run ``openscenes table 4`` with all training in this process."""
    from openscenes.__main__ import main as openscenes

    ways.before = []
    options = ["--profile", "smoke", "--seeds", "1", "--device", "cpu", "--reports", str(folder)]
    with patch("openscenes.study.graph.workers.cores", return_value=1), redirect_stdout(sys.stderr):
        traced(lambda: openscenes(["table", "4", *options]), ways)


def chain(way: list[Path], package: Path) -> str:
    """Return the files of a way, in the order in which they call each other."""
    return " -> ".join(str(path.relative_to(package)) for path in way)


def aligned(rows: list[Row]) -> str:
    """Return rows as columns of equal width; a value may be longer than its column."""
    first, second = (max(len(row[i]) for row in rows if row[2] or not i) for i in (0, 1))
    return "\n".join(f"{a:{first}}  {b:{second}}  {c}".rstrip() for a, b, c in rows)


def main() -> None:
    """Print what can be read from the files at once, and what a run shows after it."""
    head = ("measure", "value", "aim")
    print(aligned([head, *code_rows(LAW.PACKAGE), *page_rows(LAW.PROJECT, LAW.PACKAGE)]))
    print("\nFiles from Table 4's notebook to each equation, as executed:", flush=True)
    print(aligned([head, *way_rows(LAW.PACKAGE)]))


if __name__ == "__main__":
    main()
