"""Several windows on one folder at once, each a process that does what comes to its mind."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from runpy import run_path
from typing import Any

from killing import left_over, side_by_side

from openscenes.annotator.exchange.export import KINDS, export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Snapshot, to_json
from openscenes.annotator.store.workspace import open_workspace
from openscenes.errors import OpenScenesError

DESKS = run_path(str(Path(__file__).parents[1] / "annotator" / "desks.py"))
ACTIONS = {
    "click": 6, "correct": 6, "accept": 6, "name": 3, "delete": 2, "undo": 3, "redo": 2,
    "go": 2, "export": 1, "import": 1,
}  # fmt: skip
PATIENCE_S = 120.0


class Confirming(Log):
    """A log that remembers what it has confirmed."""

    confirmed: list[str]

    def append(self, *snapshots: Snapshot) -> None:
        """As a log does."""
        super().append(*snapshots)
        self.confirmed = [*getattr(self, "confirmed", ()), *map(_told, snapshots)]


def race(
    place: Path,
    *,
    windows: int,
    actions: int,
    seed: int = 0,
    beside: Sequence[Callable[[Path], None]] = (),
) -> Counter[str]:
    """Let windows work side by side in ``place / "images"``, where images may lie already.

    Args:
        beside: other work that is done at the same time.
    Returns:
        How many actions of each kind there were, how many were refused in one sentence, and
        how much went wrong: "raised", "lost", "unseen", "damaged", "left over".
    """
    images = place / "images"
    if not images.exists():
        images.mkdir(parents=True)
        DESKS["write_images"](images)

    def window(number: int) -> Callable[[Path], None]:
        return lambda there: _work(there, number, windows, actions, random.Random(seed + number))

    failed = side_by_side([*beside, *map(window, range(windows))], place)
    log = Log(images / "openscenes" / "log.jsonl")
    lines = {_told(one) for one in log.read_new()}
    final = _state(Annotations(Log(log.path)))
    happened: Counter[str] = Counter({"damaged": len(log.damaged) + len(log.torn)})
    happened["raised"] += len(failed)
    for report in (json.loads(path.read_text()) for path in place.glob("window-*.json")):
        happened.update(report["happened"])
        happened["confirmed"] += len(report["confirmed"])
        happened["lost"] += len(set(report["confirmed"]) - lines)
        happened["unseen"] += report["seen"] != final
    happened["left over"] = len(left_over(place))
    print(*failed, sep="\n", end="")
    return happened


def _work(place: Path, number: int, windows: int, actions: int, rng: random.Random) -> None:
    happened: Counter[str] = Counter()
    workspace = open_workspace(place / "images")
    log = Confirming(workspace.log_path)
    desk = Desk(workspace, Annotations(log), DESKS["BoxModel"](f"window {number}"))
    for _ in range(actions):
        action = rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        try:
            _act(desk, action, place, rng)
            happened[action] += 1
        except OpenScenesError as error:
            happened["refused" if "\n" not in str(error) else "raised"] += 1
        except Exception:
            traceback.print_exc()
            happened["raised"] += 1
    (place / f"done-{number}").touch()
    patience = time.monotonic() + PATIENCE_S
    while len(list(place.glob("done-*"))) < windows and time.monotonic() < patience:
        time.sleep(0.01)
    desk.refresh()
    report = {"happened": happened, "confirmed": getattr(log, "confirmed", []),
              "seen": _state(desk.annotations)}  # fmt: skip
    (place / f"window-{number}.json").write_text(json.dumps(report))


def _act(desk: Desk, action: str, place: Path, rng: random.Random) -> None:
    row, col = rng.randint(6, 20), rng.randint(12, 30)
    if action in ("correct", "accept", "name", "delete"):
        desk.refresh()
        desk.choose(rng.choice([one.object_id for one in desk.objects] or [None]))
    if action == "click":
        desk.draw((5, 10, row + 10, col + 20))
        desk.point(row, col)
    elif action == "correct":
        desk.correct(row, col, rng.choice([1, -1]))
    elif action == "name":
        desk.name(rng.choice(["cat", "dog", "Straße", ""]))
    elif action == "go":
        desk.go(rng.choice([1, -1]))
    elif action == "export":
        kind = rng.choice(KINDS)
        export(desk.annotations, desk.workspace, kind, place / "exports" / kind)
    elif action == "import":
        import_objects(desk.annotations, desk.workspace, place / "exports" / rng.choice(KINDS))
    else:
        getattr(desk, action)()


def _told(one: Snapshot) -> str:
    return json.dumps(to_json(one))


def _state(annotations: Annotations) -> list[Any]:
    accepted = [one.object_id for one in annotations.accepted()]
    return [[_told(one) for one in annotations.objects()], accepted]
