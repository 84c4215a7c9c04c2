"""A file from a web address; a download that was cut off goes on where it was."""

import http.client
import os
import re
import sys
import time
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from zlib import crc32

from openscenes.errors import DataError, InputError
from openscenes.files import one_line, reason
from openscenes.progress import progress

MIRROR = "OPENSCENES_MIRROR"  # the address of a folder that holds the same files
SCHEMES = ("http", "https", "file")
TIMEOUT_S = 60.0
PAUSES_S = (1.0, 5.0, 20.0)  # before a transfer that broke goes on by itself
_NO_RANGE = 416
_PARTIAL = 206
_CHUNK_BYTES = 1 << 20
_PART = re.compile(r"\.(\d+)-[0-9a-f]{8}\.part$")
_REFUSED = (OSError, http.client.HTTPException, ValueError)


class _CutOff(Exception):
    """A transfer ended before the whole file was there."""


def mirrored(url: str) -> str:
    """The publisher's address of a file, or that of its name below ``OPENSCENES_MIRROR``.

    Raises:
        InputError: if the mirror is neither an address nor a folder.
    """
    mirror = os.environ.get(MIRROR, "").strip()
    if not mirror:
        return url
    try:
        scheme, folder = urlsplit(mirror).scheme, Path(mirror).expanduser().absolute()
        mirror = folder.as_uri() if scheme not in SCHEMES and folder.is_dir() else mirror
        known = urlsplit(mirror).scheme in SCHEMES
    except (ValueError, OSError, RuntimeError):  # half an IPv6 address, no such user's home
        known = False
    if not known:
        raise InputError(
            f"{MIRROR} is {one_line(repr(mirror))}; give an address that begins with http://, "
            "https:// or file://, or a folder that is there"
        )
    return f"{mirror.rstrip('/')}/{url.rpartition('/')[2]}"


def part_of(path: Path) -> Path | None:
    """What lies there of a file that is being fetched; None where nothing does."""
    parts = path.parent.glob(f"{escape(path.name)}.*.part")
    return next((part for part in sorted(parts) if _PART.search(part.name)), None)


def fetch_part(url: str, path: Path, size: int | None = None) -> Path:
    """Fetch a file whole into a part beside ``path``, which the caller checks and renames.

    Its name holds the whole size and a digest of what the server says of the file's version, so
    that a later call goes on with it, or begins anew where the file has changed or the server
    sends no ranges.

    Args:
        url: http, https or file.
        size: bytes of the right file, where they are known.
    Raises:
        DataError: if the address cannot be reached, has no such file or another one, or the
            transfer is cut off; what came stays.
    """
    for pause in (*PAUSES_S, None):
        before = _size(part_of(path))
        try:
            return _continued(url, path, size)
        except _CutOff as cut:
            after = _size(part_of(path))
            told = f"{path.name} was cut off after {gigabytes(after)} ({cut})"
            if pause is None or after <= before:
                raise DataError(f"{told}; the same command goes on from there") from None
            print(f"{told}; going on in {pause:.0f} s", file=sys.stderr)
            time.sleep(pause)
    raise AssertionError("the last pause is None")


def _continued(url: str, path: Path, size: int | None) -> Path:
    part = part_of(path)
    if part is not None and _whole_size(part) == _size(part):
        return part
    with _opened(url, part) as answer:
        start, length = _start(answer), int(answer.headers.get("Content-Length") or 0)
        total = start + length if length else size or 0
        if size is not None and total != size:
            raise _another(url, f"{total:,}", size)
        own = path.with_name(f"{path.name}.{total}-{_version(answer):08x}.part")
        goes_on = own == part and start == _size(part)
        if goes_on or not start:
            _write(answer, own, start, total)
    if part is not None and part != own:
        part.unlink(missing_ok=True)
    if start and not goes_on:  # the file has changed
        own.unlink(missing_ok=True)
        return _continued(url, path, size)
    if total and _size(own) > total:
        own.unlink()
        raise _another(url, "more", total)
    if total and _size(own) != total:
        raise _CutOff("the server ended the transfer")
    return own


def _another(url: str, n_bytes: str, size: int) -> DataError:
    return DataError(
        f"{one_line(url)} has {n_bytes} bytes, and the published file has {size:,}: it is another "
        f"file; name a mirror that has the published one: {MIRROR}=address"
    )


def _opened(url: str, part: Path | None) -> Any:
    """The answer of the server, from the end of the part on where it can."""
    headers = {"User-Agent": "openscenes", "Accept-Encoding": "identity"}
    if _size(part):
        headers["Range"] = f"bytes={_size(part)}-"
    where = f"name a mirror that has {one_line(url.rpartition('/')[2])}: {MIRROR}=address"
    try:
        return urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        error.close()
        if error.code == _NO_RANGE and part is not None:
            part.unlink(missing_ok=True)
            return _opened(url, None)
        said = f"{one_line(url)} answers {error.code} {one_line(str(error.reason))}"
        raise DataError(f"{said}; try again later, or {where}") from None
    except _REFUSED as error:
        inner = error.reason if isinstance(error, URLError) else error
        why = reason(inner) if isinstance(inner, Exception) else one_line(str(inner))
        raise DataError(
            f"{one_line(url)} cannot be reached ({why}); mend network or address, or {where}"
        ) from None


def _start(answer: Any) -> int:
    """The place in the file from which the server sends; 0 where it ignores what was asked."""
    if getattr(answer, "status", None) != _PARTIAL:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else 0


def _version(answer: Any) -> int:
    """A digest of what tells one version of a file from another."""
    said = [answer.headers.get(name, "") for name in ("ETag", "Last-Modified")]
    return crc32("\n".join(said).encode())


def _write(answer: Any, part: Path, start: int, total: int) -> None:
    bar = progress(part.name.rpartition(".part")[0].rpartition(".")[0], total, start, delay_s=0.5)
    bar.unit, bar.unit_scale = "B", True
    with bar, part.open("ab" if start else "wb") as file:
        for chunk in _chunks(answer):
            file.write(chunk)
            bar.update(len(chunk))
            if total and file.tell() > total:  # of a server that named no length
                break


def _chunks(answer: Any) -> Iterator[bytes]:
    while True:
        try:
            chunk = answer.read(_CHUNK_BYTES)
        except _REFUSED as error:
            raise _CutOff(reason(error)) from None
        if not chunk:
            return
        yield chunk


def _size(part: Path | None) -> int:
    return part.stat().st_size if part is not None and part.is_file() else 0


def _whole_size(part: Path) -> int:
    found = _PART.search(part.name)
    return int(found[1]) if found else 0


def gigabytes(n_bytes: float) -> str:
    """Bytes for people: 1,999,639,040 are "2.0 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f} {unit}"
    return f"{n_bytes:.0f} bytes"
