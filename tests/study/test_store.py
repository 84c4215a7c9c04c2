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


def test_a_computation_that_fails_leaves_no_scores(tmp_path) -> None:
    def fail() -> pd.DataFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.kept_scores({}, fail)
    assert not list((tmp_path / "cache").rglob("*.csv"))
