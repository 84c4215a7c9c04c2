"""Whether a picture file is whole, by its structure and without decoding it.

Other bytes may follow a whole picture: phones append a film, cameras fill up with zeros. So
the end is looked for where the picture's own structure says that it lies.
"""

import io
import os
import struct
from collections.abc import Iterator
from typing import IO

from PIL import Image

_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"
_NO_LENGTH = (0x01, *range(0xD0, 0xD9))  # markers of a JPEG that stand alone
_STRIPS_AND_TILES = ((273, 279), (324, 325))  # tags of a TIFF: where each begins, and its bytes
_PNG_START = b"\x89PNG\r\n\x1a\n"
_OF_THE_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def seems_whole(file: IO[bytes], image: Image.Image, n_bytes: int) -> bool:
    """Whether the structure of an open picture reaches its end; False is worth a closer look."""
    if image.format in ("JPEG", "MPO"):  # with a tile Pillow has found the first scan
        return bool(getattr(image, "tile", ())) and _jpeg_ends(file, n_bytes)
    if image.format == "PNG":
        file.seek(max(0, n_bytes - len(_PNG_END)))
        return file.read() == _PNG_END or any(kind == b"IEND" for kind, _ in png_chunks(file))
    if image.format == "WEBP":
        file.seek(4)
        return struct.unpack("<I", file.read(4))[0] + 8 <= n_bytes
    return max(_ends(image), default=n_bytes + 1) <= n_bytes


def _ends(image: Image.Image) -> Iterator[int]:
    """Where each part of the pixels of a TIFF or of a plain BMP ends; nothing where unknown."""
    if image.format == "BMP":
        for kind, _, start, how in getattr(image, "tile", ()):
            if kind == "raw":
                yield start + how[1] * image.height
    tags = getattr(image, "tag_v2", {})
    for starts, sizes in _STRIPS_AND_TILES:
        pairs = zip(_numbers(tags.get(starts)), _numbers(tags.get(sizes)), strict=False)
        yield from (start + size for start, size in pairs)


def _numbers(values: object) -> list[int]:
    return [one for one in values if isinstance(one, int)] if isinstance(values, tuple) else []


def png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each whole chunk of a PNG; the file then stands at the chunk's content."""
    n_bytes, place = file.seek(0, os.SEEK_END), 8
    while place + 12 <= n_bytes:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        place += 12 + length
        if place <= n_bytes:
            yield kind, length


def pixels_alone(file: IO[bytes]) -> IO[bytes]:
    """A PNG without texts and colour profile, which Pillow refuses where they are large."""
    kept = [_PNG_START]
    for kind, length in png_chunks(file):
        if kind in _OF_THE_PIXELS:
            head = struct.pack(">I4s", length, kind)
            kept.append(head + file.read(length + 4))
    return io.BytesIO(b"".join(kept))


def is_png(file: IO[bytes]) -> bool:
    """Whether a file begins as a PNG does."""
    file.seek(0)
    return file.read(len(_PNG_START)) == _PNG_START


def _jpeg_ends(file: IO[bytes], n_bytes: int) -> bool:
    """An end mark stands behind the first scan, in whose content no such two bytes can stand."""
    file.seek(max(0, n_bytes - len(_END_OF_IMAGE)))
    if file.read() == _END_OF_IMAGE:
        return True
    file.seek(_scan_of(file))
    before = b""
    while block := file.read(1 << 20):
        if _END_OF_IMAGE in before + block:
            return True
        before = block[-1:]
    return False


def _scan_of(file: IO[bytes]) -> int:
    """Where the first scan of a JPEG begins; a thumbnail before it has end marks of its own.

    Where what stands between two markers is no part of the format, the search ends before it.
    """
    place = 2
    while True:
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return place
        if head[1] in _NO_LENGTH or head[1] == 0xFF:
            place += 1 if head[1] == 0xFF else 2
            continue
        place += 2 + struct.unpack(">H", head[2:])[0]
        if head[1] == _SCAN:
            return place
