"""A folder of images and the workspace beside them: what is there, and what may be used."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path

from openscenes.annotator.store.log import LOG_NAME, Log
from openscenes.annotator.store.snapshot import ImageFacts
from openscenes.data.datasets.images import read_header
from openscenes.errors import DataError, InputError
from openscenes.paths import atomic

FORMAT = 1
DEFAULT_NAME = "openscenes"
WORKSPACE_FILE = "workspace.json"
EXPORT_FILE = "openscenes.json"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Workspace:
    """Where the images lie, and where what is collected on them lies."""

    images: Path
    folder: Path

    @property
    def log_path(self) -> Path:
        """The log of all actions."""
        return self.folder / LOG_NAME

    def list_images(self) -> tuple[Path, ...]:
        """As ``images_of``."""
        return images_of(self.images, self.folder)

    def facts(self, image: Path | str) -> ImageFacts:
        """What the log keeps of an image: relative path, digest, size.

        Raises:
            DataError: if the file is missing, unreadable or cut short.
            InputError: if it does not lie in the folder of images.
        """
        path = (self.images / image).absolute()
        if not path.is_relative_to(self.images):
            raise InputError(
                f"{path} does not lie in {self.images}; put it there, or open its folder."
            )
        size = read_header(path).size
        return ImageFacts(path.relative_to(self.images).as_posix(), digest_of(path), size)


def open_workspace(images: Path | str, folder: Path | str | None = None) -> Workspace:
    """The workspace of a folder of images, made where there is none.

    A line that a crash left open in its log is closed, so that whoever reads it can tell.

    Args:
        images: the images; they are never changed.
        folder: where to keep what is collected, ``<images>/openscenes`` if None.
    Raises:
        InputError: if ``images`` is no folder or holds no image, or the workspace cannot be
            written to, belongs to other images or was made by a newer format.
    """
    root = _absolute(images)
    workspace = Workspace(root, root / DEFAULT_NAME if folder is None else _absolute(folder))
    images_of(root, workspace.folder)
    try:
        workspace.folder.mkdir(parents=True, exist_ok=True)
        _claim(workspace)
    except OSError as error:
        raise InputError(
            f"The workspace {workspace.folder} cannot be written to ({error.strerror}); "
            "choose another folder for it, or mend its permissions."
        ) from error
    if workspace.log_path.exists():
        Log(workspace.log_path).repair()
    return workspace


def workspace_of(log: Path | str) -> Workspace:
    """The workspace that ``log.jsonl`` lies in, or of its folder, read only.

    Raises:
        InputError: if there is no workspace, or it was made by a newer format.
    """
    path = _absolute(log)
    folder = path if path.is_dir() else path.parent
    images = _images_named_in(folder)
    if images is None:
        raise InputError(
            f"{folder} holds no {WORKSPACE_FILE}, so it is no workspace; give the "
            f"{LOG_NAME} of a folder that the annotator has made."
        )
    return Workspace(images, folder)


def images_of(folder: Path | str, workspace: Path | str | None = None) -> tuple[Path, ...]:
    """All images below a folder, sorted; none of hidden folders, workspaces and exports.

    Raises:
        InputError: if it is no folder, or holds no image.
    """
    root = _absolute(folder)
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; give the folder that holds your images.")
    left_out = root / DEFAULT_NAME if workspace is None else _absolute(workspace)
    found = tuple(sorted(_images_below(root, left_out)))
    if not found:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise InputError(f"{root} holds no image; put files of a kind among {kinds} there.")
    return found


def digest_of(image: Path) -> str:
    """First 16 hex digits of the SHA-256 of a file's bytes; cached until it changes."""
    try:
        status = image.stat()
        return _digest(image, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DataError(
            f"{image} cannot be read ({error.strerror}); bring the file back."
        ) from error


def located(workspace: Workspace, wanted: Mapping[str, str]) -> tuple[dict[str, Path], list[str]]:
    """Find images by their bytes: where they were, else anywhere in the folder of images.

    Args:
        wanted: path by digest, as the log has them.
    Returns:
        Path by digest, and one sentence for each image that is gone or has changed.
    """
    there = {digest: workspace.images / path for digest, path in wanted.items()}
    found = {
        digest: path for digest, path in there.items()
        if path.is_file() and digest_of(path) == digest
    }  # fmt: skip
    if len(found) < len(wanted):
        elsewhere = {digest_of(path): path for path in workspace.list_images()}
        found |= {digest: elsewhere[digest] for digest in wanted if digest in elsewhere}
    return found, [_lost(there[digest]) for digest in wanted if digest not in found]


def _lost(path: Path) -> str:
    if path.is_file():
        return f"{path} has changed since it was annotated; bring the former file back."
    return f"{path} is gone, and no other file has its content; bring the file back."


@lru_cache(maxsize=1 << 16)
def _digest(image: Path, _n_bytes: int, _modified: int) -> str:
    with image.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]


def _images_below(root: Path, left_out: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        folder = Path(place)
        folders[:] = [name for name in folders if not _hidden(folder / name, left_out)]
        kinds = ((name, Path(name).suffix.lower()) for name in files if not name.startswith("."))
        yield from (folder / name for name, kind in kinds if kind in SUFFIXES)


def _hidden(folder: Path, left_out: Path) -> bool:
    written = any((folder / name).exists() for name in (WORKSPACE_FILE, EXPORT_FILE))
    return folder.name.startswith(".") or folder == left_out or written


def _claim(workspace: Workspace) -> None:
    """Write down whose images these are, unless it is written already."""
    path = workspace.folder / WORKSPACE_FILE
    known = _images_named_in(workspace.folder)
    if known == workspace.images:
        with path.open("r+b"):  # refuse a read-only folder now, not at a click
            return
    if known is not None and known.is_dir():
        raise InputError(
            f"The workspace {workspace.folder} belongs to the images in {known}; choose another "
            f"workspace for {workspace.images}."
        )
    try:
        images = Path(os.path.relpath(workspace.images, workspace.folder)).as_posix()
    except ValueError:  # another drive
        images = str(workspace.images)
    content = {"format": FORMAT, "images": images}
    with atomic(path) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _images_named_in(folder: Path) -> Path | None:
    """The folder of images that a workspace names, or None; InputError for another format."""
    path = folder / WORKSPACE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made_by, images = content["format"], str(content["images"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError):
        made_by, images = "unreadable", ""
    if made_by != FORMAT:
        raise InputError(
            f"{path} has the format {made_by}, and this version knows {FORMAT}; update openscenes, "
            "or choose another workspace."
        )
    return Path(os.path.normpath(folder / images))


def _absolute(path: Path | str) -> Path:
    return Path(os.path.normpath(Path(path).expanduser().absolute()))
