"""What is done to a valid input: to its bytes, its JSON, its text, or to the file itself."""

import copy
import json
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any


def each(n_seeds: int, case: Callable, kinds: Any) -> dict[str, tuple[int, Callable]]:
    """Mutations of a case that takes one of several kinds: a name -> (seeds, what runs one)."""
    return {name: (n_seeds, partial(case, name)) for name in kinds}


def _place(random: Random, content: bytes) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.choice([1, 2, 7, 64, 1000]))


def _flip(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice([1, 1, 3, 20])):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _insert(random: Random, content: bytes) -> bytes:
    start, _ = _place(random, content)
    return content[:start] + random.randbytes(random.choice([1, 8, 300])) + content[start:]


def _zero(random: Random, content: bytes) -> bytes:
    start, end = _place(random, content)
    return content[:start] + bytes(end - start) + content[end:]


def _double(random: Random, content: bytes) -> bytes:
    start, end = _place(random, content)
    return content[:end] + content[start:end] + content[end:]


def _remove(random: Random, content: bytes) -> bytes:
    start, end = _place(random, content)
    return content[:start] + content[end:]


BYTES: dict[str, Callable[[Random, bytes], bytes]] = {
    "cut": lambda random, content: content[: random.randrange(len(content))],
    "flip": _flip, "insert": _insert, "zero": _zero, "double": _double, "remove": _remove,
    "append": lambda random, content: content + random.randbytes(random.choice([1, 50, 9000])),
}  # fmt: skip

# Text of others that is hard to bear: in names, ids, classes, paths.
ODD_TEXT = (
    "", " ", "NA", "None", "null", "nan", "../secret.png", "../../secret.png", "..\\secret.png",
    "..", ".", "/etc/passwd", "/dev/zero", "C:\\x.jpg", "file:///etc/passwd", "a/../../secret.png",
    "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "a\nb", "a\r\nb", "a\x00b",
    "a\u2028b", "a\u202eb", "\ud800", "\ufeffa", "é" * 40, "x" * 5000, "a/b", "a,b;\"c'", "=1+1",
    "$(touch pwned)", "`touch pwned`", "%s%n", "{0}", "1", "1.0", "٣", "-1", "１",
)  # fmt: skip
LONG, DEEP = "@long number@", "@deep lists@"  # what json.dumps cannot write is put in as text
ODD_NUMBERS = (
    0, -1, 1, 3, 255, 2**31, -(2**31), 2**32 + 1, 2**53 + 1, 2**63, 10**18, 10**400, 0.5, -0.0,
    1e-320, 1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
ODD_VALUES = (
    None, True, False, [], {}, [[]], [None], [{}], {"a": 1}, [[[[[[1]]]]]], [1, 2], [1.5] * 9,
    LONG, DEEP, *ODD_TEXT, *ODD_NUMBERS,
)  # fmt: skip
_KIN: dict[type, tuple[Any, ...]] = {
    str: ODD_TEXT, int: ODD_NUMBERS, float: ODD_NUMBERS, list: ([], [None], {}, "a"),
}  # fmt: skip


def odd_json(random: Random, tree: Any, *, at: tuple[Any, ...] = ()) -> tuple[Any, tuple[Any, ...]]:
    """A copy with one node replaced, removed or doubled, and the path of what was changed."""
    tree = copy.deepcopy(tree)
    *way, last = random.choice([path for path in paths(tree) if path[: len(at)] == at and path])
    holder = tree
    for key in way:
        holder = holder[key]
    kind = random.choice(["kin", "kin", "kin", "any", "any", "remove", "double"])
    if kind == "remove":
        del holder[last]
    elif kind == "double" and isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    else:
        values = _KIN.get(type(holder[last]), ODD_VALUES) if kind == "kin" else ODD_VALUES
        holder[last] = copy.deepcopy(random.choice(values))
    return tree, (*way, last)


def paths(tree: Any) -> list[tuple[Any, ...]]:
    """The path of every node; keys of dictionaries and places in lists (long ones: a few)."""
    found: list[tuple[Any, ...]] = [()]
    if isinstance(tree, dict):
        children = list(tree.items())
    else:
        children = list(enumerate(tree[:6])) if isinstance(tree, list) else []
    for key, child in children:
        found += [(key, *path) for path in paths(child)]
    return found


def to_text(tree: Any, **more: Any) -> str:
    """JSON with the numbers and lists that json.dumps cannot write."""
    text = json.dumps(tree, **more)
    return text.replace(f'"{LONG}"', "9" * 5000).replace(f'"{DEEP}"', "[" * 90_000 + "]" * 90_000)


# The same text as other programs save it: all of these are good.
SAVED: dict[str, Callable[[str], bytes]] = {
    "bom": lambda text: text.encode("utf-8-sig"), "utf16": lambda text: text.encode("utf-16"),
    "utf16-be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "bom-crlf": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    "no-end": lambda text: text.rstrip("\n").encode(),
    "blank-lines": lambda text: text.replace("\n", "\n\n").encode(),
}  # fmt: skip


def _missing(path: Path) -> None:
    path.unlink()


def _socket(path: Path) -> None:
    path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(path.parent)
        listening.bind(path.name)
    finally:
        listening.close()


def _put(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        path.unlink()
        make(path)

    return put


# In place of a file there is something else: nothing of it can be read.
NO_FILE: dict[str, Callable[[Path], None]] = {
    "missing": _missing,
    "folder": _put(lambda path: path.mkdir()),
    "fifo": _put(os.mkfifo),
    "socket": _socket,
    "loop": _put(lambda path: path.symlink_to(path.name)),
    "dangling": _put(lambda path: path.symlink_to("nowhere")),
    "device": _put(lambda path: path.symlink_to("/dev/zero")),
    "terminal": _put(lambda path: path.symlink_to("/dev/tty")),
    "empty": lambda path: path.write_bytes(b"") and None,
}
