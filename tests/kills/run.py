"""By hand or as ``make kills``: ``python tests/kills/run.py [--kills N] [--seed N] [NAME ...]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(OMP_WAIT_POLICY="PASSIVE", OMP_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parent))

from doors import WITHOUT_MODELS, annotated, doors, trained, warm
from killing import run, series
from races import RACES, WRONG
from workers import KILLED, MOST, killed_workers


def main() -> int:
    """Kill, print one line per door, fail where anything is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="for each door, and of workers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None, help="a folder to work in and to keep")
    parser.add_argument("names", nargs="*", help="doors and races by name; all by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as own:
        place = asked.keep or Path(own)
        template = place / "template"
        template.mkdir(parents=True, exist_ok=True)
        known = doors(template)
        names = asked.names or [*known, *RACES]
        made = [annotated] if set(names) <= WITHOUT_MODELS else [annotated, trained]
        for make in made:
            if not (template / make.__name__).exists():
                assert run(make, template) == 0, f"see {template}.log"
                (template / make.__name__).touch()
        if trained in made:
            warm(template)
        fine = True
        for name in names:
            if name in RACES:
                race = killed_workers(min(asked.kills, MOST)) if name == KILLED else RACES[name]
                found = race(template, place / name.replace(" ", "-"))
                print(f"{name}:", ", ".join(f"{n} {what}" for what, n in found.items()), flush=True)
                fine = fine and not any(found[what] for what in WRONG)
                continue
            door = known[name]
            tally = series(door, place / name.replace(" ", "-"), kills=asked.kills, seed=asked.seed)
            print(tally, flush=True)
            for one in dict.fromkeys([*tally.complaints, *tally.left_over][:20]):
                print(f"  {one}", flush=True)
            fine = fine and tally.clean
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
