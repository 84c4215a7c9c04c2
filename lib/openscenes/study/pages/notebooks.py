"""A notebook is run with parameters, whole or not at all.

``papermill`` runs it; this module closes the gaps that would let a wrong page pass for a right
one: a parameter that the notebook does not know, a notebook without a ``parameters`` cell, an
error that hides inside a widget, a cell that exits early, a kernel of another environment. Two
equal runs give equal bytes: clocks, random ids and progress lines are left out.
"""

import copy
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from openscenes.errors import InputError, OpenScenesError
from openscenes.files import one_line
from openscenes.paths import atomic, scratch
from openscenes.study.pages.inert import read_notebook
from openscenes.study.pages.kernels import private_kernel, run

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def execute(notebook: Path, output: Path, parameters: Mapping[str, Any], *, gpu: str = "") -> None:
    """Run ``notebook`` with ``parameters`` in this interpreter's kernel; write ``output`` whole.

    The kernel starts in the notebook's folder, as under JupyterLab. What its cells write to
    stderr (progress) is shown as it comes and not kept. A run that fails leaves what it reached
    in ``output.with_suffix(".failed.ipynb")`` and does not touch ``output``.

    Args:
        notebook: a source with one cell tagged ``parameters``.
        output: the executed copy; its folder is made, an older copy is replaced at the end.
        parameters: values by name: str, int, float, bool, None, and lists and dicts of these.
        gpu: as for ``private_kernel``.
    Raises:
        InputError: if there is no such notebook or ``parameters`` cell, or a parameter is unknown
            or of another type.
        OpenScenesError: if a cell or widget fails, or the kernel does not start or dies.
    """
    source = _read(notebook)
    _check_parameters(source, notebook, parameters)
    failed = output.with_suffix(".failed.ipynb")
    with tempfile.TemporaryDirectory(**scratch()) as folder, private_kernel(Path(folder), gpu):
        running = Path(folder) / "running.ipynb"
        try:
            executed = run(source, running, dict(parameters), notebook.parent)
            _check_whole(executed)
        except (PapermillExecutionError, DeadKernelError, _IncompleteError) as error:
            _write(nbformat.read(running, as_version=4), failed)
            raise OpenScenesError(
                f"{notebook.name} failed {_reason(error)}; see {failed}"
            ) from error
    _write(_settled(executed, parameters), output)
    failed.unlink(missing_ok=True)


class _IncompleteError(Exception):
    """A run that raised nothing and yet must not count; the text says where it stopped."""


def _read(notebook: Path) -> NotebookNode:
    if not notebook.is_file():
        raise InputError(f"There is no notebook at {notebook}; pass the path of an .ipynb file.")
    source = read_notebook(notebook)
    source.metadata["kernelspec"] = dict(KERNELSPEC)
    return source


def _check_parameters(source: NotebookNode, notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Refuse what papermill would only warn about, or silently pass as a string."""
    tagged = [cell for cell in source.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise InputError(
            f"{notebook.name} has {len(tagged)} cells tagged `parameters`, and exactly one is"
            " wanted: tag the cell that holds the defaults."
        )
    known = papermill.inspect_notebook(copy.deepcopy(source))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InputError(
            f"{notebook.name} has no parameter {one_line(', '.join(unknown))}; it has"
            f" {', '.join(sorted(known)) or 'none'}: correct the name or add it to the cell"
            " tagged `parameters`."
        )
    for name, value in parameters.items():
        if not _is_literal(value):
            raise InputError(
                f"Parameter {name} of {notebook.name} is a {type(value).__name__}, and a notebook"
                " takes only str, int, float, bool, None, lists and dicts: convert it first."
            )


def _is_literal(value: Any) -> bool:
    """Whether papermill writes ``value`` into the notebook as the same value."""
    if isinstance(value, list):
        return all(_is_literal(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_literal(item) for key, item in value.items())
    return value is None or type(value) in (str, int, float, bool)


def _check_whole(executed: NotebookNode) -> None:
    """Refuse a run with an early exit, or with a traceback inside a widget."""
    for index, cell in enumerate(executed.cells):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise _IncompleteError(f"before cell {index}, which was never reached")
    states = executed.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})
    for widget in states.values():
        for shown in widget["state"].get("outputs", ()):
            if shown["output_type"] == "error":
                raise _IncompleteError(f"inside a widget with {shown['ename']}: {shown['evalue']}")


def _reason(error: Exception) -> str:
    """Say where and why a run stopped, to be read after "... failed"."""
    if isinstance(error, PapermillExecutionError):
        line = _failing_line(error)
        said = one_line(str(error.evalue).strip(), 500)
        return f"in cell {error.cell_index} at `{line}` with {error.ename}: {said}"
    if isinstance(error, DeadKernelError):
        return "because its kernel died, perhaps for want of memory"
    return str(error)


def _failing_line(error: PapermillExecutionError) -> str:
    """Return the cell's line that the traceback points to, else the cell's last line."""
    for entry in error.traceback:
        for line in _COLOUR.sub("", entry).splitlines():
            found = re.match(r"-+> *\d+ (.*)", line)
            if found:
                return found.group(1).strip()
    return str(error.source.strip().splitlines()[-1].strip())


def _settled(executed: NotebookNode, parameters: Mapping[str, Any]) -> NotebookNode:
    language = executed.metadata["language_info"]
    metadata = {"kernelspec": dict(KERNELSPEC), "language_info": language}
    settled = nbformat.v4.new_notebook(metadata=metadata)
    settled.metadata["papermill"] = {"parameters": dict(parameters)}
    settled.cells = [_settled_cell(cell, index) for index, cell in enumerate(executed.cells)]
    return settled


def _settled_cell(cell: NotebookNode, index: int) -> NotebookNode:
    """Return a cell named by its place, without clocks, progress, widgets and addresses."""
    settled = copy.deepcopy(cell)
    settled["id"] = f"cell-{index}"
    for clock in ("papermill", "execution"):
        settled.metadata.pop(clock, None)
    if settled.cell_type == "code":
        settled.outputs = _settled_outputs(settled.outputs)
    return settled


def _settled_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs but stderr, pieces of stdout joined, widget views left to their text."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        _settle_data(output.get("data", {}))
        kept.append(output)
    return kept


def _settle_data(data: dict[str, Any]) -> None:
    """Drop a widget's random id and the memory address in an object's default text."""
    data.pop(_WIDGET_VIEW, None)
    if "text/plain" in data:
        data["text/plain"] = _ADDRESS.sub("", data["text/plain"])


def _write(notebook: NotebookNode, path: Path) -> None:
    with atomic(path) as partial:
        partial.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
