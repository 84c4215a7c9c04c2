"""What files and folders of users are called on pages, which hold no path of this machine."""

import os
import re
from pathlib import Path

from openscenes.files import one_line

_MARKS = re.compile(r"[^\w .,+&@()-]")


def plain_name(path: Path) -> str:
    """The last part of a path; what pages and figures take for marks is "?"."""
    whole = Path(os.path.normpath(path.absolute()))
    return _MARKS.sub("?", one_line(whole.name or f"{whole}", 60))


def folder_words(root: Path) -> str:
    """What the images of a folder are called: after it, since nobody knows what they are."""
    return f"images of the folder {plain_name(root)}"
