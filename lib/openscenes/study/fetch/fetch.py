"""``make data SETS=...``: archives fetched by pooch, unpacked in place, their images counted."""

import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pooch
from filelock import FileLock, Timeout

from openscenes.downloads import MIRROR, fetch_part, gigabytes, mirrored, part_of
from openscenes.errors import DataError, InputError
from openscenes.files import one_line
from openscenes.networks.weights import fetched_imagenet
from openscenes.paths import require_writable
from openscenes.study.fetch.catalogue import GROUPS, SETS, WEIGHTS, Archive
from openscenes.study.fetch.overview import (
    free_bytes,
    how_by_hand,
    missing_bytes,
    not_whole,
    sums,
    weights_of,
)
from openscenes.study.fetch.unpack import unpack
from openscenes.study.fetch.whole import (
    WORK,
    fetched_bytes,
    given,
    lacking,
    left_of,
    objects,
    state_of,
)
from openscenes.study.plan.requirements import OBJECTS
from openscenes.study.profiles import Profile

_ANOTHER_FOLDER = "name another folder: DATA=path/to/folder"


def named_sets(words: Sequence[str]) -> list[str]:
    """The sets that some words mean, each once, Cityscapes last.

    Args:
        words: each may hold several names between blanks or commas.
    """
    names = [name.lower() for word in words for name in re.split(r"[\s,]+", word) if name]
    choices = [*SETS, WEIGHTS]
    for name in names:
        if name not in (*choices, *GROUPS):
            raise InputError(
                f"there is no data set {one_line(repr(name))}; choose of "
                f"{', '.join([*choices, *GROUPS])}"
            )
    meant = {one for name in names for one in GROUPS.get(name, (name,))}
    return sorted(meant, key=lambda name: (name == "cityscapes", choices.index(name)))


def fetch(
    names: Sequence[str], data: Path | None, profile: Profile, *, keep: bool = False
) -> Iterator[str]:
    """Fetch, unpack and count what is missing of some sets; a line for each thing done.

    Args:
        data: the folder of the data sets; made where it is not there.
        keep: whether archives stay in it.
    Raises:
        DataError: if something cannot be fetched, unpacked, or is not whole.
        InputError: if the folder is missing or cannot be written to.
        WeightsError: if weights cannot be fetched.
    """
    sets = [name for name in names if name != WEIGHTS]
    if data is None and sets:
        raise InputError("data sets need a folder to lie in; name one: DATA=path/to/folder")
    if data is not None and sets:
        require_writable(data, _ANOTHER_FOLDER)
        with _alone(data / WORK), _full_disk_told(data):
            yield from _fetch_sets(sets, data, keep)
    if WEIGHTS in names:
        yield f"{WEIGHTS}: {gigabytes(missing_bytes(data, profile))} to fetch into the cache"
        for kind, there in weights_of(data, profile).items():
            yield f"{kind}: {there or fetched_imagenet(kind)}"
    for name in sets:
        if data is not None and state_of(name, data)[1]:
            raise DataError(how_by_hand(name, data))


def _fetch_sets(names: Sequence[str], data: Path, keep: bool) -> Iterator[str]:
    todo = []
    for name in names:
        state, left = state_of(name, data)
        if state.startswith("not whole") and not left:
            raise DataError(not_whole(name, data))
        if not left:
            yield f"{name}: {state}"
        elif not SETS[name].by_hand or all(given(archive, data) for archive in left):
            todo.append(name)
    left = list(dict.fromkeys(archive for name in todo for archive in left_of(name, data)))
    if not left:
        return
    _require_room(left, data, keep)
    yield sums(left, data)
    for name in todo:
        for archive in left_of(name, data):
            _place(archive, data, keep)
            yield f"{name}: {archive.name} is unpacked into {data / archive.place}"
        if lacking(name, data):
            raise DataError(not_whole(name, data))
        yield f"{name}: {state_of(name, data)[0]}"
        yield from (f"{name}: {line}" for line in objects(name, data, OBJECTS))


def _place(archive: Archive, data: Path, keep: bool) -> None:
    """Fetch an archive if it is not there, and unpack it; one that was given stays."""
    own = given(archive, data)
    file = _retrieved(archive, data / WORK) if own is None else own
    if own is not None and not pooch.hashes.hash_matches(own, archive.checksum):
        raise DataError(
            f"{one_line(str(own))} has {own.stat().st_size:,} bytes and another checksum than the "
            f"official archive, which has {archive.n_bytes:,} and {archive.checksum}; move it "
            "away, and get it again"
        )
    unpack(file, archive.folder, data / archive.place, archive.unpacked)
    if own is None and keep:
        file.replace(data / archive.name)
    elif own is None:
        file.unlink()


def _retrieved(archive: Archive, folder: Path) -> Path:
    """The archive in a folder, fetched by pooch with our downloader, its checksum compared."""
    path = folder / archive.name

    def download(url: str, output_file: str, _pooch: object) -> None:
        part = fetch_part(url, path, archive.n_bytes)
        print(f"{archive.name}: comparing its checksum", file=sys.stderr)
        Path(output_file).unlink()
        try:
            os.link(part, output_file)  # so that to stop while it is compared loses nothing
        except OSError:  # of a file system without links
            part.replace(output_file)

    pooch.get_logger().setLevel("WARNING")
    url = mirrored(archive.url)
    try:
        pooch.retrieve(url, archive.checksum, archive.name, folder, downloader=download)
    except ValueError as error:
        _remove_part(path)
        got = re.search(r"but got (\w+)", str(error))
        raise DataError(
            f"{one_line(url)} has the checksum {got[1] if got else 'of another file'} instead of "
            f"{archive.checksum}, and was removed; call the same command again, or name a mirror: "
            f"{MIRROR}=address"
        ) from None
    _remove_part(path)
    return path


def _remove_part(path: Path) -> None:
    if (part := part_of(path)) is not None:
        part.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One command at a time in a folder, which goes when nothing is left to go on with."""
    folder.mkdir(exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            for leftover in folder.glob("tmp*"):  # of pooch in a killed process
                leftover.unlink()
            try:
                yield
            finally:
                if [path.name for path in folder.iterdir()] == ["lock"]:
                    shutil.rmtree(folder)
    except Timeout:
        raise InputError(
            f"another command fetches into {one_line(str(folder.parent))}; let it end first"
        ) from None


@contextmanager
def _full_disk_told(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(
            f"the disk of {one_line(str(data))} is full; make room, and the same command goes on "
            "with what is there"
        ) from None


def _require_room(left: Sequence[Archive], data: Path, keep: bool) -> None:
    needed, free = _room(left, data, keep), free_bytes(data)
    if needed > free:
        raise DataError(
            f"{one_line(str(data))} has {gigabytes(free)} free, and {gigabytes(needed)} are needed "
            f"while {', '.join(a.name for a in left)} are fetched and unpacked; make room, or "
            f"{_ANOTHER_FOLDER}"
        )


def _room(left: Sequence[Archive], data: Path, keep: bool) -> int:
    most = lasting = 0
    for archive in left:
        fetched = 0 if given(archive, data) else archive.n_bytes - fetched_bytes(archive, data)
        most = max(most, lasting + fetched + archive.unpacked)
        lasting += archive.unpacked + (fetched if keep else 0)
    return most
