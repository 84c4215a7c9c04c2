"""A slip on the command line is answered before torch is imported."""

import os
import subprocess
import sys

import pytest

from openscenes.errors import InputError
from openscenes.networks.devices import resolved
from openscenes.paths import PROJECT
from openscenes.study import asked
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.options import OPTIONS
from openscenes.study.profiles import PROFILES
from openscenes.study.runs import finished

SLIPS = {
    "table 8": 'there is no table "8"; choose one of 1, 2',
    "table table4": '"4" is one',
    "plan 4plus": '"4+" is one',
    "dry-run 9": "there is no table",
    "table --profile dmo": 'there is no profile "dmo"; choose one of demo',
    "reports --profile x": "there is no profile",
    "evolve --log x --profile d": "there is no profile",
    "evolve --log no/log": "log missing: no/log (no such file)",
    "models --profile study": "needs to know where they lie: give the folder",
    "table --data no/folder": "the data folder no/folder cannot be opened",
    "lessons --data Makefile": "the data folder Makefile is no folder",
    "lessons --device gpu": "device must be",
    "predict Makefile --box 0 0 9 9 --point 4 4 --device tpu": "device must be",
    "predict no.jpg --box 0 0 9 9 --point 4 4": "image missing: no.jpg (no such file)",
    "release --device q": "device must be",
    "plan --seeds 0": "seeds is 0; give a whole number from 1 to 100",
    "table --precision half": "precision is",
    "table --deterministic yes": "give 1",
    "table --ablations no": 'ablations is "no"; give 1',
    "table --micro-batch 1": "from 2 to",
    "models --devices-per-model 65": "from 1 to 64",
    "models --workers x": "workers is 'x'; give a whole number",
    "table --reports /dev/null/x": "cannot be written to",
    "export no/folder coco": "there is no folder no/folder",
    "import no/folder x.json": "there is no folder no/folder",
}
CODE = """
import sys
from openscenes.__main__ import main
for words in sys.argv[1:]:
    print(main(words.split()), 'torch' in sys.modules, file=sys.stderr)
"""


def test_no_slip_waits_for_torch():
    environment = {"PYTHONPATH": str(PROJECT / "lib"), "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-c", CODE, *SLIPS], cwd=PROJECT, env=environment, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    said = run.stderr.splitlines()
    assert len(said) == 2 * len(SLIPS) and run.stdout == ""
    for words, sentence, outcome in zip(SLIPS, said[::2], said[1::2], strict=True):
        assert SLIPS[words] in sentence, words
        assert outcome == "2 False", words


def test_what_is_known_without_torch_is_what_there_is():
    assert asked.PROFILE_NAMES == tuple(PROFILES)
    assert {name for name in PROFILES if PROFILES[name].synthetic is None} == set(asked.ON_IMAGES)
    assert tuple(EXPERIMENTS) == finished.TABLES
    assert (*asked.VALUES, *finished.FILES) == tuple(OPTIONS)


@pytest.mark.parametrize("word", ["gpu", "", "cuda:", "cuda:100", "cpu:0", "CPU", "auto "])
def test_no_device_is_refused_twice(word):
    for check in (asked.known_device, resolved):
        with pytest.raises(InputError, match="^device must be"):
            check(word)


@pytest.mark.parametrize("word", ["auto", "cpu", "cuda", "cuda:0", "cuda:99"])
def test_a_device_is_left_to_torch(word):
    asked.known_device(word)
