"""The state of all objects: the newest line counts, undo restores, nothing is erased."""

import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from openscenes.amounts import amount
from openscenes.annotator.store import objects
from openscenes.annotator.store.former import left_behind, rebind
from openscenes.annotator.store.frames import fitting
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Click, ImageFacts
from openscenes.data.datasets.orientation import turned
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.masks import decode, encode, tight_box

IMAGE = ImageFacts("a/one.jpg", "1111222233334444", (4, 5))
OTHER = ImageFacts("two.jpg", "5555666677778888", (4, 5))
ASKED = Interaction(Box(0, 1, 3, 4), Point(1, 2))


def square(n: int) -> np.ndarray:
    mask = np.zeros((4, 5), bool)
    mask[:n, 1 : n + 1] = True
    return mask


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "log.jsonl")


@pytest.fixture
def annotations(log):
    return Annotations(log, "here")


def asked(annotations: Annotations, image: ImageFacts = IMAGE) -> str:
    return annotations.begin(image, ASKED, square(3), model="v1").object_id


def reopened(annotations: Annotations, window: str = "here") -> Annotations:
    return Annotations(Log(annotations.log.path), window)


def actions(annotations: Annotations) -> list[str]:
    return [line.action for line in Log(annotations.log.path).read_new()]


def test_an_object_from_click_to_class(annotations, monkeypatch):
    times = iter(f"2022-10-10T10:00:0{second}.500+00:00" for second in (0, 2, 2, 3, 4))
    monkeypatch.setattr(objects, "now", lambda: next(times))
    object_id = asked(annotations)
    assert annotations.get(object_id).time == "2022-10-10T10:00:00.500+00:00"
    corrected = annotations.correct(object_id, (3, 3, -1), square(2), model="v2")
    assert corrected.clicks == (Click(1, 2, 1, 0), Click(3, 3, -1, 2.0))
    assert not corrected.accepted
    annotations.accept(object_id)
    named = annotations.name(object_id, " cat ")
    assert (named.class_name, named.accepted, named.model) == ("cat", True, "v2")
    assert actions(annotations) == ["asked", "corrected", "accepted", "named"]
    np.testing.assert_array_equal(decode(named.first_mask), square(3))
    np.testing.assert_array_equal(decode(named.mask), square(2))
    assert reopened(annotations).objects() == (named,)


@pytest.mark.parametrize("seed", range(20))
def test_a_drawn_object_is_the_users_whole(annotations, seed):
    """Whatever the mask: box and point are what the method wants, and no version had a say."""
    mask = np.random.default_rng(seed).random(IMAGE.size) < 0.3
    mask[seed % 4, seed % 5] = True
    drawn = annotations.draw(IMAGE, encode(mask), class_name="leaf")
    row, col = map(int, drawn.interaction.point)
    assert mask[row, col] and drawn.box == tight_box(mask)
    assert (drawn.model, drawn.first_mask, drawn.painted) == ("", None, drawn.mask)
    assert drawn.corrected and not drawn.accepted and drawn.n_clicks == 0
    assert reopened(annotations).objects() == (drawn,)
    annotations.undo()
    assert annotations.objects() == ()
    assert annotations.redo().content == drawn.content
    assert annotations.accept(drawn.object_id) in annotations.accepted()


def test_times_are_utc_and_lines_name_the_window(annotations):
    line = annotations.get(asked(annotations))
    assert datetime.fromisoformat(line.time).utcoffset().total_seconds() == 0
    assert line.window == "here" and Annotations(annotations.log).window != "here"


def test_images_are_known_by_their_bytes(annotations):
    first, second = asked(annotations), asked(annotations, OTHER)
    renamed = annotations.begin(IMAGE._replace(path="copy.jpg"), ASKED, square(1), model="v1")
    assert [one.object_id for one in annotations.objects(IMAGE.digest)] == [
        first,
        renamed.object_id,
    ]
    assert [one.object_id for one in annotations.objects(OTHER.digest)] == [second]
    assert len(annotations.objects()) == 3


def test_accepted_objects_come_in_the_order_of_acceptance(annotations):
    first, second, third = (asked(annotations) for _ in range(3))
    for object_id in (third, first, second):
        annotations.accept(object_id)
    annotations.name(third, "dog")
    assert [one.object_id for one in annotations.accepted()] == [third, first, second]
    annotations.correct(third, (0, 1, 1), square(1), model="v1")
    assert [one.object_id for one in annotations.accepted()] == [first, second]
    annotations.accept(third)
    annotations.delete(first)
    assert [one.object_id for one in reopened(annotations).accepted(IMAGE.digest)] == [
        second,
        third,
    ]


def test_undo_and_redo_walk_over_every_action(annotations):
    object_id = asked(annotations)
    annotations.correct(object_id, (3, 3, -1), square(2), model="v1")
    annotations.accept(object_id)
    annotations.name(object_id, "cat")
    annotations.delete(object_id)
    states = [annotations.get(object_id).content]
    while annotations.can_undo:
        assert annotations.undo().action == "undone"
        states.append(annotations.get(object_id).content)
    told = [(s.deleted, s.class_name, s.accepted, len(s.clicks)) for s in states]
    assert told == [
        (True, "cat", True, 2),
        (False, "cat", True, 2),
        (False, None, True, 2),
        (False, None, False, 2),
        (False, None, False, 1),
        (True, None, False, 1),
    ]
    assert annotations.undo() is None and annotations.objects() == ()
    for state in reversed(states[:-1]):
        assert annotations.can_redo and annotations.redo().content == state
    assert annotations.redo() is None and not annotations.can_redo
    assert actions(annotations) == [
        *("asked", "corrected", "accepted", "named", "deleted"),
        *["undone"] * 5,
        *["redone"] * 5,
    ]


def test_undo_outlives_a_crash_when_the_window_keeps_its_name(annotations):
    first, second = asked(annotations), asked(annotations)
    annotations.delete(first)
    annotations.undo()
    again = reopened(annotations)
    assert again.can_redo and again.redo().deleted
    assert again.undo().object_id == first and again.undo().object_id == second
    assert reopened(annotations).undo().object_id == first
    assert not reopened(annotations, "elsewhere").can_undo


def test_a_new_action_ends_redo(annotations):
    first = asked(annotations)
    annotations.undo()
    second = asked(annotations)
    assert annotations.redo() is None
    assert annotations.undo().object_id == second
    assert annotations.undo() is None and annotations.get(first).deleted


def test_each_window_undoes_its_own_actions(annotations):
    there = reopened(annotations, "there")
    mine, theirs = asked(annotations), asked(there)
    assert annotations.undo().object_id == mine
    assert annotations.undo() is None
    assert [one.object_id for one in annotations.objects()] == [theirs]


def test_undo_leaves_alone_what_another_window_has_changed(annotations):
    other, shared = asked(annotations), asked(annotations)
    reopened(annotations, "there").name(shared, "dog")
    with pytest.raises(InputError, match="changed in another window since, so that step stays"):
        annotations.undo()
    assert annotations.get(shared).class_name == "dog"
    assert annotations.undo().object_id == other
    again = reopened(annotations)
    assert not again.can_undo and again.redo().object_id == other


def test_an_action_builds_on_the_newest_state_of_any_window(annotations):
    object_id = asked(annotations)
    there = reopened(annotations, "there")
    there.name(object_id, "dog")
    assert annotations.accept(object_id).class_name == "dog"
    assert there.refresh() == (object_id,) and there.get(object_id).accepted
    assert there.refresh() == ()


def test_what_changes_nothing_writes_nothing(annotations):
    object_id = asked(annotations)
    annotations.accept(object_id)
    annotations.accept(object_id)
    annotations.name(object_id, "  ")
    assert actions(annotations) == ["asked", "accepted"]


def test_objects_that_are_unknown_or_deleted_are_told(annotations):
    with pytest.raises(InputError, match="There is no object 'x'; choose one of the list"):
        annotations.accept("x")
    object_id = asked(annotations)
    annotations.delete(object_id)
    with pytest.raises(InputError, match=f"Object {object_id} is deleted; undo that first"):
        annotations.correct(object_id, (0, 1, 1), square(1), model="v1")
    assert actions(annotations) == ["asked", "deleted"]


def test_a_mask_of_another_size_is_told_and_not_written(annotations):
    with pytest.raises(InputError, match=r"mask of \(2, 2\) does not lie on an image of \(4, 5\)"):
        annotations.begin(IMAGE, ASKED, np.ones((2, 2), bool), model="v1")
    with pytest.raises(InputError, match="is empty"):
        annotations.begin(IMAGE, Interaction(Box(1, 1, 1, 3), Point(1, 1)), square(1), model="v1")
    assert actions(annotations) == []


def test_an_image_is_recognised_by_its_pixels(annotations):
    shown = IMAGE._replace(pixel_digest="aaaa")
    object_id = asked(annotations, shown)
    rated = shown._replace(digest="9999")
    assert annotations.recognised(rated) == shown
    assert annotations.recognised(rated._replace(pixel_digest="bbbb")).digest == "9999"
    assert annotations.recognised(rated._replace(pixel_digest="")).digest == "9999"
    asked(annotations, annotations.recognised(rated))
    again = reopened(annotations)
    assert len(again.objects(shown.digest)) == 2
    assert again.get(object_id).pixel_digest == "aaaa"
    asked(annotations, rated)  # its own bytes are known now
    assert annotations.recognised(rated) == rated


def test_objects_of_a_replaced_image_can_be_put_onto_the_new_one(annotations):
    first, second, other = asked(annotations), asked(annotations), asked(annotations, OTHER)
    annotations.accept(second)
    new = IMAGE._replace(digest="9999", pixel_digest="cccc")
    behind = left_behind(annotations, new)
    assert {digest: [one.object_id for one in objects] for digest, objects in behind.items()} == {
        IMAGE.digest: [first, second]
    }
    assert left_behind(annotations, new._replace(size=(5, 4))) == {}
    assert left_behind(annotations, IMAGE) == {}
    moved = rebind(annotations, IMAGE.digest, new)
    assert [one.object_id for one in moved] == [first, second]
    again = reopened(annotations)
    assert again.objects("9999") == moved and again.objects(IMAGE.digest) == ()
    assert [one.object_id for one in again.accepted()] == [second]
    assert left_behind(again, new) == {} and again.get(other).image == "two.jpg"
    assert actions(annotations)[-2:] == ["moved", "moved"]
    with pytest.raises(InputError, match="changed in another window since"):
        again.redo() or again.undo() or again.undo()


def test_an_image_of_another_size_cannot_stand_for_the_former_one(annotations):
    asked(annotations)
    for digest, facts in ((IMAGE.digest, OTHER._replace(size=(5, 4))), ("unknown", OTHER)):
        with pytest.raises(InputError, match="cannot stand for the image .* bring the former"):
            rebind(annotations, digest, facts)
    assert actions(annotations) == ["asked"]


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_what_was_clicked_on_stored_pixels_is_turned_with_them(annotations, tag):
    stored, seen = np.zeros((6, 8), bool), np.zeros((6, 8), bool)
    stored[1:3, 2:6], seen[1, 2] = True, True
    facts = ImageFacts("a.jpg", "1", (8, 6), "", tag)
    given = Interaction(Box(1, 2, 3, 6), Point(1, 2))
    made = annotations.begin(facts, given, stored, model="v1")
    assert tight_box(decode(made.mask)) == tuple(made.box)
    assert np.argwhere(turned(seen, tag)).tolist() == [list(made.clicks[0][:2])]
    whole = annotations.begin(facts, Interaction(Box(0, 0, 8, 6), Point(1, 2)), turned(stored, tag),
                              model="v1")  # fmt: skip
    assert tuple(whole.clicks[0][:2]) == (1, 2)


def test_objects_made_on_the_stored_frame_are_told_and_not_shown(annotations):
    made = annotations.get(asked(annotations))
    older = replace(made, pixel_digest=None)
    turned_facts, square = IMAGE._replace(size=(5, 4), orientation=6), IMAGE._replace(orientation=3)
    assert fitting([made, older], IMAGE) == ((made, older), "")
    for facts, kept, n in ((turned_facts, (), 2), (square, (made,), 1)):
        fits, said = fitting([made, older], facts)
        assert fits == kept
        assert said.startswith(f"{amount(n, 'object')} of a/one.jpg left out, ")
        assert "EXIF orientation" in said and said.isprintable()


def test_a_line_that_undoes_what_nobody_did_is_a_state_like_others(annotations):
    object_id = asked(annotations)
    line = annotations.get(object_id)
    for unknown in (replace(line, object_id="b" * 12), replace(line, class_name="cat")):
        annotations.log.append(replace(unknown, action="undone"))
    again = reopened(annotations)
    assert again.get(object_id).class_name == "cat" and len(again.objects()) == 2
    assert annotations.refresh() and annotations.can_undo
    lines = annotations.log.path.read_bytes().splitlines(keepends=True)
    annotations.log.path.write_bytes(b"".join(lines[::-1] + lines[:1]))
    assert len(reopened(annotations).objects()) == 2


def test_a_refused_line_leaves_everything_as_it_was(annotations):
    object_id = asked(annotations)
    state, written = annotations.objects(), annotations.log.path.read_bytes()
    for wrong in ("two\nlines", "\u202eturned", "half\ud800", "x" * 5000):
        with pytest.raises(InputError, match="its class .* is no text of one line"):
            annotations.name(object_id, wrong)
    with pytest.raises(InputError, match="far outside its image"):
        annotations.correct(object_id, (1e9, 0, 1), square(1), model="v1")
    with pytest.raises(InputError, match="signs"):
        annotations.correct(object_id, (1, 1, 0), square(1), model="v1")
    assert annotations.objects() == state
    assert annotations.log.path.read_bytes() == written


def test_numbers_of_numpy_are_written_as_numbers(annotations):
    box, point = Box(*np.arange(4, dtype=np.float32)), Point(*np.ones(2, np.float32))
    made = annotations.begin(IMAGE, Interaction(box, point), square(1), model="v1")
    annotations.correct(
        made.object_id, (np.int64(0), np.int64(1), np.int64(-1)), square(1), model=""
    )
    assert reopened(annotations).get(made.object_id).box == (0, 1, 2, 3)


def test_the_memory_needs_no_network():
    code = "import sys, openscenes.annotator.store.objects; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False\n"
