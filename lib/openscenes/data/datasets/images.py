"""Images: the pixels, and the header alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openscenes.data.datasets.layout import DamagedFile

# Pillow raises SyntaxError on a broken PNG chunk and ValueError on some broken headers.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)

_END_MARKS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_TAIL_BYTES = 4096


class Header(NamedTuple):
    """What an index needs to know of an image: its file, (height, width) in pixels, bytes."""

    path: Path
    size: tuple[int, int]
    n_bytes: int


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode an image.

    Ours: an orientation tag is not applied, since the data sets' masks lie on the stored pixels.

    Returns:
        (H, W, 3) uint8 RGB in [0, 255], writable.
    Raises:
        DataError: if the file is missing, unreadable or cut short.
    """
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise DamagedFile("image missing", path, "no such file") from None
    except UNREADABLE as error:
        raise DamagedFile("unreadable image", path, str(error)) from error


def read_header(path: Path) -> Header:
    """Size of an image without decoding it; a file that was cut short is noticed.

    Raises:
        DamagedFile: "image missing" or "unreadable image".
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            width, height = image.size
            n_bytes = file.seek(0, os.SEEK_END)
            file.seek(max(0, n_bytes - _TAIL_BYTES))
            whole = _END_MARKS.get(image.format or "", b"") in file.read()
    except FileNotFoundError:
        raise DamagedFile("image missing", path, "no such file") from None
    except UNREADABLE as error:
        raise DamagedFile("unreadable image", path, str(error)) from error
    if not whole:
        raise DamagedFile("unreadable image", path, "the file is cut short")
    return Header(path, (height, width), n_bytes)
