"""Where things lie, and how a file is put in place whole."""

import ctypes
import errno
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from zlib import crc32

from openscenes.errors import InputError
from openscenes.files import reason

# The checkout's top folder; of a package that was installed without one, nothing to write into.
PROJECT = Path(__file__).resolve().parents[2]
SHOWN = PROJECT / "reports"  # what the repository shows; `make reports` renews it
OWN = SHOWN / "own"  # of whoever runs the study; git ignores it
RELEASED = Path(__file__).resolve().parent / "released"  # models that lie in the repository
IN_CHECKOUT = (PROJECT / "lib" / "pyproject.toml").is_file()


def cache_dir() -> Path:
    """Folder of everything that can be computed again; ``OPENSCENES_CACHE`` moves it.

    Otherwise ``.cache/openscenes`` in the checkout, or in the user's cache folder without one.

    Raises:
        InputError: if it is no folder and cannot be made one.
    """
    named = os.environ.get("OPENSCENES_CACHE")
    try:
        path = Path(named).expanduser().absolute() if named else _own_cache()
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows the user's home
        raise InputError(
            f"the cache {named or 'of this user'!r} is no folder and cannot be made one "
            f"({reason(error)}); name another: OPENSCENES_CACHE=path/to/folder"
        ) from error
    return path


def _own_cache() -> Path:
    if IN_CHECKOUT:
        return PROJECT / ".cache" / "openscenes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openscenes"


def require_home() -> None:
    """Give a user without a home one in the cache: Jupyter and its kernels do not start without."""
    try:
        Path.home()
    except RuntimeError:
        home = cache_dir() / "home"
        home.mkdir(exist_ok=True)
        os.environ["HOME"] = str(home)


def folder_of(word: str) -> Path | None:
    """A folder on the command line; an empty word is none, not the folder that one stands in."""
    return Path(word) if word else None


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False, not an error, for a name that no disk can hold."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def expanded(word: str) -> Path:
    """A path with the user's home put in; as it is where nobody knows that home."""
    try:
        return Path(word).expanduser()
    except RuntimeError:
        return Path(word)


def is_file(path: Path) -> bool:
    """Whether it is a file; False, not an error, for a name that no disk can hold."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def require_writable(folder: Path, mend: str) -> None:
    """Make a folder, before the work whose results go there.

    Args:
        mend: what to do instead, such as "name another with --reports".
    Raises:
        InputError: if it is no folder, cannot be made, or is read only.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(folder, os.W_OK | os.X_OK) else "it is read only"
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        why = reason(error)
    if why:
        raise InputError(f"{str(folder)!r} cannot be written to ({why}); {mend}")


def check_checkout() -> None:
    """Refuse what needs the notebooks and reports of a checkout."""
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
    partial = partial_of(path)
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: an empty sibling to fill, which takes the place of an older one."""
    partial, aside = partial_of(path), path.with_name(f".{path.name}.old")
    if aside.exists() and not path.exists():
        aside.rename(path)  # a process was killed between its two renamings
    partial.mkdir(parents=True)
    try:
        yield partial
        _put_in_place(partial, path, aside)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, path: Path, aside: Path) -> None:
    """Rename a folder; an older one is swapped with it, or put aside where that cannot be done."""
    try:
        partial.rename(path)
    except OSError:
        if not path.is_dir():
            raise
        if _exchanged(partial, path):
            return
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        try:
            partial.rename(path)
        except OSError:
            aside.rename(path)
            raise
        shutil.rmtree(aside)


_MACHINE = f"{crc32(platform.node().encode()):08x}"  # folders may be shared between machines
_NUMBERS = count()
_WRITER = re.compile(r"-(\d+)-\d+\.partial$")


def partial_of(path: Path) -> Path:
    """A hidden sibling that nobody else writes to, for what is to become ``path``.

    What dead processes of this machine left of the same path is removed.
    """
    start = f".{path.name[:40]}.{_MACHINE}-"
    for leftover in path.parent.glob(f"{escape(start)}*.partial"):
        writer = _WRITER.search(leftover.name)
        if writer is not None and not _is_running(int(writer[1])):
            with suppress(OSError):  # of another user, or another process removes it as well
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return path.with_name(f"{start}{os.getpid()}-{next(_NUMBERS)}.partial")


def scratch(folder: str | Path | None = None) -> dict[str, Any]:
    """How what lasts as long as a process is named in a folder; what killed processes left goes.

    Args:
        folder: None for the system's temporary one; ``mkdtemp`` takes the two ends.
    """
    place = Path(folder or gettempdir()) / "openscenes"
    name, process, number = partial_of(place).name.rsplit("-", 2)
    return {"prefix": f"{name}-", "suffix": f"-{process}-{number}"}


def _is_running(process: int) -> bool:
    """Whether there is such a process here; True where the system cannot be asked."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system has no such step."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if swap(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return True
    if ctypes.get_errno() in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
