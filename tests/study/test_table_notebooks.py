"""Every table notebook, from nothing, at the smoke size, through the code path of the demo."""

import json
from pathlib import Path

import pandas as pd
import pytest

from openscenes.__main__ import main
from openscenes.paths import PROJECT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for number in ("4", "3"):
        arguments = ["table", number, "--profile", "smoke", "--seeds", "2", "--device", "cpu"]
        assert main([*arguments, "--reports", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("number", [3, 4])
def test_a_table_says_what_its_pictures_are(made: Path, number: int) -> None:
    text = (made / "tables" / f"table_{number}.md").read_text(encoding="utf-8")
    assert "smoke test" in text
    assert "its numbers mean nothing" in text


@pytest.mark.parametrize(("number", "rows"), [(3, 13), (4, 6)])
def test_every_row_stands_on_every_object_and_seed(made: Path, number: int, rows: int) -> None:
    objects = pd.read_csv(made / "tables" / f"table_{number}_objects.csv")
    summary = pd.read_csv(made / "tables" / f"table_{number}.csv")
    assert not objects.isna().any(axis=None)
    assert len(objects.columns) == 5 + rows
    for _, block in objects.groupby("block"):
        assert block.groupby("seed")["object_id"].nunique().nunique() == 1
    for line in summary.itertuples():
        mean = objects[objects["block"] == line.block][line.row].mean()
        assert 100 * mean == pytest.approx(line.ours, abs=0.02)


def test_a_run_says_where_it_comes_from(made: Path) -> None:
    facts = json.loads((made / "tables" / "table_4_run.json").read_text(encoding="utf-8"))
    assert facts["profile"]["name"] == "smoke"
    assert len(facts["models"]) == 2 * (1 + 2 * 5)
    for key in ("code_digest", "lock_digest", "device", "wall_s", "peak_memory_mb", "versions"):
        assert facts[key]


def test_the_executed_page_is_whole(made: Path) -> None:
    page = json.loads((made / "notebooks" / "table_4_alignment.ipynb").read_text(encoding="utf-8"))
    outputs = [out for cell in page["cells"] for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert not list(made.rglob("*.failed.ipynb"))


def test_a_second_call_trains_nothing(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (made / "tables" / "table_4.csv").read_bytes()
    arguments = ["table", "4", "--profile", "smoke", "--seeds", "2", "--device", "cpu"]
    assert main([*arguments, "--reports", str(made)]) == 0
    assert "it/s" not in capsys.readouterr().err
    assert (made / "tables" / "table_4.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table", "4", "--profile", "nonsense"], "there is no profile"),
        (["table", "4", "--profile", "study"], "give the folder"),
        (["table", "4", "--seeds", "0"], "at least one seed"),
        (["table", "4", "--device", "abacus"], "device must be"),
    ],
)
def test_a_mistake_gets_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1


def test_notebooks_read_what_the_command_gives() -> None:
    for name in ("table_3_ipt", "table_4_alignment"):
        source = json.loads((PROJECT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
        assert all(not cell.get("outputs") for cell in source["cells"])
