"""README's picture of the annotator is taken by a script, which says what it lacks."""

import io
import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path

from PIL import Image

SCRIPT = Path(__file__).parents[1] / "drawn" / "annotator_picture.py"


def test_without_a_browser_the_script_says_so_in_a_sentence(tmp_path):
    bare = {k: v for k, v in os.environ.items() if k != "CHROMIUM"} | {"PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, SCRIPT], env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("There is no Chromium") and done.stderr.count("\n") == 1


def test_a_screenshot_is_kept_in_few_bytes(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, format="png", compress_level=0)
    path = run_path(str(SCRIPT))["kept"](buffer.getvalue(), tmp_path)
    assert [path] == list(tmp_path.iterdir()) and path.name == "annotator.png"
    with Image.open(path) as kept:
        assert kept.convert("RGB").getpixel((0, 0)) == (0, 128, 128)
    assert path.stat().st_size < 1000
