"""Images: the pixels, and the header alone; every image of every door is read here."""

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from openscenes.data.crops import LONGEST_SIDE_PX
from openscenes.data.datasets import file_ends
from openscenes.data.datasets.colours import rgb_of
from openscenes.data.datasets.layout import DamagedFile
from openscenes.data.datasets.orientation import (
    AS_STORED,
    orientation_of,
    swaps_sides,
    turned,
    turned_back,
)
from openscenes.errors import DataError
from openscenes.files import as_path, one_line, reason, require_regular
from openscenes.masks import MAX_PIXELS

# Nothing else is opened: for some kinds Pillow starts another program.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
# What Pillow raises where bytes are not what they should be.
UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, ArithmeticError, MemoryError,
    struct.error, zlib.error,
)  # fmt: skip
_SMALLER = "cut it or scale it down"


class Header(NamedTuple):
    """What an index needs to know of an image.

    ``size`` is (height, width) in pixels; ``orientation`` is the image's tag, 1 to 8, looked for
    only where it is read upright.
    """

    path: Path
    size: tuple[int, int]
    n_bytes: int
    orientation: int = AS_STORED


def read_image(path: Path | str, *, upright: bool = False) -> NDArray[np.uint8]:
    """Decode an image: JPEG, PNG, BMP, WEBP or TIFF; of a file of many, the first.

    Ours: colours become 8-bit RGB as ``colours.rgb_of`` says: what is transparent lies on white,
    grey of 16 bits is scaled by its format's range, of 32 bits and floating point by percentiles.

    Args:
        upright: turn the pixels as the orientation tag says, as viewers do. Not for the data
            sets: their masks lie on the stored pixels.
    Returns:
        (H, W, 3) uint8 RGB in [0, 255], writable.
    Raises:
        DamagedFile: "image missing", "unreadable image" or "image too large".
    """
    with opened(as_path(path, "image")) as (file, image):
        tiff = image.format == "TIFF"  # which Pillow turns upright by itself
        tag = orientation_of(file, image) if tiff or upright else AS_STORED
        pixels = rgb_of(image)
    if tiff:
        return pixels if upright else turned_back(pixels, tag)
    return turned(pixels, tag)


def read_header(path: Path, *, upright: bool = False) -> Header:
    """Size of an image without decoding it; a file that was cut short is noticed.

    Args:
        upright: the size of the image as ``read_image`` turns it.
    """
    with opened(path) as (file, image):
        tiff, (width, height) = image.format == "TIFF", image.size
        tag = orientation_of(file, image) if tiff or upright else AS_STORED
        n_bytes = file.seek(0, os.SEEK_END)
        if not file_ends.seems_whole(file, image, n_bytes):
            _decode(path, image)
    if swaps_sides(tag) and tiff != upright:
        height, width = width, height
    return Header(path, (height, width), n_bytes, tag if upright else AS_STORED)


def orientation(path: Path) -> int:
    """The orientation tag of an image file, 1 to 8; 1 where there is none, or a damaged one."""
    with opened(path) as (file, image):
        return orientation_of(file, image)


@contextmanager
def opened(
    path: Path, what: str = "image", formats: tuple[str, ...] = FORMATS
) -> Iterator[tuple[IO[bytes], Image.Image]]:
    """A picture file, open and not yet decoded, and Pillow's view of it.

    Raises:
        DamagedFile: "<what> missing", "unreadable <what>" or "<what> too large", also for what
            is found inside the block.
    """
    try:
        require_regular(path, what)
        with path.open("rb") as file, _quiet(), _by_pillow(file, formats) as image:
            _check_size(path, what, image.size)
            yield file, image
    except DamagedFile:
        raise
    except DataError as error:
        kind = f"unreadable {what}" if os.path.lexists(path) else f"{what} missing"
        found = str(error).rpartition("; ")[0].partition(f"{one_line(str(path))} ")[2]
        raise DamagedFile(kind, path, f"it {found}" if found else "no such file") from None
    except Image.DecompressionBombError as error:
        detail = str(error).partition(",")[0]  # names both numbers of pixels
        raise DamagedFile(f"{what} too large", path, detail, _SMALLER) from None
    except UnidentifiedImageError:
        detail = f"it cannot be read as {' or '.join(formats)}"
        mend = "save it again as one of these, with 8 bits a channel"
        raise DamagedFile(f"unreadable {what}", path, detail, mend) from None
    except UNREADABLE as error:
        raise DamagedFile(f"unreadable {what}", path, reason(error)) from error


def _by_pillow(file: IO[bytes], formats: tuple[str, ...]) -> Image.Image:
    try:
        return Image.open(file, formats=formats)
    except ValueError:
        if not file_ends.is_png(file):
            raise
        return Image.open(file_ends.pixels_alone(file), formats=formats)


def _decode(path: Path, image: Image.Image) -> None:
    """What can be decoded is whole, whatever its structure says."""
    try:
        image.load()
    except UNREADABLE as error:
        detail = f"the file is cut short: {reason(error)}"
        raise DamagedFile("unreadable image", path, detail) from error


def _check_size(path: Path, what: str, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS or max(size) > LONGEST_SIDE_PX:
        detail = (
            f"{height} x {width} pixels, wanted at most {MAX_PIXELS} and sides of at most "
            f"{LONGEST_SIDE_PX}"
        )
        raise DamagedFile(f"{what} too large", path, detail, _SMALLER)


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of large images, which are welcome, and of damaged tags, which nobody reads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
