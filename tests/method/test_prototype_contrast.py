"""The term that makes a feature separable by prototypes: by hand, literally, and as learned."""

from dataclasses import replace

import pytest
import torch

from openscenes.data import samples
from openscenes.errors import InputError
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.beyond.prototype_contrast import ContrastConfig, prototype_contrast
from openscenes.method.evolution import initialise
from openscenes.method.inference import InferenceConfig, read_output
from openscenes.method.objective import pair_losses
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet

ON = ContrastConfig(weight=1.0, temperature=0.5, feature="layer4")


@pytest.fixture
def batch(tiny, old_root):
    cache = tiny.context().cache
    cuts = [samples.cut(e, tiny.CROP, cache) for e in tiny.labelled(old_root)[:3]]
    return samples.collate(cuts)


def output_of(features):
    empty = features.new_zeros(len(features), 1, 2, 2)
    return NetworkOutput((), empty, features, features, empty, empty)


def test_by_hand_on_cells_that_are_pixels(tiny, batch):
    """Object cells point along one axis, the rest along another: cosines 1 and 0, or 0 and 1."""
    features = torch.cat([batch.masks, ~batch.masks], 1).float() * 7
    found = prototype_contrast(output_of(features), replace_void(batch), ON)
    sure = torch.nn.functional.softplus(torch.tensor(-1 / 0.5))
    assert torch.allclose(found, sure * tiny.CROP.size**2, rtol=1e-5)


def replace_void(batch):
    return replace(batch, void=torch.zeros_like(batch.void))


def test_it_is_the_equation_cell_by_cell(batch):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 4, 32, 32, generator=generator)
    found = prototype_contrast(output_of(features), batch, ON)
    for i in range(3):
        unit = (features[i] / features[i].norm(dim=0)).flatten(1)
        mask, void = batch.masks[i].flatten(), batch.void[i].flatten()
        sides = [mask & ~void, ~mask & ~void]
        means = [unit[:, side].mean(1) for side in sides]
        cosines = [(unit * (mean / mean.norm())[:, None]).sum(0) for mean in means]
        p = torch.sigmoid((cosines[0] - cosines[1]) / 0.5)[~void]
        loss = -torch.where(mask[~void], p.log(), (1 - p).log()).mean()
        assert float(found[i]) == pytest.approx(float(loss) * 32 * 32, rel=1e-4)


def test_the_length_of_a_feature_does_not_count_and_void_neither(batch):
    features = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    plain = prototype_contrast(output_of(features), batch, ON)
    assert torch.allclose(prototype_contrast(output_of(3 * features), batch, ON), plain, rtol=1e-4)
    turned = replace(batch, masks=batch.masks ^ batch.void)
    assert torch.equal(prototype_contrast(output_of(features), turned, ON), plain)


@pytest.mark.parametrize("less", ["masks", "labelled"])
def test_without_an_object_or_its_true_mask_nothing_is_asked(batch, less):
    features = torch.randn(3, 4, 8, 8).requires_grad_()
    without = replace(batch, **{less: torch.zeros_like(getattr(batch, less))})
    loss = prototype_contrast(output_of(features), without, ON)
    loss.sum().backward()
    assert not loss.any() and not features.grad.any()


@pytest.mark.parametrize("bad", [{"weight": -1.0}, {"temperature": 0.0}, {"feature": "layer3"}])
def test_a_bad_setting_is_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        ContrastConfig(**bad)


def test_an_initial_training_separates_the_feature(tiny, old_root):
    """Of the decoder, on whose grid the predictor answers; without a weight no term is there."""
    config = replace(tiny.NETWORK, predictor="decoder")
    rows = {}
    for weight in (0.0, 3.0):
        network = OpenSceneNet(config, generator=torch.Generator().manual_seed(0))
        rows[weight] = initialise(
            network, tiny.labelled(old_root), replace(tiny.TRAIN, epochs=6), None, tiny.context(),
            contrast=ContrastConfig(weight), corrections=None,
        ).history  # fmt: skip
    assert set(rows[3.0][0]) - set(rows[0.0][0]) == {"contrast"}
    assert rows[3.0][-1]["contrast"] < 0.9 * rows[3.0][0]["contrast"]


def test_a_predictor_on_the_decoders_grid_is_read_and_aligned(tiny, batch):
    config = replace(tiny.NETWORK, predictor="decoder")
    network = OpenSceneNet(config, generator=torch.Generator().manual_seed(0))
    output = network(torch.cat([batch.inputs(tiny.CLICKS)] * 2))
    assert output.predictor.shape == output.fine.shape != output.classes.shape
    losses = pair_losses(output, batch, batch, AlignmentConfig(), 1.0, 1.0)
    sum(loss.sum() for loss in losses.values()).backward()
    assert (
        network.predictor.weight.grad.any() and torch.isfinite(network.predictor.weight.grad).all()
    )
    read = read_output(output, tiny.CROP.size, InferenceConfig())
    assert read.predictor.shape == read.probability.shape
