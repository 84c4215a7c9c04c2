"""One model trained by two processes: the same numbers, one error, one end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from openscenes.errors import DataError, TrainingError
from openscenes.method import training
from openscenes.method.objective import mask_cross_entropy
from openscenes.method.training import TrainConfig
from openscenes.networks.batch_norm import share_statistics, statistics_are_shared
from openscenes.networks.devices import make_fabric
from openscenes.networks.tensor_files import read_tensors, write_tensors
from openscenes.peers.zoo import PEERS
from openscenes.study.options import profile_named
from openscenes.study.runs import recipes, runs
from openscenes.study.runs.data import open_study
from openscenes.study.runs.launch import on_devices

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
FIRST = recipes.initial("voc", 0)
DEXTR = recipes.peer("DEXTR", 0)
KINDS = {
    "initial": FIRST,
    "full method": recipes.evolved(FIRST, "cityscapes", recipes.FULL),
    "BN re-estimation": recipes.evolved(FIRST, "cityscapes", recipes.BN_ONLY),
    "fine-tuned": recipes.finetuned(FIRST, "cityscapes"),
    **{name: recipes.peer(name, 0) for name in PEERS},
    "fine-tuned peer": recipes.finetuned(DEXTR, "coco"),
}
BATCH, CHANNELS = 7, 5  # of which one process takes four crops and the other three


def studies(n_devices: int):
    """The smoke study on a CPU, where so many processes share a model."""
    return open_study(profile_named(f"smoke?precision=32-true&devices_per_model={n_devices}"))


def normalised(share: slice, dtype: torch.dtype, *, alone: bool) -> dict[str, torch.Tensor]:
    """A trained and a frozen normalisation of some crops of a batch, and all their gradients."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(BATCH, CHANNELS, 6, 4, generator=generator, dtype=torch.float64) * 3 + 5
    weights = torch.randn(maps.shape, generator=generator, dtype=torch.float64)[share].to(dtype)
    norms = nn.Sequential(nn.BatchNorm2d(CHANNELS), nn.BatchNorm2d(CHANNELS).eval()).to(dtype)
    norms[0].weight.data.copy_(torch.arange(1, 1 + CHANNELS) / 3)
    if not alone:
        share_statistics(norms)
    own = maps[share].to(dtype).requires_grad_()
    made = norms(own)
    (made * weights).sum().backward()
    told = {"made": made.detach(), "back": own.grad} | norms.state_dict()
    return told | {f"{name} back": p.grad for name, p in norms.named_parameters()}


def one_step(network, root: Path, fabric, still=("classifier", "corrector")) -> None:
    """One step by seven objects, of which two processes have unequal shares."""
    train = TrainConfig(
        epochs=1, batch_size=BATCH, learning_rate=1.0, head_factor=1.0, momentum=0.0,
        weight_decay=0.0, reduction="mean",
    )  # fmt: skip

    def objective(module, batches, _epoch):
        (batch,) = batches
        return {"ce": mask_cross_entropy(module(batch.inputs(tiny.CLICKS).double()), batch)}

    training.train(
        network, lambda _epoch: [(example,) for example in tiny.labelled(root)[:BATCH]], objective,
        train, (tiny.AUGMENTATION,), tiny.context(fabric=fabric),
        still=[getattr(network, name) for name in still],
    )  # fmt: skip


def everything(study, folder: Path, old_root: Path) -> None:
    """What the tests below look at, in one start of two processes."""
    rank = study.fabric.global_rank
    assert torch.get_num_threads() == 1 and statistics_are_shared()
    for dtype in (torch.float64, torch.float32):
        made = normalised(slice(rank, None, 2), dtype, alone=False)
        write_tensors(made, folder / f"{dtype}-{rank}.safetensors", {})
    alone = normalised(slice(rank, rank + 1), torch.float64, alone=False)  # one crop each
    assert all(torch.isfinite(value).all() for value in alone.values())
    network = tiny.network().double()
    one_step(network, old_root, study.fabric)
    if rank == 0:
        write_tensors(network.state_dict(), folder / "step.safetensors", {})
    with pytest.raises(TrainingError, match="no loss reaches classifier.weight, so that"):
        one_step(tiny.network().double(), old_root, study.fabric, ())
    for recipe in KINDS.values():
        if recipe.learns_masks:
            if rank:
                study.fabric.barrier()  # the first writes the file that the other reads
            runs.masks_of(study, recipe)
            if not rank:
                study.fabric.barrier()
        runs._train(study, recipe, runs.find(study, recipe))
        study.fabric.barrier()


@pytest.fixture(scope="module")
def two(tmp_path_factory, old_root):
    folder = tmp_path_factory.mktemp("two")
    on_devices(studies(2), everything, folder, old_root)
    return folder


@pytest.mark.parametrize(
    ("dtype", "exact"), [(torch.float64, 1e-12), (torch.float32, 1e-6)], ids=["float64", "float32"]
)
def test_normalisations_of_two_processes_are_those_of_the_whole_batch(two, dtype, exact):
    whole = normalised(slice(None), torch.float64, alone=True)
    parts = [read_tensors(two / f"{dtype}-{rank}.safetensors")[0] for rank in (0, 1)]
    for name, wanted in whole.items():
        found = [part[name] for part in parts]
        if name in ("made", "back"):
            made = torch.empty_like(wanted)
            made[::2], made[1::2] = found
        elif name.endswith(" back"):
            made = sum(found)  # as DDP adds gradients
        else:
            made = found[0]
            assert torch.equal(*found), f"{name} differs between the processes"
        assert made.dtype == torch.float64 or name.endswith("tracked") or dtype == torch.float32
        torch.testing.assert_close(
            made.to(wanted), wanted, rtol=exact, atol=exact * wanted.abs().max().item()
        )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_training_is_that_of_one_process(two, kind):
    recipe, shared, alone = KINDS[kind], studies(2), studies(1)
    model, wanted = runs.find(shared, recipe), runs.train(alone, recipe)
    facts = model.facts()
    assert facts["made_of"]["devices"] == 2 and "devices" not in wanted.facts()["made_of"]
    found, whole = read_tensors(model.weights)[0], read_tensors(wanted.weights)[0]
    assert found.keys() == whole.keys()
    floats = [name for name in whole if whole[name].is_floating_point()]
    apart = sum((found[name] - whole[name]).square().sum() for name in floats).sqrt()
    length = sum(whole[name].square().sum() for name in floats).sqrt()
    # DEXTR's loss weighs by the counts of the crops that come together; other kinds differ by
    # 0.001 at most, and all by 0.012 at least where normalisations are not shared
    assert apart < 0.004 * length


def test_a_step_of_two_processes_is_that_of_one(two, old_root):
    """To the last digits: plain descent in float64, normalisations in training."""
    before, whole = (tiny.network().double() for _ in range(2))
    one_step(whole, old_root, make_fabric("cpu"))
    found, _ = read_tensors(two / "step.safetensors")
    start, wanted = before.state_dict(), whole.state_dict()
    moved = [(start[name] - wanted[name]).abs().max() for name in dict(whole.named_parameters())]
    assert sum(m > 1e-3 for m in moved) > 100
    for name, value in wanted.items():
        step = (value - start[name]).abs().max().item()
        assert (found[name] - value).abs().max().item() <= 1e-6 * step + 1e-12, name


def fails(study, how: str, folder: Path) -> None:
    """One of two processes fails, while the other waits for it."""
    rank = study.fabric.global_rank
    (folder / f"{rank}.part").write_text(str(os.getpid()))
    (folder / f"{rank}.part").rename(folder / f"{rank}.pid")
    if rank == 1 and how == "data":
        raise DataError("an image is damaged; fetch it again")
    if rank == 1 and how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1 and how == "asleep":
        time.sleep(600)
    study.fabric.barrier()


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("data", DataError, "^an image is damaged; fetch it again$"),
        ("killed", TrainingError, "^one of the 2 processes .* for want of memory; the same com"),
    ],
    ids=["error", "killed"],
)
def test_a_process_that_fails_ends_all_with_one_sentence(tmp_path, how, kind, words):
    with pytest.raises(kind, match=words) as caught:
        on_devices(studies(2), fails, how, tmp_path)
    assert "\n" not in str(caught.value)
    wait_until(lambda: not any(alive(tmp_path / f"{rank}.pid") for rank in (0, 1)))


def test_they_end_when_the_one_that_started_them_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, __file__, tmp_path], env=environment) as parent:
        wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2, seconds=60)
        assert all(alive(tmp_path / f"{rank}.pid") for rank in (0, 1))
        parent.kill()
    wait_until(lambda: not any(alive(tmp_path / f"{rank}.pid") for rank in (0, 1)))


def alive(note: Path) -> bool:
    """Whether the process runs; one that nobody has buried yet does not."""
    try:
        state = Path(f"/proc/{note.read_text()}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def wait_until(there, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_figures_on_the_command_line(tmp_path):
    """They need one model: two processes start for it, and then the notebook's kernel."""
    words = [
        "table", "figures", "--profile", "smoke", "--device", "cpu", "--devices-per-model", "2",
        "--reports", tmp_path,
    ]  # fmt: skip
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path),
        "OPENSCENES_CACHE": f"{tmp_path / 'cache'}", "SLURM_NTASKS": "4", "NODE_RANK": "1",
        "MASTER_PORT": "none",
    }  # fmt: skip
    made = subprocess.run(
        [sys.executable, "-m", "openscenes", *words],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert "Traceback" not in made.stderr
    assert (tmp_path / "figures" / "figure_3_coco.jpg").is_file()
    found = [
        json.loads(one.read_text()) for one in (tmp_path / "cache" / "runs").glob("*/run.json")
    ]
    assert found and {run["made_of"]["devices"] for run in found} == {2}


if __name__ == "__main__":
    on_devices(studies(2), fails, "asleep", Path(sys.argv[1]))
