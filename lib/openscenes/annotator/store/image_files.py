"""The image files below a folder, what is left out there and why, and how a file is known again."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openscenes.annotator.store.lines import shown
from openscenes.annotator.store.snapshot import is_plain
from openscenes.data.datasets.images import Header, read_header, read_image
from openscenes.errors import DataError
from openscenes.files import read_json, reason, require_regular

WORKSPACE_FILE = "workspace.json"
LOG_NAME = "log.jsonl"
EXPORT_FILE = "openscenes.json"
SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"})
OTHER_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".dng", ".raw"})
_N_KEPT = 1 << 16
_ODD_NAME = "its name holds what cannot be shown on one line; rename it"
_LONGEST_WORKSPACE = 1 << 16  # bytes


@dataclass(frozen=True)
class ImageFiles:
    """What lies below a folder.

    Attributes:
        images: files that look like images, sorted; none has been opened.
        left_out: files and folders that a person may miss, sorted, each with its reason.
    """

    images: tuple[Path, ...]
    left_out: tuple[tuple[Path, str], ...]


def image_files(root: Path, workspace: Path) -> ImageFiles:
    """Find the images below a folder; hidden files and folders are passed over.

    Folders that are links are followed, after all others, and each folder is entered once; a link
    to a folder above the root is not.

    Args:
        workspace: passed over, too.
    """
    verdicts = dict(_verdicts(root, workspace))
    return ImageFiles(
        tuple(sorted(path for path, why in verdicts.items() if not why)),
        tuple(sorted((path, why) for path, why in verdicts.items() if why)),
    )


def digest_of(image: Path) -> str:
    """First 16 hex digits of the SHA-256 of a file's bytes; cached until it changes."""
    require_regular(image, "image")
    try:
        return _digest(image, *_state(image))
    except OSError as error:
        raise DataError(
            f"{shown(image)} cannot be read ({reason(error)}); bring the file back."
        ) from error


def header_of(image: Path) -> Header:
    """An image's header, read upright; cached until it changes. DataError if it is unreadable."""
    return _header(image, *_state(image))


def pixel_digest(pixels: NDArray[np.uint8]) -> str:
    """First 16 hex digits of the SHA-256 of an image's shape and pixels, (H, W, 3) uint8.

    Some 2 ms for a million pixels, once they are decoded; a decoder of another version may give
    other pixels.
    """
    digest = sha256(f"{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:16]


def pixel_digest_of(image: Path) -> str:
    """The same of a file, which is decoded upright for it; cached until it changes."""
    return _pixel_digest(image, *_state(image))


def kind_of(path: Path) -> Literal["file", "folder", "other", ""]:
    """What lies at a path, links followed; "" for nothing, or what may not be asked about."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: no path can be so
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def leads_up(root: Path, path: Path) -> bool:
    """Whether a path below a root goes through a link to a folder above the root."""
    top = os.path.realpath(root)
    folders = [root / part for part in path.relative_to(root).parents][:-1]
    return any(_is_above(folder, top) for folder in folders if folder.is_symlink())


def _state(image: Path) -> tuple[int, int]:
    """What changes when a file does: bytes and time; 0 where there is none."""
    try:
        status = image.stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=_N_KEPT)
def _digest(image: Path, _n_bytes: int, _modified: int) -> str:
    with image.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]


@lru_cache(maxsize=_N_KEPT)
def _header(image: Path, _n_bytes: int, _modified: int) -> Header:
    return read_header(image, upright=True)


@lru_cache(maxsize=_N_KEPT)
def _pixel_digest(image: Path, _n_bytes: int, _modified: int) -> str:
    return pixel_digest(read_image(image, upright=True))


def _verdicts(root: Path, workspace: Path) -> Iterator[tuple[Path, str]]:
    plain, linked, entered = [root], list[Path](), set[tuple[int, int]]()
    while plain or linked:
        folder = plain.pop() if plain else linked.pop(0)
        try:
            status, entries = folder.stat(), sorted(os.scandir(folder), key=lambda one: one.name)
        except OSError as error:
            yield folder, f"a folder that cannot be read ({reason(error)})"
            continue
        if (status.st_dev, status.st_ino) in entered:
            continue
        entered.add((status.st_dev, status.st_ino))
        for entry in entries:
            path, is_link = folder / entry.name, entry.is_symlink()
            if entry.name.startswith(".") or path == workspace:
                continue
            if not (kind_of(path) == "folder" if is_link else entry.is_dir()):
                yield from _verdict(path, entry)
            elif why := _why_not_entered(path, os.path.realpath(root)):
                yield path, why
            else:
                (linked if is_link else plain).append(path)


def _verdict(path: Path, entry: os.DirEntry[str]) -> Iterator[tuple[Path, str]]:
    """An image, or a file that may be looked for in vain; nothing for any other."""
    suffix, is_link = path.suffix.lower(), entry.is_symlink()
    if is_link and not kind_of(path):
        yield path, "a link that leads nowhere"
    elif suffix in OTHER_SUFFIXES:
        yield path, f"{suffix[1:]} files cannot be read; convert it to JPEG or PNG"
    elif suffix not in SUFFIXES:
        return
    elif not (kind_of(path) == "file" if is_link else entry.is_file()):
        yield path, "no file, but a named pipe, a socket or a device"
    elif not is_plain(entry.name):
        yield path, _ODD_NAME
    else:
        yield path, ""


def _why_not_entered(folder: Path, root: str) -> str:
    """Why images below a folder are left out; "" where they are not."""
    if not is_plain(folder.name):
        return _ODD_NAME
    if _is_workspace(folder):
        return f"the folder of another workspace, as it holds {WORKSPACE_FILE}"
    if os.path.lexists(folder / EXPORT_FILE):
        return f"an export, as it holds {EXPORT_FILE}"
    if folder.is_symlink() and _is_above(folder, root):
        return "a link to a folder above it"
    return ""


def _is_workspace(folder: Path) -> bool:
    """Whether a workspace lies in a folder; other programs have files of that name, too."""
    path = folder / WORKSPACE_FILE
    if not os.path.lexists(path):
        return False
    try:
        content = read_json(path, "workspace file", _LONGEST_WORKSPACE)
    except DataError:  # damaged: a log beside it tells
        return os.path.lexists(folder / LOG_NAME)
    return isinstance(content, dict) and content.keys() >= {"format", "images"}


def _is_above(folder: Path, root: str) -> bool:
    """Whether a folder lies, once links are followed, above the root."""
    return Path(os.path.realpath(folder)) in Path(root).parents
