"""``make models`` and ``make table-N``: train in the open, then run the notebook that shows it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from openscenes.errors import DataError, InputError
from openscenes.files import one_line
from openscenes.networks.devices import make_fabric
from openscenes.paths import PROJECT, cache_dir, expanded, require_writable
from openscenes.study.experiments.registry import EXPERIMENTS, experiment
from openscenes.study.graph.prepare import prepare
from openscenes.study.options import profile_named, spelled
from openscenes.study.pages import notebooks
from openscenes.study.pages.tables import reports_folder
from openscenes.study.plan.requirements import missing
from openscenes.study.profiles import Profile
from openscenes.study.runs import finished
from openscenes.study.runs.data import Study, given_root, open_study
from openscenes.study.runs.published import require_published
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, recipes_of
from openscenes.study.status.page import write_status

_OTHER_REPORTS = "name another folder: --reports path/to/folder"
PATTERNS = ("00_*.ipynb", "lesson_*.ipynb")


def lesson_notebooks() -> list[Path]:
    """The lessons in reading order."""
    folder = PROJECT / "notebooks"
    return [path for pattern in PATTERNS for path in sorted(folder.glob(pattern))]


def make_lessons(
    profile: str, data: Path | None, device: str, reports: Path | None = None
) -> Iterator[str]:
    """Run each lesson whose page is not as its code, data and settings would make it; a line each.

    A lesson trains nothing that a table of the same profile has trained.

    Args:
        profile: name of a profile.
        data: folder of the four data sets, None for the synthetic scenes.
        device: as for ``devices.make_fabric``.
        reports: where pages go; None is the profile's own folder, or the cache where the
            images are other people's, which no report may hold.
    """
    chosen = profile_named(profile)
    given = given_root(chosen, data)  # what is not there ends here, not in a notebook
    if given is not None and (absent := missing(given)):
        raise DataError(
            f"the lessons need {', '.join(absent)} in {given}; give a whole data folder"
        )
    require_published(chosen)
    make_fabric(device)
    folder = (reports or _own_folder(chosen)) / "notebooks"
    require_writable(folder, _OTHER_REPORTS)
    parameters = {
        "profile": spelled_for_notebooks(profile),
        "data": "" if data is None else from_notebooks(data),
        "device": device.partition(":")[0],
    }
    for source in lesson_notebooks():
        began, page = time.monotonic(), folder / source.name
        name = finished.Request(source.stem, profile, data, 1, device, reports).name()
        if finished.pages(name) is not None:
            yield f"{source.stem}: finished before, see {page}"
            continue
        notebooks.execute(source, page, parameters)
        finished.remember(name, [page])
        yield f"{source.stem}: {time.monotonic() - began:.0f} s, see {page}"


def _own_folder(profile: Profile) -> Path:
    return (
        cache_dir() / "lessons" / profile.name
        if profile.synthetic is None
        else reports_folder(profile)
    )


def make_models(*, profile: str, data: Path | None, seeds: int, device: str) -> int:
    """Train and score all that the tables ask, so that no process waits for another's table.

    Args, Returns and Raises: as ``make_table``.
    """
    chosen = profile_named(profile, seeds)
    name = finished.Request(finished.MODELS, profile, data, seeds, device, None).name()
    asked = [e.evaluations(chosen, seeds) for e in EXPERIMENTS.values()]
    evaluations = list(dict.fromkeys(evaluation for part in asked for evaluation in part))
    study = open_study(chosen, data, device)
    _prepared(study, "all tables", evaluations, data, device)
    finished.remember(name, [])
    return 0


def make_table(
    key: str,
    *,
    profile: str,
    data: Path | None,
    seeds: int,
    device: str,
    reports: Path | None = None,
) -> int:
    """Train every model of a table with progress in the terminal, then execute its notebook.

    Args:
        key: of the experiment, such as "4" (see ``registry``).
        profile: name of a profile.
        data: folder of the four data sets, None for the synthetic scenes.
        seeds: how many trainings of each model.
        device: as for ``devices.make_fabric``.
        reports: where tables and executed notebooks go.
    Returns:
        Exit code 0.
    """
    began = time.monotonic()
    chosen, asked = profile_named(profile, seeds), experiment(key)
    folder = reports_folder(chosen, reports)
    for kind in ("tables", "figures", "notebooks"):
        require_writable(folder / kind, _OTHER_REPORTS)
    # Named before the work: what is edited meanwhile must not count as what was run.
    name = finished.Request(asked.key, profile, data, seeds, device, reports).name()
    study = open_study(chosen, data, device)
    evaluations = asked.evaluations(chosen, seeds)
    _prepared(study, asked.notebook, evaluations, data, device)
    parameters = {
        "profile": spelled_for_notebooks(profile),
        "data": "" if data is None else from_notebooks(data),
        "seeds": seeds,
        "device": device.partition(":")[0],
        "reports": "" if reports is None else from_notebooks(reports),
    }
    executed = folder / "notebooks" / f"{asked.notebook}.ipynb"
    notebooks.execute(PROJECT / "notebooks" / executed.name, executed, parameters)
    _say(f"{asked.notebook} ({chosen.name}, {time.monotonic() - began:.0f} s)")
    if asked.table is not None:
        _say((folder / "tables" / f"table_{asked.key}.md").read_text(encoding="utf-8"))
    if reports is None:
        write_status(PROJECT / "reports")
    finished.remember(name, [executed, *finished.pages_of(asked.key, EXPERIMENTS, folder)])
    _say(f"executed notebook: {executed}\nmodels: {cache_dir() / 'runs'}")
    return 0


def to_train(study: Study, what: str, evaluations: Sequence[Evaluation]) -> str:
    """One line: how many of the models behind some evaluations are still to be trained."""
    models = [find(study, recipe) for recipe in recipes_of(evaluations)]
    n_missing = sum(not one.is_trained for one in models)
    return f"{what}: models to train: {n_missing} of {len(models)}"


def spelled_for_notebooks(spelling: str) -> str:
    """A profile's spelling as the kernel sees it: its files by their paths from notebooks/."""
    name, _, query = spelling.partition("?")
    options = dict(parse_qsl(query))
    files = {k: expanded(options[k]) for k in finished.FILES if k in options}
    return spelled(name, options | {key: from_notebooks(path) for key, path in files.items()})


def from_notebooks(path: Path) -> str:
    """A path as the kernel sees it, which runs in notebooks/; no page names this machine.

    Raises:
        InputError: if it cannot stand in a notebook.
    """
    there = path.parent.resolve() / path.name  # a link keeps its name, which captions have
    relative = os.path.relpath(there, PROJECT / "notebooks")
    if relative.encode(errors="ignore").decode() != relative:
        raise InputError(
            f"the path {one_line(relative)} holds what no text has, and a notebook's parameters "
            "are text; rename that folder, or lead to it by a link"
        )
    return relative


def _prepared(
    study: Study, what: str, evaluations: Sequence[Evaluation], data: Path | None, device: str
) -> None:
    """Train and score in the open."""
    _tell(to_train(study, what, evaluations))
    for line in prepare(study, evaluations, data, device):
        _tell(line)


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
