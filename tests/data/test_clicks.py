"""Files of clicks: made once, then enough; damaged lines are named."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from openscenes.data import clicks, datasets
from openscenes.data.records import Box, ClickedObject, Interaction, Point
from openscenes.errors import DataError

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
HUMAN = replace(tiny.CLICKS, user="human")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return tiny.index(tiny.write_voc(tmp_path_factory.mktemp("voc")))


def item(object_id="a/1", image=Path("a.jpg")):
    interaction = Interaction(Box(0.5, 1.25, 7.0, 9.125), Point(3.1, 4.7))
    return ClickedObject("voc/train", "a", object_id, image, interaction)


def made(index, path, config=HUMAN):
    return clicks.clicked_objects(index, config, tiny.CROP, path)


def test_what_is_saved_is_loaded_to_the_last_digit(tmp_path):
    several = (item(), item("ä/2", Path("/somewhere else/ß.jpg")))
    clicks.save(several, tmp_path / "new" / "clicks.jsonl")
    assert clicks.load(tmp_path / "new" / "clicks.jsonl") == several


def test_a_file_holds_image_box_and_point_and_nothing_that_leads_to_a_mask(index, tmp_path):
    made(index, tmp_path / "clicks.jsonl")
    text = (tmp_path / "clicks.jsonl").read_text()
    *lines, seal = [json.loads(line) for line in text.splitlines()]
    assert set(seal) == {"sha256"}
    assert len(lines) == len(index.records) == 12
    for line in lines:
        assert set(line) == {"scene", "image_id", "object_id", "image", "box", "point"}
    assert "Segmentation" not in text


@pytest.mark.parametrize("harm", ["flipped", "cut", "older"])
def test_damaged_clicks_are_simulated_again(index, tmp_path, harm, capsys):
    path = tmp_path / "clicks.jsonl"
    clicked = made(index, path)
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    digit = re.search(r'"box": \[(\d)', text).start(1)
    flipped = text[:digit] + str(9 - int(text[digit])) + text[digit + 1 :]
    path.write_text({"flipped": flipped, "cut": lines[0], "older": "".join(lines[:-1])}[harm])
    assert made(index, path) == clicked
    assert path.read_text() == text
    assert "simulated again" in capsys.readouterr().err


def test_clicks_of_an_older_version_are_read_and_changed_ones_are_refused(tmp_path):
    path = tmp_path / "clicks.jsonl"
    clicks.save([item()], path)
    line, seal = path.read_text().splitlines(keepends=True)
    path.write_text(line)
    assert clicks.load(path) == (item(),)
    path.write_text(line.replace("1.25", "1.75") + seal)
    with pytest.raises(DataError, match="no longer as it was written"):
        clicks.load(path)


def test_objects_are_those_of_the_index_in_its_order(index, tmp_path):
    clicked = made(index, tmp_path / "clicks.jsonl")
    for one, record in zip(clicked, index.records, strict=True):
        for name in ("scene", "image_id", "object_id", "image"):
            assert getattr(one, name) == getattr(record, name)


def test_masks_are_read_once_and_may_vanish_then(tmp_path):
    root = tiny.write_voc(tmp_path / "voc")
    index = tiny.index(root)
    first = made(index, tmp_path / "clicks.jsonl")
    shutil.rmtree(root / "VOCdevkit/VOC2012/SegmentationObject")
    assert made(index, tmp_path / "clicks.jsonl") == first
    with pytest.raises(DataError):
        made(index, tmp_path / "other.jsonl")
    assert not (tmp_path / "other.jsonl").exists()


def test_a_humans_chance_depends_on_the_object_alone(index, tmp_path):
    forwards = made(index, tmp_path / "a.jsonl")
    backwards = replace(index, records=index.records[:3:-1])
    alone = {one.object_id: one for one in made(backwards, tmp_path / "b.jsonl")}
    assert len(alone) == 8
    for one in forwards[4:]:
        assert alone[one.object_id] == one
    errors = {
        tuple((np.array(one.interaction.box) - record.box).round(3))
        for one, record in zip(forwards, index.records, strict=True)
    }
    assert len(errors) == len(index.records)


def test_the_users_differ(index, tmp_path):
    robot = made(index, tmp_path / "robot.jsonl", tiny.CLICKS)
    assert [one.interaction.box for one in robot] == [record.box for record in index.records]
    assert robot != made(index, tmp_path / "human.jsonl")
    for one, record in zip(robot, index.records, strict=True):
        point = one.interaction.point
        assert datasets.read_mask(record)[round(point.row), round(point.col)]


GOOD = {
    "scene": "s", "image_id": "a", "object_id": "a/1", "image": "a.jpg",
    "box": [0, 0, 4, 4], "point": [2, 2],
}  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "half a li",
        "null",
        json.dumps({name: GOOD[name] for name in GOOD if name != "point"}),
        json.dumps(GOOD | {"box": [0, 0, 4]}),
        json.dumps(GOOD | {"box": "left"}),
        json.dumps(GOOD | {"point": ["here", 2]}),
        json.dumps(GOOD | {"image": 7}),
    ],
)
def test_a_damaged_line_is_named(line, tmp_path):
    path = tmp_path / "clicks.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(
        DataError, match=r"line 2 of .*clicks.jsonl is no interaction .* needs scene"
    ):
        clicks.load(path)
