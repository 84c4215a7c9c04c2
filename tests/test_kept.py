"""What the cache keeps is given back whole or not at all, and damage is said once."""

import json
import os

import pytest

from openscenes import kept as kept_module
from openscenes.kept import keep, kept

VALUE = {"scores": [0.25, 1], "name": 'a "name" \ud800', "nothing": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "scores.json"


@pytest.mark.parametrize("value", [VALUE, {}], ids=["full", "empty"])
def test_what_was_kept_comes_back_and_is_json(path, value):
    keep(path, value)
    assert kept(path) == value
    written = json.loads(path.read_text(encoding="utf-8"))
    assert len(written.pop("sha256")) == 64
    assert written == value


def test_there_is_nothing_before(path, capsys):
    assert kept(path) is None
    assert capsys.readouterr().err == ""


def test_every_flipped_byte_and_every_cut_is_seen(path):
    keep(path, VALUE)
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        assert kept(path) is None, place
        path.write_bytes(whole[:place])
        assert kept(path) is None, place
    path.write_bytes(whole)
    assert kept(path) == VALUE


@pytest.mark.parametrize("older", ["[1, 2]", '{"scores": [0.25]}', "", "\0", "\xff"])
def test_what_has_no_checksum_is_made_again(path, older):
    path.parent.mkdir()
    path.write_text(older, encoding="latin-1")
    assert kept(path) is None


@pytest.mark.parametrize("other", ["folder", "pipe", "loop"])
def test_what_is_no_file_is_not_waited_for_and_gives_way(path, other):
    path.parent.mkdir()
    if other == "folder":
        (path / "inside").mkdir(parents=True)
    elif other == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name)
    assert kept(path) is None
    keep(path, VALUE)
    assert kept(path) == VALUE
    moved = {"folder": ["scores.json.damaged"]}.get(other, [])
    assert sorted(each.name for each in path.parent.iterdir()) == ["scores.json", *moved]


def test_damage_is_said_once(path, capsys, monkeypatch):
    monkeypatch.setattr(kept_module, "_told", set())
    keep(path, VALUE)
    path.write_text("{")
    assert kept(path) is kept(path) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "scores.json is damaged" in said and "made again" in said
    keep(path, VALUE)
    path.write_text("{")
    assert kept(path) is None
    assert "damaged" in capsys.readouterr().err
