"""The log: every confirmed line is there after a crash, and two windows lose nothing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import openscenes
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.snapshot import Click, Snapshot, from_json, to_json
from openscenes.data.records import Box
from openscenes.errors import DataError, InputError

SNAPSHOT = Snapshot(
    time="2022-10-10T10:00:00.000+00:00",
    action="asked",
    image="a/b.jpg",
    image_digest="0123456789abcdef",
    size=(4, 3),
    object_id="00000000000a",
    box=Box(0.0, 0.0, 4.0, 3.0),
    clicks=(Click(1.0, 1.0, 1, 0.0), Click(3.0, 2.5, -1, 1.25)),
    class_name=None,
    model="initial",
    first_mask={"size": [4, 3], "counts": "<"},
    mask={"size": [4, 3], "counts": "<"},
    accepted=False,
    deleted=False,
    window="w",
)

# Run in a process of its own, which has loaded no torch and may be killed.
WRITER = """
import json, os, signal, sys, time
from dataclasses import replace
from openscenes.annotator.store import lines, log as module
from openscenes.annotator.store.snapshot import from_json

path, window, n_lines, n_kills, slowly = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
one = from_json(json.loads(sys.stdin.read()))
assert "torch" not in sys.modules and "cv2" not in sys.modules

def in_pieces(file, content):
    for start in range(0, len(content), 40):
        file.write(content[start : start + 40])
        time.sleep(0.0003)

def write(first, count, told):
    log = module.Log(path)
    for number in range(first, first + count):
        log.append(replace(one, object_id=f"{window}-{number}", window=window))
        os.write(1, f"{window}-{number}\\n".encode())
        os.write(told, b".")

if slowly:
    lines._write_all = in_pieces
if not n_kills:
    write(0, n_lines, os.open(os.devnull, os.O_WRONLY))
for kill in range(n_kills):
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        write(kill * n_lines, n_lines, told)
        os._exit(0)
    os.read(heard, 1)
    time.sleep(0.0007 * (kill % 17))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(heard), os.close(told)
"""


def writer(
    path: Path, window: str, n_lines: int, n_kills: int = 0, slowly: bool = False
) -> subprocess.Popen:
    numbers = [str(int(number)) for number in (n_lines, n_kills, slowly)]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), window, *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(openscenes.__file__).parents[1])},
    )
    process.stdin.write(json.dumps(to_json(SNAPSHOT)))
    process.stdin.close()
    return process


def confirmed(process: subprocess.Popen) -> list[str]:
    with process.stdout:
        lines = process.stdout.read().split()
    assert process.wait(timeout=60) == 0
    return lines


def numbered(number: int) -> Snapshot:
    return replace(SNAPSHOT, object_id=str(number))


def ids(log: Log) -> list[str]:
    return [one.object_id for one in log.read_new()]


def test_a_line_holds_the_object_whole(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    log.append(SNAPSHOT)
    line = json.loads(log.path.read_text())
    assert line["object"] == "00000000000a" and line["clicks"][1] == [3.0, 2.5, -1, 1.25]
    assert list(line) == [
        *("time", "action", "image", "image_digest", "size", "object", "box", "clicks"),
        *("class_name", "model", "first_mask", "mask", "accepted", "deleted", "window"),
        "pixel_digest",
    ]
    assert from_json(line) == SNAPSHOT
    assert Log(log.path).read_new() == [SNAPSHOT]


def test_a_window_reads_what_others_wrote_once(tmp_path):
    first, second = Log(tmp_path / "log.jsonl"), Log(tmp_path / "log.jsonl")
    assert first.read_new() == []
    first.append(numbered(1))
    second.append(numbered(2), numbered(3))
    assert ids(first) == ids(second) == ["1", "2", "3"]
    assert first.read_new() == []
    first.append(numbered(4))
    assert ids(second) == ["4"]


def test_whatever_a_crash_leaves_of_a_line_the_others_count(tmp_path):
    path = tmp_path / "log.jsonl"
    Log(path).append(numbered(1), numbered(2))
    content = path.read_bytes()
    start = content.index(b"\n") + 1
    for cut in (*range(start, len(content) - 5, 9), *range(len(content) - 5, len(content))):
        path.write_bytes(content[:cut])
        log = Log(path)
        assert ids(log) == ["1"]
        log.append(numbered(3))
        whole = cut == len(content) - 1  # only the line's end is missing
        assert ids(log) == (["2", "3"] if whole else ["3"])
        assert (log.torn, log.damaged) == ([2] if start < cut and not whole else [], [])
        assert path.read_bytes().startswith(content[:cut])


def test_repair_says_whether_a_line_was_open(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    log.append(SNAPSHOT)
    assert not log.repair()
    with log.path.open("ab") as file:
        file.write(b'{"time": "2022')
    assert log.repair() and not log.repair()
    assert len(log.read_new()) == 1
    assert log.complaint() == (
        f"In {log.path}, line 2 (cut short by a crash, never confirmed) could not be used; "
        "all other lines count."
    )


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\x00\x00\xff",
        b"[1, 2]",
        b"null",
        b"{}",
        json.dumps(to_json(SNAPSHOT) | {"action": "guessed"}).encode(),
        json.dumps(to_json(SNAPSHOT) | {"box": [0, 0, float("nan"), 3]}).encode(),
        json.dumps(to_json(SNAPSHOT) | {"clicks": []}).encode(),
        json.dumps(to_json(SNAPSHOT) | {"mask": {"size": [3, 4], "counts": "<"}}).encode(),
    ],
)
def test_a_damaged_line_in_the_middle_is_skipped_and_told(tmp_path, line):
    log = Log(tmp_path / "log.jsonl")
    log.append(numbered(1))
    assert log.complaint() == ""
    with log.path.open("ab") as file:
        file.write(line + b"\n")
    log.append(numbered(2))
    assert ids(log) == ["1", "2"]
    assert (log.damaged, log.torn) == ([2], [])
    assert log.complaint() == (
        f"In {log.path}, line 2 (not readable) could not be used; all other lines count."
    )


def test_a_line_that_another_window_is_writing_is_left_for_later(tmp_path):
    path = tmp_path / "log.jsonl"
    log = Log(path)
    log.append(numbered(1))
    content = path.read_bytes()
    path.write_bytes(content + content[:20])
    assert ids(log) == ["1"]
    path.write_bytes(content + content)
    assert ids(log) == ["1"] and log.complaint() == ""


def test_a_log_that_became_shorter_is_told(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    log.append(numbered(1), numbered(2))
    log.read_new()
    log.path.write_bytes(b"")
    with pytest.raises(DataError, match="shorter than when it was last read"):
        log.read_new()


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written to \(.+\); give a workspace in"):
        Log(tmp_path / "file" / "log.jsonl").append(SNAPSHOT)
    log = Log(tmp_path / "log.jsonl")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot be written to \(No space left on device\)"):
        log.append(SNAPSHOT)


def test_a_window_that_keeps_the_lock_is_told(tmp_path):
    other = Log(tmp_path / "log.jsonl")
    with other.locked(), pytest.raises(DataError, match="by another window for more than 0.05 s"):
        Log(tmp_path / "log.jsonl", patience_s=0.05).append(SNAPSHOT)
    Log(tmp_path / "log.jsonl", patience_s=0.05).append(SNAPSHOT)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"box": Box(0, 0, 0, 3)}, r"its box \(0, 0, 0, 3\) is empty"),
        ({"box": Box(0, 0, float("inf"), 3)}, "not finite"),
        ({"clicks": (Click(1, 1, -1, 0),)}, r"its clicks have signs \[-1\]"),
        ({"clicks": (Click(1, 1, 1, 0), Click(1, 1, 0, 0))}, r"signs \[1, 0\]"),
        ({"class_name": 7}, "its class 7 is no text"),
        ({"mask": {"size": [1, 1], "counts": "0"}}, "no run-length code of an image of 4x3"),
    ],
)
def test_what_nobody_could_read_is_not_written(fields, message):
    with pytest.raises(InputError, match=f"object 00000000000a cannot be kept: .*{message}"):
        replace(SNAPSHOT, **fields)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system kills processes in another way")
@pytest.mark.parametrize("slowly", [False, True])
def test_every_confirmed_line_outlives_a_killed_window(tmp_path, slowly):
    path, n_kills = tmp_path / "log.jsonl", 30
    kept = confirmed(writer(path, "killed", 10_000, n_kills, slowly))
    log = Log(path)
    log.append(SNAPSHOT)
    there = ids(log)
    assert len(kept) >= n_kills
    assert set(kept) <= set(there) and len(set(there)) == len(there)
    assert there[-1] == SNAPSHOT.object_id
    assert log.damaged == []
    assert log.torn or not slowly  # pieces make sure that some lines were cut short


def test_two_windows_lose_and_mix_no_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    processes = [writer(path, window, 80) for window in ("first", "second")]
    here = Log(path)
    seen = []
    while any(process.poll() is None for process in processes):
        seen += here.read_new()
    seen += here.read_new()
    written = [confirmed(process) for process in processes]
    assert here.complaint() == ""
    for window, lines in zip(("first", "second"), written, strict=True):
        assert lines == [one.object_id for one in seen if one.window == window]
        assert len(lines) == 80
