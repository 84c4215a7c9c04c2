"""A table or figure as a task: its notebook is run once its scores are there."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.kept import keep, kept
from openscenes.paths import PROJECT, cache_dir, expanded
from openscenes.study.asked import spelled
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.graph.workers import gpu_of
from openscenes.study.pages.tables import reports_folder
from openscenes.study.runs import finished
from openscenes.study.runs.data import Study
from openscenes.study.runs.store import digest_of


@dataclass(frozen=True)
class Page:
    """A table or figure to make from its scores.

    Attributes:
        key: of the experiment.
        seeds, device, data, reports: as on the command line.
        name: of the request (``finished.request_name``), named before the work: what is edited
            meanwhile must not count as what was run.
    """

    key: str
    seeds: int = 1
    device: str = "auto"
    data: Path | None = None
    reports: Path | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """What it makes, for a line and a bar."""
        return EXPERIMENTS[self.key].notebook

    def __call__(self, study: Study) -> str:
        """Run the notebook; what it made as a text for the terminal."""
        from openscenes.study.pages import notebooks  # a second, which a plan does without

        began, folder = time.monotonic(), reports_folder(study.profile, self.reports)
        parameters = {
            "profile": spelled_for_notebooks(study.profile.spelling or study.profile.name),
            "data": "" if self.data is None else from_notebooks(self.data),
            "seeds": self.seeds,
            "device": self.device.partition(":")[0],
            "reports": "" if self.reports is None else from_notebooks(self.reports),
        }
        executed = folder / "notebooks" / f"{self.label}.ipynb"
        gpu = gpu_of(self.device, study.fabric.device)
        notebooks.execute(PROJECT / "notebooks" / executed.name, executed, parameters, gpu=gpu)
        seconds = time.monotonic() - began
        keep(_times_of(study) / f"{self.key}.json", {"wall_s": seconds})
        finished.remember(self.name, [executed, *finished.pages_of(self.key, EXPERIMENTS, folder)])
        said = [f"{self.label} ({study.profile.name}, {seconds:.0f} s)"]
        if EXPERIMENTS[self.key].table is not None:
            table = folder / "tables" / f"table_{self.key}.md"
            said.append(table.read_text(encoding="utf-8"))
        return "\n".join([*said, f"executed notebook: {executed}\nmodels: {cache_dir() / 'runs'}"])


def pages_timed(study: Study) -> list[float]:
    """Seconds of each page of this profile that was made here, on this kind of device."""
    notes = [kept(path) for path in _times_of(study).glob("*.json")]
    return [note["wall_s"] for note in notes if note is not None]


def _times_of(study: Study) -> Path:
    return cache_dir() / "pages" / digest_of([study.profile.name, study.fabric.device.type])


def spelled_for_notebooks(spelling: str) -> str:
    """A profile's spelling as the kernel sees it: its files by their paths from notebooks/."""
    name, _, query = spelling.partition("?")
    options = dict(parse_qsl(query))
    files = {k: expanded(options[k]) for k in finished.FILES if k in options}
    return spelled(name, options | {key: from_notebooks(path) for key, path in files.items()})


def from_notebooks(path: Path) -> str:
    """A path as the kernel sees it, which runs in notebooks/; no page names this machine."""
    there = path.parent.resolve() / path.name  # a link keeps its name, which captions have
    relative = os.path.relpath(there, PROJECT / "notebooks")
    if relative.encode(errors="ignore").decode() != relative:
        raise InputError(
            f"the path {one_line(relative)} holds what no text has, and a notebook's parameters "
            "are text; rename that folder, or lead to it by a link"
        )
    return relative
