"""What must be present in a data set's folder before it can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from openscenes.errors import DataError, InputError
from openscenes.files import inside, one_line, read_text, reason, whole_number
from openscenes.masks import MAX_PIXELS
from openscenes.paths import is_folder
from openscenes.settings import require_kind


class DamagedFile(DataError):
    """One file of a data set cannot be used; an index counts it under ``reason`` and goes on."""

    def __init__(
        self, reason: str, path: Path, detail: str, mend: str = "restore the file"
    ) -> None:
        """Say the reason, the file and how to mend it in one sentence."""
        self.reason, self.detail = reason, one_line(detail)
        super().__init__(f"{reason}: {one_line(str(path))} ({self.detail}); {mend}.")
        self._said = reason, path, detail, mend

    def __reduce__(self) -> tuple[type[DamagedFile], tuple[str, Path, str, str]]:
        """How it comes back from a process that decodes."""
        return type(self), self._said


def data_root(root: Path | str) -> Path:
    """The root as an absolute path, so that records outlive a change of folder."""
    try:
        return Path(root).expanduser().absolute()
    except (TypeError, RuntimeError, OSError) as error:  # no home, or no current folder
        raise InputError(
            f"{one_line(repr(root))} is no folder of data ({reason(error)}); give its whole path."
        ) from None


def require_folder(root: Path, below: str, name: str) -> Path:
    """Return ``root / below``; a DataError says what was wanted where there is no such folder."""
    folder = root / below
    if not is_folder(folder):
        raise DataError(
            f"{name} needs the folder {one_line(str(folder))}, which does not exist; "
            f"pass as root the folder that contains {one_line(below)}."
        )
    return folder


def require_file(path: Path, name: str, choices: Iterable[str] = ()) -> Path:
    """Return the path; a DataError says which splits are there where there is no such file."""
    if not os.path.isfile(path):  # noqa: PTH113  no error for a name that no disk can hold
        there = one_line(", ".join(sorted(choices)) or "none")
        raise DataError(
            f"{name} needs the file {one_line(str(path))}, which does not exist; "
            f"unpack the whole data set or choose another split (there: {there})."
        )
    return path


def read_list(folder: Path, split: str, name: str) -> list[str]:
    """Image ids of ``folder/<split>.txt``, in order, each once."""
    splits = (path.stem for path in folder.glob("*.txt"))
    path = require_file(folder / f"{split}.txt", name, splits)
    lines = read_text(path, "image list").splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines if line.strip()))


def member(folder: Path, name: str) -> Path:
    """The path of a file that a list or an annotation file names.

    Raises:
        DamagedFile: "file name outside its folder", where it leads out of it.
    """
    try:
        return inside(folder, name)
    except DataError as error:
        raise DamagedFile("file name outside its folder", folder, str(error)) from None


def asked(root: Path | str, split: str, min_area: int) -> Path:
    """The absolute root of what is asked of a reader."""
    require_kind(split, str, "split")
    if whole_number(min_area, 1, MAX_PIXELS) is None:
        raise InputError(
            f"min_area must be at least 1 pixel, got {one_line(repr(min_area))}; 1 keeps all "
            "objects."
        )
    return data_root(root)
