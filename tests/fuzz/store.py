"""Doors ``log``, ``workspace``, ``versions`` and ``desk``: what the annotator keeps and opens."""

import json
import os
from math import isfinite
from types import SimpleNamespace

import numpy as np
from tests.fuzz import pictures
from tests.fuzz.codes import right_mask
from tests.fuzz.frame import Place, check, command, is_secret
from tests.fuzz.images import near, pillows
from tests.fuzz.mutations import BYTES, NO_FILE, ODD_TEXT, SAVED, each, odd_json, to_text
from tests.fuzz.rooms import BoxModel, accept, annotated, check_masks, opened, pictures_in

from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.snapshot import seconds_between
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import digest_of, workspace_of
from openscenes.data.datasets.images import read_image
from openscenes.study.runs.models import Model
from openscenes.study.runs.store import put_json


def _sound(place: Place, kept: dict, but: set[str]) -> None:
    """A log can be opened, has what was not touched, and takes one more object."""
    room = place.try_(opened, place)
    if room is None:
        check(False, f"the workspace cannot be opened: {place.refused}")
    check_masks(room, kept, but=but)
    for one in room.annotations.objects():
        numbers = [*one.box, *(part for click in one.clicks for part in click)]
        check(all(map(isfinite, numbers)) and max(map(abs, numbers)) < 1e9, "an odd number is kept")
        check(right_mask(one.mask) is not None, "a damaged mask is kept")
        words = [one.object_id, one.image, one.model, one.window, one.class_name or ""]
        lines = [word.encode("utf-8", "replace").decode() == word and len(word.splitlines()) < 2
                 for word in words]  # fmt: skip
        check(all(lines), f"odd words are kept: {words}"[:300])
        seconds_between(one.time, "2026-01-01T00:00:00+00:00")
    new = accept(room, place, "0.png", "new")
    again = opened(place)
    check_masks(again, kept | {new: room.masks[new]}, but=but)
    if place.random.random() < 0.5:
        again.annotations.delete(new)


def _log(kind: str, place: Place) -> None:
    """One line of a log is changed; the others count."""
    room = annotated(place)
    path = room.workspace.log_path
    lines = path.read_bytes().splitlines(keepends=True)
    number = place.random.randrange(len(lines))
    entry = json.loads(lines[number])
    touched = {entry["object"]}
    if kind == "tree":
        changed, _ = odd_json(place.random, {"line": entry})
        lines[number] = to_text(changed.get("line")).encode() + b"\n"
        if isinstance(changed.get("line"), dict):
            touched.add(str(changed["line"].get("object")))
    elif kind == "double":
        lines.insert(number, lines[number])
        touched = set()
    elif kind in BYTES:
        changed = BYTES[kind](place.random, lines[number])
        lines[number] = changed
        if b"\n" not in changed[-1:] and number + 1 < len(lines):
            touched.add(json.loads(lines[number + 1])["object"])
    path.write_bytes(b"".join(lines))
    # Of an object whose line is gone, an older one counts: all others must be as they were.
    _sound(place, room.masks, touched)


def _whole_log(kind: str, place: Place) -> None:
    """The file as a whole: other ends of lines, rubbish around, something else in its place."""
    room = annotated(place)
    path, kept = room.workspace.log_path, room.masks
    content = path.read_bytes()
    rubbish = place.random.choice(
        [b"\0" * 4096, b"\xff\xfe" * 9, b"[]\n" * 5, b"null\n", b"<<<<<<< HEAD\n"]
    )
    if kind in NO_FILE:
        NO_FILE[kind](path)
        again = place.try_(opened, place)
        check(again is None or not again.annotations.objects(), "objects out of nothing")
    else:
        wholes = {"crlf": content.replace(b"\n", b"\r\n"), "blank": content.replace(b"\n", b"\n\n"),
                  "bom": b"\xef\xbb\xbf" + content, "before": rubbish + b"\n" + content,
                  "after": content + rubbish, "twice": content + content}  # fmt: skip
        path.write_bytes(wholes[kind])
        first = {json.loads(content.splitlines()[0])["object"]} if kind == "bom" else set()
        _sound(place, kept, first)


def _workspace(kind: str, place: Place) -> None:
    """What says whose workspace it is: refused, or it is that of these pictures."""
    room = annotated(place, n=2)
    path = room.workspace.folder / "workspace.json"
    if kind in NO_FILE:
        NO_FILE[kind](path)
    elif kind == "tree":
        changed, _ = odd_json(place.random, {"all": json.loads(path.read_text())})
        path.write_text(to_text(changed.get("all")))
    elif kind in SAVED:
        path.write_bytes(SAVED[kind](path.read_text()))
    else:
        path.write_bytes(BYTES[kind](place.random, path.read_bytes()))
    again = place.good(opened, place) if kind in SAVED else place.try_(opened, place)
    if again is not None:
        check(again.workspace.images == place.work / "photos", "other pictures")
        check_masks(again, room.masks)
    place.try_(workspace_of, room.workspace.log_path)


def _pictures(kind: str, place: Place) -> None:
    """A folder whose odd picture sorts first: the others are shown as they are."""
    names = ("b.png", "c.png")
    pictures_in(folder := place.work / "photos", place, names)
    odd = folder / "a.png"
    odd.write_bytes(content := pictures.plain(place.numbers).content)
    if kind in NO_FILE:
        NO_FILE[kind](odd)
    elif kind in pictures.FOREIGN:
        odd.write_bytes(pictures.FOREIGN[kind])
    elif kind == "huge":
        odd.write_bytes(pictures.huge(place.random)[0])
    elif kind == "outside":
        odd.unlink()
        odd.symlink_to("../../secret.png")
    else:
        odd.write_bytes(BYTES[kind](place.random, content))
    room = place.good(opened, place)
    desk = place.good(Desk, room.workspace, room.annotations, BoxModel())
    laid = set()
    for at in range(len(desk.images)):
        before = desk.place, desk.facts.digest
        place.try_(desk.lay, at)
        check(
            desk.place == at or (desk.place, desk.facts.digest) == before, "place without picture"
        )
        check(desk.facts.digest == digest_of(desk.path), "facts of another picture")
        check((desk.displayed.pixels == read_image(desk.path, upright=True)).all(), "other pixels")
        check(not is_secret(desk.displayed.pixels) or kind == "outside", "a picture from outside")
        laid.add(desk.path.name)
        height, width = desk.displayed.pixels.shape[:2]
        desk.draw((0, 0, height, width))
        desk.point(height / 2, width / 2)
        check(desk.object.image == desk.path.name, "the log names another picture")
    check(laid >= set(names), f"only {sorted(laid)} can be looked at")
    wanted = (
        pillows(odd.read_bytes()) if odd.is_file() and kind not in ("device", "terminal") else None
    )
    if "a.png" in laid and wanted is not None and wanted.size:
        check(near(read_image(odd), wanted, 1), "the odd picture differs")


def _acts(_: str, place: Place) -> None:
    """Actions in any order with odd numbers; a new window then sees what this one has."""
    pictures_in(place.work / "photos", place)
    room, random = opened(place), place.random
    desk = Desk(room.workspace, room.annotations, BoxModel())
    odd = (float("nan"), float("inf"), -1e300, -5, 0, 0.5, 7, 12.25, 39, 40, 59, 61, 1e9)
    for _ in range(random.randrange(4, 12)):
        numbers = [
            random.choice(odd) if random.random() < 0.2 else random.uniform(0, 39) for _ in "abcd"
        ]
        low, high = sorted(numbers[:2]), sorted(numbers[2:])
        ids = [one.object_id for one in room.annotations.objects()]
        acts = (
            (desk.draw, (low[0], high[0], low[1], high[1])), (desk.point, numbers[0], numbers[2]),
            (desk.draw, (5, 5, 30, 30)), (desk.point, 10, 12), (desk.accept,), (desk.delete,),
            (desk.correct, numbers[0], numbers[1], random.choice([1, -1, 1, 0, 7])), (desk.undo,),
            (desk.redo,), (desk.name, random.choice(ODD_TEXT)), (desk.point, 10, 12),
            (desk.go, random.choice([1, -1, 99])), (desk.accept,),
            (desk.choose, random.choice([None, "nothing", *ids])),
        )  # fmt: skip
        act, *values = random.choice(acts)
        place.try_(act, *values)
        desk.progress()
        [desk.mask_of(one) for one in desk.objects]
    again = opened(place)
    check(not again.annotations.log.complaint(), again.annotations.log.complaint())
    for one in ("objects", "accepted"):
        ours, theirs = getattr(room.annotations, one)(), getattr(again.annotations, one)()
        check([o.content for o in ours] == [o.content for o in theirs], "another window differs")
    for one in again.annotations.objects():
        mask, wanted = right_mask(one.mask), np.zeros((40, 60), bool)
        row0, col0, row1, col1 = map(round, one.box)
        wanted[row0:row1, col0:col1] = True
        check(len(one.clicks) > 1 or (mask == wanted).all(), "an object has another mask")


def _versions(kind: str, place: Place) -> None:
    """Three versions, one of whose files is changed: the others are listed, none is lost."""
    room = annotated(place, n=1)
    versions, study = (
        Versions(room.workspace.folder),
        SimpleNamespace(profile=SimpleNamespace(name="smoke")),
    )
    (runs := place.work / "runs" / "aaa").mkdir(parents=True)
    (runs / "model.safetensors").write_bytes(b"weights")
    versions.adopt(study, Model("aaa", runs, "smoke initial"), by="ann")
    for name, parent in (("bbb", "aaa"), ("ccc", "bbb")):
        about = {"label": f"evolved {name}", "parent": parent, "profile": "smoke",
                 "learned": ["x"], "initial_set": "voc", "made_of": {"model": name}}  # fmt: skip
        put_json(versions.folder / name / "about.json", about)
        (versions.folder / name / "model.safetensors").write_bytes(b"weights")
        versions.add(name, by="ann")
    versions.accept("bbb", by="ann")
    path = versions.folder / "bbb" / "about.json"
    if kind.startswith("history"):
        path, kind = versions.folder / "history.jsonl", kind.removeprefix("history-")
        lines = path.read_text().splitlines()
        if kind == "tree":
            at = place.random.randrange(len(lines))
            changed, _ = odd_json(place.random, {"all": json.loads(lines[at])})
            lines[at] = to_text(changed.get("all"))
            path.write_text("\n".join(lines) + "\n")
    elif kind == "tree":
        changed, _ = odd_json(place.random, {"all": json.loads(path.read_text())})
        path.write_text(to_text(changed.get("all")))
    if kind in ("cycle", "self", "html"):
        changes = {"cycle": {"parent": "ccc"}, "self": {"parent": "bbb"},
                   "html": {"label": "<script>alert(1)</script>\nx"}}  # fmt: skip
        put_json(path, json.loads(path.read_text()) | changes[kind])
    elif kind in NO_FILE:
        NO_FILE[kind](path)
    elif kind in BYTES:
        path.write_bytes(BYTES[kind](place.random, path.read_bytes()))
    if path.name == "about.json":
        found = place.try_(versions.all)
        names = {version.name for version in found or ()}
        check(names >= {"aaa", "ccc"}, f"sound versions are lost: {place.refused or names}")
        for version in found or ():
            place.try_(versions.lineage, version)
            check(version.label.isprintable(), "a label of several lines")
    for word in place.random.sample(
        ["--status", "--accept=ccc", "--refuse=ccc", "--rollback", "--accept"], 2
    ):
        place.try_(command, "evolve", "--log", room.workspace.log_path, word)
    place.try_(versions.current)
    check_masks(opened(place), room.masks)
    check(
        all((versions.folder / name / "model.safetensors").is_file() for name in ("aaa", "ccc")),
        "weights are lost",
    )


os.umask(0o022)
_WHOLE = ("crlf", "blank", "bom", "before", "after", "twice")
DOORS = {
    "log": each(150, _log, ("tree",)) | each(10, _log, BYTES) | each(3, _whole_log, _WHOLE)
    | each(1, _whole_log, NO_FILE),
    "workspace": each(30, _workspace, ("tree",)) | each(3, _workspace, BYTES)
    | each(1, _workspace, SAVED) | each(1, _workspace, NO_FILE),
    "versions": each(35, _versions, ("tree", "history-tree")) | each(2, _versions, BYTES)
    | each(1, _versions, ("cycle", "self", "html"))
    | each(1, _versions, NO_FILE)
    | each(2, _versions, [f"history-{kind}" for kind in BYTES]),
    "desk": each(4, _pictures, BYTES) | each(1, _pictures, (*NO_FILE, *pictures.FOREIGN))
    | each(3, _pictures, ("huge", "outside")) | each(70, _acts, ("acts",)),
}  # fmt: skip
