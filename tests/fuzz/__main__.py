"""Run the cases and print a table of doors; exit 1 if one broke, lied or lost something."""

import os

os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0", OMP_NUM_THREADS="1")

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import torch
from tests.fuzz.doors import CASES, names
from tests.fuzz.frame import FAULTS, KINDS, Outcome
from tests.fuzz.workers import run_all


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", help="cases, or prefixes of their names")
    parser.add_argument("--share", type=float, default=1.0, help="of each door's cases")
    parser.add_argument(
        "--first", type=int, default=0, help="seed of each mutation, for other cases"
    )
    parser.add_argument("--without", nargs="*", default=[], help="prefixes that are left out")
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--keep", type=Path, help="keep the input of each case in this folder")
    parser.add_argument("--all", action="store_true", help="print every case")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    asked = [name for name in args.names if name.rpartition("/")[0] in CASES]
    chosen = [name for name in names(args.share, args.first) if _fits(name, args.names or [""])]
    chosen = [name for name in dict.fromkeys(asked + chosen) if not _fits(name, args.without)]
    folder = Path(args.keep or tempfile.mkdtemp(prefix="openscenes-fuzz-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    began, found = time.monotonic(), {}
    for name, outcome in run_all(chosen, CASES, folder, args.workers, keep=args.keep is not None):
        found[name] = outcome
        if outcome.kind in FAULTS or args.all:
            print(f"{name}: {outcome.kind}: {outcome.words[:400]!r}", flush=True)
    if args.keep is None:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{table(found)}\n\n{len(found)} cases in {time.monotonic() - began:.0f} s")
    failed = sorted(name for name, outcome in found.items() if outcome.kind in FAULTS)
    if failed:
        print(f"Again, with its input kept: python -m tests.fuzz --keep FOLDER {failed[0]}")
    return 1 if failed or not found else 0


def table(found: dict[str, Outcome]) -> str:
    """One line per door, as markdown."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in sorted(found.items()):
        for door in (name.partition("/")[0], "all doors"):
            counts[door][outcome.kind] += 1
    counts["all doors"] = counts.pop("all doors", Counter())
    lines = [("door", "cases", *KINDS), ("---",) * (2 + len(KINDS))]
    lines += [
        (door, count.total(), *(count[kind] for kind in KINDS)) for door, count in counts.items()
    ]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _fits(name: str, prefixes: list[str]) -> bool:
    return any(
        f"{name}/".startswith(prefix.rstrip("/") + "/" * bool(prefix)) for prefix in prefixes
    )


if __name__ == "__main__":
    sys.exit(main())
