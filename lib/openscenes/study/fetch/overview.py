"""What ``make data`` says: what is there, what is missing, how large it is, and what to type."""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from openscenes.downloads import gigabytes
from openscenes.files import one_line
from openscenes.networks.weights import published_imagenet
from openscenes.paths import IN_CHECKOUT, cache_dir
from openscenes.study.fetch.catalogue import SETS, WEIGHTS, Archive
from openscenes.study.fetch.whole import fetched_bytes, given, lacking, left_of, state_of
from openscenes.study.plan.requirements import imagenet_kinds
from openscenes.study.profiles import PAPER, Profile
from openscenes.study.runs.models import local_imagenet

_SLOW, _FAST, _UNPACKED = 10e6, 100e6, 50e6  # bytes per second; many small files are slow to write


def overview(data: Path | None, profile: Profile) -> str:
    """What is there, what is missing, how large it is, and what to type; nothing is fetched."""
    place = "DATA" if data is None else one_line(str(data))
    free = "" if data is None else f", where {gigabytes(free_bytes(data))} are free"
    lines = [f"Data sets in {place}{free}:", f"  {'':12}{'to fetch':>9}{'on disk':>9}, about"]
    missing = []
    for name in SETS:
        state, left = state_of(name, data)
        missing += [name] if left and not SETS[name].by_hand else []
        every = SETS[name].archives
        fetched = gigabytes(sum(archive.n_bytes for archive in every))
        taken = gigabytes(sum(archive.unpacked for archive in every))
        hand = "  by hand" if SETS[name].by_hand and left else ""
        lines.append(f"  {name:12}{fetched:>9}{taken:>9}  {state}{hand}".rstrip())
    kinds, more = weights_of(data, profile), missing_bytes(data, profile)
    missing += [WEIGHTS] if more else []
    size = gigabytes(sum(published_imagenet(kind)[2] for kind in kinds))
    told = ", ".join(f"{kind} {'there' if there else 'missing'}" for kind, there in kinds.items())
    lines.append(f"  {WEIGHTS:12}{size:>9}{size:>9}  of ImageNet, in the cache: {told}")
    if missing:
        left = [archive for name in missing for archive in left_of(name, data)]
        lines += ["", f"{sums(left, data, more)}. Type:", f"  {_typed(data, missing)}"]
    if state_of("cityscapes", data)[1]:
        lines += ["", how_by_hand("cityscapes", data)]
    owners = ", ".join(dict.fromkeys(one.owner for one in SETS.values()))
    lines += ["", "Archives are compared with torchvision's checksums (COCO's pages state none)."]
    return "\n".join([*lines, f"Each is under its owner's terms: {owners}."])


def free_bytes(data: Path) -> int:
    """Free bytes where a folder lies or will lie."""
    there = next(folder for folder in (data, *data.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(there).free


def sums(left: Sequence[Archive], data: Path | None, more: int = 0) -> str:
    """How much is still to be fetched and unpacked, and how long that takes."""
    n_bytes = more + sum(
        archive.n_bytes - (fetched_bytes(archive, data) if data else 0)
        for archive in dict.fromkeys(left)
        if data is None or not given(archive, data)
    )
    unpacked = sum(archive.unpacked for archive in dict.fromkeys(left))
    return (
        f"{gigabytes(n_bytes)} to fetch ({_minutes(n_bytes / _SLOW)} at 10 MB/s, "
        f"{_minutes(n_bytes / _FAST)} at 100 MB/s), {gigabytes(unpacked)} to unpack (about "
        f"{_minutes(unpacked / _UNPACKED)})"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"


def _typed(data: Path | None, names: Sequence[str]) -> str:
    place = "path/to/folder" if data is None else shlex.quote(str(data))
    if IN_CHECKOUT:
        return f'make data DATA={place} SETS="{" ".join(names)}"'
    return f"openscenes data --data {place} {' '.join(names)}"


def how_by_hand(name: str, data: Path | None) -> str:
    """What to do for a data set that wants a login."""
    left = [one for one in left_of(name, data) if data is None or not given(one, data)]
    files = " and ".join(f"{one.name} ({gigabytes(one.n_bytes)})" for one in left)
    place = "DATA" if data is None else one_line(str(data))
    there = f"put {files} into {place}, and" if files else f"its archives lie in {place};"
    return (
        f"{SETS[name].title} wants a login: register at {SETS[name].by_hand}, {there} "
        f"{_typed(data, [name])} checks and unpacks them"
    )


def not_whole(name: str, data: Path) -> str:
    """What a set that is there lacks, and what to do: nothing that is there is removed."""
    places = " and ".join(one_line(str(data / archive.place)) for archive in SETS[name].archives)
    return (
        f"{SETS[name].title} is not whole ({lacking(name, data)}); move {places} away, and the "
        "same command fetches it again"
    )


def weights_of(data: Path | None, profile: Profile) -> dict[str, Path | None]:
    """torchvision's names of the ImageNet networks that a profile needs -> the file, if there.

    A profile of synthetic scenes needs none; it is told what ``paper`` does.
    """
    found: dict[str, Path | None] = {}
    for kind in imagenet_kinds(profile) or imagenet_kinds(PAPER):
        local, published = local_imagenet(data or cache_dir(), kind), published_imagenet(kind)[1]
        found[kind] = local or (published if published.is_file() else None)
    return found


def missing_bytes(data: Path | None, profile: Profile) -> int:
    """Bytes of the ImageNet weights that are still to be fetched."""
    kinds = weights_of(data, profile)
    return sum(published_imagenet(kind)[2] for kind, there in kinds.items() if there is None)
