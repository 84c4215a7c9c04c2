"""One folder out of an archive, put in place whole; no name in it leads elsewhere."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from openscenes.errors import DataError
from openscenes.files import inside, one_line, reason
from openscenes.paths import atomic_folder
from openscenes.progress import progress

_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip
_CHUNK_BYTES = 1 << 20


def unpack(archive: Path, folder: str, place: Path, n_bytes: int = 0) -> None:
    """Write the files below one folder of a zip or tar archive as ``place``, whole or not at all.

    Links and devices are passed over, as no data set has any.

    Args:
        folder: in the archive, such as "VOCdevkit/VOC2012".
        place: to make; what is there must be an empty folder.
        n_bytes: of the files, about, for the progress bar.
    Raises:
        DataError: if it is no such archive, is damaged, lacks the folder, or names a file outside.
    """
    bar = progress(f"unpacking {archive.name}", n_bytes, delay_s=0.5)
    bar.unit, bar.unit_scale = "B", True
    n_files = 0
    place.parent.mkdir(parents=True, exist_ok=True)
    with bar, atomic_folder(place) as partial:
        for name, file in _files(archive):
            path = _place_of(partial, name, folder)
            if path is None:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with file, path.open("wb") as written:
                for chunk in _chunks(file, archive):
                    written.write(chunk)
                    bar.update(len(chunk))
            n_files += 1
        if not n_files:
            raise DataError(
                f"{one_line(str(archive))} has no folder {folder}, so it is another archive; put "
                "the official one in its place"
            )


def _files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                for info in zipped.infolist():
                    if not info.is_dir():
                        yield info.filename, zipped.open(info)
        else:
            with tarfile.open(archive, "r|*") as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is not None:
                        yield member.name, content
    except _DAMAGED as error:
        raise _damaged(archive, error) from None


def _chunks(file: IO[bytes], archive: Path) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(_CHUNK_BYTES)
        except (*_DAMAGED, tarfile.ReadError, OSError) as error:
            raise _damaged(archive, error) from None
        if not chunk:
            return
        yield chunk


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(
        f"{one_line(str(archive))} cannot be unpacked ({reason(error)}); remove it, and fetch it "
        "again"
    )


def _place_of(root: Path, name: str, folder: str) -> Path | None:
    """Where a file of the archive goes; None where it is not below the folder."""
    plain = name.removeprefix("./")
    inside(root, plain, "member of the archive")
    parts, wanted = PurePosixPath(plain).parts, PurePosixPath(folder).parts
    if parts[: len(wanted)] != wanted or len(parts) == len(wanted):
        return None
    return root.joinpath(*parts[len(wanted) :])
