"""Files of the cache that tell whether they are whole: JSON that begins with its own checksum.

A flipped digit would otherwise pass for a result. What is damaged counts as not there, which is
said once, and is made again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from openscenes.paths import atomic

_CHECKSUM = '{"sha256": "%s"'
_HEAD = len(_CHECKSUM % ("0" * 64))
_told: set[Path] = set()


def keep(path: Path, value: Mapping[str, Any]) -> None:
    """Write plain data by name, whole or not at all; a folder in its place is moved aside."""
    rest = json.dumps(value, indent=1)[1:]
    rest = f",{rest}" if value else rest
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.damaged"))
    with atomic(path) as partial:
        partial.write_text(_CHECKSUM % _digest(rest) + rest, encoding="utf-8")
    _told.discard(path)


def kept(path: Path) -> dict[str, Any] | None:
    """What ``keep`` wrote; None where there is nothing, or no longer all of it as it was."""
    if not path.is_file():
        if os.path.lexists(path):
            _say_damaged(path)
        return None
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        text = ""
    if text[:_HEAD] != _CHECKSUM % _digest(text[_HEAD:]):
        _say_damaged(path)
        return None
    value: dict[str, Any] = json.loads(text)
    del value["sha256"]
    return value


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _say_damaged(path: Path) -> None:
    """Say it once for each file."""
    if path not in _told:
        _told.add(path)
        print(f"{path} is damaged or of an older version; it is made again", file=sys.stderr)
