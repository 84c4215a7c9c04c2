"""A window has the same name after its process has ended; two at a time have two names."""

import subprocess
import sys

from openscenes.annotator.store.windows import FIRST, window_at

ASK = (
    "import sys; from pathlib import Path; from openscenes.annotator.store.windows import "
    "window_at; print(window_at(Path(sys.argv[1])))"
)


def told(folder):
    """The name that another process gets."""
    asked = [sys.executable, "-c", ASK, str(folder)]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def test_a_restarted_process_goes_on_and_one_beside_it_is_another_window(tmp_path):
    assert [told(tmp_path), told(tmp_path)] == [FIRST, FIRST]
    assert [window_at(tmp_path), window_at(tmp_path)] == [FIRST, FIRST]
    beside = told(tmp_path)
    assert beside != FIRST and beside != told(tmp_path)


def test_where_nothing_can_be_written_a_window_has_a_name_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    assert window_at(tmp_path / "file") != FIRST
