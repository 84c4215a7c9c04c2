"""The commands import and export say in one sentence what they did, or what is wrong."""

import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from openscenes.__main__ import main
from openscenes.annotator.exchange import command
from openscenes.annotator.exchange.export import KINDS

tools = SimpleNamespace(**run_path(str(Path(__file__).with_name("exchanging.py"))))


@pytest.fixture
def folder(tmp_path):
    tools.write_image(tmp_path / "set/my cup.jpg")
    return tmp_path / "set"


@pytest.fixture
def source(tmp_path):
    return tools.coco_file(tmp_path, [tools.entry(name="my cup.jpg")], [tools.drawn()])


def said(capsys):
    out, err = capsys.readouterr()
    return (out + err).strip()


def test_what_is_imported_can_be_exported_and_imported_again(folder, source, tmp_path, capsys):
    assert main(["import", str(folder), str(source)]) == 0
    assert said(capsys) == f"1 object of {source} added, 0 known before."
    out = tmp_path / "out"
    assert main(["export", str(folder), "coco", "--to", str(out)]) == 0
    assert said(capsys) == f"1 object on 1 image in {out}."
    assert main(["import", str(folder), str(out)]) == 0
    assert said(capsys) == f"0 objects of {out} added, 1 known before."
    assert main(["export", str(folder), "png"]) == 0
    assert (folder / "openscenes/exports/png/openscenes.json").is_file()


def test_a_workspace_elsewhere_is_used(folder, source, tmp_path, capsys):
    elsewhere = ["--workspace", str(tmp_path / "kept")]
    assert main(["import", str(folder), str(source), *elsewhere]) == 0
    assert main(["export", str(folder), "voc", *elsewhere]) == 0
    assert (tmp_path / "kept/exports/voc/VOCdevkit").is_dir()
    assert not (folder / "openscenes").exists()


def test_mistakes_end_in_one_sentence(folder, source, tmp_path, capsys):
    def refused(words, why):
        assert main([str(word) for word in words]) == 2
        answer = said(capsys)
        assert answer.startswith("openscenes: ") and why in answer and "\n" not in answer

    refused(["export", folder, "coco"], "Nothing was annotated in")
    refused(["export", "two\nlines", "coco"], r"two\nlines")
    assert not (folder / "openscenes").exists()
    refused(["import", tmp_path / "gone", source], "here is no folder")
    refused(["import", folder, tmp_path / "gone.json"], "give an export's folder, or files of COCO")
    refused(["import", folder, ""], "is no path")
    refused(["import", folder, folder / "my cup.jpg"], "is not a COCO instances file but an image")
    assert main(["import", str(folder), str(source)]) == 0
    said(capsys)
    refused(["export", folder, "coco", "--to", folder], "that no export wrote")
    with pytest.raises(SystemExit):
        main(["export", str(folder), "pascal"])
    assert command.KINDS == KINDS


def test_lines_that_cannot_be_used_are_told(folder, source, capsys):
    assert main(["import", str(folder), str(source)]) == 0
    with (folder / "openscenes/log.jsonl").open("a") as log:
        log.write("{}\n")
    said(capsys)
    assert main(["export", str(folder), "coco"]) == 0
    assert "line 2 (not readable) could not be used" in said(capsys)


def test_a_command_line_is_read_without_the_packages_of_the_work(monkeypatch, capsys):
    for name in ("torch", "cv2", "openscenes.annotator.exchange.imports"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert "FOLDER_OF_IMAGES FILE" in " ".join(capsys.readouterr().out.split())
