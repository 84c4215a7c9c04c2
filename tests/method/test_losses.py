"""Cross entropies by hand: six outputs, void, labels, sums over pixels."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from openscenes.data.examples import NO_CLASS
from openscenes.data.samples import Batch
from openscenes.method.objective import class_cross_entropy, mask_cross_entropy, object_class_logits
from openscenes.networks.openscene import NetworkOutput

SIZE = 4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_batch(n=2, *, void=False):
    drawn = torch.rand(2, n, 1, SIZE, SIZE, generator=seeded())
    return Batch(
        images=torch.zeros(n, 3, SIZE, SIZE, dtype=torch.uint8),
        masks=drawn[0] > 0.5,
        void=(drawn[1] > 0.6) & torch.tensor(void),
        points=torch.zeros(n, 2),
        boxes=torch.zeros(n, 4),
        classes=torch.arange(1, n + 1),
        labelled=torch.ones(n, dtype=torch.bool),
        others=torch.zeros(n, 1, SIZE, SIZE, dtype=torch.uint8),
        clicks=torch.zeros(n, 0, 3),
        rounds=(0,) * n,
    )


def some_output(n=2, *, grid=SIZE, n_classes=3):
    logits = torch.randn(6, n, 1, grid, grid, generator=seeded(1), dtype=torch.float64)
    classes = torch.randn(n, n_classes, 2, 2, generator=seeded(2))
    features = torch.zeros(n, 1, 2, 2)
    return NetworkOutput(tuple(logits[:4]), logits[4], features, features, logits[5], classes)


def logits_of(output):
    return [*output.coarse, output.fine, output.predictor]


def literal_sum(logits, target, counted):
    """-t log s(x) - (1 - t) log(1 - s(x)), pixel by pixel."""
    total = 0.0
    for x, t, c in zip(logits.flatten(), target.flatten(), counted.flatten(), strict=True):
        s = 1 / (1 + math.exp(-float(x)))
        total -= math.log(s if t else 1 - s) if c else 0.0
    return total


@pytest.mark.parametrize("void", [False, True])
def test_six_outputs_are_summed_over_the_pixels_that_count(void):
    batch, output = some_batch(void=void), some_output()
    assert batch.void.any() == void
    losses = mask_cross_entropy(output, batch)
    assert losses.shape == (2,)
    for i in range(2):
        wanted = [literal_sum(x[i], batch.masks[i], ~batch.void[i]) for x in logits_of(output)]
        assert len(wanted) == 6
        assert losses[i].item() == pytest.approx(sum(wanted), rel=1e-5)


def test_coarse_logits_are_enlarged_corner_to_corner():
    batch, output = some_batch(), some_output(grid=3)
    wanted = sum(
        F.binary_cross_entropy_with_logits(
            F.interpolate(x.float(), (SIZE, SIZE), mode="bilinear", align_corners=True),
            batch.masks.float(),
            reduction="none",
        ).sum(dim=(1, 2, 3))
        for x in logits_of(output)
    )
    assert torch.allclose(mask_cross_entropy(output, batch), wanted)


def test_the_sum_is_the_pixels_times_the_mean():
    batch, output = some_batch(), some_output()
    mean = sum(
        F.binary_cross_entropy_with_logits(x.float(), batch.masks.float())
        for x in logits_of(output)
    )
    summed = mask_cross_entropy(output, batch)
    assert summed.mean().item() == pytest.approx(SIZE * SIZE * mean.item(), rel=1e-5)


def test_void_teaches_nothing():
    batch, output = some_batch(void=True), some_output()
    logits = [x.clone().requires_grad_() for x in logits_of(output)]
    varied = output._replace(coarse=tuple(logits[:4]), fine=logits[4], predictor=logits[5])
    mask_cross_entropy(varied, batch).sum().backward()
    for x in logits:
        assert (x.grad[batch.void] == 0).all()
        assert (x.grad[~batch.void] != 0).all()
    flipped = replace(batch, masks=batch.masks ^ batch.void)
    assert torch.equal(mask_cross_entropy(output, flipped), mask_cross_entropy(output, batch))


def test_low_precision_logits_make_full_precision_losses():
    output = some_output()
    low = output._replace(
        coarse=tuple(x.bfloat16() for x in output.coarse), fine=output.fine.bfloat16()
    )
    assert mask_cross_entropy(low, some_batch()).dtype == torch.float32


def test_an_objects_class_is_the_mean_over_its_foreground_by_hand():
    logits = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 8.0], [0.0, 0.0]]]])
    weights = torch.zeros(1, 1, 4, 4)
    weights[0, 0, :2, :2] = 1  # the first cell wholly
    weights[0, 0, 0, 2:] = 1  # half of the second
    pooled = object_class_logits(logits, weights)
    assert torch.allclose(pooled, torch.tensor([[(1 + 0.5 * 2) / 1.5, 0.5 * 8 / 1.5]]))
    assert torch.isfinite(object_class_logits(logits, torch.zeros_like(weights))).all()


def test_class_cross_entropy_by_hand():
    batch, output = some_batch(), some_output()
    pooled = object_class_logits(output.classes, batch.masks).double()
    losses = class_cross_entropy(output, batch)
    for i, channel in enumerate(batch.classes.tolist()):
        wanted = pooled[i].exp().sum().log() - pooled[i, channel]
        assert losses[i].item() == pytest.approx(SIZE * SIZE * wanted.item(), rel=1e-5)


def test_only_labelled_objects_of_a_known_class_teach_the_class_head():
    batch = replace(
        some_batch(3),
        labelled=torch.tensor([True, False, True]),
        classes=torch.tensor([1, 2, NO_CLASS]),
    )
    output = some_output(3)
    output = output._replace(classes=output.classes.requires_grad_())
    losses = class_cross_entropy(output, batch)
    losses.sum().backward()
    assert losses[0] > 0 and losses[1] == losses[2] == 0
    assert (output.classes.grad[1:] == 0).all() and (output.classes.grad[0] != 0).any()
