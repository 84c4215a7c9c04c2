"""A folder that is put in place whole, over an older one of its kind or over nothing."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openscenes.amounts import amount
from openscenes.annotator.store.image_files import EXPORT_FILE, digest_of
from openscenes.errors import DataError, InputError
from openscenes.files import one_line, read_json, reason
from openscenes.paths import atomic_folder

FORMAT = 1


def user_path(text: Path | str) -> Path:
    """The absolute path that a user means, "~" at its start included."""
    name = str(text)
    if not name.strip() or "\0" in name:
        raise InputError(f"{one_line(name)!r} is no path; give the path of a file or folder.")
    try:
        return Path(os.path.normpath(Path(name).expanduser().absolute()))
    except (RuntimeError, OSError) as error:  # "~" without a home, a folder that is gone
        raise InputError(f"{one_line(name)} is no path ({error}); write it in full.") from None


@contextmanager
def whole_folder(folder: Path, kind: str) -> Iterator[Path]:
    """Give an empty folder to fill; put it in place whole when the block ends well.

    Raises:
        InputError: if ``folder`` holds anything that is no part of an older export of this kind,
            or that was changed since, or if it cannot be written to.
    """
    try:
        _require_place(folder)
        _require_free(folder, kind)
        with atomic_folder(folder) as partial:
            yield partial
            _require_free(folder, kind)  # nobody has put anything there meanwhile
    except OSError as error:
        raise InputError(
            f"The export {one_line(str(folder))} cannot be written ({reason(error)}); choose "
            "another folder, or make room."
        ) from error


def mark(folder: Path, kind: str, objects: list[dict[str, Any]]) -> None:
    """Write down what a folder is, and its files with their digests, once all others are there."""
    files = {name: digest_of(folder / name) for name in sorted(_files(folder))} | {EXPORT_FILE: ""}
    content = {"format": FORMAT, "kind": kind, "files": files, "objects": objects}
    (folder / EXPORT_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_mark(folder: Path) -> dict[str, Any]:
    """What ``mark`` wrote; InputError where it did not, or in another format."""
    try:
        content = read_json(folder / EXPORT_FILE, "mark of an export")
    except DataError:
        content = None
    wanted = {"kind": str, "files": list | dict, "objects": list}
    if isinstance(content, dict) and content.get("format") == FORMAT:
        typed = all(isinstance(content.get(key), kind) for key, kind in wanted.items())
        if typed and all(isinstance(name, str) for name in content["files"]):
            return content
    raise InputError(
        f"{one_line(str(folder))} is no export of this annotator (no {EXPORT_FILE} of format "
        f"{FORMAT} in it); give the folder of an export, or a COCO annotation file."
    )


def _require_place(folder: Path) -> None:
    name = one_line(str(folder))
    if not folder.name:
        raise InputError(f"{name} cannot be exported into; give a folder below it.")
    if folder.is_symlink():
        raise InputError(
            f"{name} is a link to {one_line(str(folder.readlink()))}; give that folder."
        )
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f"{name} is a file; give a folder to export into.")


def _require_free(folder: Path, kind: str) -> None:
    if not folder.exists():
        return
    name = one_line(str(folder))
    known = read_mark(folder) if (folder / EXPORT_FILE).is_file() else None
    if known and known["kind"] != kind:
        raise InputError(
            f"{name} holds an export of the kind {one_line(known['kind'])}; choose another "
            f"folder for {kind}."
        )
    files = _files(folder) if known else [path.name for path in folder.iterdir()]
    if foreign := sorted(set(files) - set(known["files"] if known else ())):
        raise InputError(
            f"{name} holds {amount(len(foreign), 'file')} that no export wrote, such as "
            f"{one_line(foreign[0])}; choose another folder, or move them away."
        )
    if known and (changed := changed_files(folder, known, files)):
        raise InputError(
            f"{name} holds {amount(len(changed), 'file', 'that')} changed after the export, such "
            f"as {one_line(min(changed))}; choose another folder, or move them away."
        )


def changed_files(folder: Path, known: dict[str, Any], files: Iterable[str]) -> list[str]:
    """Which files of an export are others than its mark says; an older mark has names alone."""
    digests = known["files"] if isinstance(known["files"], dict) else {}
    return [
        file for file in files
        if (folder / file).is_symlink() or not (folder / file).is_file()
        or (digests.get(file) and digest_of(folder / file) != digests[file])
    ]  # fmt: skip


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return [path.relative_to(folder).as_posix() for path in found]
