"""What an import finds: objects not yet assigned to an image, and why others are left out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from openscenes.amounts import amount
from openscenes.errors import DataError
from openscenes.files import inside, one_line
from openscenes.masks import BoolMask, checked_size, encode

_MAX_BYTES = 4096  # of a path, an id or a digest
_MAX_SENTENCES = 8


class LeftOut(DataError):
    """One object cannot be taken, which spoils no other; the reason ends "N objects ..."."""

    def __init__(self, reason: str, example: str = "") -> None:
        """Keep the reason, under which such objects are counted, and one of them."""
        super().__init__(reason)
        self.reason, self.example = reason, example


@dataclass
class Tally:
    """How many objects are left out or not as they were, by reason, with one example of each.

    Attributes:
        said: sentences that are not about single objects.
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def add(self, reason: str, example: str = "", times: int = 1) -> None:
        """Count objects; a reason goes on from "3 objects"."""
        if times:
            self.counts[reason] += times
            self.examples.setdefault(reason, example)

    def sentences(self) -> list[str]:
        """One sentence for each reason, the first ones met, and one for all others."""
        first = list(self.counts)[:_MAX_SENTENCES]
        told = [*self.said]
        told += [f"{amount(self.counts[one], 'object', one)}{self._such_as(one)}." for one in first]
        others = self.counts.total() - sum(self.counts[one] for one in first)
        return told + [f"{amount(others, 'object', 'have')} other faults."] * bool(others)

    def _such_as(self, reason: str) -> str:
        example = self.examples[reason]
        return f", such as {one_line(example)}" if example else ""


@dataclass(frozen=True)
class ImportedObject:
    """One object that an import finds, before it is tied to an image.

    Attributes:
        names: the image as the source has it: its path in a folder of images, if that is known
            ("" if not), and a file name, which may have other folders or none.
        size: (height, width) in pixels that the source states; None where it does not.
        drawn: ``segmentation`` and ``iscrowd``, as COCO has them.
        about: the object as our export describes it, see ``about``; None elsewhere.
    """

    names: tuple[str, str]
    size: tuple[int, int] | None
    drawn: Mapping[str, Any]
    class_name: str | None
    about: dict[str, Any] | None

    @classmethod
    def described(cls, known: dict[str, Any], mask: BoolMask, file: Path) -> Self:
        """The object of a mask file of ours, with what the export wrote of it."""
        size = checked_size(known["size"])
        if mask.shape != size:
            raise DataError(f"{one_line(str(file))} has another size than its image; export anew.")
        return cls(
            ("", known["image"]),
            size,
            {"segmentation": encode(mask)},
            known.get("class_name"),
            known,
        )


def is_about(value: object) -> bool:
    """Whether something read from a file may be what ``about`` wrote."""
    if not isinstance(value, dict):
        return False
    words = [value.get(key) for key in ("object", "image", "image_digest")]
    typed = all(isinstance(word, str) and 0 < len(word) <= _MAX_BYTES for word in words)
    known_class = isinstance(value.get("class_name"), str | None)
    return typed and known_class and isinstance(value.get("size"), list)


def mask_file(folder: Path, entry: Mapping[str, Any], layout: str = "{}") -> Path:
    """The mask file of one entry of an export's mark; DataError for none, or one elsewhere."""
    name = entry.get("file")
    if not isinstance(name, str):
        raise DataError(f"{one_line(str(folder))} is damaged (a mask without file); export anew.")
    return inside(folder, layout.format(name), "mask of the export")
