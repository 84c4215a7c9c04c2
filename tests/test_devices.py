"""All networks, losses and loops on a pretended GPU: what CUDA would refuse is refused here.

Each check runs with deterministic algorithms, so that an operation which has none on CUDA is found.
"""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from openscenes.data import samples
from openscenes.method import evolution
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.beyond.bn_adaptation import reestimate_bn
from openscenes.method.evolution import EvolutionConfig, Pool, align, evolve, initialise
from openscenes.method.inference import predictions
from openscenes.method.ipt import IPTConfig
from openscenes.method.pseudo import pseudo_examples, refine_batch
from openscenes.networks import checkpoints
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.training import learn_clicks
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.prediction.model_files import LoadedModel
from openscenes.prediction.predict import predict
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study
from openscenes.study.scores.click_systems import BoxSystem, ClickSystem, ExtremeSystem

pretended = SimpleNamespace(**run_path(str(Path(__file__).with_name("pretended_gpu.py"))))
GPU = pretended.GPU
WAITS_OF_A_STEP = {"initial": 12.0, "evolution": 14.0}  # one more for each correction
SMOKE = profile_named("smoke")
NO_CLICK, ONE_CLICK = np.zeros((0, 3), np.float32), np.array([[20, 30, 1]], np.float32)

pytestmark = pytest.mark.filterwarnings("ignore:.*but CUDA is not available:UserWarning")


@pytest.fixture
def gpu(monkeypatch):
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    with pretended.pretended_gpu() as mode:
        yield mode
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture
def here(gpu, tiny):
    """What every stage of a run shares, on the GPU."""
    return tiny.context(fabric=pretended.PretendedFabric())


@pytest.fixture(scope="module")
def labelled(tiny, old_root):
    return tiny.labelled(old_root)


def one_epoch(tiny, **changes) -> EvolutionConfig:
    new = replace(tiny.AUGMENTATION, rotation_deg=0.0)
    return replace(tiny.EVOLUTION, **changes, augmentation_new=new)


def test_waits_of_the_initial_training(gpu, here, tiny, labelled):
    network = tiny.network()
    initialise(network, labelled, replace(tiny.TRAIN, epochs=1), tiny.AUGMENTATION, here)
    assert all(p.is_cuda and p.grad is not None for p in network.iog.backbone.parameters())
    assert_waits("initial", gpu, labelled, tiny.TRAIN)


def test_waits_of_evolution(gpu, here, tiny, labelled):
    network = tiny.network().with_unknown_class(generator=torch_generator("unknown class"))
    config = one_epoch(tiny, **STEPS["full method"])
    align(network, Pool(tuple(labelled)), labelled, config, here)
    assert_waits("evolution", gpu, labelled, config.train)


def assert_waits(name: str, gpu, items, train) -> None:
    """At most so many in a step, on average over an epoch."""
    n_steps = -(-len(items) // train.batch_size)
    waits = sum(gpu.waits.values())
    assert waits <= WAITS_OF_A_STEP[name] * n_steps, gpu.waits.most_common(9)


STEPS = {
    "coarse masks": {},
    "full method": {"ipt": IPTConfig(), "alignment": AlignmentConfig()},
    "no gradient for classes": {"class_loss_weight": 0.0},
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_evolution(gpu, here, tiny, labelled, old_root, name):
    config = one_epoch(tiny, **STEPS[name])
    scene = tiny.clicked(old_root)
    step = evolve(tiny.network(), Pool(tuple(labelled)), scene, config, here)
    assert all(p.is_cuda for p in step.network.parameters())


def test_bn_reestimation(here, tiny, labelled, old_root):
    scene = tiny.clicked(old_root)
    reestimate_bn(tiny.network(), Pool(tuple(labelled)), scene, one_epoch(tiny), here)


IPT = {
    "as printed": IPTConfig(),
    "outer background, weighted sum": IPTConfig(background="outside_coarse", fusion="weighted_sum"),
    "soft vote": IPTConfig(vote="weighted_sum", soft_predictor=True),
}


@pytest.mark.parametrize("name", IPT)
@pytest.mark.parametrize("feature", ["layer4", "decoder"])
def test_ipt(here, tiny, labelled, name, feature):
    for chunk, _, batch, found in predictions(tiny.network(), labelled[:4], here):
        mask = torch.rand_like(found.probability) > 0.4
        found = replace(found, coarse_mask=mask)
        refined = refine_batch(found, batch, chunk, IPT[name], feature=feature, seed=0)
        assert refined.mask.device == GPU


def test_six_views_clipped_to_the_box(here, tiny, labelled):
    inference = replace(here.inference, tta="six views", clip_to_box=True)
    made = pseudo_examples(tiny.network(), labelled[:4], here, IPTConfig(), inference)
    assert len(made) == 4


def test_a_resume_file(gpu, tmp_path, tiny):
    networks, rate = [tiny.network().to(GPU) for _ in range(2)], 1e-3
    first, second = (torch.optim.AdamW(n.parameters(), rate) for n in networks)
    sum(p.square().sum() for p in networks[0].parameters()).backward()
    first.step()
    checkpoints.save(tmp_path / "resume", networks[0], first, checkpoints.TrainState())
    checkpoints.restore(tmp_path / "resume", networks[1], second)
    sum(p.square().sum() for p in networks[1].parameters()).backward()
    second.step()


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_learns_and_answers(here, old_root, labelled, name):
    peer = peer_of(SMOKE, name)
    network = peer.build(torch_generator("peer", name))
    train = replace(peer.train, epochs=2 if peer.clicks.iterative else 1, batch_size=8)
    context = replace(here, crop=peer.crop)
    augmentation = SMOKE.augmentation
    learn_clicks(network, labelled[:8], train, augmentation, peer.clicks, peer.loss, context)
    kind = ExtremeSystem if peer.clicks.kind == "extremes" else ClickSystem
    study = Study(SMOKE, old_root, here.fabric, here.cache)
    answers(kind(study, peer, network.eval()), labelled[:3])


@pytest.mark.parametrize("corrector", ["image", "iog"])
def test_corrections_are_learned_and_answered(here, tiny, old_root, labelled, corrector):
    network = OpenSceneNet(replace(tiny.NETWORK, corrector=corrector))
    train = replace(tiny.TRAIN, epochs=1)
    initialise(network, labelled[:8], train, tiny.AUGMENTATION, here)
    small = replace(SMOKE, crop=tiny.CROP, clicks=tiny.CLICKS)
    system = BoxSystem(Study(small, old_root, here.fabric, here.cache), network.eval())
    answers(system, labelled[:3])


def answers(system, chunk) -> None:
    """A first mask and a corrected one; no value is kept for a gradient."""
    seen = system.look(chunk)
    for clicks in (NO_CLICK, ONE_CLICK):
        maps = seen.predict([clicks] * len(chunk), [0.5] * len(chunk))
        assert len(maps) == len(chunk)
    kept = seen.answers.seen if isinstance(system, BoxSystem) else ()
    assert not any(maps.requires_grad for maps in kept)


def test_predict(gpu, tiny):
    network = tiny.network().to(GPU).eval()
    model = LoadedModel(network, tiny.CROP, tiny.CLICKS, GPU, "fp32")
    found = predict(np.zeros((64, 80, 3), np.uint8), (10, 10, 40, 50), (20, 30), model=model)
    assert found.mask.shape == (64, 80)


# ------------------------------------------------------------------------ planted mistakes
def left_on_the_cpu(monkeypatch):
    """The batch is not moved."""
    monkeypatch.setattr(samples.Batch, "to", lambda batch, _device, **_options: batch)


def made_on_the_cpu(monkeypatch):
    """A target is made where nobody said it should be."""
    right = evolution.supervised_losses

    def wrong(output, batch, weight):
        target = torch.zeros(len(batch))
        return {name: loss + target for name, loss in right(output, batch, weight).items()}

    monkeypatch.setattr(evolution, "supervised_losses", wrong)


def read_without_cpu(monkeypatch):
    """A value goes to NumPy straight from the GPU."""
    right = evolution.supervised_losses

    def wrong(output, batch, weight):
        batch.classes.numpy()
        return right(output, batch, weight)

    monkeypatch.setattr(evolution, "supervised_losses", wrong)


def interpolated(monkeypatch):
    """An enlargement whose gradient adds up in any order."""
    from openscenes.method import objective

    def wrong(logits, size):
        return torch.nn.functional.interpolate(logits.float(), size=size, mode="bilinear")

    monkeypatch.setattr(objective, "enlarge", wrong)


MISTAKES = {
    left_on_the_cpu: "of tensors on the GPU and on the CPU",
    made_on_the_cpu: r"of tensors on the GPU and on the CPU .*\(4,\)",
    read_without_cpu: "numpy of a tensor on the GPU; take .cpu",
    interpolated: "interpolate has no deterministic backward pass on the GPU",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(here, monkeypatch, tiny, labelled, mistake):
    mistake(monkeypatch)
    train = replace(tiny.TRAIN, epochs=1)
    with pytest.raises(pretended.Refused, match=MISTAKES[mistake]):
        initialise(tiny.network(), labelled[:4], train, tiny.AUGMENTATION, here)


def test_the_pretended_gpu_counts_waits_and_knows_its_own(gpu):
    values = torch.arange(6.0, device="cuda").reshape(2, 3)
    assert values.device == values.clone().mean(0).device == GPU and values.is_cuda
    assert values.cpu().device.type == "cpu" and not values.to("cpu").is_cuda
    assert float(values.sum()) == 15.0 and len(values[values > 2]) == 3
    assert sum(gpu.waits.values()) == 4
    assert (values * torch.tensor(2.0)).is_cuda, "a single number may come from the CPU"
    values[0] = torch.zeros(3)  # copies
    with pytest.raises(pretended.Refused, match="draws on the GPU by a generator of the CPU"):
        torch.rand(3, device="cuda", generator=torch.Generator())
