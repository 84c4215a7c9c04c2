"""The kernel of a notebook run: this very interpreter, called so that it cannot hang."""

import copy
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import papermill
from ipykernel.kernelspec import get_kernel_dict
from nbclient.exceptions import DeadKernelError
from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from openscenes.errors import OpenScenesError
from openscenes.paths import PROJECT, cache_dir
from openscenes.study.pages import PAGE_RUN

KERNEL = "openscenes"
START_ATTEMPTS = 2
START_TIMEOUT_S = 120


class _QuietOutput(OutputWidget):
    """An ``Output`` widget whose content is kept for the page and not sent back to the kernel.

    The sending is what hangs: it writes to the socket on which the cell's reply is awaited, the
    reply's wake-up is lost, and client and kernel wait for each other for ever.
    """

    def sync_state(self) -> None:
        """Do nothing; no cell reads the content back."""


class _Engine(NBClientEngine):
    """papermill's own engine with quiet ``Output`` widgets."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, start_timeout: int, stderr_file: Any, **_: Any
    ) -> None:
        """Run the cells; ``nb_man`` holds the notebook and saves it after every cell."""
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            stderr_file=stderr_file,
            timeout=None,
        )
        client.widget_registry = {"@jupyter-widgets/output": {"OutputModel": _QuietOutput}}
        client.execute()


papermill_engines.register(KERNEL, _Engine)


@contextmanager
def private_kernel(folder: Path, gpu: str = "") -> Iterator[None]:
    """Let Jupyter see, before all others, a kernel that is this very interpreter.

    ``python3`` may be another environment's kernel, and a user's IPython start-up files would
    run inside a study's notebook.

    Args:
        gpu: the only one that the kernel sees, as ``CUDA_VISIBLE_DEVICES`` names it; "" for all.
    """
    _write_kernelspec(folder, {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {})
    changed = {"JUPYTER_PATH": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _write_kernelspec(folder: Path, more: Mapping[str, str]) -> None:
    """Write ``kernels/openscenes/kernel.json`` into a folder of JUPYTER_PATH."""
    path = folder / "kernels" / KERNEL
    path.mkdir(parents=True)
    search = [str(PROJECT / "lib"), os.environ.get("PYTHONPATH", "")]
    spec = get_kernel_dict(["--log-level=ERROR"])  # a loopback socket is no warning
    spec["env"] = {
        "PYTHONPATH": os.pathsep.join(filter(None, search)),
        "PYTHONHASHSEED": "0",
        PAGE_RUN: "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "IPYTHONDIR": str(folder / "ipython"),
        **more,
    }
    if os.environ.get("OPENSCENES_CACHE"):  # a relative path means another folder there
        spec["env"]["OPENSCENES_CACHE"] = str(cache_dir())
    (path / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def run(source: NotebookNode, running: Path, parameters: dict[str, Any], cwd: Path) -> Any:
    """Run a copy of ``source``, again if its kernel did not start; ``running`` grows by the cell.

    Kernels that start at the same moment may pick the same port; a second attempt picks another.
    """
    for attempt in range(START_ATTEMPTS):
        try:
            return papermill.execute_notebook(
                copy.deepcopy(source),
                running,
                parameters,
                engine_name=KERNEL,
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                stderr_file=sys.stderr,
                start_timeout=START_TIMEOUT_S,
                cwd=cwd.resolve(),
            )
        except DeadKernelError:
            raise
        except RuntimeError as error:
            if attempt + 1 == START_ATTEMPTS:
                raise OpenScenesError(
                    f"The notebook kernel of {sys.executable} did not start in {START_ATTEMPTS}"
                    f" attempts ({error}): check that `python -m ipykernel --version` works there."
                ) from error
    raise AssertionError("every attempt returns or raises")
