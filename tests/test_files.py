"""Files of somebody else: what is opened, what is refused before it is, and in which words."""

import math
import os
import socket

import pytest

from openscenes import files
from openscenes.errors import DataError


def odd_file(folder, kind):
    """Something that is no file to read."""
    path = folder / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "named pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long name":
        path = folder / ("a" * 300)
    elif kind == "nul":
        path = folder / "a\0b"
    elif kind == "half a character":
        path = folder / "\ud800"
    elif kind == "device":
        path = "/dev/zero"
    return path


KINDS = ("missing", "folder", "named pipe", "socket", "loop", "long name", "nul",
         "half a character", "device")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_in_one_sentence(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with pytest.raises(DataError) as refused:
        files.read_bytes(odd_file(tmp_path, kind), "list")
    said = str(refused.value)
    assert "list" in said and said.endswith(".") and said.isprintable()


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with its mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_text_of_every_editor_reads_the_same(tmp_path, coding, end):
    text = f"caf\u00e9{end}b{end}"
    wide = coding.startswith("utf-16-be")
    coded = b"\xfe\xff" + text.encode("utf-16-be") if wide else text.encode(coding)
    (tmp_path / "list").write_bytes(coded)
    assert files.read_text(tmp_path / "list") == "caf\u00e9\nb\n"


def test_what_is_no_text_or_too_large_is_refused(tmp_path):
    (tmp_path / "list").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="at byte 3"):
        files.read_text(tmp_path / "list")
    with pytest.raises(DataError, match="more than 3 bytes"):
        files.read_bytes(tmp_path / "list", limit=3)


@pytest.mark.parametrize("content", [
    "", "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "{} {}",
], ids=["empty", "open", "deep", "long number", "two"])  # fmt: skip
def test_what_is_no_json_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"a\.json is no JSON"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["a.jpg", "day1/a.jpg", "./a.jpg", "day 1/caf\u00e9.jpg"])
def test_a_name_below_the_folder_is_its_file(tmp_path, name):
    assert files.inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", [
    "", ".", "/etc/passwd", "../a.jpg", "day1/../../a.jpg", "..\\a.jpg", "C:\\a.jpg", "\\\\x\\y\\a",
    "a\0.jpg", "out/a.jpg", "loop/a.jpg", None, 7, ["a.jpg"],
])  # fmt: skip
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    root = tmp_path / "set"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(DataError, match="does not lie in"):
        files.inside(root, name)
    assert files.inside(root, "out/a.jpg", links=True) == root / "out/a.jpg"


def test_a_linked_root_is_a_root(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "set").symlink_to(tmp_path / "disk")
    assert files.inside(tmp_path / "set", "a.jpg") == tmp_path / "set/a.jpg"


def test_foreign_words_become_one_printable_line():
    said = files.one_line("a\nb\x00\u2028\u202e\ud800 caf\u00e9")
    assert said == "a\\nb\\x00\\u2028\\u202e\\ud800 caf\u00e9"
    assert files.one_line("a" * 50, 10) == "aaaaaaa..."


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, 10**400, [1], 1e400])
def test_what_is_no_finite_number_is_none(value):
    assert files.number(value) is None
    assert files.whole_number(value, 0, 10) is None


def test_numbers_in_their_range():
    assert files.number(3) == 3.0
    assert files.number(3, 4, 5) is None
    assert files.whole_number(3.0, 0, 10) == 3
    assert files.whole_number(3.5, 0, 10) is None
    assert files.whole_number(2**62 + 1, 0, 2**63) == 2**62 + 1
