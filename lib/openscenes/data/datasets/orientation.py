"""The orientation tag of a picture (EXIF): how to turn the stored pixels upright."""

import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openscenes.data.datasets.file_ends import png_chunks

AS_STORED = 1
_TAG, _SHORT, _ENTRY_BYTES = 0x0112, 3, 12
_INVERSE = {6: 8, 8: 6}


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn stored (H, W, ...) pixels, such as an image or a mask, as a viewer shows them.

    Args:
        orientation: the tag's value; 6 turns by a quarter clockwise, 3 by a half, 8 by a quarter
            counter-clockwise, the even others mirror; anything but 2 to 8 leaves all as it is.
    Returns:
        (H, W, ...), or (W, H, ...) for 5 to 8.
    """
    if swaps_sides(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def turned_back(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn upright (H, W, ...) pixels to where the file stores them."""
    return turned(pixels, _INVERSE.get(orientation, orientation))


def swaps_sides(orientation: int) -> bool:
    """Whether height and width change places."""
    return 5 <= orientation <= 8


def orientation_of(file: IO[bytes], image: Image.Image) -> int:
    """The tag of a picture file that Pillow has opened and not yet decoded.

    Returns:
        1 to 8; 1 where there is no tag, or none that can be read.
    """
    if image.format == "TIFF":
        image.info.pop("xmp", None)  # where Pillow would look for a tag that no viewer reads
        return _valid(getattr(image, "tag_v2", {}).get(_TAG))
    if image.format == "PNG" and "exif" not in image.info:
        return _in_block(_behind_the_pixels(file))
    return _in_block(image.info.get("exif", b""))


def _behind_the_pixels(file: IO[bytes]) -> bytes:
    """The EXIF block of a PNG, which may also follow the pixels."""
    place = file.tell()
    sizes = (length for kind, length in png_chunks(file) if kind == b"eXIf")
    block = file.read(next(sizes, 0))
    file.seek(place)
    return block


def _in_block(block: bytes) -> int:
    """Read the tag of an EXIF block; Pillow warns and raises where other tags are damaged."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return AS_STORED
    (start,) = struct.unpack(f"{order}I", block[4:8])
    entries = block[start + 2 :]
    (n_entries,) = struct.unpack(f"{order}H", block[start : start + 2].ljust(2, b"\0"))
    for place in range(0, min(n_entries * _ENTRY_BYTES, len(entries) - 9), _ENTRY_BYTES):
        tag, kind, _count, value = struct.unpack(f"{order}HHIH", entries[place : place + 10])
        if (tag, kind) == (_TAG, _SHORT):
            return _valid(value)
    return AS_STORED


def _valid(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else AS_STORED
