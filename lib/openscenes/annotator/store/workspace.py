"""A folder of images and the workspace beside them: what is there, and what may be used."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openscenes.annotator.store.image_files import (
    EXPORT_FILE,
    LOG_NAME,
    SUFFIXES,
    WORKSPACE_FILE,
    digest_of,
    header_of,
    image_files,
    kind_of,
    leads_up,
    pixel_digest,
    pixel_digest_of,
)
from openscenes.annotator.store.lines import NotWritable, shown, writing
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.snapshot import ImageFacts, is_plain
from openscenes.errors import DataError, InputError
from openscenes.files import inside, one_line, read_json
from openscenes.paths import atomic

__all__ = ["EXPORT_FILE", "WORKSPACE_FILE", "digest_of"]
FORMAT = 1
DEFAULT_NAME = "openscenes"


@dataclass(frozen=True)
class Workspace:
    """Where the images lie, and where what is collected on them lies.

    Attributes:
        read_only: why nothing can be written into it, in one sentence; "" where it can. It is
            then there to be looked at, and every action that must write is refused.
    """

    images: Path
    folder: Path
    read_only: str = field(default="", compare=False)

    @property
    def log_path(self) -> Path:
        """The log of all actions."""
        return self.folder / LOG_NAME

    def list_images(self) -> tuple[Path, ...]:
        """As ``images_of``."""
        return images_of(self.images, self.folder)

    def left_out(self) -> tuple[tuple[Path, str], ...]:
        """Files and folders that are none of ``list_images``, though they may be missed, and why.

        Images are not opened for it: ``facts`` refuses what turns out to be damaged.
        """
        return image_files(self.images, self.folder).left_out

    def facts(self, image: Path | str, pixels: NDArray[np.uint8] | None = None) -> ImageFacts:
        """What the log keeps of an image: relative path, digest, size.

        Args:
            pixels: (H, W, 3), upright, where it is decoded anyway, for the digest of its pixels.
        Raises:
            DataError: if the file is missing, unreadable or cut short.
            InputError: if it does not lie in the folder of images.
        """
        path = Path(os.path.normpath(self.images / image))
        if not path.is_relative_to(self.images) or leads_up(self.images, path):
            raise InputError(
                f"{shown(path)} does not lie in {shown(self.images)}; put it there, or open "
                "its folder."
            )
        header = header_of(path)
        return ImageFacts(
            path.relative_to(self.images).as_posix(), digest_of(path), header.size,
            "" if pixels is None else pixel_digest(pixels), header.orientation,
        )  # fmt: skip


def open_workspace(images: Path | str, folder: Path | str | None = None) -> Workspace:
    """The workspace of a folder of images, made where there is none.

    A line that a crash left open in its log is closed, so that whoever reads it can tell.

    Args:
        images: the images; they are never changed.
        folder: where to keep what is collected, ``<images>/openscenes`` if None.
    Returns:
        The workspace; ``read_only`` says so where there is no room, or no permission to write.
    Raises:
        InputError: if ``images`` is no folder or holds no image, or the workspace cannot be
            made, belongs to other images or was made by a newer format.
        DataError: if what lies in place of its files is damaged, or no file.
    """
    root = _absolute(images)
    workspace = Workspace(root, root / DEFAULT_NAME if folder is None else _absolute(folder))
    images_of(root, workspace.folder)
    try:
        with suppress(OSError):
            os.lstat(workspace.folder)
    except ValueError:  # a zero, or half a character
        name = one_line(str(workspace.folder))
        raise InputError(f"There is no folder {name}; give another workspace.") from None
    try:
        with writing(workspace.folder):
            workspace.folder.mkdir(parents=True, exist_ok=True)
            _claim(workspace)
        if os.path.lexists(workspace.log_path):
            Log(workspace.log_path).repair()
    except NotWritable as error:
        if not error.may_look:
            raise
        return replace(workspace, read_only=f"Nothing can be kept here: {error}")
    return workspace


def workspace_of(log: Path | str) -> Workspace:
    """The workspace that ``log.jsonl`` lies in, or of its folder, read only.

    Raises:
        InputError: if there is no workspace, or it was made by a newer format.
        DataError: if its file is damaged.
    """
    path = _absolute(log)
    folder = path if kind_of(path) == "folder" else path.parent
    images = _images_named_in(folder)
    if images is None:
        raise InputError(
            f"{shown(folder)} holds no {WORKSPACE_FILE}, so it is no workspace; give the "
            f"{LOG_NAME} of a folder that the annotator or an import has made."
        )
    if path not in (folder, folder / LOG_NAME):
        found = "is not" if os.path.lexists(path) else "does not exist and is not"
        raise InputError(f"{shown(path)} {found} its log; give {shown(folder / LOG_NAME)}.")
    return Workspace(images, folder)


def images_of(folder: Path | str, workspace: Path | str | None = None) -> tuple[Path, ...]:
    """All images below a folder, sorted; none of hidden folders, workspaces and exports."""
    root = _absolute(folder)
    if kind_of(root) != "folder":
        name = shown(root)
        raise InputError(f"There is no folder {name}; give the folder that holds your images.")
    found = image_files(root, root / DEFAULT_NAME if workspace is None else _absolute(workspace))
    if not found.images:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        why = [f"{shown(path)} is left out: {reason}" for path, reason in found.left_out]
        raise InputError("; ".join(
            [f"{shown(root)} holds no image; put files of a kind among {kinds} there", *why[:3]]
        ) + ".")  # fmt: skip
    return found.images


def located(
    workspace: Workspace, wanted: Mapping[str, str], pixels: Mapping[str, str] | None = None
) -> tuple[dict[str, Path], list[str]]:
    """Find images by their bytes: where they were, else anywhere in the folder of images.

    Where no file has the bytes, a file of the same name is decoded, and taken if it has the
    pixels: a rating or a comment in a file changes nothing else.

    Args:
        wanted: path by digest, as the log has them; a path that leads elsewhere is not read.
        pixels: pixel digests by digest; None reads them from the log where they are needed.
    Returns:
        Path by digest, and one sentence for each image that is gone or has changed.
    """
    there = {digest: _named(workspace, name) for digest, name in wanted.items()}
    found = {d: path for d, path in there.items() if path and _known_by(digest_of, path) == d}
    if len(found) < len(wanted):
        files = image_files(workspace.images, workspace.folder).images
        elsewhere = {_known_by(digest_of, path): path for path in files}
        found |= {digest: elsewhere[digest] for digest in wanted if digest in elsewhere}
    if len(found) < len(wanted):
        known = _pixel_digests(workspace) if pixels is None else pixels
        lost = {d: (Path(str(name)).name, known[d]) for d, name in wanted.items()
                if d not in found and known.get(d)}  # fmt: skip
        names = {name for name, _ in lost.values()}
        decoded = {(path.name, _known_by(pixel_digest_of, path)): path
                   for path in files if path.name in names}  # fmt: skip
        found |= {digest: decoded[same] for digest, same in lost.items() if same in decoded}
    return found, [_lost(workspace, there[d], wanted[d]) for d in wanted if d not in found]


def _named(workspace: Workspace, name: str) -> Path | None:
    """The image that a log names, if it lies in the folder of images."""
    try:
        path = inside(workspace.images, name, "image", links=True)
    except DataError:
        return None
    return path if kind_of(path) == "file" and not leads_up(workspace.images, path) else None


def _known_by(digest: Callable[[Path], str], image: Path) -> str | None:
    try:
        return digest(image)
    except (DataError, OSError):
        return None


def _pixel_digests(workspace: Workspace) -> dict[str, str]:
    lines = Log(workspace.log_path).read_new()
    return {one.image_digest: one.pixel_digest for one in lines if one.pixel_digest}


def _lost(workspace: Workspace, there: Path | None, name: str) -> str:
    if there is not None:
        return (
            f"{shown(there)} has changed since it was annotated; bring the former file back, or "
            "take it for the same image in the annotator."
        )
    gone = shown(workspace.images / str(name))
    return f"{gone} is gone, and no other file has its content; bring the file back."


def _claim(workspace: Workspace) -> None:
    """Write down whose images these are, unless it is written already."""
    path = workspace.folder / WORKSPACE_FILE
    known = _images_named_in(workspace.folder)
    if known == workspace.images:
        with path.open("r+b"):  # refuse a read-only folder now, not at a click
            return
    if known is not None and kind_of(known) == "folder":
        raise InputError(
            f"The workspace {shown(workspace.folder)} belongs to the images in {shown(known)}; "
            f"choose another workspace for {shown(workspace.images)}."
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
    if not os.path.lexists(path):
        return None
    content = read_json(path, "workspace file")
    made_by = content.get("format") if isinstance(content, dict) else None
    if made_by != FORMAT:
        raise InputError(
            f"{shown(path)} has the format {made_by!r:.40}, and this version knows {FORMAT}; "
            "update openscenes, or choose another workspace."
        )
    images = content.get("images")
    if not is_plain(images):
        raise DataError(f"{shown(path)} names no folder of images; choose another workspace.")
    return Path(os.path.normpath(folder / images))


def _absolute(path: Path | str) -> Path:
    try:
        return Path(os.path.normpath(Path(path).expanduser().absolute()))
    except RuntimeError:  # "~name" of nobody
        raise InputError(
            f"{shown(Path(path))} begins with nobody's home folder; give a whole path."
        ) from None
