"""Ids of COCO files: whole numbers in the official ones, anything in those of other tools."""

from collections.abc import Hashable, Sequence
from typing import Any

from openscenes.data.datasets.annotation_table import NONE, SEVERAL
from openscenes.files import number, whole_number

_INT64 = (-(2**63), 2**63 - 1)
_MAX_DIGITS = 30  # of an id that is text; a longer one is no number


def distinct_numbers(ids: Sequence[object]) -> list[int] | None:
    """The ids as whole numbers of 64 bits; None where one is none or two are equal."""
    found = [whole_number(one, *_INT64) for one in ids]
    numbers = [one for one in found if one is not None]
    return numbers if len(set(numbers)) == len(ids) else None


class Rows:
    """Finds the entry of a list that an id means: 1, 1.0 and "1" are one where one can be meant."""

    def __init__(self, ids: Sequence[object], entries: Sequence[Any]) -> None:
        """Take the ids of equally many entries; equal entries with equal ids count as one."""
        self.entries = entries
        self.exact: dict[Hashable, int] = {}
        self.loose: dict[Hashable, int] = {}
        keys = [_key(one) for one in ids]
        for row, key in enumerate(keys):
            if key is not None:
                self._put(self.exact, key, row)
        for row, key in enumerate(keys):
            if key is not None:
                self._put(self.loose, _meaning(key), row)

    def find(self, reference: object) -> int:
        """Row of the entry that is meant, ``NONE``, or ``SEVERAL`` where one cannot tell."""
        key = _key(reference)
        if key is None:
            return NONE
        row = self.exact.get(key)
        return self.loose.get(_meaning(key), NONE) if row is None else row

    def _put(self, rows: dict[Hashable, int], key: Hashable, row: int) -> None:
        known = rows.setdefault(key, row)
        if known not in (row, SEVERAL) and self.entries[known] != self.entries[row]:
            rows[key] = SEVERAL


def _key(value: object) -> int | float | str | None:
    """What ids are compared by; None for what is no id: null, a flag, a list, no finite number."""
    if type(value) is int or isinstance(value, str):
        return value
    return number(value)


def _meaning(key: int | float | str) -> int | float | str:
    """The whole number that a text of digits is, with or without leading zeros."""
    digits = key.removeprefix("-") if isinstance(key, str) else ""
    if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
        return int(key)
    return key
