"""Lines added to the end of a file: all of them and on the disk, or none."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from openscenes.errors import InputError
from openscenes.files import one_line, reason, require_regular

LONGEST_BYTES = 1 << 24  # of one line; a longer one is none of ours
_BLOCK = 1 << 16
_ENDS = 256
_LONGEST_SHOWN = 1000  # characters of a path
_MAY_LOOK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def append_whole(path: Path, lines: bytes, completion: Callable[[bytes], bytes]) -> None:
    """Add lines to a file, after the end of a line that a crash has left open.

    Args:
        path: need not exist yet; its folder must.
        lines: whole ones, or none to end an open line only.
        completion: what ends the open line that it is given; b"" needs no end.
    Raises:
        DataError: if something that is no file lies there.
        OSError: if there is no room or no permission; the file is as it was then.
    """
    is_new = not os.path.lexists(path)
    if not is_new:
        require_regular(path)
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            _write_all(file, completion(_tail(file, end)) + lines)
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise
    if is_new:
        _sync_folder(path.parent)


def whole_lines(path: Path, start: int) -> Iterator[bytes | int]:
    """Lines from byte ``start`` on, with their end; of one that is too long, its length alone.

    A last line without its end is left out, as another process may be writing it.
    """
    with path.open("rb", buffering=1 << 20) as file:
        file.seek(start)
        n_before = 0
        while line := file.readline(LONGEST_BYTES):
            if line.endswith(b"\n"):
                yield n_before + len(line) if n_before else line
                n_before = 0
            elif len(line) < LONGEST_BYTES:
                return  # what is added to it from now on is read with it next time
            else:
                n_before += len(line)


def ends(path: Path, length: int) -> bytes:
    """The first and last bytes of a file's first ``length`` bytes, to know it again by."""
    with path.open("rb") as file:
        first = file.read(min(_ENDS, length))
        file.seek(max(0, length - _ENDS))
        return first + file.read(min(_ENDS, length))


def shown(path: Path) -> str:
    """A path for a sentence: on one line, whatever its name holds."""
    return one_line(str(path), _LONGEST_SHOWN)


class NotWritable(InputError):
    """Nothing can be written at a place.

    Attributes:
        may_look: what lies there can be read all the same: no room, or no permission to write.
    """

    def __init__(self, place: Path, error: OSError) -> None:
        """Say why, and how to mend it."""
        super().__init__(
            f"{shown(place)} cannot be written to ({reason(error)}); give a workspace in a "
            "folder that exists, that you may write to and that has room."
        )
        self.may_look = error.errno in _MAY_LOOK


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say in one sentence why nothing can be written at a place; raises NotWritable."""
    try:
        yield
    except OSError as error:
        raise NotWritable(place, error) from error


def _write_all(file: FileIO, content: bytes) -> None:
    while content:
        content = content[file.write(content) :]


def _tail(file: FileIO, end: int) -> bytes:
    """What stands after the end of the last whole line; the end of it where it is too long."""
    start, n_bytes, tail = end, _BLOCK, b""
    while start and b"\n" not in tail and len(tail) < LONGEST_BYTES:
        start, n_bytes = max(0, end - n_bytes), 2 * n_bytes
        file.seek(start)
        tail = file.read(end - start)
    return tail.rpartition(b"\n")[2]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name outlive a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
