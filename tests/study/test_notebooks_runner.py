"""A notebook run is whole or nothing, says why, and equal runs are equal bytes."""

import json
import os
import sys
from pathlib import Path

import nbformat
import pytest

from openscenes.errors import InputError, OpenScenesError
from openscenes.paths import PROJECT
from openscenes.study.pages import kernels, notebooks
from openscenes.study.pages.notebooks import execute

DEFAULTS = "number: int = 1  # what is counted\nname: str = 'one'"

REPORT = """
import os, sys
import openscenes
print(number, name)
print("progress", file=sys.stderr, flush=True)
print(sys.executable, os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"], os.getcwd())
print(openscenes.__file__)
object()
"""

WIDGET = """
import ipywidgets
slider = ipywidgets.IntSlider()
slider
"""

BROKEN_CALLBACK = """
import ipywidgets
_ = ipywidgets.interactive(lambda size: 1 // size, size=0).update()
"""


def write(folder: Path, *cells: str, tag: str = "parameters") -> Path:
    """Write a notebook whose first cell has a tag."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    notebook.cells[0].metadata["tags"] = [tag]
    path = folder / "table.ipynb"
    nbformat.write(notebook, path)
    return path


def printed(output: Path) -> str:
    """Return all text that an executed notebook shows."""
    shown = [out for cell in nbformat.read(output, 4).cells for out in cell.get("outputs", ())]
    return "".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in shown)


def test_equal_runs_are_equal_bytes_and_use_this_interpreter(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    source = write(tmp_path, DEFAULTS, REPORT, WIDGET)
    outputs = [tmp_path / "a" / "one.ipynb", tmp_path / "b" / "two.ipynb"]
    for output in outputs:
        execute(source, output, {"number": 7, "name": "seven"})
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    text = printed(outputs[0])
    assert "7 seven" in text
    assert f"{sys.executable} PASSIVE 0 {tmp_path}" in text
    assert str(PROJECT / "lib" / "openscenes" / "__init__.py") in text
    assert "<object>" in text
    assert "progress" not in text
    assert capfd.readouterr().err.count("progress") == 2
    assert not list(tmp_path.rglob("*.failed.ipynb"))
    assert "model_id" not in outputs[0].read_text()


def test_a_failing_cell_keeps_the_old_output_and_leaves_a_failed_copy(tmp_path):
    source = write(
        tmp_path, DEFAULTS, "print('reached')", "before = 1\nbefore / (number - 1)\nafter = 2"
    )
    output = tmp_path / "out.ipynb"
    output.write_text("yesterday")
    with pytest.raises(OpenScenesError) as caught:
        execute(source, output, {})
    message = str(caught.value)
    assert message.startswith("table.ipynb failed in cell 2 at `before / (number - 1)`")
    assert "ZeroDivisionError: division by zero; see " in message
    assert output.read_text() == "yesterday"
    assert "reached" in printed(tmp_path / "out.failed.ipynb")


def test_a_success_removes_the_failed_copy_of_before(tmp_path):
    source = write(tmp_path, DEFAULTS, "1 / number")
    failed = tmp_path / "out.failed.ipynb"
    failed.write_text("{}")
    execute(source, tmp_path / "out.ipynb", {})
    assert not failed.exists()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (BROKEN_CALLBACK, "inside a widget with ZeroDivisionError"),
        ("raise SystemExit(0)", "before cell 2, which was never reached"),
        ("import os\nos._exit(1)", "because its kernel died"),
    ],
    ids=["widget", "early exit", "dead kernel"],
)
def test_what_papermill_would_let_pass_fails(tmp_path, cell, reason):
    source = write(tmp_path, DEFAULTS, cell, "print('the end')")
    with pytest.raises(OpenScenesError, match=f"table.ipynb failed {reason}"):
        execute(source, tmp_path / "out.ipynb", {})
    assert not (tmp_path / "out.ipynb").exists()
    assert (tmp_path / "out.failed.ipynb").exists()


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path):
    source = write(tmp_path, DEFAULTS)
    with pytest.raises(InputError, match="has no parameter nmber; it has name, number: correct"):
        execute(source, tmp_path / "out.ipynb", {"nmber": 2})
    assert not list(tmp_path.glob("out*"))


def test_a_notebook_without_parameters_cell_is_refused(tmp_path):
    source = write(tmp_path, DEFAULTS, tag="params")
    with pytest.raises(InputError, match="0 cells tagged `parameters`, and exactly one is wanted"):
        execute(source, tmp_path / "out.ipynb", {})


@pytest.mark.parametrize("value", [(1, 2), {"a": (1,)}, Path("a"), {1: 2}])
def test_a_value_that_papermill_would_turn_into_a_string_is_refused(tmp_path, value):
    source = write(tmp_path, DEFAULTS)
    with pytest.raises(InputError, match="Parameter number of table.ipynb is a"):
        execute(source, tmp_path / "out.ipynb", {"number": value})


def test_a_missing_notebook_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="There is no notebook at .*absent.ipynb; pass the path"):
        execute(tmp_path / "absent.ipynb", tmp_path / "out.ipynb", {})


def test_only_a_failed_start_is_tried_again(tmp_path, monkeypatch):
    starts = []

    def no_start(*arguments, **options):
        starts.append(options["kernel_name"])
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(kernels.papermill, "execute_notebook", no_start)
    with pytest.raises(OpenScenesError, match=r"did not start in 2 attempts \(Kernel died before"):
        execute(write(tmp_path, DEFAULTS), tmp_path / "out.ipynb", {})
    assert starts == [kernels.KERNEL] * 2


def test_the_environment_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "mine")
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    before = dict(os.environ)
    with kernels.private_kernel(tmp_path, "7"):
        assert os.environ["JUPYTER_PATH"] == str(tmp_path)
        spec = json.loads((tmp_path / "kernels" / kernels.KERNEL / "kernel.json").read_text())
        assert spec["env"]["CUDA_VISIBLE_DEVICES"] == "7"
    assert dict(os.environ) == before


def test_pieces_of_stdout_are_joined_where_progress_stood_between():
    pieces = [("stdout", "a\n"), ("stderr", "50%"), ("stdout", "b\n")]
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces]
    assert [out.text for out in notebooks._settled_outputs(outputs)] == ["a\nb\n"]
