"""The images of a folder: what is known of each, the way to the next untouched, thumbnails."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from openscenes.annotator.screen.image_panel import THUMB_PX, ImagePanel, saved, thumbnail
from openscenes.errors import DataError, InputError

desks = SimpleNamespace(**run_path(str(Path(__file__).parent / "desks.py")))


@pytest.fixture
def desk(tmp_path):
    return desks.desk(desks.write_images(tmp_path, n=5))


@pytest.fixture
def panel(desk):
    made = ImagePanel(desk, lambda action: action)
    made.show()
    return made


def test_every_image_has_a_state(desk, panel):
    (desk.workspace.images / "3.png").write_bytes(b"\x89PNG")
    desks.click_object(desk)
    desk.accept()
    desk.go(1)
    desks.click_object(desk)
    panel.show()
    assert panel.strip.states == ["done", "begun", "untouched", "untouched", "untouched"]
    desk.lay(2)
    panel.show()
    panel.skip.click()
    assert desk.place == 4  # 3 cannot be read
    with pytest.raises(DataError, match="3.png cannot be shown .*; replace the file"):
        desk.lay(3)
    panel.show()
    assert panel.strip.states == ["done", "begun", "skipped", "damaged", "untouched"]
    assert "unreadable" in panel.strip.reasons["3"]
    assert "1 done, 1 begun, 1 skipped, 1 damaged, 1 untouched" in panel.words.value
    assert desks.desk(desk.workspace.images).folder.states()[2] == "skipped"
    desk.lay(2)
    panel.show()
    assert panel.skip.description == "Do not skip"
    panel.skip.click()
    panel.show()
    assert (panel.strip.states[2], desk.place) == ("untouched", 2)


def test_to_the_next_untouched_and_round(desk, panel):
    desk.folder.skip(desk.images[1])
    panel.untouched.click()
    assert desk.place == 2
    desk.lay(4)
    panel.untouched.click()
    assert desk.place == 0
    for path in desk.images:
        desk.folder.skip(path)
    with pytest.raises(InputError, match="No other image is untouched"):
        desk.go_untouched()


def test_a_press_goes_there_and_thumbnails_come_when_they_are_asked_for(desk, panel, monkeypatch):
    sent = []
    monkeypatch.setattr(panel.strip, "send", lambda *told: sent.append(told), raising=False)
    panel.strip._handle_custom_msg({"go": 3}, [])
    assert desk.place == 3
    panel.strip._handle_custom_msg({"wanted": [0, 99, "x", 2]}, [])
    panel.wait()
    assert [told[0]["thumb"] for told in sent] == [0, 2]
    assert all(told[1][0].startswith(b"\xff\xd8") for told in sent)


def test_a_thumbnail_fits(desk):
    assert thumbnail(np.zeros((3000, 1000, 3), np.uint8)).shape == (2 * THUMB_PX[1], 47, 3)
    assert thumbnail(np.zeros((10, 20, 3), np.uint8)).shape == (10, 20, 3)


def test_it_says_what_is_saved(desk):
    assert saved(desk) == "Nothing to save yet."
    desks.click_object(desk)
    assert saved(desk).startswith("All is saved in log.jsonl, last at ")
