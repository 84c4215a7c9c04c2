"""A damaged file of a finished table is one sentence that names it; nothing is read as a gap."""

import json
import os

import pandas as pd
import pytest

from openscenes.errors import DataError
from openscenes.study.status.page import write_status
from openscenes.study.status.reading import read_cells, read_objects, read_run

RUN = {
    "table": "4", "wall_s": 3.0, "code_digest": "c0de", "threads": 2, "git": None, "models": [],
    "profile": {"name": "demo", "data": "d", "synthetic": {}},
    "device": {"cpu": None, "accelerators": []},
    "claims": [{"block": "COCO", "better": "NA", "worse": "None", "paper": None, "ours": 1.0,
                "low": 0.0, "high": float("nan"), "verdict": "Holds here"}],
    "objects": {"voc/val": {"images": 1, "objects": 2, "dropped": {"small": 3}}},
}  # fmt: skip
COLUMNS = "block,row,paper,ours,ours_std,ours_low,ours_high,to_first,to_first_low,to_first_high"
CELLS = f"""{COLUMNS},n_seeds,n_objects
COCO,None,,50.0,,49.0,51.0,,,,2,2
COCO,NA,70.5,51.0,0.5,50.0,52.0,1.0,0.5,1.5,2,2
"""
OBJECTS = """block,seed,object_id,class_name,area,None,NA
COCO,0,007,NA,9,0.5,0.5
COCO,0,None,None,9,0.5,0.75
COCO,1,007,NA,9,0.5,0.5
COCO,1,None,None,9,0.5,0.75
"""


@pytest.fixture
def reports(tmp_path):
    tables = tmp_path / "reports" / "tables"
    tables.mkdir(parents=True)
    (tables / "table_4_run.json").write_text(json.dumps(RUN))
    (tables / "table_4.csv").write_text(CELLS)
    (tables / "table_4_objects.csv").write_text(OBJECTS)
    return tables.parent


def test_whole_files_are_read_and_names_stay_names(reports):
    tables = reports / "tables"
    assert read_run(tables / "table_4_run.json")["claims"][0]["better"] == "NA"
    cells = read_cells(tables / "table_4.csv")
    assert list(cells["row"]) == ["None", "NA"]
    assert pd.isna(cells["paper"][0]) and cells["paper"][1] == 70.5
    objects = read_objects(tables / "table_4_objects.csv", RUN["claims"])
    assert list(objects["class_name"][:2]) == ["NA", "None"]
    assert list(objects["object_id"][:2]) == ["007", "None"]
    assert "NA against None" in (write_status(reports).parent / "findings.md").read_text()


def changed(**what):
    return json.dumps({key: value for key, value in (RUN | what).items() if value is not ...})


CLAIM = RUN["claims"][0]
RUNS = {
    "empty": "", "cut": json.dumps(RUN)[:-9], "deep": "[" * 99_999, "list": "[]", "bytes": "\xff",
    "no profile": changed(profile=...), "profile": changed(profile="demo"),
    "name": changed(profile={"name": 3, "data": "d", "synthetic": None}),
    "models": changed(models={}), "model": changed(models=[{"wall_s": "9"}]),
    "claims": changed(claims=7), "claim": changed(claims=[[]]), "git": changed(git="abc"),
    "block": changed(claims=[CLAIM | {"block": None}]), "time": changed(wall_s=10**400),
    "gain": changed(claims=[CLAIM | {"ours": "1"}]), "truth": changed(threads=True),
    "counts": changed(objects={"voc": {"images": 1}}), "infinite": changed(wall_s=float("inf")),
}  # fmt: skip
TABLES = {
    "empty": "", "no rows": CELLS.splitlines()[0], "cut": CELLS[:-4], "bytes": "\xff\0",
    "no column": CELLS.replace("n_seeds", "n"), "word": CELLS.replace("51.0,0.5", "many,0.5"),
    "seeds": CELLS.replace(",2,2", ",0,2"), "gap": CELLS.replace(",2,2", ",,2"),
    "endless": CELLS.replace(",2,2", ",inf,2"), "quote": CELLS.replace("None", '"None'),
    "columns": CELLS.replace("\nCOCO,NA", "\nCOCO,1,2,3,4,5,6,7,8,9,1,2,3,NA"),
}  # fmt: skip
SCORES = {
    "empty": "", "bytes": "\xff\xfe\0", "no row": OBJECTS.replace("NA\n", "x\n", 1),
    "word": OBJECTS.replace("0.75", "much"), "cut": OBJECTS[: OBJECTS.rindex("COCO")],
    "block": OBJECTS.replace("COCO", "VOC"), "no seed": OBJECTS.replace("seed", "sead"),
}  # fmt: skip
DAMAGED = [
    *((f"run {name}", "table_4_run.json", text) for name, text in RUNS.items()),
    *((f"cells {name}", "table_4.csv", text) for name, text in TABLES.items()),
    *((f"objects {name}", "table_4_objects.csv", text) for name, text in SCORES.items()),
]


@pytest.mark.parametrize(("name", "text"), [d[1:] for d in DAMAGED], ids=[d[0] for d in DAMAGED])
def test_damage_is_one_sentence(reports, name, text):
    (reports / "tables" / name).write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=name) as said:
        write_status(reports)
    assert "\n" not in str(said.value) and len(str(said.value)) < 600
    assert not (reports / "README.md").exists()


@pytest.mark.parametrize("name", ["table_4_run.json", "table_4.csv", "table_4_objects.csv"])
def test_what_is_no_file_is_not_waited_for(reports, name):
    path = reports / "tables" / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=f"{name} is a named pipe"):
        write_status(reports)
