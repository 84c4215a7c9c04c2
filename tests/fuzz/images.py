"""Doors ``image`` and ``labels``: one picture from a file."""

import io

import numpy as np
from PIL import Image
from tests.fuzz import pictures
from tests.fuzz.frame import Place, check
from tests.fuzz.mutations import BYTES, NO_FILE, each
from tests.fuzz.pictures import FOREIGN, MODES, Picture

from openscenes.data.datasets.images import read_header, read_image
from openscenes.data.datasets.labels import read_labels


def near(got: np.ndarray, right: np.ndarray, tolerance: float) -> bool:
    """Whether two pictures are the same but for a few grey levels."""
    if got.shape != right.shape or got.dtype != np.uint8:
        return False
    apart = np.abs(got.astype(int) - right.astype(int))
    return bool(apart.max(initial=0) <= tolerance or (tolerance > 2 and apart.mean() <= 3))


def is_right(place: Place, picture: Picture, tag: int = 1) -> None:
    """Both frames of a good picture, its header, and a file that stays as it is."""
    path = place.work / f"picture{picture.suffix}"
    path.write_bytes(picture.content)
    place.protect(path)
    for upright, right in ((False, picture.stored), (True, pictures.turned(picture.stored, tag))):
        got = place.good(read_image, path, upright=upright)
        check(near(got, right, picture.tolerance), f"pixels differ (upright={upright})")
        size = place.good(read_header, path, upright=upright).size
        check(size == right.shape[:2], f"header says {size}, picture is {right.shape[:2]}")


def _mode(mode: str, place: Place) -> None:
    is_right(place, pictures.in_mode(mode, place.numbers))


def _orientation(kind: str, place: Place) -> None:
    tag = place.random.choice([1, 2, 3, 4, 5, 6, 7, 8, 8, 6, 0, 9, 255])
    is_right(place, pictures.tagged(tag, kind, place.numbers), tag)


def _trailing(kind: str, place: Place) -> None:
    """A motion photo, a padded file: what decodes is good."""
    picture = pictures.tagged(1, kind, place.numbers)
    rest = place.random.choice(
        [bytes(5000), place.random.randbytes(9000), b"\xff\xd8\xff\xe1" * 2000]
    )
    is_right(place, picture._replace(content=picture.content + rest))


def _frames(kind: str, place: Place) -> None:
    """Of several frames the first one counts."""
    size = (20, 30, 3)
    frames = [Image.fromarray(place.numbers.integers(0, 256, size, dtype=np.uint8)) for _ in "ab"]
    more = {"lossless": True} if kind == "WEBP" else {}
    content = pictures.saved(frames[0], kind, save_all=True, append_images=frames[1:], **more)
    suffix = {"PNG": ".png", "TIFF": ".tif", "WEBP": ".webp"}[kind]
    is_right(place, Picture(content, suffix, np.asarray(frames[0])))


def pillows(content: bytes) -> np.ndarray | None:
    """What Pillow itself makes of bytes, as RGB; None where it cannot."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            plain = image.mode in ("RGB", "L") and "transparency" not in image.info
            return np.asarray(image.convert("RGB")) if plain else np.empty(0)
    except Exception:  # a damaged file makes it raise nearly anything
        return None


def damaged(kind: str, place: Place) -> None:
    """Changed bytes: what Pillow decodes must come out so, the rest must be refused."""
    how, _, form = kind.partition("-")
    picture = pictures.tagged(1, form.upper(), place.numbers)
    content = BYTES[how](place.random, picture.content)
    path = place.work / f"picture{picture.suffix}"
    path.write_bytes(content)
    wanted, got = pillows(content), place.try_(read_image, path)
    if wanted is None:
        check(got is None, "a damaged picture was read")
    elif wanted.size and got is not None:
        check(near(got, wanted, 1.0), "pixels differ from Pillow's")
    elif wanted.size:
        check(len(wanted) == 0, f"what decodes was refused: {place.refused}")
    header = place.try_(read_header, path)
    if header is not None and got is not None:
        check(header.size == got.shape[:2], "header and pixels have two sizes")


def _no_file(kind: str, place: Place) -> None:
    path = place.work / "picture.png"
    path.write_bytes(pictures.plain(place.numbers).content)
    NO_FILE[kind](path)
    for door in (read_image, read_header, read_labels):
        place.bad(door, path)


def _foreign(kind: str, place: Place) -> None:
    path = place.work / f"picture{place.random.choice(['.png', '.jpg', '.tif', '.bmp'])}"
    path.write_bytes(FOREIGN[kind])
    place.bad(read_image, path)
    place.bad(read_header, path)


def _huge(_: str, place: Place) -> None:
    content, suffix = pictures.huge(place.random)
    path = place.work / f"picture{suffix}"
    path.write_bytes(content)
    place.bad(read_image, path)
    place.try_(read_header, path)


def _name(kind: str, place: Place) -> None:
    picture = pictures.plain(place.numbers)
    names = {"long": "x" * 300, "nul": "a\0b", "space": "a b.png", "quote": "it's \"x\".png",
             "letters": "\u0431\u304b\u00e9\u0301.png", "line": "a\nb.png", "upper": "A.PNG",
             "none": "picture", "other": "picture.txt"}  # fmt: skip
    path = place.work / names[kind]
    if kind in ("long", "nul"):
        return place.bad(read_image, path)
    path.write_bytes(picture.content)
    check(near(place.good(read_image, path), picture.stored, 0), "pixels differ")


def _labels(mode: str, place: Place) -> None:
    """Indices as they are; what has no one number per pixel is refused."""
    picture = pictures.in_mode(mode, place.numbers)
    path = place.work / f"mask{picture.suffix}"
    path.write_bytes(picture.content)
    with Image.open(path) as image:
        stored = np.array(image)
    if mode in ("1", "L", "P", "P-key", "16-png"):
        got = place.good(read_labels, path)
        check(got.shape == stored.shape and (got == stored).all(), "labels differ")
        check(not got.flags.writeable, "cached labels may be written to")
    elif mode not in ("jpeg-L", "jpeg-RGB", "jpeg-CMYK", "float"):
        place.bad(read_labels, path)
    elif (got := place.try_(read_labels, path)) is not None:
        check(got.shape == stored.shape[:2], "labels differ in size")


def _damaged_labels(how: str, place: Place) -> None:
    labels = place.numbers.integers(0, 5, pictures.side(place.numbers), dtype=np.uint8)
    content = BYTES[how](place.random, pictures.saved(Image.fromarray(labels), "PNG"))
    path = place.work / "mask.png"
    path.write_bytes(content)
    wanted, got = pillows(content), place.try_(read_labels, path)
    if wanted is None:
        check(got is None, "a damaged mask was read")
    elif got is not None and wanted.size and got.ndim == 2:
        check((grey := wanted[..., 0]).shape == got.shape and (grey == got).all(), "labels differ")


_DAMAGES = [f"{how}-{form}" for how in BYTES for form in ("png", "jpeg", "tiff", "bmp")]
DOORS = {
    "image": each(3, _mode, MODES)
    | each(14, _orientation, ("JPEG", "PNG", "TIFF", "WEBP"))
    | {f"trailing-{kind}": one for kind, one in each(4, _trailing, ("JPEG", "PNG")).items()}
    | {f"frames-{kind}": one for kind, one in each(2, _frames, ("PNG", "TIFF", "WEBP")).items()}
    | each(4, damaged, _DAMAGES) | each(1, _no_file, NO_FILE) | each(2, _foreign, FOREIGN)
    | each(8, _huge, ("huge",))
    | {f"name-{kind}": one for kind, one in each(1, _name, (
        "long", "nul", "space", "quote", "letters", "line", "upper", "none", "other")).items()},
    "labels": each(4, _labels, MODES) | each(7, _damaged_labels, BYTES),
}  # fmt: skip
