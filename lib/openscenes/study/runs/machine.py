"""What this process may use of its machine: a queue or a container may give it a part alone."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GIB = 2**30
_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_LIMITS = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}  # version 2, 1


def cores() -> int:
    """Cores that the system lets this process run on."""
    from dask.system import cpu_count  # part of a second

    return int(cpu_count())


def memory_gib() -> float:
    """The least of what the machine has and its control groups allow; inf if nothing tells."""
    limits = list(_limits_of_groups())
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits, default=float("inf")) / GIB


def _limits_of_groups() -> Iterator[float]:
    """Bytes that the groups of this process may take, its own and those around it."""
    with suppress(OSError, ValueError):
        for line in _OWN.read_text(encoding="utf-8").splitlines():
            _, kind, name = line.split(":", 2)
            if kind not in _LIMITS:
                continue
            folder, file = _LIMITS[kind]
            own = _GROUPS / folder / name.lstrip("/")
            for group in (own, *own.parents):
                with suppress(OSError, ValueError):  # "max" is no limit
                    yield float((group / file).read_text(encoding="ascii"))
