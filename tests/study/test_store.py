"""What is kept is named by its values, made once, and never half there."""

import os
from threading import Event, Thread

import pandas as pd
import pytest

from openscenes.study.runs import store
from openscenes.study.runs.store import digest_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))


def test_a_digest_depends_on_values_and_not_on_order():
    assert digest_of({"a": 1, "b": (1, 2)}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    assert len(digest_of(None)) == 12


def test_the_time_of_killed_runs_counts_up_to_what_they_kept(tmp_path, monkeypatch) -> None:
    resume, now = tmp_path / "resume.safetensors", 1000.0
    monkeypatch.setattr(store.time, "time", lambda: now)
    monkeypatch.setattr(store.time, "monotonic", lambda: now)
    assert store.stopwatch(tmp_path)() == 0.0
    resume.write_bytes(b"")
    os.utime(resume, (now + 30, now + 30))  # kept after half a minute, then killed
    now = 2000.0
    assert store.stopwatch(tmp_path)() == 30.0
    assert store.stopwatch(tmp_path)() == 30.0  # killed before it kept anything
    os.utime(resume, (now + 5, now + 5))
    assert store.stopwatch(tmp_path)() == 35.0


def test_a_lock_keeps_a_second_one_out_and_clears_what_a_killed_run_left(tmp_path) -> None:
    folder, began, entered = tmp_path / "new" / "folder", Event(), Event()

    def second() -> None:
        began.set()
        with store.locked(folder):
            entered.set()

    with store.locked(folder):
        (folder / ".model.safetensors.1.partial").touch()
        (folder / ".scenes.1.partial" / "voc").mkdir(parents=True)
        (folder / "run.json").touch()
        other = Thread(target=second)
        other.start()
        assert began.wait(5)
        assert not entered.wait(0.2)
    other.join(5)
    assert entered.is_set()
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "run.json"]


def test_scores_are_computed_once_for_what_made_them() -> None:
    frame = pd.DataFrame({"object_id": ["007"], "class_name": ["1"], "iou": [0.5]})
    calls: list[int] = []

    def compute(part: int) -> pd.DataFrame:
        calls.append(part)
        return frame

    for part in (1, 1, 2):
        kept = store.kept_scores({"part": part}, lambda part=part: compute(part))
        pd.testing.assert_frame_equal(kept, frame)
    assert calls == [1, 2]


def scores() -> pd.DataFrame:
    names = ["NA", "None", "", "nan", "a, b", 'a "b"']
    return pd.DataFrame({"object_id": names, "class_name": names, "area": range(6),
                         "iou": [0.1, 0.25, None, 1 / 3, 1e-17, 1.0]})  # fmt: skip


def test_class_names_that_read_like_gaps_stay_names() -> None:
    for _ in range(2):
        kept = store.kept_scores({"part": 1}, scores)
        pd.testing.assert_frame_equal(kept, scores(), check_exact=True)


@pytest.mark.parametrize("harm", ["flipped", "cut", "emptied", "folder"])
def test_damaged_scores_are_computed_again(harm, tmp_path) -> None:
    calls: list[int] = []

    def compute() -> pd.DataFrame:
        calls.append(1)
        return scores()

    store.kept_scores({}, compute)
    (path,) = (tmp_path / "cache" / "scores").iterdir()
    text = path.read_text()
    if harm == "folder":
        path.unlink()
        path.mkdir()
    else:
        harmed = {"flipped": text.replace("0.25", "0.75"), "cut": text[:-9], "emptied": ""}
        path.write_text(harmed[harm])
    pd.testing.assert_frame_equal(store.kept_scores({}, compute), scores())
    assert len(calls) == 2
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"s": 1e999, "began": 0}', "\0"])
def test_a_damaged_note_of_time_counts_from_now(tmp_path, text) -> None:
    (tmp_path / "resume.safetensors").touch()
    (tmp_path / store.SPENT).write_text(text)
    assert store.stopwatch(tmp_path)() < 5.0


def test_a_computation_that_fails_leaves_no_scores(tmp_path) -> None:
    def fail() -> pd.DataFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.kept_scores({}, fail)
    assert not list((tmp_path / "cache" / "scores").glob("*"))
