"""``make table-N``: train what is missing in the open, then run the notebook that shows it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from openscenes.errors import InputError
from openscenes.paths import PROJECT, cache_dir
from openscenes.study import notebooks
from openscenes.study.material import open_study
from openscenes.study.preparation import prepare
from openscenes.study.profiles import profile_named
from openscenes.study.reports import reports_folder
from openscenes.study.status import write_status

NOTEBOOKS = {3: "table_3_ipt", 4: "table_4_alignment"}


def make_table(
    number: int,
    *,
    profile: str,
    data: Path | None,
    seeds: int,
    device: str,
    reports: Path | None = None,
) -> int:
    """Train every model of a table with progress in the terminal, then execute its notebook.

    Args:
        number: of the table in the paper.
        profile: name of a profile.
        data: folder of the four data sets, None for the embedded scenes.
        seeds: how many trainings of each model.
        device: as for ``training.make_fabric``.
        reports: where tables and executed notebooks go.
    Returns:
        Exit code 0.
    """
    if seeds < 1:
        raise InputError(f"a table needs at least one seed, got {seeds}; try SEEDS=1")
    began = time.monotonic()
    chosen = profile_named(profile)
    study = open_study(chosen, data, device)
    if study.fabric.world_size > 1:
        study.fabric.launch()
    for line in prepare(study, number, seeds, data, device):
        _tell(line)
    if not study.fabric.is_global_zero:
        return 0
    folder = reports_folder(chosen) if reports is None else reports
    name = NOTEBOOKS[number]
    parameters = {
        "profile": profile,
        "data": "" if data is None else _from_notebooks(data),
        "seeds": seeds,
        "device": device.partition(":")[0],
        "reports": "" if reports is None else _from_notebooks(reports),
    }
    executed = folder / "notebooks" / f"{name}.ipynb"
    notebooks.execute(PROJECT / "notebooks" / f"{name}.ipynb", executed, parameters)
    _say(f"table {number} ({chosen.name}, {time.monotonic() - began:.0f} s)")
    _say((folder / "tables" / f"table_{number}.md").read_text(encoding="utf-8"))
    if reports is None:
        write_status(PROJECT / "reports")
    _say(f"executed notebook: {executed}\nmodels: {cache_dir() / 'runs'}")
    return 0


def _from_notebooks(path: Path) -> str:
    """A path as the kernel sees it, which runs in notebooks/; no page names this machine."""
    return os.path.relpath(path.resolve(), PROJECT / "notebooks")


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
