"""Door ``code``: run-length codes and polygons, as logs, COCO files and versions hold them."""

import numpy as np
from tests.fuzz.frame import Place, check
from tests.fuzz.mutations import each, odd_json

from openscenes.masks import check_code, decode, encode, rasterise


def runs_of(text: str) -> list[int] | None:
    """Run lengths of a compressed code, read character by character; None where it is none."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or shift > 60:
            return None
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            value -= (1 << shift) if digit & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return None if shift else runs


def drawn(runs: list[int] | None, size: object) -> np.ndarray | None:
    """The mask of run lengths down the columns; None where they do not fill the size."""
    whole = isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)
    if not whole or runs is None or any(type(run) is not int or run < 0 for run in runs):
        return None
    height, width = size
    if min(size) < 1 or height * width > 10**7 or sum(runs) != height * width:
        return None
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def right_mask(code: object) -> np.ndarray | None:
    """What a code means, read in plain Python."""
    if not isinstance(code, dict):
        return None
    counts = code.get("counts")
    runs = runs_of(counts) if isinstance(counts, str) else counts
    return drawn(runs, code.get("size")) if isinstance(runs, list) else None


def some_mask(place: Place, size: tuple[int, int] | None = None) -> np.ndarray:
    """A disc, or specks, never empty."""
    height, width = size or place.numbers.integers(4, 40, 2).tolist()
    rows, cols = np.mgrid[:height, :width]
    centre = place.numbers.integers(0, height), place.numbers.integers(0, width)
    mask = np.hypot(rows - centre[0], cols - centre[1]) < max(2, min(height, width) / 3)
    return mask ^ (place.numbers.random((height, width)) < 0.05) | (rows + cols == sum(centre))


def _code(kind: str, place: Place) -> None:
    mask = some_mask(place)
    code = encode(mask)
    if kind == "list":
        code = {"size": code["size"], "counts": runs_of(code["counts"])}
    if kind == "text":
        at = place.random.randrange(len(code["counts"]))
        new = place.random.choice(["", "0", "o", "~", "PPP", "é", "\0", "Zl", " "])
        code = code | {"counts": code["counts"][:at] + new + code["counts"][at + 1 :]}
    elif kind == "size":
        odd = [place.random.choice([0, -1, 1, 2**31, 10**9, 2**63, side]) for side in mask.shape]
        code = code | {"size": place.random.choice([odd, odd * 2, [*mask.shape[::-1]]])}
    else:
        code, _ = odd_json(place.random, {"code": code}, at=("code",))
        code = code.get("code")
    wanted = right_mask(code)
    for door in (decode, lambda given: decode(check_code(given))):
        got = place.try_(door, code)
        if got is not None:
            check(wanted is not None, "a damaged code was drawn")
            check(got.shape == wanted.shape and (got == wanted).all(), "the mask differs")
    check(wanted is None or got is not None, f"a right code was refused: {place.refused}")


def _rectangle(kind: str, place: Place) -> None:
    """Rectangles on the pixel grid, some of whose numbers are replaced."""
    height, width = place.numbers.integers(8, 50, 2).tolist()
    row0, col0 = place.random.randrange(height // 2), place.random.randrange(width // 2)
    row1, col1 = place.random.randint(row0 + 1, height), place.random.randint(col0 + 1, width)
    polygons = [[col0, row0, col1, row0, col1, row1, col0, row1]]
    right = np.zeros((height, width), bool)
    right[row0:row1, col0:col1] = True
    if kind == "good":
        got = decode(place.good(rasterise, polygons, (height, width)))
        check((got == right).all(), "a rectangle was drawn wrong")
        return
    changed, way = odd_json(place.random, {"polygons": polygons, "size": [height, width]})
    if "polygons" not in changed or "size" not in changed:
        return
    code = place.try_(rasterise, changed["polygons"], changed["size"])
    if code is not None:
        drawn_mask = decode(code)
        check(list(drawn_mask.shape) == changed["size"], "a mask of another size")
        check(way[0] == "size" or changed["polygons"] == polygons or drawn_mask.any()
              or len(way) > 1, "nothing was drawn")  # fmt: skip


DOORS = {
    "code": each(25, _code, ("tree", "text", "list", "size")) | each(10, _rectangle, ("good",))
    | each(30, _rectangle, ("polygons",)),
}  # fmt: skip
