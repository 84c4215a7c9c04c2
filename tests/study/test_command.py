"""``make models``: what all tables ask is trained and scored once, before the first page."""

import pytest

from openscenes import __main__ as front
from openscenes.__main__ import main
from openscenes.errors import InputError
from openscenes.paths import SHOWN
from openscenes.study import command
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.graph.wanted import Place
from openscenes.study.profiles import SMOKE
from openscenes.study.runs import finished


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What would be prepared; nothing is trained."""
    evaluations = []

    def done(profile, seeds, wanted, place):
        evaluations.append(wanted.evaluations)
        yield from ()

    monkeypatch.setattr(command, "_done", done)
    monkeypatch.setattr(finished, "_note", lambda name: tmp_path / f"{name}.json")
    return evaluations


def test_models_of_all_tables_are_asked_for_at_once(asked):
    assert command.make_models(profile="smoke", seeds=2, place=Place(device="cpu")) == 0
    (evaluations,) = asked
    for one in EXPERIMENTS.values():
        assert set(one.evaluations(SMOKE, 2)) <= set(evaluations)


def test_a_second_call_asks_nothing(asked):
    words = ["models", "--profile", "smoke", "--device", "cpu"]
    assert main(words) == main(words) == 0
    assert len(asked) == 1
    assert main([*words, "--seeds", "2"]) == 0
    assert len(asked) == 2


def test_reports_renews_what_the_repository_shows_and_then_the_status(monkeypatch):
    told = []
    monkeypatch.setattr(front, "_table", lambda parsed: told.append((parsed.keys, parsed.reports)))
    monkeypatch.setattr(front, "_lessons", lambda parsed: told.append(parsed.reports))
    monkeypatch.setattr(front, "_status", lambda parsed: told.append("status"))
    assert main(["reports", "--profile", "smoke"]) == 0
    folder = SHOWN / "smoke"
    assert told == [([], folder), folder, "status"]


def test_no_seed_is_refused(asked):
    with pytest.raises(InputError, match="seeds is 0; give a whole number"):
        command.make_models(profile="smoke", seeds=0, place=Place(device="cpu"))
    assert not asked


@pytest.mark.parametrize(("profile", "left_out"), [("smoke", set()), ("paper", {"4_plus"})])
def test_what_is_made_unless_some_are_named(profile, left_out):
    assert set(finished.keys_of(f"{profile}?precision=tf32")) == set(EXPERIMENTS) - left_out


@pytest.mark.parametrize("workers", ["two", "0", "-1", "1.5", "²", "999999999999"])
def test_workers_are_counted(workers, capsys):
    assert main(["models", "--profile", "smoke", "--seeds", "99", "--workers", workers]) == 2
    said = capsys.readouterr().err
    assert said.startswith("openscenes: workers is ") and said.count("\n") == 1


def test_a_scheduler_that_does_not_answer_is_one_sentence(capsys, monkeypatch):
    words = ["models", "--profile", "smoke", "--seeds", "98"]
    assert main([*words, "--cluster", "nonsense://127.0.0.1:9"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("openscenes: no Dask scheduler answers at nonsense://127.0.0.1:9")
    assert said.count("\n") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Dask's __del__
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", "is no YAML"),
        ("- 1", "names no class"),
        ("class: LocalCluster", "names no class"),
        ("class: SLURMCluster\njobs: 0", "jobs is 0"),
        ("class: SLURMCluster\njobs: 1", "names no 'memory'"),
        ("class: SLURMCluster\narguments: {memory: 4GB, colour: red}", "dask-jobqueue refuses"),
    ],
    ids=["no-yaml", "list", "unknown", "no-jobs", "no-memory", "odd-argument"],
)
def test_a_file_that_describes_no_cluster_is_one_sentence(content, said, tmp_path, capsys):
    path = tmp_path / "cluster.yaml"
    path.write_text(content)
    words = ["models", "--profile", "smoke", "--seeds", "97", "--cluster", str(path)]
    assert main(words) == 2
    found = capsys.readouterr().err
    assert said in found and found.count("\n") == 1
