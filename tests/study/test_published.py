"""Published weights to begin with: what starts from them, what trains, what is refused and said."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from openscenes.__main__ import main
from openscenes.errors import InputError, WeightsError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.iog import IOG
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_published, misfit, published_state
from openscenes.peers.networks.dextr import DEXTR
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.asked import spelled
from openscenes.study.command import spelled_for_notebooks
from openscenes.study.experiments.table_1 import parameter_table
from openscenes.study.options import profile_named
from openscenes.study.plan.plan import plan_text
from openscenes.study.profiles import PAPER, SMOKE
from openscenes.study.runs import finished
from openscenes.study.runs.data import open_study
from openscenes.study.runs.names import plain_name
from openscenes.study.runs.published import (
    Published,
    beginning,
    iog_weights,
    require_published,
    sentences,
    told,
)
from openscenes.study.runs.recipes import evolved, finetuned, initial, peer
from openscenes.study.runs.runs import find, train

LARGER, SMALLER = initial("voc+sbd", 0), initial("voc", 0)
PUBLISHED = Path(__file__).parents[1] / "networks/iog_state_dict.json"


def drawn(name: str):
    generator = torch_generator("published", name)
    return OpenSceneNet(SMOKE.network, generator=generator).iog.state_dict()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    """Files of the right names and shapes for the smoke networks, as their authors would save."""
    folder = tmp_path_factory.mktemp("weights")
    iog, dextr = folder / "iog_smoke.pth", folder / "dextr.safetensors"
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in drawn("iog").items()}, "epoch": 99}, iog
    )
    save_file(peer_of(SMOKE, "DEXTR").build(torch_generator("published")).state_dict(), dextr)
    return {"initial": str(iog), "dextr": str(dextr)}


@pytest.fixture(scope="module")
def study(files):
    return open_study(profile_named(spelled("smoke", files)), None, "cpu")


def test_only_the_heads_and_the_corrector_learn(study, files):
    model = train(study, LARGER)
    network = model.load(study)
    fresh = OpenSceneNet(SMOKE.network, generator=torch_generator("network", 0))
    load_published(fresh.iog, Path(files["initial"]))
    mine, theirs = network.state_dict(), fresh.state_dict()
    changed = {name.partition(".")[0] for name in mine if not torch.equal(mine[name], theirs[name])}
    assert changed == {"predictor", "classifier", "corrector"}
    facts = model.facts()
    assert facts["made_of"]["published"] == iog_weights(study.profile).sha256
    assert facts["made_of"]["train"]["epochs"] == SMOKE.head_epochs == len(facts["history"])
    assert facts["history"][-1]["class"] < facts["history"][0]["class"]
    assert str(Path(files["initial"]).parent) not in json.dumps(facts)


def test_what_begins_with_them_and_what_does_not(study):
    profile, plain = study.profile, open_study(SMOKE, None, "cpu")
    assert beginning(profile, LARGER) == iog_weights(profile)
    assert [beginning(profile, one) for one in (SMALLER, peer("ITIS", 0))] == [None, None]
    assert beginning(SMOKE, LARGER) is None
    changed = [LARGER, evolved(LARGER, "coco", "st"), peer("DEXTR", 0)]
    assert all(find(study, one).digest != find(plain, one).digest for one in changed)
    same = [SMALLER, peer("ITIS", 0)]
    assert all(find(study, one).digest == find(plain, one).digest for one in same)
    assert [name for name in PEERS if beginning(profile, peer(name, 0))] == ["DEXTR"]


def test_dextr_is_taken_as_it_is_and_once_for_all_seeds(study, files):
    first, second = (train(study, peer("DEXTR", seed)) for seed in (0, 1))
    assert first.folder == second.folder
    assert first.facts()["history"] == []
    kept = first.load_into(peer_of(SMOKE, "DEXTR").build()).state_dict()
    state = published_state(peer_of(SMOKE, "DEXTR").build(), Path(files["dextr"]))
    assert all(torch.equal(kept[name], state[name]) for name in kept)
    tuned = [find(study, finetuned(peer("DEXTR", seed), "coco")).digest for seed in (0, 1)]
    assert tuned[0] != tuned[1]


def test_a_file_counts_by_its_bytes_and_not_by_its_place(study, files, tmp_path):
    moved, other = tmp_path / "elsewhere.pth", tmp_path / "iog_smoke.pth"
    moved.write_bytes(Path(files["initial"]).read_bytes())
    torch.save(drawn("other"), other)
    digests = [
        find(replace(study, profile=profile_named(spelled("smoke", {"initial": path})), memory={}),
             LARGER).digest
        for path in (files["initial"], moved, other)
    ]  # fmt: skip
    assert digests[0] == digests[1] != digests[2]


def test_a_finished_page_knows_the_bytes_too(tmp_path):
    path = tmp_path / "iog.pth"
    names = []
    for content in (b"1", b"2"):
        path.write_bytes(content)
        spelling = spelled("smoke", {"initial": path})
        names.append(finished.request_name("3", spelling, None, 1, "cpu", None))
    assert names[0] != names[1]


def test_captions_say_what_models_start_from(study, files):
    profile = study.profile
    sha256 = {name: finished.file_digest(Path(path))[:12] for name, path in files.items()}
    said = sentences(profile, [evolved(LARGER, "coco", "st"), SMALLER, peer("DEXTR", 1)])
    assert f"VOC+SBD starts from iog_smoke.pth (sha256 {sha256['initial']}), published" in said
    assert "for 2 epochs" in said and "on VOC was trained here" in said
    assert f"DEXTR starts from dextr.safetensors (sha256 {sha256['dextr']})" in said
    assert sentences(profile, [SMALLER]) == sentences(SMOKE, [LARGER]) == ""
    table = parameter_table(profile)
    assert table.count("iog_smoke.pth (sha256") == 2 and "dextr.safetensors (sha256" in table
    plain = json.dumps([told(profile).initial_weights, told(profile).spelling])
    assert files["initial"] not in plain and sha256["initial"] in plain


def test_table_4_is_made_for_the_set_of_the_weights_alone():
    profile = profile_named("paper?initial=iog.pth")
    assert (PAPER.initial_sets, profile.initial_sets) == (("voc", "voc+sbd"), ("voc+sbd",))


def test_the_published_networks_fit_the_papers_profile(tmp_path):
    with torch.device("meta"):
        iog, dextr = IOG(PAPER.network), DEXTR()
    names = json.loads(PUBLISHED.read_text())
    shapes = {n: tuple(one["shape"] if isinstance(one, dict) else one) for n, one in names.items()}
    state = {n: torch.empty(s, device="meta") for n, s in shapes.items()}
    assert {n: tuple(t.shape) for n, t in iog.state_dict().items()} == shapes
    state |= {n: t for n, t in iog.state_dict().items() if not t.is_floating_point()}
    assert misfit(iog, state) == ""
    assert "missing: " in misfit(dextr, state)


class Trap:
    def __reduce__(self):
        return (print, ("unpickled",))


def _write(kind: str, path: Path) -> None:
    if kind == "another network's":
        torch.save(peer_of(SMOKE, "DEXTR").build().state_dict(), path)
    elif kind == "another size":
        wider = NetworkConfig(
            backbone="small_resnet", output_stride=4, head_width=16, psp_width=8, crop_size=32
        )
        torch.save(OpenSceneNet(wider).iog.state_dict(), path)
    elif kind == "cut off":
        torch.save(drawn("iog"), path)
        os.truncate(path, path.stat().st_size // 2)
    elif kind == "not finite":
        state = drawn("iog")
        state["psp4.bottleneck.0.weight"][0] = torch.nan
        torch.save(state, path)
    elif kind == "code":
        path.write_bytes(pickle.dumps(Trap(), protocol=2))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "a folder":
        path.mkdir()


REFUSED = {
    "another network's": "does not fit the small_resnet at 32 px of profile smoke (missing: ",
    "another size": "misshapen: ",
    "cut off": "is damaged",
    "not finite": "holds numbers that are not finite",
    "code": "holds more than tensors",
    "empty": "is damaged",
    "a folder": "is a folder",
    "missing": "There is no weight file",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_file_is_one_sentence_before_anything_is_trained(kind, tmp_path, capsys):
    path = tmp_path / "iog.pth"
    _write(kind, path)
    profile = profile_named(spelled("smoke", {"initial": path}))
    with pytest.raises((InputError, WeightsError), match="^[^\n]+$") as raised:
        open_study(profile, None, "cpu")
    assert REFUSED[kind] in str(raised.value)
    with pytest.raises((InputError, WeightsError)):
        plan_text(profile, 1, None, "cpu")
    assert main(["table", "3", "--profile", "smoke", "--initial", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_dextrs_file_must_fit_dextr(files):
    wrong = profile_named(spelled("smoke", {"dextr": files["initial"]}))
    with pytest.raises(InputError, match=r"does not fit the DEXTR of profile smoke \(missing: "):
        require_published(wrong)


def test_notebooks_get_paths_from_their_own_folder(files):
    there = spelled_for_notebooks(spelled("smoke", files))
    assert f"={files['initial']}" not in there
    assert profile_named(there).initial_weights.startswith("../")
    assert spelled_for_notebooks("smoke?micro_batch=8") == "smoke?micro_batch=8"
    assert spelled_for_notebooks("demo") == "demo"


def test_names_on_pages_hold_no_marks():
    assert plain_name(Path("/data/my *set* $a$ <b>")) == "my ?set? ?a? ?b?"
    assert plain_name(Path("/")) == "?"
    assert Published(Path("x/iog.pth"), "ab" * 32).words == "iog.pth (sha256 abababababab)"


def test_a_table_from_published_weights_through_the_command(files, tmp_path, capsys):
    arguments = ["table", "3", "--profile", "smoke", "--device", "cpu"]
    arguments += ["--initial", files["initial"], "--reports", str(tmp_path)]
    assert main(arguments) == 0
    text = (tmp_path / "tables/table_3.md").read_text()
    assert "The initial model on VOC+SBD starts from iog_smoke.pth (sha256 " in text
    run = (tmp_path / "tables/table_3_run.json").read_text()
    assert str(Path(files["initial"]).parent) not in run + text
    assert json.loads(run)["profile"]["initial_weights"].startswith("iog_smoke.pth (sha256 ")
    capsys.readouterr()
    assert main(arguments) == 0
    assert "it stands in" in capsys.readouterr().out
