"""Digests of code move with behaviour that is reached and with nothing else."""

import ast
import shutil
import threading
import time
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import openscenes
from openscenes.annotator.evolve import kept_predictions
from openscenes.data import pasting
from openscenes.method.evolution import evolve
from openscenes.study.runs import code_digest as module
from openscenes.study.runs.code_digest import Sources, code_digest
from openscenes.study.scores import clicks, masks

FILES = {
    "__init__.py": """
import os
from small.study import tables
os.environ.setdefault("THREADS", "1")
def __getattr__(name):
    from small.study.tables import table
    return table
""",
    "data/__init__.py": "from small.data.crops import paste as pasted\n",
    "data/crops.py": '''
"""Crops."""
import numpy as np
from small.settings import MARGIN, SIZES as sizes
LOW, HIGH = 0, 1
def paste(crop: np.ndarray, fill: int = LOW) -> np.ndarray:
    """Paste."""
    MINE = sizes[0]  # why
    return np.pad(crop, MINE + MARGIN, constant_values=fill)
def unused(): return HIGH
''',
    "settings.py": "MARGIN = 3\nSIZES = (1, 2)\nUNUSED = 4\n",
    "method/__init__.py": "",
    "method/train.py": '''
from __future__ import annotations
from dataclasses import dataclass
from small.data import crops
from small.method.loss import LOSSES, even
from small.method.state import State
@dataclass
class Config:
    """How."""
    rate: float = 0.1
    epochs: int = 2
    def steps(self) -> int:
        """Steps."""
        return self.epochs * 7
def run(config: Config, state: State):
    loss = LOSSES["l1"]
    paste = [LOW for LOW in range(3)]
    return loss(crops.paste(paste), even(config.rate), key=lambda MARGIN: MARGIN)
''',
    "method/loss.py": """
def l1(a, b, *, key): return key(abs(a - b))
def l2(a, b, *, key): return key((a - b) ** 2)
LOSSES = {"l1": l1, "l2": l2}
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
""",
    "method/state.py": "class State:\n    def step(self): return 1\n",
    "method/other.py": "one = 1\n",
    "study/__init__.py": "",
    "study/tables.py": "import small.method.train\ndef table(): return 5\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package in which training reaches crops, losses, settings and a passed state."""
    top = tmp_path / "small"
    for path, text in FILES.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    return top


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the real package, to be mended and broken."""
    source = Path(openscenes.__file__).parent
    hidden = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(source, tmp_path / "openscenes", ignore=hidden))


def digest(top: Path, name: str = "method.train:run") -> str:
    """The digest as a process would work it out that starts now."""
    return Sources(top).digest(f"{top.name}.{name}")


def replace(top: Path, path: str, old: str, new: str) -> None:
    """Edit a file of a package in one place."""
    text = (top / path).read_text()
    assert text.count(old) >= 1, f"{old!r} is not in {path}"
    (top / path).write_text(text.replace(old, new))


HARMLESS = [
    ("data/crops.py", "# why", "# because"),
    ("data/crops.py", '"""Paste."""', '"""Put a crop\n    back."""'),
    ("data/crops.py", '    """Paste."""\n', ""),
    ("data/crops.py", '"""Crops."""', ""),
    ("method/train.py", '"""How."""', '"""So."""'),
    ("method/train.py", '        """Steps."""\n', ""),
    ("data/crops.py", "fill: int = LOW", "fill: float=(LOW)"),
    ("data/crops.py", "-> np.ndarray", ""),
    ("data/crops.py", "return HIGH", "return HIGH + 1"),
    ("data/crops.py", "SIZES as sizes", "SIZES as sizes, UNUSED"),
    ("settings.py", "UNUSED = 4", "UNUSED = 5"),
    ("method/train.py", "from __future__ import annotations\n", ""),
    ("method/other.py", "one = 1", "one = 2"),
    ("study/tables.py", "return 5", "return 6"),
    ("method/loss.py", "def l1(a, b, *, key): return", "def l1(\n    a, b, *, key\n):\n    return"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new"), HARMLESS)
def test_what_changes_no_behaviour_leaves_the_digest_alone(package, path, old, new):
    before = digest(package)
    replace(package, path, old, new)
    assert digest(package) == before


HARMFUL = [
    ("__init__.py", '"THREADS", "1"', '"THREADS", "2"'),
    ("data/crops.py", "LOW, HIGH = 0, 1", "LOW, HIGH = 1, 0"),
    ("data/crops.py", "fill: int = LOW", "fill: int = HIGH"),
    ("data/crops.py", "sizes[0]", "sizes[1]"),
    ("data/crops.py", "np.pad", "np.full"),
    ("data/crops.py", "fill: int = LOW", "full: int = LOW"),
    ("data/crops.py", "def paste", "@np.vectorize\ndef paste"),
    ("data/crops.py", "sizes[0]", "MARGIN"),
    ("settings.py", "MARGIN = 3", "MARGIN = 3.0"),
    ("settings.py", "SIZES = (1, 2)", "SIZES = (1, 3)"),
    ("settings.py", "MARGIN = 3", "MARGIN = 3\nMARGIN += 1"),
    ("settings.py", "UNUSED = 4", "print(MARGIN)"),
    ("method/train.py", "= 0.1", "= 0.2"),
    ("method/train.py", "rate: float = 0.1", "rate: float"),
    ("method/train.py", "    epochs: int = 2\n", "    epochs: int = 2\n    more: int = 0\n"),
    ("method/train.py", "rate: float = 0.1\n    epochs", "epochs: float = 0.1\n    rate"),
    ("method/train.py", "* 7", "* 8"),
    ("method/train.py", "@dataclass", "@dataclass(frozen=True)"),
    ("method/train.py", "class Config", "class Config(State)"),
    ("method/train.py", '["l1"]', '["l2"]'),
    ("method/train.py", "lambda MARGIN: MARGIN", "lambda margin: crops.MARGIN"),
    ("method/loss.py", '"l2": l2', '"l2": l1'),
    ("method/loss.py", "** 2", "** 4"),
    ("method/loss.py", "n != 0 and even", "n != 0 and odd"),
    ("method/loss.py", "n != 0", "n != 1"),
    ("method/state.py", "return 1", "return 2"),
]  # fmt: skip


AT_IMPORT = [
    "for key in (1,):\n    SIZES.append(NUMBER)\n",
    "if True:\n    MORE = 1\n    SIZES.append(NUMBER)\n",
    "with SIZES as sizes:\n    sizes.append(NUMBER)\n",
    "try:\n    SIZES.append(NUMBER)\nexcept ValueError as error:\n    pass\n",
    "if TYPE_CHECKING:\n    pass\nelse:\n    SIZES.append(NUMBER)\n",
    "_ = SIZES.append(NUMBER)\n",
    "@SIZES.append\ndef _():\n    return NUMBER\n",
]


@pytest.mark.parametrize("text", AT_IMPORT)
def test_what_a_module_does_at_import_counts_whatever_names_it_binds(package, text):
    replace(package, "settings.py", "UNUSED = 4\n", text.replace("NUMBER", "1"))
    before = digest(package)
    replace(package, "settings.py", text.replace("NUMBER", "1"), text.replace("NUMBER", "2"))
    assert digest(package) != before


def test_the_contents_of_a_module_by_name_count(package):
    replace(package, "method/train.py", "crops.paste(", 'crops.__dict__["paste"](')
    before = digest(package)
    replace(package, "data/crops.py", "constant_values", "values")
    assert digest(package) != before


def test_the_default_of_a_setting_counts_by_name_too_and_its_source_does_not(copy):
    path, by_name = "method/ipt.py", "setting(source='Paper', default=0.5)"
    (copy / path).write_text((copy / path).read_text() + f"\n\nclass Extra:\n    x = {by_name}\n")
    before = digest(copy, "method.ipt:Extra")
    replace(copy, path, "source='Paper'", "source='Ours'")
    assert digest(copy, "method.ipt:Extra") == before
    replace(copy, path, "default=0.5)", "default=0.6)")
    assert digest(copy, "method.ipt:Extra") != before


@pytest.mark.parametrize(("path", "old", "new"), HARMFUL)
def test_a_change_of_behaviour_changes_the_digest(package, path, old, new):
    before = digest(package)
    replace(package, path, old, new)
    assert digest(package) != before


def test_names_of_modules_and_definitions_do_not_count(package):
    before = digest(package)
    for path in ("method/loss.py", "method/train.py"):
        replace(package, path, "even", "is_even")
        replace(package, path, "LOSSES", "KINDS")
    replace(package, "method/train.py", "small.method.loss", "small.costs")
    (package / "method/loss.py").rename(package / "costs.py")
    replace(package, "data/crops.py", "MARGIN", "BORDER")
    replace(package, "settings.py", "MARGIN", "BORDER")
    replace(package, "method/train.py", "def run", "def learn")
    assert digest(package, "method.train:learn") == before


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("from small.data.crops import paste as put", "put(paste)"),
        ("import small.data.crops", "small.data.crops.paste(paste)"),
        ("import small.data.crops as c", "c.paste(paste)"),
        ("from small.data import pasted", "pasted(paste)"),
        ("import small.data as d", "d.crops.paste(paste)"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_the_style_of_an_import_does_not_count(package, line, call, inside):
    before = digest(package)
    replace(package, "method/train.py", "crops.paste(paste)", call)
    replace(
        package, "method/train.py", "from small.data import crops\n", "" if inside else f"{line}\n"
    )
    if inside:
        replace(
            package,
            "method/train.py",
            '    loss = LOSSES["l1"]\n',
            f'    {line}\n    loss = LOSSES["l1"]\n',
        )
    assert digest(package) == before  # fmt: skip


@pytest.mark.parametrize("line", ["import numpy", "from numpy import pad", "import numpy as pad"])
def test_an_alias_of_another_library_does_not_count(package, line):
    before = digest(package)
    replace(package, "data/crops.py", "import numpy as np", line)
    called = {"import numpy": "numpy.pad", "from numpy import pad": "pad"}.get(line, "pad.pad")
    replace(package, "data/crops.py", "np.pad", called)
    assert digest(package) == before


def test_order_and_module_of_definitions_do_not_count(package):
    before = digest(package)
    l1, l2, losses, even, odd = FILES["method/loss.py"].strip().splitlines()
    moved = "from small.method.other import even\n"
    (package / "method/loss.py").write_text("\n".join(["", moved, l2, l1, losses]))
    (package / "method/other.py").write_text("\n".join([odd, even, "one = 1"]))
    assert digest(package) == before


def test_a_module_that_is_passed_around_counts_whole(package):
    replace(package, "method/train.py", "key=lambda", "crops=crops, key=lambda")
    before = digest(package)
    replace(package, "data/crops.py", "return HIGH", "return HIGH + 1")
    assert digest(package) != before


def test_the_front_door_opens_on_what_is_asked_of_it_alone(package):
    assert all(
        d.module != "small.study.tables" for d in Sources(package).reached("small.method.train:run")
    )
    replace(
        package,
        "method/train.py",
        "from small.data import crops",
        "import small\nfrom small.data import crops",
    )
    replace(package, "method/train.py", "key=lambda", "more=small.table, key=lambda")
    before = digest(package)
    replace(package, "study/tables.py", "return 5", "return 6")
    assert digest(package) != before  # fmt: skip


def test_an_entry_that_is_not_there_is_refused(package):
    with pytest.raises(ValueError, match="small.method.train:walk is no definition of small"):
        digest(package, "method.train:walk")


def test_a_running_process_keeps_the_digest_of_the_code_that_it_runs(copy, monkeypatch):
    monkeypatch.setattr(module, "_package", cache(lambda: Sources(copy)))
    code_digest.cache_clear()
    before = code_digest(evolve)
    replace(copy, "method/voting.py", "+", "-")
    assert code_digest(evolve) == before != Sources(copy).digest(f"openscenes.{EVOLVE}")
    code_digest.cache_clear()


EVOLVE = "method.evolution:evolve"


def test_mended_words_and_moved_files_of_the_real_package_retrain_nothing(copy):
    before = digest(copy, EVOLVE)
    replace(copy, "method/ipt.py", "Paper: ", "In the paper: ")
    replace(copy, "method/ipt.py", "\ndef ", "\n# A comment.\ndef ")
    replace(copy, "method/alignment.py", '"Ours: ', '"Ours, in other words: ')
    (copy / "method/voting.py").rename(copy / "method/ballots.py")
    replace(
        copy, "method/ipt.py", "import selections, voting", "import ballots as voting, selections"
    )
    for path in ("method/objective.py", "method/alignment.py"):
        replace(copy, path, "feature_alignment_loss", "alignment_loss")
    assert digest(copy, EVOLVE) == before  # fmt: skip


def test_a_constant_three_calls_away_retrains(copy):
    before = digest(copy, EVOLVE)
    replace(copy, "method/voting.py", "HALF + HALF * (", "HALF + 0.4 * (")
    assert digest(copy, EVOLVE) != before


def test_a_peer_has_no_part_in_the_evolution(copy):
    before, peer = digest(copy, EVOLVE), digest(copy, "peers.networks.dextr:DEXTR")
    replace(copy, "peers/networks/dextr.py", "1", "3")
    assert digest(copy, EVOLVE) == before
    assert digest(copy, "peers.networks.dextr:DEXTR") != peer


def test_the_evolution_reaches_the_equations_and_no_peer_of_table_1():
    sources = Sources(Path(openscenes.__file__).parent)
    reached = {d.module.rpartition(".")[2] for d in sources.reached(f"openscenes.{EVOLVE}")}
    assert {"alignment", "ipt", "prototypes", "samples", "openscene", "seeding"} <= reached
    assert not {"dextr", "ifcn", "tables", "prediction"} & reached


@pytest.mark.parametrize(
    "code",
    [masks._CODE, clicks._SCORING_CODE, kept_predictions._CODE],
    ids=["masks", "clicks", "annotator"],
)
def test_how_maps_are_pasted_and_compared_decides_a_score(code):
    names = [f"{entry.__module__}:{entry.__qualname__}" for entry in code]
    reached = Sources(Path(openscenes.__file__).parent).reached(*names)
    assert {(pasting.__name__, "pasted"), ("openscenes.masks", "iou")} <= reached


@cache
def written() -> dict[str, ast.Module]:
    """The package's modules by path."""
    top = Path(openscenes.__file__).parent
    files = {str(path.relative_to(top)): path for path in top.rglob("*.py")}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in files.items()}


def test_every_import_is_absolute_and_names_what_it_brings():
    imports = [
        (path, node)
        for path, tree in written().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    ]
    assert len(imports) > 500
    assert [p for p, n in imports if n.level or any(a.name == "*" for a in n.names)] == []


def test_a_name_that_is_imported_is_imported_once_and_never_bound_again():
    for path, tree in written().items():
        names: Counter[str] = Counter()
        for node in _at_top(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names.update({alias.asname or alias.name for alias in node.names})
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                names[node.name] += 1
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names[node.id] += node.id in names
        assert {name: n for name, n in names.items() if n > 1} == {}, path


SCOPES = (
    ast.FunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def _at_top(node: ast.AST):
    """Nodes of a module's own scope, type checks left out."""
    for child in ast.iter_child_nodes(node):
        yield child
        checked = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not checked and not isinstance(child, SCOPES):
            yield from _at_top(child)


def test_nothing_is_registered_by_a_decorator_of_our_own():
    sources = Sources(Path(openscenes.__file__).parent)
    for path, tree in written().items():
        module = ".".join(["openscenes", *path.removesuffix(".py").split("/")])
        module = module.removesuffix(".__init__")
        for node in tree.body:
            for decorator in getattr(node, "decorator_list", []):
                name = ast.unparse(decorator).split("(")[0]
                assert "register" not in name, path
                parsed = sources.module(module)
                assert parsed is not None and name.split(".")[0] not in parsed.bindings, path
                assert "openscenes" not in parsed.imports.get(name.split(".")[0], ""), path


def test_a_digest_takes_no_time():
    start = time.process_time()
    Sources(Path(openscenes.__file__).parent).digest("openscenes.study.scores.evaluation:score")
    assert time.process_time() - start < 3


def test_two_threads_read_the_package_one_after_the_other(monkeypatch):
    within, most = [0], [0]

    class Slow:
        contents = "as it is"

        def digest(self, *_names):
            within[0] += 1
            most[0] = max(most[0], within[0])
            time.sleep(0.01)
            within[0] -= 1
            return "a digest"

    monkeypatch.setattr(module, "_package", Slow)
    monkeypatch.setattr(module, "kept", lambda _: None)
    monkeypatch.setattr(module, "keep", lambda *_: None)
    asked = code_digest.__wrapped__
    threads = [threading.Thread(target=asked, args=(time.sleep,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
