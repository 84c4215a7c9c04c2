"""Which image of a workspace a file name of another tool means, however it is written."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote

from openscenes.annotator.exchange.exported import exported_names, suffix_of
from openscenes.annotator.exchange.imported import LeftOut
from openscenes.annotator.exchange.names import same_name
from openscenes.annotator.store.workspace import Workspace

_MAX_NAMED = 4
_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # Label Studio puts it before the names of its copies
Parts = tuple[str, ...]


class ImageNames:
    """All images of a workspace, to be asked for by names of other tools.

    A name may have other folders before it, "\\" for "/", "%20" for blanks, letters of either
    case, accents written in either way, or be an address. Of all images that it may mean, the one
    is taken that agrees with most of its last parts, and most exactly.
    """

    def __init__(self, workspace: Workspace) -> None:
        """List the images, and the names that an export gives to them."""
        self._paths: dict[str, Path] = {}
        self._by_name: defaultdict[str, list[Parts]] = defaultdict(list)
        for path in workspace.list_images():
            parts = path.relative_to(workspace.images).parts
            self._paths["/".join(parts)] = path
            for written in {same_name(parts[-1]), same_name(unquote(parts[-1]))}:
                self._by_name[written].append(parts)  # a download may have kept "%20"
        names = exported_names(workspace)
        self._exported = {same_name(name + suffix_of(path)): path for path, name in names.items()}

    def image(self, path: str, name: str) -> Path:
        """The one image that is meant.

        Args:
            path: relative to the folder of images, or "".
            name: a file name of any tool, used where no image has this path.
        """
        for exact in (path, name):
            if exact in self._paths:
                return self._paths[exact]
        readings = list(_readings(name))
        originals = [(*one[:-1], _UPLOADED.sub("", one[-1], count=1)) for one in readings]
        found = self._fitting(readings) or self._fitting(originals)
        found = found or self._exported_as([*readings, *originals])
        if not found:
            raise LeftOut("have no image here", repr(name))
        if len(found) > 1:
            raise LeftOut("have the name of several images here", self._choice(name, found))
        return found[0]

    def _fitting(self, readings: list[Parts]) -> list[Path]:
        """The images that agree best with one of the readings of a name."""
        ranks: dict[Parts, tuple[int, ...]] = {}
        for reading in readings:
            for image in self._by_name.get(same_name(reading[-1]), ()):
                ranks[image] = max(ranks.get(image, (0,)), _rank(reading, image))
        best = max(ranks.values(), default=())
        return [self._paths["/".join(image)] for image, rank in ranks.items() if rank == best]

    def _exported_as(self, readings: list[Parts]) -> list[Path]:
        """The images that an export gives one of these names to."""
        names = {same_name(reading[-1]) for reading in readings}
        return [path for name, path in self._exported.items() if name in names]

    def _choice(self, name: str, found: list[Path]) -> str:
        names = [one for one, path in self._paths.items() if path in found]
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        return f"{name!r} for {', '.join(names[:_MAX_NAMED])}{more}; write the folder before it"


def _readings(name: str) -> Iterator[Parts]:
    """The parts of a name, as it is written and as an address would write it."""
    address = re.match(r"[A-Za-z][\w+.-]*://[^/?#]*([^?#]*)", name)
    served = re.search(r"[?&]d=([^&#]+)", name)  # Label Studio's local files
    path = served[1] if served else address[1] if address else name
    for one in dict.fromkeys([name, unquote(path)]):
        parts = re.sub(r"^[A-Za-z]:(?=[\\/])", "", one.strip()).replace("\\", "/").split("/")
        if named := tuple(part for part in parts if part not in ("", ".", "..")):
            yield named


def _rank(reading: Parts, image: Parts) -> tuple[int, ...]:
    """How well an image's path agrees with a name: in how many of the last parts, ..."""
    by = same_name, partial(unicodedata.normalize, "NFC"), str
    alike, *exactly = (_n_alike(reading, image, one) for one in by)
    return alike, alike == len(image), *exactly


def _n_alike(reading: Parts, image: Parts, by: Callable[[str], str]) -> int:
    pairs = zip(reversed(reading), reversed(image), strict=False)
    return sum(1 for _ in takewhile(lambda pair: by(pair[0]) == by(pair[1]), pairs))
