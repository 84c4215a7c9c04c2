"""``make models`` and ``make table-N``: train in the open, then run the notebook that shows it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from openscenes.errors import DataError
from openscenes.networks.devices import make_fabric
from openscenes.paths import PROJECT, require_writable
from openscenes.progress import say
from openscenes.study.asked import OTHER_REPORTS
from openscenes.study.experiments.registry import EXPERIMENTS, experiment
from openscenes.study.graph.page import Page, from_notebooks, spelled_for_notebooks
from openscenes.study.graph.prepare import FAILED, done, done_elsewhere, to_train
from openscenes.study.graph.wanted import Place, Wanted
from openscenes.study.graph.workers import gpu_of
from openscenes.study.options import profile_named
from openscenes.study.pages import notebooks
from openscenes.study.pages.tables import reports_folder
from openscenes.study.plan.requirements import missing
from openscenes.study.runs import finished
from openscenes.study.runs.data import given_root, open_study

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
        data: folder of the four data sets, None for the synthetic scenes.
        reports: where pages go, as ``reports_folder``.
    """
    chosen = profile_named(profile)
    given = given_root(chosen, data)  # what is not there ends here, not in a notebook
    if given is not None and (absent := missing(given)):
        raise DataError(
            f"the lessons need {', '.join(absent)} in {given}; give a whole data folder"
        )
    gpu = gpu_of(device, make_fabric(device).device)
    folder = reports_folder(chosen, reports) / "notebooks"
    require_writable(folder, OTHER_REPORTS)
    parameters = {
        "profile": spelled_for_notebooks(profile),
        "data": "" if data is None else from_notebooks(data),
        "device": device.partition(":")[0],
    }
    for source in lesson_notebooks():
        began, page = time.monotonic(), folder / source.name
        name = finished.request_name(source.stem, profile, data, 1, device, reports)
        if finished.pages(name) is not None:
            yield f"{source.stem}: finished before, see {page}"
            continue
        notebooks.execute(source, page, parameters, gpu=gpu)
        finished.remember(name, [page])
        yield f"{source.stem}: {time.monotonic() - began:.0f} s, see {page}"


def make_models(*, profile: str, seeds: int, place: Place) -> int:
    """Train and score all that the tables ask, so that no process waits for another's table."""
    chosen = profile_named(profile, seeds)
    name = finished.request_name(finished.MODELS, profile, place.data, seeds, place.device, None)
    asked = [EXPERIMENTS[key].evaluations(chosen, seeds) for key in finished.keys_of(profile)]
    list(_done(profile, seeds, Wanted(tuple(e for part in asked for e in part)), place))
    finished.remember(name, [])
    return 0


def make_tables(
    keys: Sequence[str], *, profile: str, seeds: int, place: Place, reports: Path | None = None
) -> int:
    """Train every model of some tables with progress in the terminal, and run their notebooks.

    Args:
        keys: of the experiments, such as "4" (see ``registry``).
        reports: where tables and executed notebooks go, as ``reports_folder``.
    Raises:
        OpenScenesError: of the first task that failed, after all others were done.
    """
    chosen, pages = profile_named(profile, seeds), {}
    folder = reports_folder(chosen, reports)
    for kind in ("tables", "figures", "notebooks"):
        require_writable(folder / kind, OTHER_REPORTS)
    data = None if place.data is None else place.data.absolute()
    for key in keys:
        name = finished.request_name(key, profile, place.data, seeds, place.device, reports)
        shown = experiment(key).evaluations(chosen, seeds)
        page = Page(key, seeds, place.device, data, reports and reports.absolute(), name)
        pages[page] = tuple(shown)
    list(_done(profile, seeds, Wanted((), pages), place))
    return 0


def _done(profile: str, seeds: int, wanted: Wanted, place: Place) -> Iterator[Page]:
    """Do what is still to do, here or on a cluster, in the open; gives the pages that were made."""
    if place.cluster:
        lines = done_elsewhere(profile, wanted, place)
    else:
        study = open_study(profile_named(profile, seeds), place.data, place.device)
        planned = wanted(study)
        say(to_train(planned))
        lines = done(study, planned, place)
    for task, text in lines:
        if isinstance(task, Page) and not text.startswith(FAILED):
            print(text, flush=True)
            yield task
        else:
            say(text)
