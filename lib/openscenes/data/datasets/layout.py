"""What must be present in a data set's folder before it can be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from openscenes.errors import DataError, InputError
from openscenes.files import one_line


class DamagedFile(DataError):
    """One file of a data set cannot be used; an index counts it under ``reason`` and goes on."""

    def __init__(
        self, reason: str, path: Path, detail: str, mend: str = "restore the file"
    ) -> None:
        """Say the reason, the file and how to mend it in one sentence."""
        super().__init__(f"{reason}: {one_line(str(path))} ({detail}); {mend}.")
        self.reason, self.detail = reason, detail


def data_root(root: Path | str) -> Path:
    """The root as an absolute path, so that records outlive a change of folder."""
    return Path(root).expanduser().absolute()


def require_folder(root: Path, inside: str, name: str) -> Path:
    """Return ``root / inside``; a DataError says what was wanted where there is no such folder."""
    folder = root / inside
    if not folder.is_dir():
        raise DataError(
            f"{name} needs the folder {folder}, which does not exist; "
            f"pass as root the folder that contains {inside}."
        )
    return folder


def require_file(path: Path, name: str, choices: Iterable[str] = ()) -> Path:
    """Return the path; a DataError says which splits are there where there is no such file."""
    if not path.is_file():
        there = ", ".join(sorted(choices)) or "none"
        raise DataError(
            f"{name} needs the file {path}, which does not exist; "
            f"unpack the whole data set or choose another split (there: {there})."
        )
    return path


def read_list(folder: Path, split: str, name: str) -> list[str]:
    """Image ids of ``folder/<split>.txt`` (a DataError without it), in order, each once."""
    splits = (path.stem for path in folder.glob("*.txt"))
    path = require_file(folder / f"{split}.txt", name, splits)
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines if line.strip()))


def require_min_area(min_area: int) -> None:
    """Raise an InputError for a smallest area below one pixel: an empty object is no object."""
    if min_area < 1:
        raise InputError(f"min_area must be at least 1 pixel, got {min_area}; 1 keeps all objects.")
