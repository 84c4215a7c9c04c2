"""File names that every system takes, one for each image or mask of an export."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

MAX_BYTES = 200  # of a name in UTF-8, so that a number and a suffix fit into 255
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\.|$)", re.IGNORECASE)


def plain(text: str) -> str:
    """Letters, digits, ".", "-" and "_" of a text; all else becomes "_".

    Too long names end in a digest instead; a name of a Windows device gets a "_" in front.
    """
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text))
    if not name or name[0] in ".-" or _RESERVED.match(name):
        name = f"_{name}"
    if len(name.encode()) > MAX_BYTES:
        digest = sha256(name.encode()).hexdigest()[:8]
        name = name.encode()[: MAX_BYTES - 9].decode(errors="ignore") + f"_{digest}"
    return name


def file_names(texts: Sequence[str]) -> list[str]:
    """A plain name for each text, numbered where two would be one file on some system.

    Who has a plain name already keeps it, so that no other is taken for it.
    """
    order = sorted(range(len(texts)), key=lambda number: plain(texts[number]) != texts[number])
    names, taken, times = list(texts), set[str](), Counter[str]()
    for number in order:
        name = wanted = plain(texts[number])
        while same_name(name) in taken:
            times[wanted] += 1
            name = f"{wanted}_{times[wanted] + 1}"
        taken.add(same_name(name))
        names[number] = name
    return names


def same_name(name: str) -> str:
    """The same for two names that some systems take for one.

    They differ in letters of either case, or in accents written on their letter or behind it.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
