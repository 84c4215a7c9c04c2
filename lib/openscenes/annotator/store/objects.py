"""The current state of all objects of all images, read from the log and written to it.

An image is known by its bytes, so that a renamed or doubled file keeps its objects. Undo and redo
write a new line that restores the former snapshot; nothing is ever erased.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import numpy as np

from openscenes.annotator.store.frames import code_of, upright
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.snapshot import (
    Action,
    Click,
    ImageFacts,
    Rle,
    Snapshot,
    new_id,
    now,
    seconds_between,
)
from openscenes.annotator.store.steps import Step, Steps, together
from openscenes.data.records import Box, Interaction
from openscenes.errors import InputError
from openscenes.masks import BoolMask, code_box, decode, distance_to_outside


class Annotations:
    """All objects of a log, with undo and redo for the actions of one window.

    Every action is on the disk when its method returns, and is made on the newest state, whichever
    window that came from. What cannot be written raises as ``Log.append`` does.
    """

    def __init__(self, log: Log, window: str | None = None) -> None:
        """Read the log; a ``window`` that wrote to it before can undo what it did then."""
        self.log = log
        self.window = window or new_id()
        self._objects: dict[str, Snapshot] = {}
        self._begun: dict[str, str] = {}
        self._digest_of_pixels: dict[str, str] = {}
        self._digests: set[str] = set()
        self._accepted: dict[str, None] = {}  # in the order of acceptance
        self._steps = Steps()
        self.newest_time = ""
        self.refresh()

    def refresh(self) -> tuple[str, ...]:
        """Take in what any window has written since; the ids of the objects that it changed."""
        lines = self.log.read_new()
        for line in lines:
            self._take_in(line)
        return tuple(dict.fromkeys(line.object_id for line in lines))

    def __contains__(self, object_id: object) -> bool:
        """Whether the log has ever had this object."""
        return object_id in self._objects

    def get(self, object_id: str) -> Snapshot:
        """An object's newest snapshot, deleted or not; InputError if there is no such object."""
        if object_id not in self._objects:
            raise InputError(f"There is no object {object_id!r}; choose one of the list.")
        return self._objects[object_id]

    def objects(self, digest: str | None = None) -> tuple[Snapshot, ...]:
        """Objects that are not deleted, oldest first, of one image or of all."""
        everything = self._objects.values()
        return tuple(
            one for one in everything if not one.deleted and digest in (None, one.image_digest)
        )

    def accepted(self, digest: str | None = None) -> tuple[Snapshot, ...]:
        """Accepted objects in the order of acceptance, of one image or of all."""
        newest = (self._objects[object_id] for object_id in self._accepted)
        return tuple(one for one in newest if digest in (None, one.image_digest))

    def recognised(self, facts: ImageFacts) -> ImageFacts:
        """The same facts under the digest that the log knows the image by.

        Those are its bytes, or where no object lies on these, those of the file that had the same
        pixels when it was annotated: a rating or a comment changes a file's bytes alone.
        """
        if facts.digest in self._digests or not facts.pixel_digest:
            return facts
        known = self._digest_of_pixels.get(facts.pixel_digest, facts.digest)
        return facts._replace(digest=known)

    def begin(
        self,
        image: ImageFacts,
        interaction: Interaction,
        mask: BoolMask,
        *,
        model: str,
        class_name: str | None = None,
    ) -> Snapshot:
        """Keep a new object with the mask that a version predicted from box and point.

        Args:
            mask: (H, W) bool, in image pixels; with box and point as the file stores them if its
                shape says so, see ``frames.upright``.
            model: the version that predicted it.
        Raises:
            InputError: if box or point cannot be kept, or the mask is not the image's size.
        """
        given, mask = upright(image, interaction, mask)
        code, (row, col) = code_of(mask, image.size), map(float, given.point)
        with self.newest():
            begun = Snapshot(
                action="asked", image=image.path, image_digest=image.digest, size=image.size,
                object_id=new_id(), box=Box(*map(float, given.box)),
                clicks=(Click(row, col, 1, 0.0),), model=model, first_mask=code, mask=code,
                pixel_digest=image.pixel_digest, class_name=class_name or None,
            )  # fmt: skip
            return self._write(begun, "asked")

    def draw(self, image: ImageFacts, mask: Rle, *, class_name: str | None = None) -> Snapshot:
        """Keep a new object whose mask the user drew: no version predicted it, all is by hand.

        Ours: box and inside point, which the method wants, are the mask's own box and its
        deepest pixel.
        """
        box = code_box(mask) or (0, 0, 1, 1)
        depth = distance_to_outside(np.pad(decode(mask, box), 1))[1:-1, 1:-1]
        row, col = np.unravel_index(int(depth.argmax()), depth.shape)
        point = Click(float(box[0] + row), float(box[1] + col), 1, 0.0)
        with self.newest():
            drawn = Snapshot(
                action="drawn", image=image.path, image_digest=image.digest, size=image.size,
                object_id=new_id(), box=Box(*map(float, box)), clicks=(point,), model="",
                first_mask=None, mask=mask, painted=mask, pixel_digest=image.pixel_digest,
                class_name=class_name or None,
            )  # fmt: skip
            return self._write(drawn, "drawn")

    def correct(
        self, object_id: str, click: tuple[float, float, int], mask: BoolMask, *, model: str
    ) -> Snapshot:
        """Keep one further click (row, col, sign) and the mask of all clicks; accept it anew."""
        with self.newest():
            old = self._present(object_id)
            row, col, sign = click
            clicks = (*old.clicks, Click(float(row), float(col), int(sign), self._seconds(old)))
            code = code_of(mask, old.size)
            new = replace(old, clicks=clicks, mask=code, model=model, accepted=False, stroke=None)
            return self._write(new, "corrected")

    def accept(self, object_id: str) -> Snapshot:
        """Take the object's mask; accepting it twice writes nothing."""
        return self._changed(object_id, "accepted", accepted=True)

    def name(self, object_id: str, class_name: str | None) -> Snapshot:
        """Give the object a class; blank means none."""
        return self._changed(object_id, "named", class_name=(class_name or "").strip() or None)

    def rename(self, old: str, new: str) -> tuple[Snapshot, ...]:
        """Give every object of a class another one; ``undo`` takes all of it back in one step."""
        with self.newest():
            named = [one for one in self.objects() if one.class_name == old]
            return self.write([replace(one, class_name=new) for one in named], "renamed")

    def delete(self, object_id: str) -> Snapshot:
        """Let the object count no longer; ``undo`` brings it back."""
        return self._changed(object_id, "deleted", deleted=True)

    def add(self, snapshots: list[Snapshot]) -> tuple[Snapshot, ...]:
        """Write imported objects, all in one go.

        Of those that the log knows, it takes corrections of the very state that it has: they carry
        the time of its newest line. All others are left out.
        """
        with self.newest():
            there = self._objects
            new = {one.object_id: one for one in snapshots
                   if there.get(one.object_id, one).time == one.time}  # fmt: skip
            return self.write(list(new.values()), "imported")

    def steps(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """What this window did, and what it took back, each the newest last."""
        return tuple(self._steps.done), tuple(self._steps.undone)

    def edit(self, old: Snapshot, new: Snapshot, action: Action) -> Snapshot:
        """Keep another state of an object; InputError if another window changed it meanwhile."""
        with self.newest():
            if self._present(old.object_id).content != old.content:
                raise InputError(
                    f"Object {old.object_id} was changed in another window; look at it, and do it "
                    "again."
                )
            return self._write(new, action)

    @property
    def can_undo(self) -> bool:
        """Whether this window did anything that is not undone."""
        return bool(self._steps.done)

    @property
    def can_redo(self) -> bool:
        """Whether this window's last step but undo was undone."""
        return bool(self._steps.undone)

    def next_step(self, *, back: bool) -> Snapshot | None:
        """The object that ``undo`` (back) or ``redo`` would change, as its step left it."""
        steps = self._steps.done if back else self._steps.undone
        return steps[-1].after if steps else None

    def pass_over(self, one: Snapshot) -> None:
        """Leave out the step that led to this snapshot, so that undo takes back the one before."""
        for steps in (self._steps.done, self._steps.undone):
            steps[:] = [step for step in steps if step.after is not one]

    def undo(self) -> Snapshot | None:
        """Take back this window's last action; None where there is nothing to take back.

        Raises:
            InputError: if another window has changed that object since; the step is then passed
                over, so that the next undo takes back the one before.
        """
        return self._restored(self._steps.done, "undone")

    def redo(self) -> Snapshot | None:
        """Bring back what ``undo`` took back last, or None; raises as ``undo``."""
        return self._restored(self._steps.undone, "redone")

    def _restored(self, steps: list[Step], action: Literal["undone", "redone"]) -> Snapshot | None:
        """The object on the other side of the newest step, written."""
        with self.newest():
            if not steps:
                return None
            batch = together(steps)
            pairs = [(one.after, one.without) for one in batch]
            if action == "redone":
                pairs = [(then, now_is) for now_is, then in pairs]
            for now_is, _ in pairs:
                if self._objects[now_is.object_id].content != now_is.content:
                    del steps[-len(batch) :]
                    raise InputError(
                        f"Object {now_is.object_id} was changed in another window since, so that "
                        "step stays; press again for the step before it."
                    )
            return self.write([then for _, then in pairs], action)[-1]

    def _changed(self, object_id: str, action: Action, **fields: object) -> Snapshot:
        """The object with other fields, written unless nothing would change."""
        with self.newest():
            old = self._present(object_id)
            new = replace(old, stroke=None, **fields)  # type: ignore[arg-type]
            return old if new.content == old.content else self._write(new, action)

    def _present(self, object_id: str) -> Snapshot:
        old = self.get(object_id)
        if old.deleted:
            raise InputError(f"Object {object_id} is deleted; undo that first, or click it anew.")
        return old

    @contextmanager
    def newest(self) -> Iterator[None]:
        """Lock the log from reading the newest state to writing what follows from it."""
        with self.log.locked():
            self.refresh()
            yield

    def write(self, snapshots: Sequence[Snapshot], action: Action) -> tuple[Snapshot, ...]:
        """Add these objects as they are now, all or none, under one action of this window."""
        time = now()
        made = tuple(
            replace(one, action=action, time=time, window=self.window) for one in snapshots
        )
        if made:
            self.log.append(*made)
            self.refresh()
        return made

    def _write(self, snapshot: Snapshot, action: Action) -> Snapshot:
        return self.write([snapshot], action)[0]

    def _take_in(self, line: Snapshot) -> None:
        before, self.newest_time = self._objects.get(line.object_id), line.time
        self._objects[line.object_id] = line
        self._begun.setdefault(line.object_id, line.time)
        self._digests.add(line.image_digest)
        if line.pixel_digest:
            self._digest_of_pixels.setdefault(line.pixel_digest, line.image_digest)
        if not line.accepted or line.deleted:
            self._accepted.pop(line.object_id, None)
        else:
            self._accepted.setdefault(line.object_id)
        if line.window == self.window:
            self._steps.take_in(before, line)

    def _seconds(self, old: Snapshot) -> float:
        return round(max(0.0, seconds_between(self._begun[old.object_id], now())), 3)
