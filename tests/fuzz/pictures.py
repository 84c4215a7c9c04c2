"""Pictures in every mode, format and frame, and what their pixels are, computed another way."""

import io
import struct
import warnings
import zlib
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
WHITE = 255.0
ORIENTATION = 0x0112


class Picture(NamedTuple):
    """A file's bytes, its suffix, and its (H, W, 3) RGB pixels as stored, right to a tolerance."""

    content: bytes
    suffix: str
    stored: Pixels
    tolerance: float = 1.0


def saved(image: Image.Image, kind: str, **more: Any) -> bytes:
    """The bytes of a file of that kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def on_white(colour: NDArray[Any], alpha: NDArray[Any]) -> Pixels:
    """Transparent colours, 0-255, before a white ground."""
    share = alpha[..., None].astype(float) / 255
    return np.rint(colour * share + WHITE * (1 - share)).astype(np.uint8)


def grey(values: NDArray[Any]) -> Pixels:
    """(H, W) numbers from 0 to 255 as RGB."""
    return np.rint(np.stack([values] * 3, axis=-1)).astype(np.uint8)


def spread(values: NDArray[Any]) -> Pixels:
    """Numbers without a range of their own, between their 0.5 and 99.5 percentiles."""
    low, high = np.percentile(values.astype(float), [0.5, 99.5])
    return grey(np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255)


def side(numbers: np.random.Generator) -> tuple[int, int]:
    """A height and a width."""
    return int(numbers.integers(9, 60)), int(numbers.integers(9, 60))


def plain(numbers: np.random.Generator, kind: str = "PNG", **more: Any) -> Picture:
    """An RGB picture in a format that loses nothing."""
    rgb = numbers.integers(0, 256, (*side(numbers), 3), dtype=np.uint8)
    return Picture(saved(Image.fromarray(rgb), kind, **more), _suffix(kind), rgb)


def smooth(numbers: np.random.Generator) -> Pixels:
    """Few details, so that a JPEG differs by a few grey levels only."""
    height, width = side(numbers)
    rows, cols = np.mgrid[:height, :width]
    bands = [rows * 3 % 200 + 20, cols * 2 + 30, (rows + cols) % 90 + 60]
    return np.stack([np.minimum(band, 255) for band in bands], axis=-1).astype(np.uint8)


def in_mode(mode: str, numbers: np.random.Generator) -> Picture:
    """A picture of one of the modes below."""
    height, width = size = side(numbers)
    rgb, alpha = (numbers.integers(0, 256, shape, dtype=np.uint8) for shape in ((*size, 3), size))
    one = rgb[..., 0]
    wide = numbers.integers(0, 65536, size).astype(np.uint16)
    wide[0, 0], wide[0, 1] = 0, 65535
    real = numbers.normal(3.0, 40.0, size).astype(np.float32)
    whole = numbers.integers(-5000, 90_000, size).astype(np.int32)
    colours = numbers.integers(0, 256, (256, 3), dtype=np.uint8)
    indexed = Image.fromarray(one, "L").copy()
    indexed = Image.frombytes("P", (width, height), indexed.tobytes())
    indexed.putpalette(colours.ravel().tolist())
    key = int(one[0, 0])
    opaque = np.where(one == key, 0, 255)
    bits = one > 127
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pictures = {
            "1": lambda: (Image.fromarray(bits), "PNG", grey(bits * 255.0)),
            "L": lambda: (Image.fromarray(one), "PNG", grey(one)),
            "LA": lambda: (Image.fromarray(np.dstack([one, alpha])), "PNG",
                           on_white(grey(one), alpha)),
            "P": lambda: (indexed, "PNG", colours[one]),
            "RGB-tiff": lambda: (Image.fromarray(rgb), "TIFF", rgb),
            "RGB-bmp": lambda: (Image.fromarray(rgb), "BMP", rgb),
            "RGBA": lambda: (Image.fromarray(np.dstack([rgb, alpha])), "PNG",
                             on_white(rgb, alpha)),
            "RGBA-tiff": lambda: (Image.fromarray(np.dstack([rgb, alpha])), "TIFF",
                                  on_white(rgb, alpha)),
            "16-png": lambda: (Image.fromarray(wide), "PNG", grey(wide / 257.0)),
            "16-tiff": lambda: (Image.fromarray(wide), "TIFF", grey(wide / 257.0)),
            "32": lambda: (Image.fromarray(whole), "TIFF", spread(whole)),
            "float": lambda: (Image.fromarray(real), "TIFF", spread(real)),
        }  # fmt: skip
        if mode == "P-key":
            content = saved(indexed, "PNG", transparency=key)
            return Picture(content, ".png", on_white(colours[one], opaque))
        if mode == "RGB-key":
            content = saved(Image.fromarray(rgb), "PNG", transparency=tuple(map(int, rgb[0, 0])))
            alike = (rgb == rgb[0, 0]).all(axis=-1)
            return Picture(content, ".png", on_white(rgb, np.where(alike, 0, 255)))
        if mode in ("jpeg-RGB", "jpeg-L", "jpeg-CMYK"):
            drawn = smooth(numbers)
            image = Image.fromarray(drawn).convert(mode.removeprefix("jpeg-"))
            content, right = saved(image, "JPEG", quality=98), np.asarray(image.convert("RGB"))
            return Picture(content, ".jpg", right, 14.0)
        image, kind, right = pictures[mode]()
        return Picture(saved(image, kind), _suffix(kind), right, 2.0 if mode[0] in "3f" else 1.0)


MODES = (
    "1", "L", "LA", "P", "P-key", "RGB-key", "RGB-tiff", "RGB-bmp", "RGBA", "RGBA-tiff", "16-png",
    "16-tiff", "32", "float", "jpeg-RGB", "jpeg-L", "jpeg-CMYK",
)  # fmt: skip


def tagged(tag: int, kind: str, numbers: np.random.Generator) -> Picture:
    """A picture with an orientation tag; ``turned`` says how it is seen."""
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    if kind == "JPEG":
        drawn = smooth(numbers)
        content = saved(Image.fromarray(drawn), kind, quality=98, exif=exif)
        return Picture(content, ".jpg", drawn, 14.0)
    more = {"lossless": True} if kind == "WEBP" else {}
    return plain(numbers, kind, exif=exif, **more)


def turned(stored: NDArray[Any], tag: int) -> NDArray[Any]:
    """Stored pixels as the tag wants them seen, written out from the EXIF standard."""
    flips = {2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    across = np.swapaxes(stored, 0, 1)
    flips |= {5: across, 6: across[:, ::-1], 7: across[::-1, ::-1], 8: across[::-1]}
    return np.ascontiguousarray(flips.get(tag, stored))


def huge(random: Random) -> tuple[bytes, str]:
    """A small file whose header promises more pixels than any memory holds."""
    width, height = random.choice(
        [(2**31 - 1, 2**31 - 1), (100_000, 100_000), (2**30, 9), (20_000,) * 2]
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    png += _chunk(b"IDAT", zlib.compress(bytes(1000))) + _chunk(b"IEND", b"")
    sides = width, height, 1, 24, 0, 0, 0, 0, 0, 0
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, *sides) + bytes(900)
    return random.choice([(png, ".png"), (bmp, ".bmp")])


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


FOREIGN = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n(pwned) (w) file\n",
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<!doctype html><title>not found</title>",
    "ppm": b"P6 4 4 255\n" + bytes(48),
    "fits": b"SIMPLE  =                    T" + b" " * 2850,
    "text": b"just words\n" * 9, "zip": b"PK\x03\x04" + bytes(60),
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
}  # fmt: skip


def _suffix(kind: str) -> str:
    return {"PNG": ".png", "TIFF": ".tif", "BMP": ".bmp", "WEBP": ".webp", "JPEG": ".jpg"}[kind]
