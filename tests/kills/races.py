"""What several processes do at once in one cache or folder, and what must come of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from doors import PERSON, doors, study_in
from killing import contents, left_over, side_by_side
from windows import race
from workers import KILLED, MOST, killed_workers

from openscenes.annotator.evolve.judgement import evolved
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import Workspace
from openscenes.errors import OpenScenesError
from openscenes.study.runs.data import new_scene, source, validation
from openscenes.synthetic import SceneSizes, write_scenes

Race = Callable[[Path, Path], Counter[str]]


def windows(n: int, actions: int = 300) -> Race:
    """So many windows on one folder."""
    return lambda template, place: race(place, windows=n, actions=actions)


def evolving_beside(template: Path, place: Path) -> Counter[str]:
    """Two processes evolve, judge and accept while two windows annotate the same images."""
    shutil.copytree(template, place, dirs_exist_ok=True, symlinks=True)

    def evolve(there: Path) -> None:
        workspace = Workspace(there / "images", there / "images" / "openscenes")
        accepted = PERSON["accepted"](workspace)[:12]
        new = evolved(workspace, study_in(there), accepted).new
        Versions(workspace.folder).accept(new.name)

    found = race(place, windows=2, actions=150, beside=[evolve, evolve])
    history = Versions(place / "images" / "openscenes").history()
    found["decisions"] = len(history)
    found["doubled"] = len(history) - len({(one.what, one.version) for one in history})
    return found


def same_work(name: str, n: int = 2) -> Race:
    """A door's whole work, done by several at once: as if one had done it."""

    def compare(template: Path, place: Path) -> Counter[str]:
        door, alone = doors(template)[name], place.with_name(f"{place.name}-alone")
        for folder, times in ((alone, 1), (place, n)):
            folder.mkdir(parents=True)
            door.prepare(folder)
            failed = side_by_side([door.work] * times, folder)
        found = Counter({"raised": len(failed), "left over": len(left_over(place))})
        found["differ"] = int(door.result(place) != door.result(alone))
        print(*failed, sep="\n", end="")
        return found

    return compare


def first_starts(template: Path, place: Path) -> Counter[str]:
    """Four processes that find an empty cache: scenes, indexes and clicks are made."""
    place.mkdir(parents=True)

    def start(there: Path) -> None:
        study = study_in(there)
        names = [source(study, "voc+sbd").digest, new_scene(study, "coco").digest]
        names += [validation(study, name).digest for name in ("voc", "cityscapes", "coco")]
        with (there / "digests").open("a") as file:
            file.write(json.dumps(names) + "\n")

    failed = side_by_side([start] * 4, place)
    print(*failed, sep="\n", end="")
    differ = len(set((place / "digests").read_text().splitlines())) - 1
    return Counter({"raised": len(failed), "differ": differ, "left over": len(left_over(place))})


def scenes_twice(template: Path, place: Path) -> Counter[str]:
    """Two write scenes into one folder: one does, the other is refused in a sentence."""
    place.mkdir(parents=True)
    sizes = SceneSizes(1, 1, 2, 1, 1, 1, 1)

    def write(there: Path) -> None:
        try:
            write_scenes(there / "scenes", sizes=sizes)
        except OpenScenesError:
            (there / "refused").touch()
        except OSError:  # as the command says in a sentence
            (there / "refused").touch()

    failed = side_by_side([write, write], place)
    write_scenes(place / "alone", sizes=sizes)
    differ = contents(place / "scenes") != contents(place / "alone")
    refused = int((place / "refused").exists())
    return Counter(raised=len(failed), differ=int(differ), refused=refused,
                   **{"left over": len(left_over(place))})  # fmt: skip


RACES: dict[str, Race] = {
    "two windows": windows(2),
    "four windows": windows(4),
    "evolving beside two windows": evolving_beside,
    "four first starts": first_starts,
    "two scenes into one folder": scenes_twice,
    "two train": same_work("training"),
    "two score": same_work("scoring"),
    "two write a table": same_work("table writing"),
    "four export": same_work("export coco", 4),
    KILLED: killed_workers(MOST),
}
WRONG = ("raised", "lost", "unseen", "damaged", "differ", "doubled", "left over", "hang")
