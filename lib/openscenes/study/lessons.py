"""``make lessons``: every lesson is run from its first cell to its last, and its page kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from openscenes.paths import PROJECT, cache_dir
from openscenes.study import finished, notebooks
from openscenes.study.command import from_notebooks
from openscenes.study.profiles import Profile, profile_named
from openscenes.study.reports import reports_folder

PATTERNS = ("00_*.ipynb", "lesson_*.ipynb")


def lesson_notebooks() -> list[Path]:
    """The lessons in reading order."""
    folder = PROJECT / "notebooks"
    return [path for pattern in PATTERNS for path in sorted(folder.glob(pattern))]


def make_lessons(
    profile: str, data: Path | None, device: str, reports: Path | None = None
) -> Iterator[str]:
    """Run each lesson whose page is not as its code, data and settings would make it; a line each.

    Ours: a lesson trains nothing that a table of the same profile has trained.

    Args:
        profile: name of a profile.
        data: folder of the four data sets, None for the embedded scenes.
        device: as for ``training.make_fabric``.
        reports: where pages go; None is the profile's own folder, or the cache where the
            pictures are photographs of others, which no report may hold.
    """
    folder = (reports or _own_folder(profile_named(profile))) / "notebooks"
    parameters = {
        "profile": profile,
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
        if profile.embedded is None
        else reports_folder(profile)
    )
