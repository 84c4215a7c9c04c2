"""Structs of numbers in MATLAB files of version 5 to 7, as SBD's masks are.

SciPy's reader can end the whole process, or take minutes, where a byte has changed.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes.errors import DataError
from openscenes.files import one_line, read_bytes
from openscenes.masks import MAX_PIXELS

Numbers = NDArray[Any]
_HEADER_BYTES, _MAX_BYTES = 128, 8 * MAX_PIXELS
_MATRIX, _COMPRESSED, _STRUCT, _IS_COMPLEX = 14, 15, 2, 0x800
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
           13: "u8"}  # fmt: skip
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip


def read_struct(path: Path, name: str, fields: tuple[str, ...]) -> tuple[Numbers, ...]:
    """The named fields of the struct ``name`` of a MATLAB file, arrays of numbers."""
    content = memoryview(read_bytes(path, "mask", _MAX_BYTES))
    try:
        return _fields(_variable(content, name), _order(content), fields)
    except (ValueError, struct.error, zlib.error) as error:
        told = f"{one_line(str(path))} is no MATLAB file of version 5 to 7 with {name}"
        raise DataError(f"{told} ({one_line(str(error))}); restore it.") from None


def _order(content: memoryview) -> str:
    mark = bytes(content[_HEADER_BYTES - 2 : _HEADER_BYTES])
    if mark not in (b"IM", b"MI") or bytes(content[:10]) == b"MATLAB 7.3":
        raise ValueError("its header is another one")
    return "<" if mark == b"IM" else ">"


def _variable(content: memoryview, name: str) -> memoryview:
    order = _order(content)
    for kind, data in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            whole = zlib.decompressobj().decompress(data, _MAX_BYTES)
            kind, data = next(_elements(memoryview(whole), order), (0, data))
        if kind == _MATRIX and bytes(_parts(data, order)[2]) == name.encode():
            return data
    raise ValueError("there is no such variable")


def _fields(data: memoryview, order: str, fields: tuple[str, ...]) -> tuple[Numbers, ...]:
    flags, _, _, length, names, *values = _parts(data, order, 5)
    n_bytes = int.from_bytes(length, "little" if order == "<" else "big")
    if _class_of(flags, order) != _STRUCT or not 0 < n_bytes <= len(names):
        raise ValueError("it is no struct")
    starts = range(0, len(names), n_bytes)
    found = [bytes(names[start : start + n_bytes]).rstrip(b"\0").decode("latin-1")
             for start in starts]  # fmt: skip
    if len(values) < len(found) or not {*fields} <= {*found}:
        raise ValueError(f"it has not the fields {', '.join(fields)}")
    return tuple(_array(values[found.index(field)], order) for field in fields)


def _array(data: memoryview, order: str) -> Numbers:
    """An array of numbers, of the type that MATLAB shows, which may be stored in fewer bytes."""
    parts = list(_elements(data, order))
    if len(parts) < 4:
        raise ValueError("an array is cut short")
    (_, flags), (_, shape), _, (stored, numbers), *_ = parts
    kind = _CLASSES.get(_class_of(flags, order))
    if kind is None or stored not in _STORED:
        raise ValueError("a field is no array of real numbers")
    sides = np.frombuffer(shape, order + "i4").tolist()
    values = np.frombuffer(numbers, order + _STORED[stored]) if numbers else np.empty(0)
    if min(sides) < 0 or math.prod(sides) != values.size:
        raise ValueError(f"an array of {sides} has {values.size} numbers")
    return values.astype(kind).reshape(sides, order="F")


def _class_of(flags: memoryview, order: str) -> int:
    """Class of a matrix; -1 for complex numbers."""
    (found,) = struct.unpack_from(order + "I", flags)
    return -1 if found & _IS_COMPLEX else int(found & 0xFF)


def _parts(data: memoryview, order: str, at_least: int = 3) -> list[memoryview]:
    parts = [part for _, part in _elements(data, order)]
    if len(parts) < at_least:
        raise ValueError("a matrix is cut short")
    return parts


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at + 8 <= len(data):
        kind, n_bytes = struct.unpack_from(order + "II", data, at)
        start = at + 8
        if kind >> 16:  # up to four bytes lie in the element's own head
            kind, n_bytes, start = kind & 0xFFFF, kind >> 16, at + 4
        end = start + n_bytes
        if end > len(data) or (start == at + 4 and n_bytes > 4):
            raise ValueError("an element is cut short")
        yield kind, data[start:end]
        at = end if kind == _COMPRESSED else end + -end % 8
