"""Doors ``command`` and ``predict-command``: words of a shell."""

import re
from pathlib import Path

import numpy as np
from PIL import Image
from tests.fuzz import pictures
from tests.fuzz.frame import Place, check, command
from tests.fuzz.images import near
from tests.fuzz.mutations import BYTES, NO_FILE, ODD_TEXT, each
from tests.fuzz.weights import write_model

from openscenes.study import command as _study_command  # noqa: F401  (imported once, not per worker)
from openscenes.study.plan import dry_run as _dry_run  # noqa: F401

WORDS = tuple(word for word in ODD_TEXT if "\0" not in word and word != "\ud800")
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "-1",
    "0",
    "0x10",
    "1_000",
    "",
    " 5",
    "٣",
    "1,5",
    "x",
    "9" * 400,
    "2e9",
)
DEVICES = (
    "cpu:²", "cpu:-1", "cpu:99", "cuda:99", "tpu", "", "CPU", "cpu ", "auto,", "mps", "cuda:x", "1",
    "meta",
)  # fmt: skip


def _begin(place: Place, content: bytes | None = None) -> tuple[Path, Path, list[object]]:
    """A picture, a model, and the words that segment it."""
    image = place.work / "in.png"
    height, width = 40, 50
    pixels = place.numbers.integers(0, 255, (height, width, 3), dtype=np.uint8)
    image.write_bytes(content or pictures.saved(Image.fromarray(pixels), "PNG"))
    model = write_model(place.work / "m.safetensors")
    place.protect(model)
    words = ["--box", 5, 6, 30, 40, "--point", 12, 20, "--model", model, "--device", "cpu"]
    return image, model, ["predict", image, *words]


def _answered(
    place: Place, words: list[object], out: Path, size: tuple[int, int], **how: object
) -> None:
    """If there is an answer, what it says and what it wrote agree."""
    said = place.try_(command, *words, "--out", out, "--precision", "fp32")
    if said is None:
        check(not out.is_file() or how.get("there"), "a refusal left an output")
        return
    mask = np.asarray(Image.open(out))
    check(mask.dtype == np.uint8 and mask.shape == size, f"a mask of {mask.shape}, wanted {size}")
    check(set(np.unique(mask)) <= {0, 255}, "a mask of other values")
    area = int(re.search(r"mask area +(\d+) px of (\d+) x (\d+)", said).group(1))
    check(area == int((mask > 0).sum()), "another area than the mask's")


def _arguments(kind: str, place: Place) -> None:
    """One word is odd."""
    image, _, words = _begin(place)
    if kind == "numbers":
        words[place.random.choice([3, 4, 5, 6, 8, 9])] = place.random.choice(NUMBERS)
    elif kind == "device":
        words[13] = place.random.choice(DEVICES)
    elif kind == "model":
        words[11] = place.random.choice([*WORDS, "in.png", ".", "/dev/zero"])
    elif kind == "image":
        words[1] = place.random.choice(
            [word for word in WORDS if word[:1] != "-" and ("secret" not in word)]
        )
        place.bad(command, *words, "--out", "out.png")
        return
    else:
        del words[place.random.randrange(1, len(words))]
    place.protect(image)
    _answered(place, words, place.work / "out.png", (40, 50))


def _output(kind: str, place: Place) -> None:
    """An output that is the input in other words, or that cannot be written."""
    image, _, words = _begin(place)
    place.protect(image)
    (place.work / "link.png").symlink_to(image)
    (place.work / "hard.png").hardlink_to(image)
    (place.work / "folder.png").mkdir()
    (place.work / "loop.png").symlink_to("loop.png")
    (place.work / "here").symlink_to(".")
    outs = {"same": "in.png", "dot": "./in.png", "up": "folder.png/../in.png", "link": "link.png",
            "hard": "hard.png", "folder": "folder.png", "loop": "loop.png",
            "below": "in.png/out.png", "suffix": "out.txt", "absolute": str(image),
            "through": "here/in.png", "long": "x" * 300 + ".png", "none": ""}  # fmt: skip
    words += [place.random.choice(["--out", "--overlay", "--probability"]), outs[kind]]
    # Put in place whole, a mask takes the name of a hard link or of a broken one, and no more.
    (place.try_ if kind in ("hard", "loop") else place.bad)(command, *words)


def _picture(kind: str, place: Place) -> None:
    """The picture itself is odd: its mask has the size in which it is seen."""
    if kind in pictures.MODES:
        picture = pictures.in_mode(kind, place.numbers)
        size = picture.stored.shape[:2]
    elif kind == "orientation":
        tag = place.random.randrange(1, 9)
        picture = pictures.tagged(tag, "PNG", place.numbers)
        size = pictures.turned(picture.stored, tag).shape[:2]
    else:
        picture, size = pictures.plain(place.numbers), None
    image, _, words = _begin(place, picture.content)
    if kind in NO_FILE:
        NO_FILE[kind](image)
        place.bad(command, *words, "--out", "out.png")
        return
    if kind in BYTES:
        image.write_bytes(BYTES[kind](place.random, picture.content))
        size = picture.stored.shape[:2]
    words[3:7], words[8:10] = [0, 0, *size], [0, 0]
    place.protect(image)
    out = place.work / "new" / "out.png"
    if kind not in BYTES:
        place.good(command, *words, "--overlay", "over.png", "--precision", "fp32")
        check(np.asarray(Image.open("over.png")).shape == (*size, 3), "an overlay of another size")
    if kind == "orientation":
        plain = place.work / "plain.png"
        Image.fromarray(pictures.turned(picture.stored, tag)).save(plain)
        again = [*words[:1], plain, *words[2:]]
        place.good(command, *again, "--probability", "a.png", "--precision", "fp32")
        place.good(command, *words, "--probability", "b.png", "--precision", "fp32")
        a, b = (np.stack([np.asarray(Image.open(name))] * 3, -1) for name in ("a.png", "b.png"))
        check(near(a, b, 1), "another mask than that of the upright picture")
    _answered(place, words, out, size)


def _study(kind: str, place: Place) -> None:
    """Commands that begin no work: an odd word is refused in one sentence."""
    choice = place.random.choice
    odd = choice(WORDS)
    below = choice([word for word in WORDS if ".." not in word])
    commands = {
        "seeds": ("plan", "--seeds", choice(["0", "-1", "1.5", "x", "", "1e3", "nan"])),
        "table-seeds": ("table", "4", "--seeds", place.random.choice(["0", "-3", "x"])),
        "models-seeds": ("models", "--seeds", place.random.choice(["0", "-3", "x"])),
        "profile": ("plan", "--profile", odd), "table-profile": ("table", "4", "--profile", odd),
        "lesson-profile": ("lessons", "--profile", odd), "key": ("table", odd),
        "key-number": ("table", place.random.choice(["0", "8", "4++", "4 plus", "figure", "-1"])),
        "dry-key": ("dry-run", odd), "none": (), "unknown": (odd,),
        "device": ("table", "4", "--profile", "smoke", "--device", choice(DEVICES)),
        "lesson-device": ("lessons", "--device", choice(("tpu", "cpu:²", "", "cuda:99"))),
        "data": ("table", "4", "--profile", "study", "--data", odd),
        "models-data": ("models", "--profile", "study", "--data", odd),
        "scenes-seed": ("scenes", "out", "--seed", choice(["x", "1.5", "", "nan", "1e3"])),
        "scenes-file": ("scenes", "file"), "scenes-below": ("scenes", "file/out"),
        "evolve-log": ("evolve", "--log", odd), "evolve-none": ("evolve",),
        "evolve-both": ("evolve", "--log", ".", "--status", "--rollback"),
        "import-file": ("import", ".", odd), "import-folder": ("import", below, "file"),
        "export-kind": ("export", ".", odd), "export-folder": ("export", odd, "coco"),
        "evolve-accept": ("evolve", "--log", ".", "--accept", odd),
    }  # fmt: skip
    (place.work / "file").write_text("mine")
    place.protect(place.work / "file")
    if kind == "key" and odd in ("1", "1.0", "-1", "１"):
        return
    place.bad(command, *commands[kind])


_STUDY = (
    "seeds", "table-seeds", "models-seeds", "profile", "table-profile", "lesson-profile", "key",
    "key-number", "dry-key", "none", "unknown", "device", "lesson-device", "data", "models-data",
    "scenes-seed", "scenes-file", "scenes-below", "evolve-log", "evolve-none", "evolve-both",
    "evolve-accept", "import-file", "import-folder", "export-kind", "export-folder",
)  # fmt: skip
_OUTPUTS = (
    "same", "dot", "up", "link", "hard", "folder", "loop", "below", "suffix", "absolute",
    "through", "long", "none",
)  # fmt: skip
DOORS = {
    "predict-command": each(20, _arguments, ("numbers", "model", "image"))
    | each(12, _arguments, ("device", "left-out")) | each(1, _output, _OUTPUTS)
    | each(1, _picture, pictures.MODES) | each(8, _picture, ("orientation",))
    | each(2, _picture, BYTES)
    | {f"no-{kind}": one for kind, one in each(1, _picture, NO_FILE).items()},
    "command": each(6, _study, _STUDY),
}  # fmt: skip
