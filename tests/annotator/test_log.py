"""The log: every confirmed line is there after a crash, and two windows lose nothing."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import openscenes
from openscenes.annotator.store import lines as store_lines
from openscenes.annotator.store import log as store_log
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.snapshot import (
    Click,
    Snapshot,
    from_json,
    seconds_between,
    to_json,
)
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


def changed(**keys: object) -> bytes:
    """The line of a snapshot with other values, as somebody's editor may leave it."""
    return json.dumps(to_json(SNAPSHOT) | keys).encode()


NOT_LINES = {
    "half": b"{",
    "junk": b"\x00\x00\xff",
    "list": b"[1, 2]",
    "nothing": b"null",
    "empty": b"{}",
    "deep": b"[" * 100_000,
    "digits": b"1" * 5000,
    "action": changed(action="guessed"),
    "action_list": changed(action=["asked"]),
    "box_nan": changed(box=[0, 0, float("nan"), 3]),
    "box_infinite": changed(box=[0, 0, float("inf"), 3]),
    "box_enormous": changed(box=[0, 0, 10**400, 3]),
    "box_text": changed(box=["0", 0, 4, 3]),
    "box_bool": changed(box=[0, 0, True, True]),
    "box_short": changed(box=[0, 0, 4]),
    "box_far": changed(box=[0, 0, 4000, 3]),
    "box_beside": changed(box=[20, 20, 30, 30]),
    "no_clicks": changed(clicks=[]),
    "click_far": changed(clicks=[[1, 1, 1, 0], [1e6, 1, -1, 1]]),
    "click_infinite": changed(clicks=[[float("inf"), 1, 1, 0]]),
    "click_outside": changed(clicks=[[7, 1, 1, 0]]),
    "click_sign": changed(clicks=[[1, 1, 1.5, 0]]),
    "click_seconds": changed(clicks=[[1, 1, 1, -float("inf")]]),
    "click_words": changed(clicks=["here"]),
    "size_enormous": changed(size=[10**9, 10**9]),
    "size_negative": changed(size=[-4, -3]),
    "size_bool": changed(size=[True, True]),
    "size_half": changed(size=[4.5, 3]),
    "size_null": changed(size=None),
    "mask_turned": changed(mask={"size": [3, 4], "counts": "<"}),
    "mask_short": changed(mask={"size": [4, 3], "counts": "0"}),
    "mask_long": changed(mask={"size": [4, 3], "counts": "<4"}),
    "mask_letters": changed(mask={"size": [4, 3], "counts": "the mask"}),
    "mask_list": changed(mask={"size": [4, 3], "counts": [12]}),
    "mask_null": changed(mask=None),
    "first_mask": changed(first_mask={"size": [4, 3], "counts": "<4"}),
    "time_digit": changed(time="2026-1-28"),
    "time_zone": changed(time="2026-01-28T10:00:00"),
    "time_number": changed(time=20260128),
    "id_number": changed(object=12),
    "id_empty": changed(object=""),
    "id_zero_byte": changed(object="a\0b"),
    "id_surrogate": changed(object="a\ud800"),
    "id_turned": changed(object="a\u202eb"),
    "name_of_lines": changed(class_name="cat\ndog"),
    "name_number": changed(class_name=7),
    "name_long": changed(class_name="a" * 5000),
    "image_null": changed(image=None),
    "image_lines": changed(image="a\n.jpg"),
    "digest_list": changed(image_digest=["a"]),
    "model_null": changed(model=None),
    "accepted_text": changed(accepted="false"),
    "deleted_number": changed(deleted=0),
}


@pytest.mark.parametrize("line", NOT_LINES.values(), ids=NOT_LINES)
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


@pytest.mark.parametrize("keep_length", [True, False])
def test_another_file_in_its_place_is_told(tmp_path, keep_length):
    log, other = Log(tmp_path / "log.jsonl"), Log(tmp_path / "other.jsonl")
    log.append(numbered(1), numbered(2))
    log.read_new()
    other.append(numbered(3), numbered(4), *[numbered(5)] * (not keep_length))
    other.path.replace(log.path)
    for _ in range(2):
        with pytest.raises(DataError, match="not the file that it was when it was last read"):
            log.read_new()
    log.path.unlink()
    with pytest.raises(DataError, match="shorter than when it was last read"):
        log.read_new()


def test_a_line_too_long_to_be_ours_is_neither_read_nor_written(tmp_path, monkeypatch):
    log, longest = Log(tmp_path / "log.jsonl"), 2000
    for module in (store_lines, store_log):
        monkeypatch.setattr(module, "LONGEST_BYTES", longest)
    log.append(numbered(1))
    with log.path.open("ab") as file:
        file.write(b"x" * 3 * longest + b"\n" + b"y" * 2 * longest)
    assert ids(log) == ["1"]
    log.append(numbered(2))
    assert ids(log) == ["2"]
    assert (log.damaged, log.torn) == ([2, 3], [])
    assert ids(Log(log.path)) == ["1", "2"]
    with pytest.raises(InputError, match="its mask needs 4... bytes, and a line of the log has"):
        log.append(replace(SNAPSHOT, class_name="a" * 4000))
    assert ids(log) == []


def test_a_complaint_stays_one_sentence(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    log.path.write_bytes(b"?\n" * 1000)
    assert ids(log) == []
    assert log.complaint() == (
        f"In {log.path}, lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 990 more (not readable) could "
        "not be used; all other lines count."
    )


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", Random(0).randbytes(3000)], ids=["none", "ends", "junk"]
)
def test_whatever_lies_in_the_file_a_new_line_counts(tmp_path, content):
    log = Log(tmp_path / "log.jsonl")
    log.path.write_bytes(content)
    assert ids(log) == []
    log.append(SNAPSHOT)
    assert log.read_new() == [SNAPSHOT]
    assert log.path.read_bytes().startswith(content)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop"])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "log.jsonl"
    made = {
        "pipe": lambda: os.mkfifo(path), "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"), "loop": lambda: path.symlink_to(path),
    }  # fmt: skip
    made[kind]()
    log = Log(path)
    for act in (log.read_new, log.repair, lambda: log.append(SNAPSHOT)):
        with pytest.raises(DataError, match=f"The (log|file) {path} (is|cannot be opened)"):
            act()


def test_what_cannot_be_written_whole_is_not_written_at_all(tmp_path, monkeypatch):
    log = Log(tmp_path / "log.jsonl")
    log.append(numbered(1))
    with log.path.open("ab") as file:
        file.write(b'{"time": "2022')
    before = log.path.read_bytes()

    def full(file: object, content: bytes) -> None:
        file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_lines, "_write_all", full)
        with pytest.raises(InputError, match=r"cannot be written to \(No space left on device\)"):
            log.append(numbered(2), numbered(3))
    assert log.path.read_bytes() == before and ids(log) == ["1"]
    log.append(numbered(4))
    assert ids(log) == ["4"]


def test_seconds_between_times_that_are_none_are_none():
    start, end = "2022-10-10T10:00:00.000+00:00", "2022-10-10T12:00:01.500+02:00"
    assert seconds_between(start, end) == 1.5
    for wrong in ("2026-1-28", "", "2022-10-10T10:00:00", None, 3):
        assert seconds_between(start, wrong) == seconds_between(wrong, end) == 0.0


def test_lines_of_earlier_versions_count(tmp_path):
    line = {key: value for key, value in to_json(SNAPSHOT).items() if key != "pixel_digest"}
    log = Log(tmp_path / "log.jsonl")
    log.path.write_text(json.dumps(line | {"unknown": 1}) + "\n")
    assert log.read_new() == [replace(SNAPSHOT, pixel_digest=None)]


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


def test_a_line_that_is_ended_while_it_is_read_is_no_damaged_one(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    Log(path).append(SNAPSHOT, SNAPSHOT)
    whole, usual = path.read_bytes(), Path.open
    path.write_bytes(whole[:-5])

    class Ended(io.BufferedReader):
        """Another window ends the line just after its beginning was read."""

        def readline(self, size=-1):
            line = super().readline(size)
            if line and not line.endswith(b"\n"):
                with usual(path, "wb") as file:
                    file.write(whole)
            return line

    monkeypatch.setattr(Path, "open", lambda self, *_, **__: Ended(io.FileIO(self)))
    assert list(store_lines.whole_lines(path, 0)) == whole.splitlines(keepends=True)[:1]
    monkeypatch.setattr(Path, "open", usual)
    assert list(store_lines.whole_lines(path, 0)) == whole.splitlines(keepends=True)


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
