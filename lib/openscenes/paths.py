"""Where things lie, and how a file is put in place whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openscenes.errors import InputError

# The checkout's top folder; of a package that was installed without one, nothing to write into.
PROJECT = Path(__file__).resolve().parents[2]
IN_CHECKOUT = (PROJECT / "lib" / "pyproject.toml").is_file()


def cache_dir() -> Path:
    """Folder of everything that can be computed again; ``OPENSCENES_CACHE`` moves it.

    Otherwise ``.cache/openscenes`` in the checkout, or in the user's cache folder without one.
    """
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own = (PROJECT / ".cache" if IN_CHECKOUT else user) / "openscenes"
    path = Path(os.environ.get("OPENSCENES_CACHE") or own)
    path.mkdir(parents=True, exist_ok=True)
    return path


def check_checkout() -> None:
    """Refuse what needs the notebooks and reports of a checkout.

    Raises:
        InputError: if the package was installed without one.
    """
    if not IN_CHECKOUT:
        raise InputError(
            "this command needs the project's notebooks and reports, which an installed package "
            "does not have; clone the project and run `make setup`, or `pip install -e ./lib`."
        )


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write; put it in place whole when the block ends well.

    A reader sees the old file or the new one, never half of one; two writers do not mix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
