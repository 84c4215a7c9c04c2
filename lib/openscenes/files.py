"""Files and text from outside, checked before they are opened or used."""

import codecs
import json
import math
import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from openscenes.errors import DataError, InputError

MAX_BYTES = 1 << 31  # of a text or JSON file; COCO's largest has 0.5 GB
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def as_path(value: object, what: str = "file") -> Path:
    """A path that a caller passed; InputError where it is none."""
    if isinstance(value, str | os.PathLike):
        return Path(value)
    raise InputError(f"The {what} is a {type(value).__name__}; give a path.")


def require_regular(path: Path | str, what: str = "file") -> None:
    """Refuse what is no file to read: to open a named pipe would wait for ever.

    Raises:
        DataError: if it is missing, no regular file, or may not be read.
    """
    name = one_line(str(path))
    try:
        kind = stat.S_IFMT(Path(path).stat().st_mode)
    except FileNotFoundError:
        raise DataError(f"There is no {what} {name}; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: the path holds what no path can
        raise DataError(f"The {what} {name} cannot be opened ({reason(error)}); check the path."
                        ) from None  # fmt: skip
    if kind != stat.S_IFREG:
        found = _KINDS.get(kind, "no file")
        raise DataError(f"The {what} {name} is {found}; give a file.")
    if not os.access(path, os.R_OK):
        raise DataError(f"The {what} {name} may not be read; mend its permissions.")


def reason(error: Exception) -> str:
    """What went wrong, in the system's words, without errno and path."""
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def read_bytes(path: Path | str, what: str = "file", limit: int = MAX_BYTES) -> bytes:
    """The bytes of a file of at most ``limit`` bytes; DataError as ``require_regular``."""
    require_regular(path, what)
    try:
        with Path(path).open("rb") as file:
            # read(limit) would take the memory of the limit
            small = os.fstat(file.fileno()).st_size <= limit
            content = file.read() if small else b""
    except (OSError, MemoryError) as error:
        raise DataError(f"The {what} {one_line(str(path))} cannot be read ({reason(error)}); "
                        "mend or replace it.") from None  # fmt: skip
    if not small:
        raise DataError(f"The {what} {one_line(str(path))} has more than {limit} bytes; give a "
                        "smaller one.")  # fmt: skip
    return content


def read_text(path: Path | str, what: str = "file", limit: int = MAX_BYTES) -> str:
    r"""The text of a file in UTF-8, or in UTF-16 with its mark, lines ended by ``\n`` alone.

    Editors of other systems put a byte order mark in front; it is no part of the text.
    """
    content = read_bytes(path, what, limit)
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"The {what} {one_line(str(path))} is no text in UTF-8 or UTF-16 (at byte "
                        f"{error.start}); save it as UTF-8.") from None  # fmt: skip
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | str, what: str = "file", limit: int = MAX_BYTES) -> Any:
    """What a JSON file says."""
    text = read_text(path, what, limit)
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"The {what} {one_line(str(path))} is no JSON ({reason(error)}); mend or "
                        "replace it.") from None  # fmt: skip


def inside(root: Path, name: object, what: str = "file", *, links: bool = False) -> Path:
    """The path below ``root`` that a name from a file of somebody else means.

    Args:
        links: whether the name may lead out of ``root`` through a link that lies in it.
    Raises:
        DataError: if the name is empty, absolute, no text, or leads out of ``root``.
    """
    text = name if isinstance(name, str) else ""
    parts = {*PurePosixPath(text).parts, *PureWindowsPath(text).parts}
    absolute = PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor
    if parts and "\0" not in text and ".." not in parts and not absolute:
        path = root / text
        try:
            if links or path.resolve().is_relative_to(root.resolve()):
                return path
        except (OSError, ValueError, RuntimeError):  # a loop of links, or a name no disk can hold
            pass
    raise DataError(f"The {what} {one_line(repr(name))} does not lie in {one_line(str(root))}; "
                    "name a file below that folder.")  # fmt: skip


def one_line(text: str, limit: int = 200) -> str:
    r"""Text for a message or for one line of a file: what is no printable character is escaped.

    Line breaks, control characters, marks of direction and halves of characters become ``\n``,
    ``\x00``, ``\u202e``; more than ``limit`` characters are cut off behind "...".
    """
    cut = text if len(text) <= limit else text[: max(0, limit - 3)] + "..."
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut
    )


def number(value: object, low: float = -math.inf, high: float = math.inf) -> float | None:
    """A finite number in [low, high] as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and low <= found <= high else None


def whole_number(value: object, low: int, high: int) -> int | None:
    """A whole number in [low, high], also one written as 3.0; None for anything else."""
    found = number(value, low, high)
    if found is None or not found.is_integer() or not isinstance(value, int | float):
        return None
    whole = int(value)
    return whole if low <= whole <= high else None
