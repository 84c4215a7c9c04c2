"""Every notebook, from nothing, at the smoke size, through the code path of the demo."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from openscenes.__main__ import main
from openscenes.study.experiments.registry import EXPERIMENTS

SEEDS = 2  # of a table that needs few models; one seed of the others keeps the time in hand
KEYS = ("3", "5", "7", "6", "4", "1", "2", "4_plus", "figures")
TABLES = tuple(key for key in KEYS if EXPERIMENTS[key].table is not None)
# Rows of each block, in the order of the blocks.
ROWS = {
    "1": [7] * 3, "2": [4] * 6, "3": [10] * 3, "4": [7] * 2, "4_plus": [*[14, 9] * 2, 8, 8, 5, 5],
    "5": [4, 3], "6": [3] * 4, "7": [5] * 4,
}  # fmt: skip
BESIDE = {
    "1": ["table_1_by_size", "table_1_clicks"], "3": ["table_3_sensitivity", "table_3_dose"],
    "4": ["table_4_by_size", "table_4_by_class"],
}  # fmt: skip
FIGURES = {
    "1": ["table_1", "table_1_by_size", "table_1_clicks", "table_1_noc"],
    "2": ["table_2", "table_2_matrix"],
    "3": ["table_3", "table_3_sensitivity_cityscapes", "table_3_sensitivity_coco", "table_3_dose"],
    "4": ["table_4", "table_4_by_class", "table_4_by_size", "table_4_objects", "table_4_training"],
    "4_plus": ["table_4_plus_exact", "table_4_plus_jittered", "table_4_plus_separable"],
    "5": ["table_5", "table_5_clamp", "table_5_training"],
    "6": ["table_6"],
    "7": ["table_7", "table_7_training"],
    "figures": [
        "figure_3_cityscapes", "figure_3_coco", "figure_4_cityscapes", "figure_4_coco",
        "scene_cityscapes", "scene_coco",
    ],
}  # fmt: skip


def table(key: str, folder: Path, seeds: int = 1, workers: int = 1, ablations: str = "1") -> int:
    """Make one notebook through the command line."""
    arguments = ["table", key, "--profile", "smoke", "--seeds", str(seeds), "--device", "cpu"]
    arguments += ["--ablations", ablations]
    return main([*arguments, "--workers", str(workers), "--reports", str(folder)])


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a csv whose rows may be called "None", as in Table 7."""
    return pd.read_csv(folder / "tables" / f"{name}.csv", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for key in KEYS:
        shared = key == "5"  # by two processes, whose start takes longer than a table's models
        assert table(key, folder, SEEDS if shared else 1, 1 + shared) == 0
    return folder


def test_a_second_call_runs_nothing_until_a_page_changes(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_arguments: object, **_settings: object) -> int:
        raise AssertionError("made again")

    monkeypatch.setattr("openscenes.study.command.make_tables", run)
    assert table("6", made) == 0
    assert str(made / "tables" / "table_6.md") in capsys.readouterr().out
    page = made / "tables" / "table_6.tex"
    kept = page.read_text(encoding="utf-8")
    page.write_text("edited", encoding="utf-8")
    with pytest.raises(AssertionError, match="made again"):
        table("6", made)
    page.write_text(kept, encoding="utf-8")


def test_without_ablations_no_row_or_file_of_them_stays(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    shutil.copytree(made, folder)
    rows = {"3": [10] * 3, "4_plus": [8, 8], "5": [3, 2]}
    for key, sizes in rows.items():
        assert table(key, folder, ablations="") == 0
        assert list(read(folder, f"table_{key}").groupby("block", sort=False).size()) == sizes
    gone = {"table_3_dose", "table_4_plus_jittered", "table_4_plus_separable"}
    left = {path.stem for path in folder.rglob("*.*")}
    assert gone <= {path.stem for path in made.rglob("*.*")} and not gone & left


@pytest.mark.parametrize("key", TABLES)
def test_a_table_says_what_its_pictures_are(made: Path, key: str) -> None:
    text = (made / "tables" / f"table_{key}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# Table {key.replace('_plus', '+')}")
    assert "smoke test" in text
    assert "its numbers mean nothing" in text


@pytest.mark.parametrize("key", TABLES)
def test_every_row_stands_on_every_object_and_seed(made: Path, key: str) -> None:
    objects = read(made, f"table_{key}_objects")
    summary = read(made, f"table_{key}")
    assert list(summary.groupby("block", sort=False)["row"].nunique()) == ROWS[key]
    for _, block in objects.groupby("block"):
        assert block.groupby("seed")["object_id"].nunique().nunique() == 1
    for line in summary.itertuples():
        scores = objects[objects["block"] == line.block][line.row].astype(float)
        assert not scores.isna().any()
        assert len(scores) == line.n_objects * line.n_seeds
        assert 100 * scores.mean() == pytest.approx(line.ours, abs=0.02)


@pytest.mark.parametrize("key", TABLES)
def test_a_run_says_where_it_comes_from(made: Path, key: str) -> None:
    facts = json.loads((made / "tables" / f"table_{key}_run.json").read_text(encoding="utf-8"))
    assert (facts["table"], facts["profile"]["name"]) == (key, "smoke")
    for fact in ("code_digest", "lock_digest", "device", "wall_s", "peak_memory_mb", "versions"):
        assert facts[fact]
    digests = [model["digest"] for model in facts["models"]]
    assert len(set(digests)) == len(digests) > 0


def test_models_are_counted_by_seed(made: Path) -> None:
    facts = json.loads((made / "tables" / "table_5_run.json").read_text(encoding="utf-8"))
    assert len(facts["models"]) == SEEDS * (1 + 4 + 3)  # initial, on COCO, on Cityscapes


@pytest.mark.parametrize("key", KEYS)
def test_nothing_is_left_out(made: Path, key: str) -> None:
    beside = [made / "tables" / f"{name}.csv" for name in BESIDE.get(key, [])]
    suffix = "jpg" if key == "figures" else "png"
    figures = [made / "figures" / f"{name}.{suffix}" for name in FIGURES[key]]
    tex = [made / "tables" / f"table_{key}.tex"] if key in TABLES else []
    assert [path.name for path in (*beside, *figures, *tex) if not path.is_file()] == []
    for path in beside:
        assert len(pd.read_csv(path)) > 1


@pytest.mark.parametrize("key", KEYS)
def test_the_executed_page_is_whole(made: Path, key: str) -> None:
    path = made / "notebooks" / f"{EXPERIMENTS[key].notebook}.ipynb"
    page = json.loads(path.read_text(encoding="utf-8"))
    outputs = [out for cell in page["cells"] for out in cell.get("outputs", [])]
    kind = "image/jpeg" if key == "figures" else "image/png"
    pictures = [out for out in outputs if kind in out.get("data", {})]
    assert len(pictures) == len(FIGURES[key])
    assert all(out["metadata"][kind]["alt"].endswith(".") for out in pictures)
    assert not list(made.rglob("*.failed.ipynb"))


def test_notes_of_ours_stand_below_their_tables(made: Path) -> None:
    plus = (made / "tables" / "table_4_plus.md").read_text(encoding="utf-8")
    assert "## The share of what ground truth wins" in plus
    assert "## Evidence at inference, on both sides" in plus and "## The masks themselves" in plus
    assert "## What more ground truth is worth" in (made / "tables" / "table_6.md").read_text()


def test_a_second_call_trains_nothing(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (made / "tables" / "table_7.csv").read_bytes()
    (made / "tables" / "table_7.md").unlink()  # or nothing would be made again
    assert table("7", made) == 0
    error = capsys.readouterr().err
    assert "it/s" not in error
    assert error.splitlines()[0] == "models to train: 0 of 16"
    assert (made / "tables" / "table_7.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table", "4", "--profile", "nonsense"], "there is no profile"),
        (["table", "4", "--profile", "study"], "give the folder"),
        (["table", "8"], "there is no table"),
        (["table", "4", "--seeds", "0"], "seeds is 0; give a whole number"),
        (["plan", "--profile", "smoke", "--seeds", "0"], "seeds is 0; give a whole number"),
        (["table", "4", "--device", "abacus"], "device must be"),
        (["lessons", "--profile", "smoke", "--device", "abacus"], "device must be"),
        (["scenes", "/dev/null/scenes"], "name another place"),
    ],
)
def test_a_mistake_gets_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1
