"""Accepted objects become a scene without masks; an image always falls on the same side."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from runpy import run_path

import pytest

from openscenes.annotator.evolve.scene import clicked, image_paths, is_held_out, placed, split
from openscenes.annotator.store.snapshot import Click, Snapshot
from openscenes.data.records import Box, Interaction, Point

PERSON = run_path(str(Path(__file__).with_name("person.py")))
CODE = {"size": [4, 4], "counts": "522000O"}


def accepted(object_id: str, digest: str) -> Snapshot:
    return Snapshot(
        time="", action="accepted", image=f"{digest}.png", image_digest=digest, size=(4, 4),
        object_id=object_id, box=Box(0.0, 1.0, 3.0, 4.0),
        clicks=(Click(1.0, 2.0, 1, 0.0), Click(3.0, 3.0, -1, 2.0)), class_name="cat",
        model="first", first_mask=CODE, mask=CODE, accepted=True, deleted=False, window="w",
    )  # fmt: skip


def names(items) -> list[str]:
    return [item.object_id for item in items]


def leaves(value) -> list[object]:
    """Everything that can be reached from a value."""
    if is_dataclass(value):
        return [leaf for field in fields(value) for leaf in leaves(getattr(value, field.name))]
    return (
        [leaf for item in value for leaf in leaves(item)] if isinstance(value, tuple) else [value]
    )


def test_the_accepted_mask_cannot_be_reached_from_what_evolves() -> None:
    one = clicked(accepted("a", "x"))
    assert one.interaction == Interaction(Box(0.0, 1.0, 3.0, 4.0), Point(1.0, 2.0))
    assert leaves(one) == [
        "annotations",
        "x",
        "a",
        Path("x.png"),
        0.0,
        1.0,
        3.0,
        4.0,
        1.0,
        2.0,
        True,
    ]
    assert "mask" not in repr(one)


def test_about_one_image_in_four_is_held_out() -> None:
    held = [is_held_out(f"{number:016x}") for number in range(4000)]
    assert 0.22 < sum(held) / len(held) < 0.28
    assert held[:8] == [is_held_out(f"{number:016x}") for number in range(8)]


def test_an_image_falls_on_one_side_whatever_else_is_clicked() -> None:
    digests = [f"{number:016x}" for number in range(20)]
    items = [accepted(f"{d}{i}", d) for d in digests for i in "ba"]
    parts = split(items, digests)
    assert sorted(names(parts.learnable + parts.held_out)) == sorted(names(items))
    assert all(is_held_out(item.image_digest) for item in parts.held_out)
    assert not any(is_held_out(item.image_digest) for item in parts.learnable)
    assert names(parts.learnable) == sorted(names(parts.learnable))
    fewer = split(items[:6], digests)
    assert set(names(fewer.held_out)) <= set(names(parts.held_out))
    assert split(items[::-1], digests) == parts


def test_what_is_learned_or_gone_is_left_out() -> None:
    digests = [f"{number:016x}" for number in range(20)]
    items = [accepted(d, d) for d in digests]
    held = next(d for d in digests if is_held_out(d))
    parts = split(items, digests[1:], learned={digests[2], held})
    assert set(names(parts.learned)) == {digests[2], held}
    assert names(parts.missing) == [digests[0]] or is_held_out(digests[0])
    assert digests[2] not in names(parts.learnable + parts.held_out)
    assert held not in names(parts.held_out)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return PERSON["annotated"](tmp_path_factory.mktemp("scene"))


def test_a_renamed_image_is_found_by_its_bytes(workspace) -> None:
    scene = [clicked(item) for item in PERSON["accepted"](workspace)]
    first = workspace.images / scene[0].image
    renamed = first.rename(first.with_name("renamed.jpg"))
    try:
        there = image_paths(workspace, scene)
        assert placed(scene[:1], there)[0].image == renamed
        assert len(there) == 12
        renamed.rename(workspace.images.parent / "gone.jpg")
        assert scene[0].image_id not in image_paths(workspace, scene)
    finally:
        (workspace.images.parent / "gone.jpg").rename(first)
