"""``make models``: what all tables ask is trained and scored once, before the first page."""

import pytest

from openscenes.__main__ import main
from openscenes.errors import InputError
from openscenes.study import command
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.profiles import SMOKE
from openscenes.study.runs import finished


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What would be prepared; nothing is trained."""
    evaluations = []

    def prepare(_study, wanted, _data, _device):
        evaluations.append(wanted)
        yield "ready"

    monkeypatch.setattr(command, "prepare", prepare)
    monkeypatch.setattr(finished, "_note", lambda name: tmp_path / f"{name}.json")
    return evaluations


def test_models_of_all_tables_are_asked_for_at_once(asked, capsys):
    assert command.make_models(profile="smoke", data=None, seeds=2, device="cpu") == 0
    (evaluations,) = asked
    assert len(set(evaluations)) == len(evaluations)
    for one in EXPERIMENTS.values():
        assert set(one.evaluations(SMOKE, 2)) <= set(evaluations)
    assert "all tables: models to train: " in capsys.readouterr().err


def test_a_second_call_asks_nothing(asked):
    words = ["models", "--profile", "smoke", "--device", "cpu"]
    assert main(words) == main(words) == 0
    assert len(asked) == 1
    assert main([*words, "--seeds", "2"]) == 0
    assert len(asked) == 2


def test_no_seed_is_refused(asked):
    with pytest.raises(InputError, match="seeds is 0; give a whole number"):
        command.make_models(profile="smoke", data=None, seeds=0, device="cpu")
    assert not asked
