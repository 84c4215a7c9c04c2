"""Whether a picture file is whole, by its structure and without decoding it.

What follows the picture is nobody's fault: phones put a film behind it, cameras fill up with
zeros. So the end is looked for where the picture's own structure says that it lies.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

from PIL import Image

_TAIL_BYTES = 4096
_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"
_NO_LENGTH = (0x01, *range(0xD0, 0xD9))  # markers of a JPEG that stand alone
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def seems_whole(file: IO[bytes], image: Image.Image, n_bytes: int) -> bool:
    """Whether the structure of an open picture reaches its end; False is worth a closer look."""
    if image.format in ("JPEG", "MPO"):
        return _jpeg_ends(file, n_bytes)
    if image.format == "PNG":
        file.seek(max(0, n_bytes - len(_PNG_END)))
        return file.read() == _PNG_END or any(kind == b"IEND" for kind, _ in png_chunks(file))
    if image.format == "WEBP":
        file.seek(4)
        return struct.unpack("<I", file.read(4))[0] + 8 <= n_bytes
    return False


def png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each whole chunk of a PNG; the file then stands at the chunk's content."""
    n_bytes, place = file.seek(0, os.SEEK_END), 8
    while place + 12 <= n_bytes:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        place += 12 + length
        if place <= n_bytes:
            yield kind, length


def _jpeg_ends(file: IO[bytes], n_bytes: int) -> bool:
    """An end mark stands behind the first scan, in whose content no such two bytes can stand."""
    scan = _scan_of(file)
    if scan is None:
        return False
    file.seek(max(scan, n_bytes - _TAIL_BYTES))
    if _END_OF_IMAGE in file.read():
        return True
    file.seek(scan)
    return _END_OF_IMAGE in file.read()


def _scan_of(file: IO[bytes]) -> int | None:
    """Where the first scan of a JPEG begins; a thumbnail before it has end marks of its own."""
    place = 2
    while True:
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return None
        if head[1] in _NO_LENGTH or head[1] == 0xFF:
            place += 1 if head[1] == 0xFF else 2
            continue
        place += 2 + struct.unpack(">H", head[2:])[0]
        if head[1] == _SCAN:
            return place
