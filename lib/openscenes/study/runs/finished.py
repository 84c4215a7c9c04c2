"""What a command has finished already, known by everything that decides it.

A page is not "there" because a file of its name exists: it counts as finished only if code,
notebooks, settings, data and packages are those that made it, and if every file that was written
then still has the bytes that were written. Asking takes no torch, so that it takes no seconds.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import openscenes
from openscenes.kept import keep, kept
from openscenes.paths import PROJECT, cache_dir, expanded, is_file, is_folder
from openscenes.study.runs.store import file_digest

MODELS = "models"  # key of the request for all models, which writes no page
TABLES = ("1", "2", "3", "4", "4_plus", "5", "6", "7", "figures")  # keys of ``registry``
ON_REQUEST = {"paper": ("4_plus",)}  # what a kind of profile makes only if it is asked by name
_PACKAGES = (
    "matplotlib", "nbformat", "numpy", "opencv-python", "pandas", "papermill", "pillow", "scipy",
    "seaborn", "torch", "torchvision",
)  # fmt: skip
FILES = ("initial", "dextr")  # options of a profile that name files
_ABOVE_STUDY = {"widgets", "lessons", "annotator"}


def request_name(
    key: str, profile: str, data: Path | None, seeds: int, device: str, reports: Path | None
) -> str:
    """Twenty hex digits that change with whatever could change what a command writes.

    Data sets count by names, sizes and times of their files, since reading them takes minutes;
    their contents name the models and scores.

    Args:
        key: of the experiment, or the stem of a lesson's notebook; the rest as on the command line.
    """
    asked = {"key": key, "profile": profile, "data": data, "seeds": seeds, "device": device}
    told = {field: str(value) for field, value in (asked | {"reports": reports}).items()}
    told |= {package: _version(package) for package in _PACKAGES}
    told |= {"python": platform.python_version(), "project": str(PROJECT)}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for path in _sources(key):
        digest.update(f"{path.name} {file_digest(path)}\n".encode())
    for folder in [] if data is None else _folders_of(data):
        for line in _listing(folder, set()):
            digest.update(line.encode(errors="surrogateescape"))
    for path in _weights_of(profile):
        digest.update(file_digest(path).encode())
    return digest.hexdigest()[:20]


def keys_of(spelling: str) -> tuple[str, ...]:
    """The tables and figures that a profile makes unless some are asked for by name."""
    left_out = ON_REQUEST.get(spelling.partition("?")[0], ())
    return tuple(key for key in TABLES if key not in left_out)


def pages(name: str) -> list[Path] | None:
    """The files that a request of this name wrote, if all of them are still as they were."""
    written: dict[str, str] | None = kept(_note(name))
    if written is None:
        return None
    whole = all(
        Path(path).is_file() and file_digest(Path(path)) == d for path, d in written.items()
    )
    return [Path(path) for path in written] if whole else None


def remember(name: str, written: Iterable[Path]) -> None:
    """Keep which files a finished request wrote, and their bytes' digests."""
    note: dict[str, Any] = {str(path.resolve()): file_digest(path) for path in written}
    keep(_note(name), note)


def pages_of(key: str, keys: Iterable[str], reports: Path) -> list[Path]:
    """Tables and figures below a reports folder that belong to one experiment, by their names.

    Args:
        key: such as "4"; "table_4_by_size.csv" is its own, "table_4_plus.csv" is of "4_plus".
        keys: of all experiments.
        reports: holds ``tables`` and ``figures``.
    """
    others = tuple(p for other in keys if other.startswith(f"{key}_") for p in _prefixes(other))
    found = (path for kind in ("tables", "figures") for path in (reports / kind).glob("*"))
    own = (path for path in found if path.name.startswith(_prefixes(key)))
    return sorted(path for path in own if not path.name.startswith(others))


def _prefixes(key: str) -> tuple[str, str]:
    return ("figure_", "scene_") if key == "figures" else (f"table_{key}.", f"table_{key}_")


def _note(name: str) -> Path:
    return cache_dir() / "finished" / f"{name}.json"


def _sources(key: str) -> list[Path]:
    """Files that decide what a page says; widgets and reports count for lessons alone."""
    package, folder = Path(openscenes.__file__).parent, PROJECT / "notebooks"
    lesson = folder / f"{key}.ipynb"
    if lesson in folder.glob("*.ipynb"):
        modules, notebooks = [*package.rglob("*.py"), *package.rglob("*.js")], [lesson]
        values = [*(PROJECT / "reports" / "tables").glob("*.csv")]
    else:
        wings = {p: p.relative_to(package).parts[0] for p in package.rglob("*.py")}
        modules = [path for path, wing in wings.items() if wing not in _ABOVE_STUDY]
        notebooks = [*folder.glob("table_*.ipynb"), *folder.glob("figure_*.ipynb")]
        values = [*(PROJECT / "tests").glob("paper_values.csv")]
    return [*sorted(modules), *sorted(notebooks), *sorted(values)]


def _weights_of(spelling: str) -> list[Path]:
    """The files of published weights that a spelled profile names, as far as they are there."""
    options = dict(parse_qsl(spelling.partition("?")[2]))
    named = (expanded(options[name]) for name in FILES if name in options)
    return [path for path in named if is_file(path)]


def _folders_of(data: Path) -> list[Path]:
    """Where a study looks for images and weights, as far as it is there."""
    names = ("VOCdevkit", "benchmark_RELEASE", "cityscapes", "coco", "weights", "../weights")
    return [data / name for name in names if is_folder(data / name)]


def _listing(folder: Path | str, seen: set[str]) -> Iterator[str]:
    """Names, sizes and times of all files below a folder, in a fixed order, each folder once."""
    if (real := os.path.realpath(folder)) in seen:
        return
    seen.add(real)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                yield from _listing(entry.path, seen)
            elif entry.is_file():
                facts = entry.stat()
                yield f"{entry.path} {facts.st_size} {facts.st_mtime_ns}\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
