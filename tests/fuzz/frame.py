"""A case, the folder it runs in, and what counts as a right answer or a clean refusal."""

import os
import random
import shutil
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from openscenes.__main__ import main
from openscenes.errors import InputError, OpenScenesError

RIGHT, SENTENCE, TRACEBACK, CRASH, WRONG, LOST = KINDS = (
    "right answer", "clean sentence", "traceback", "crash or hang", "silent wrong",
    "lost or outside",
)  # fmt: skip
FAULTS = KINDS[2:]
LONGEST_SENTENCE = 600
SECRET = (255, 0, 253)  # colour of the pictures beside the folder, which nothing may read


class Outcome(NamedTuple):
    """What a case came to, and in words why."""

    kind: str
    words: str = ""


class WrongAnswer(Exception):
    """An answer that is not right, or a refusal of what is good."""


class LostOrOutside(Exception):
    """Something of the user's was changed, or something outside the folder was touched."""


class Place:
    """The folder of one case, with decoys beside it, its own cache and its own random numbers."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.work, self.cache = root, root / "work", root / "cache"
        self.random = random.Random(name)
        self.numbers = np.random.default_rng(self.random.getrandbits(64))
        self.refused = ""
        self._own: dict[Path, str] = {}
        for folder in (self.work, self.cache):
            folder.mkdir(parents=True)
        for decoy in ("secret.png", "x.jpg", "0.png", "outside/secret.png"):
            (root / decoy).parent.mkdir(exist_ok=True)
            Image.new("RGB", (60, 40), SECRET).save(root / decoy)
        self._beside = self._seen()

    def protect(self, *paths: Path) -> None:
        """Files of the user that must stay as they are."""
        self._own |= {path: digest(path) for path in paths}

    def try_(self, door: Callable, *args: object, **more: object):
        """The door's answer, or None where it refused in a clean sentence."""
        try:
            return door(*args, **more)
        except OpenScenesError as error:
            self.refused = check_sentence(str(error))
            return None

    def good(self, door: Callable, *args: object, **more: object):
        """The door's answer to what is good; refusing it is wrong."""
        try:
            return door(*args, **more)
        except OpenScenesError as error:
            raise WrongAnswer(f"what is good was refused: {error}") from error

    def bad(self, door: Callable, *args: object, **more: object) -> None:
        """The door must refuse this."""
        self.refused = ""
        answer = self.try_(door, *args, **more)
        check(bool(self.refused), f"what is bad was taken: {str(answer)[:200]}")

    def check_surroundings(self) -> None:
        """Refuse a case that changed something of the user's, or anything beside its folder."""
        for path, before in self._own.items():
            if not path.is_file() or digest(path) != before:
                raise LostOrOutside(f"{path.relative_to(self.root)} was changed or lost")
        if self._seen() != self._beside:
            raise LostOrOutside("something beside the folder was changed")

    def _seen(self) -> dict[str, str]:
        inside = ("work", "cache")
        paths = (p for p in sorted(self.root.rglob("*"))
                 if p.relative_to(self.root).parts[0] not in inside)  # fmt: skip
        return {str(p): digest(p) if p.is_file() else "" for p in paths}


def command(*words: object) -> str:
    """Run one command line in this process; what it printed, or its sentence as an error."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:  # argparse
            code = left.code
    if code == 0:
        return out.getvalue()
    said = err.getvalue().strip().rpartition("\n" if "usage:" in err.getvalue() else "\0")[2]
    check(code == 2, f"exit code {code}: {said}")
    if "usage:" in err.getvalue():
        raise InputError(said[:400].rstrip(".") + ".")
    check(said.startswith("openscenes: "), f"not our sentence: {said}")
    raise InputError(said.removeprefix("openscenes: "))


def check(right: object, words: str) -> None:
    """Say in words what is wrong."""
    if not right:
        raise WrongAnswer(words)


def digest(path: Path) -> str:
    """The sha256 of a file's bytes."""
    return sha256(path.read_bytes()).hexdigest()


def is_secret(image: object) -> bool:
    """Whether pixels are those of a decoy."""
    pixels = np.asarray(image)
    return pixels.ndim == 3 and pixels.size > 0 and bool((pixels == SECRET).all())


def check_sentence(text: str) -> str:
    """The message of a refusal, if it is one printable sentence; else an AssertionError."""
    faults = {
        "is empty": not text.strip(),
        "has several lines": len(text.splitlines()) > 1,
        "holds what cannot be printed": not text.isprintable(),
        "is too long": len(text) >= LONGEST_SENTENCE,
        "quotes a traceback": "Traceback" in text,
        "ends no sentence": text.rstrip()[-1:] in (":", ";", ",", "(", "-"),
    }  # fmt: skip
    found = [fault for fault, is_so in faults.items() if is_so]
    assert not found, f"a message {' and '.join(found)}: {text[:300]!r}"
    return text


def run_case(
    name: str, case: Callable[[Place], None], root: Path, *, keep: bool = False
) -> Outcome:
    """Run one case in a folder of its own, which is removed at the end unless it is to be kept."""
    shutil.rmtree(root, ignore_errors=True)
    place = Place(root, name)
    os.environ["OPENSCENES_CACHE"] = str(place.cache)
    os.chdir(place.work)
    try:
        case(place)
        place.check_surroundings()
        return Outcome(SENTENCE if place.refused else RIGHT, place.refused)
    except WrongAnswer as error:
        return Outcome(WRONG, str(error))
    except LostOrOutside as error:
        return Outcome(LOST, str(error))
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return Outcome(TRACEBACK, words)
    finally:
        os.chdir(root.parent)
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
