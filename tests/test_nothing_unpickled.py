"""Nothing that a file says is run: no unpickling, no evaluation of text, anywhere."""

import ast
import json

import pytest

from openscenes.paths import PROJECT

# Calls that run what they read, by the last two parts of their name.
FORBIDDEN = {
    *(f"{module}.{call}" for module in ("pickle", "cPickle", "dill", "cloudpickle", "marshal")
      for call in ("load", "loads", "Unpickler")),
    *("joblib.load", "pd.read_pickle", "pandas.read_pickle", "shelve.open", "yaml.load"),
    *("yaml.unsafe_load", "yaml.full_load", "jsonpickle.decode", "hub.load"),
    *("hub.load_state_dict_from_url", "eval", "exec"),
}  # fmt: skip
# What a test runs is its own text, or an object that it made itself.
OF_A_TEST = {
    "tests/data/test_datasets_index.py": {"pickle.loads"},
    "tests/data/test_image_store.py": {"pickle.loads"},
    "tests/house.py": {"exec"},
    "tests/method/test_short_scripts.py": {"exec"},
    "tests/study/test_graph.py": {"pickle.loads"},
    "tests/test_readme.py": {"exec"},
}


def sources() -> dict[str, str]:
    """The code of the project by path."""
    pages = [path for top in ("lib", "tests") for path in sorted((PROJECT / top).rglob("*.py"))]
    found = {path: path.read_text("utf-8") for path in pages}
    for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        found[path] = "\n".join(code)
    return {path.relative_to(PROJECT).as_posix(): text for path, text in found.items()}


def called(node: ast.expr) -> str:
    """The last two parts of what is called, such as "torch.load"."""
    if isinstance(node, ast.Attribute):
        before = node.value.attr if isinstance(node.value, ast.Attribute) else ""
        before = node.value.id if isinstance(node.value, ast.Name) else before
        return f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def unsafe(text: str) -> set[str]:
    """Calls in a text of Python that would run what a file says."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name, given = called(node.func), {one.arg: one.value for one in node.keywords}
        safe = given.get("weights_only", given.get("allow_pickle"))
        said = safe.value if isinstance(safe, ast.Constant) else safe
        if (
            name in FORBIDDEN
            or name.endswith("get_state_dict")
            or (name == "torch.load" and said is not True)
            or (name in {"np.load", "numpy.load"} and said not in (None, False))
        ):
            found.add(name)
    return found


def test_nothing_is_unpickled_or_evaluated():
    found = {path: unsafe(text) for path, text in sources().items()}
    assert len(found) > 300
    assert {path: names for path, names in found.items() if names} == OF_A_TEST


@pytest.mark.parametrize(
    "text",
    [
        "pickle.load(file)", "pickle.loads(text)", "a = torch.load(path)", "joblib.load(path)",
        "torch.load(path, weights_only=False)", "np.load(path, allow_pickle=True)", "eval(text)",
        "np.load(path, allow_pickle=some)", "exec(text)", "yaml.load(text)", "pd.read_pickle(path)",
        "torch.hub.load_state_dict_from_url(url)", "enum.get_state_dict(weights_only=True)",
    ],
)  # fmt: skip
def test_what_runs_files_is_seen(text):
    assert unsafe(text)


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(path, weights_only=True)", "np.load(path)", "network.eval()", "json.load(file)",
        "np.load(path, allow_pickle=False)", "pickle.dumps(text)", "yaml.safe_load(text)",
    ],
)  # fmt: skip
def test_what_reads_alone_passes(text):
    assert not unsafe(text)
