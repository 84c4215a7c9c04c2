"""The files that a command writes: never over one that it reads, and no file twice."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import Any

from openscenes.errors import InputError
from openscenes.files import one_line, reason, require_regular
from openscenes.paths import atomic, require_writable


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that could not be written, or would replace an input or one another.

    Raises:
        InputError, DataError: naming the file.
    """
    for path in outputs:
        if path.suffix.lower() != ".png":
            raise InputError(
                f"The output {_name(path)} is not a PNG file; give a name that ends in .png."
            )
        try:
            path.stat()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise _unwritable(path, error) from error
        require_regular(path, "output")
    for one, other in combinations([*outputs, *inputs], 2):
        if one in outputs and _same(one, other):
            raise InputError(
                f"The output {_name(one)} and {_name(other)} have one name; name each differently."
            )


def write_pngs(pixels: Mapping[Path, Any]) -> None:
    """Write (H, W) or (H, W, 3) uint8 as PNG: all files whole, or none of them.

    Raises:
        InputError: naming the first file that cannot be written.
    """
    from PIL import Image

    with ExitStack() as files:
        for path, values in pixels.items():
            try:
                require_writable(path.parent, "choose another place.")
                Image.fromarray(values).save(files.enter_context(atomic(path)), format="PNG")
            except OSError as error:
                raise _unwritable(path, error) from error
        try:
            files.pop_all().close()
        except OSError as error:
            raise _unwritable(next(iter(pixels)), error) from error


def _same(one: Path, other: Path) -> bool:
    """Whether two paths name one file, by links, or by letters that a disk may take as equal."""
    try:
        return one.samefile(other)
    except FileNotFoundError:
        new = not one.exists() and not other.exists()
        return new and _letters(one) == _letters(other)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links
        return False


def _letters(path: Path) -> str:
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _unwritable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"The output {_name(path)} cannot be written ({reason(error)}); choose another place."
    )


def _name(path: Path) -> str:
    return one_line(str(path))
