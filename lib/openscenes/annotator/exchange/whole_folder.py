"""A folder that is put in place whole, over an older one of its kind or over nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from openscenes.annotator.store.workspace import EXPORT_FILE
from openscenes.errors import InputError
from openscenes.paths import atomic_folder

FORMAT = 1


@contextmanager
def whole_folder(folder: Path, kind: str) -> Iterator[Path]:
    """Give an empty folder to fill; put it in place whole when the block ends well.

    Raises:
        InputError: if ``folder`` holds anything that is no part of an older export of this kind,
            or cannot be written to.
    """
    _require_free(folder, kind)
    try:
        with atomic_folder(folder) as partial:
            yield partial
    except OSError as error:
        raise InputError(
            f"The export {folder} cannot be written ({error.strerror or error}); choose another "
            "folder, or make room."
        ) from error


def mark(folder: Path, kind: str, objects: list[dict[str, Any]]) -> None:
    """Write down what a folder is and which files belong to it, once all others are there."""
    files = sorted([*_files(folder), EXPORT_FILE])
    content = {"format": FORMAT, "kind": kind, "files": files, "objects": objects}
    (folder / EXPORT_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_mark(folder: Path) -> dict[str, Any]:
    """What ``mark`` wrote; InputError where it did not, or in another format."""
    path = folder / EXPORT_FILE
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == FORMAT and {"kind", "files", "objects"} <= content.keys():
            return content
    raise InputError(
        f"{folder} is no export of this annotator (no {EXPORT_FILE} of format {FORMAT} in it); "
        "give the folder of an export, or a COCO annotation file."
    )


def _require_free(folder: Path, kind: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder to export into.")
    files = _files(folder)
    known = read_mark(folder) if EXPORT_FILE in files else {"kind": None, "files": []}
    if known["kind"] not in (None, kind):
        raise InputError(
            f"{folder} holds an export of the kind {known['kind']}; choose another folder for "
            f"{kind}."
        )
    if foreign := sorted(set(files) - set(known["files"])):
        raise InputError(
            f"{folder} holds {len(foreign)} file(s) that no export wrote, such as {foreign[0]}; "
            "choose another folder, or move them away."
        )


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return [path.relative_to(folder).as_posix() for path in found]
