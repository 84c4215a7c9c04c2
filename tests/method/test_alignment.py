"""Eq. 7-10: by hand, as laws of their gradients, and against what the paper leaves open."""

from dataclasses import replace

import pytest
import torch

from openscenes.errors import InputError
from openscenes.method.alignment import (
    AlignmentConfig,
    feature_alignment_loss,
    maximum_squares_loss,
    on_grid,
)
from openscenes.settings import sources

CONFIG = AlignmentConfig()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def hand():
    """One channel on 2 x 2: c_a = 2, c_b = 1, foreground {1, 4} with M'_b {0.5, 0.01}."""
    return {
        "features_a": torch.tensor([[[[1.0, 3.0], [9.0, 9.0]]]]).double(),
        "selection_a": torch.tensor([[[[True, True], [False, False]]]]),
        "features_b": torch.tensor([[[[1.0, 7.0], [7.0, 4.0]]]]).double(),
        "selection_b": torch.tensor([[[[True, False], [False, False]]]]),
        "foreground_b": torch.tensor([[[[True, False], [False, True]]]]),
        "probability_b": torch.tensor([[[[0.5, 0.0], [0.0, 0.01]]]]).double(),
    }


def loss(given, known=True, config=CONFIG):
    n_pairs = len(given["features_b"])
    return feature_alignment_loss(**given, known=torch.full((n_pairs,), known), config=config)


def random_pairs(n_pairs=2, channels=3):
    g = seeded()
    share = torch.rand(n_pairs, 1, 3, 3, generator=g, dtype=torch.float64)
    return {
        "features_a": torch.randn(n_pairs, channels, 2, 2, generator=g, dtype=torch.float64),
        "selection_a": torch.rand(n_pairs, 1, 6, 6, generator=g) > 0.4,
        "features_b": torch.randn(n_pairs, channels, 3, 3, generator=g, dtype=torch.float64),
        "selection_b": torch.rand(n_pairs, 1, 6, 6, generator=g) > 0.4,
        "foreground_b": torch.rand(n_pairs, 1, 6, 6, generator=g) > 0.4,
        "probability_b": 0.1 + 0.8 * share,
    }


def test_eq_7_by_hand():
    # (2 - 1)^2 + (1 - 2)^2 / 0.5 + (4 - 2)^2 / max(0.01, 0.05)
    assert loss(hand()).item() == pytest.approx(1 + 2 + 80)
    assert loss(hand(), config=replace(CONFIG, probability_floor=0.0)).item() == pytest.approx(403)


def test_eq_8_by_hand():
    assert loss(hand(), known=False).item() == pytest.approx(1)


def test_rows_of_table_5():
    row_1 = replace(CONFIG, class_agnostic_pixel_term=True)
    row_2 = replace(CONFIG, class_agnostic_proto_term=False)
    assert loss(hand(), known=False, config=row_1).item() == pytest.approx(83)
    assert loss(hand(), known=False, config=row_2).item() == 0
    assert loss(hand(), known=True, config=row_2).item() == pytest.approx(83)


def test_terms_weights_and_means():
    assert loss(hand(), config=replace(CONFIG, proto_term=False)).item() == pytest.approx(82)
    assert loss(hand(), config=replace(CONFIG, pixel_term=False)).item() == pytest.approx(1)
    assert loss(hand(), config=replace(CONFIG, feature_weight=0.5)).item() == pytest.approx(41.5)
    assert loss(hand(), config=replace(CONFIG, reduction="mean")).item() == pytest.approx(42)
    wide = {**hand(), **{k: hand()[k].repeat(1, 4, 1, 1) for k in ("features_a", "features_b")}}
    assert loss(wide, config=replace(CONFIG, reduction="mean")).item() == pytest.approx(42)


def test_each_pair_has_its_own_loss():
    pairs = random_pairs()
    known = torch.tensor([True, False])
    both = feature_alignment_loss(**pairs, known=known, config=CONFIG)
    for i in range(2):
        alone = {name: value[i : i + 1] for name, value in pairs.items()}
        expected = feature_alignment_loss(**alone, known=known[i : i + 1], config=CONFIG)
        torch.testing.assert_close(both[i : i + 1], expected)


def test_masks_are_averaged_over_cells():
    features = torch.zeros(1, 1, 2, 2)
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    mask[0, 0, 0, 0:3] = True
    assert on_grid(mask, features).flatten().tolist() == [0.5, 0.25, 0, 0]
    assert on_grid(mask[..., :3, :3], features).shape == (1, 1, 2, 2)
    fine = {k: v.repeat_interleave(3, 2).repeat_interleave(3, 3) for k, v in hand().items()
            if "selection" in k or "foreground" in k}  # fmt: skip
    once = replace(CONFIG, common_size=False)
    torch.testing.assert_close(loss({**hand(), **fine}, config=once), loss(hand()))


def test_a_and_l_max_weigh_as_on_the_crops_pixels():
    """On 6 x 6 pixels each cell of a 2 x 2 grid stands for nine."""
    fine = {k: v.repeat_interleave(3, 2).repeat_interleave(3, 3) for k, v in hand().items()
            if "selection" in k or "foreground" in k}  # fmt: skip
    enlarged = {**hand(), **fine}
    assert loss(enlarged, known=False).item() == pytest.approx(9 * 1)
    assert loss(enlarged).item() == pytest.approx(9 * 1 + 82)
    mean = replace(CONFIG, reduction="mean")
    torch.testing.assert_close(loss(enlarged, config=mean), loss(hand(), config=mean))
    foreground = torch.rand(2, 1, 2, 2, generator=seeded(), dtype=torch.float64)
    known = torch.tensor([False, True])
    on_pixels = foreground.repeat_interleave(3, 2).repeat_interleave(3, 3)
    common = maximum_squares_loss(foreground, None, known, CONFIG, 36)
    torch.testing.assert_close(common, maximum_squares_loss(on_pixels, None, known, CONFIG))
    once = replace(CONFIG, common_size=False)
    torch.testing.assert_close(maximum_squares_loss(foreground, None, known, once, 36), common / 9)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("detach", [True, False])
def test_gradients_are_exact(known, detach):
    pairs = random_pairs()
    config = replace(CONFIG, detach_weight=False, detach_partner_in_pixels=False)
    names = ("features_a", "features_b", "probability_b")
    if detach:
        config, names = CONFIG, ("features_b",)

    def call(*values):
        return loss({**pairs, **dict(zip(names, values, strict=True))}, known, config)

    assert torch.autograd.gradcheck(call, [pairs[name].requires_grad_() for name in names])


def gradients(given, config=CONFIG, known=True):
    names = ("features_a", "features_b", "probability_b")
    leaves = {name: given[name].clone().requires_grad_() for name in names}
    loss({**given, **leaves}, known, config).sum().backward()
    return [leaves[name].grad for name in names]


def test_what_is_detached_by_default():
    grad_a, grad_b, grad_probability = gradients(hand())
    # only ||c_a - c_b||^2 reaches a: 2 (c_a - c_b) / Z = 1 in each of two pixels
    assert grad_a.flatten().tolist() == [1, 1, 0, 0]
    # b: 2 (c_b - c_a) + 2 / 0.5 (1 - 2) in the first, 2 / 0.05 (4 - 2) in the last pixel
    assert grad_b.flatten().tolist() == pytest.approx([-6, 0, 0, 80])
    assert grad_probability is None or not grad_probability.any()


def test_literal_gradients_are_options():
    config = replace(CONFIG, detach_partner_in_pixels=False, detach_weight=False)
    grad_a, _, grad_probability = gradients(hand(), config)
    # adds 2 / 0.5 (2 - 1) + 2 / 0.05 (2 - 4) = -76, shared by two pixels
    assert grad_a.flatten().tolist() == pytest.approx([-37, -37, 0, 0])
    # -(1 - 2)^2 / 0.5^2 where the floor does not hold
    assert grad_probability.flatten().tolist() == pytest.approx([-4, 0, 0, 0])
    grad_a, _, _ = gradients(hand(), replace(CONFIG, detach_partner_in_prototypes=True))
    assert grad_a is None or not grad_a.any()


def test_one_newton_step_of_the_pixel_term_puts_the_foreground_on_the_partner():
    given = hand()
    given["probability_b"] = torch.ones(1, 1, 2, 2).double()
    config = replace(CONFIG, proto_term=False)
    _, grad_b, _ = gradients(given, config)
    given["features_b"] = given["features_b"] - grad_b / 2
    assert given["features_b"].flatten().tolist() == [2, 7, 7, 2]
    assert loss(given, config=config).item() == 0


def test_a_small_step_shrinks_the_loss():
    pairs = random_pairs()
    before = loss(pairs)
    _, grad_b, _ = gradients(pairs)
    pairs["features_b"] = pairs["features_b"] - 1e-3 * grad_b
    assert (loss(pairs) < before).all()


@pytest.mark.parametrize("empty", ["selection_a", "selection_b", "foreground_b"])
@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_empty_selections_give_no_loss_and_finite_gradients(empty, floor):
    given = hand()
    given[empty] = torch.zeros_like(given[empty])
    config = replace(CONFIG, probability_floor=floor, detach_weight=False)
    assert loss(given, config=config).item() == (1 if empty == "foreground_b" else 0)
    for gradient in gradients(given, config):
        assert gradient.isfinite().all()


def test_half_precision_is_computed_in_float32_even_under_autocast():
    pairs = {
        name: value.bfloat16() if value.is_floating_point() else value
        for name, value in random_pairs(channels=64).items()
    }
    expected = loss({n: v.float() if v.is_floating_point() else v for n, v in pairs.items()})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = loss(pairs)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features_a": torch.zeros(1, 5, 2, 2)}, r"shapes \(1, 5, 2, 2\) and \(1, 1, 2, 2\)"),
        ({"probability_b": torch.zeros(1, 1, 4, 4)}, r"shape \(1, 1, 4, 4\); give \(1, 1, 2, 2\)"),
        ({"selection_a": torch.zeros(2, 1, 4, 4)}, r"mask has shape \(2, 1, 4, 4\); give \(1, 1"),
    ],
)
def test_errors_say_what_was_got_and_wanted(change, message):
    with pytest.raises(InputError, match=message):
        loss({**hand(), **change})
    with pytest.raises(InputError, match=r"known is torch.int64 of shape \(1,\)"):
        feature_alignment_loss(**hand(), known=torch.tensor([1]), config=CONFIG)


def squares(foreground, by_class=None, known=True, config=CONFIG):
    return maximum_squares_loss(foreground, by_class, torch.full((len(foreground),), known), config)


def test_eq_9_and_10_by_hand():
    foreground = torch.tensor([[[[0.5, 1.0], [0.0, 0.9]]]]).double()
    by_class = torch.tensor([0.2, 0.3, 0.5]).double().view(1, 3, 1, 1).repeat(1, 1, 2, 2)
    assert squares(foreground, by_class).item() == pytest.approx(-0.5 * 4 * 0.38)
    assert squares(foreground, by_class, known=False).item() == pytest.approx(-3.32)
    mean = replace(CONFIG, reduction="mean", max_square_weight=2.0)
    assert squares(foreground, by_class, False, mean).item() == pytest.approx(-1.66)


def test_eq_9_with_two_classes_is_half_of_eq_10():
    foreground = torch.rand(3, 1, 4, 4, generator=seeded(), dtype=torch.float64)
    two = torch.cat([1 - foreground, foreground], 1)
    torch.testing.assert_close(squares(foreground, two), squares(foreground, known=False) / 2)
    torch.testing.assert_close(squares(foreground, None), squares(foreground, two))
    same = replace(CONFIG, consistent_max_square=True)
    torch.testing.assert_close(
        squares(foreground, two, True, same), squares(foreground, None, False)
    )


def test_known_decides_per_object():
    foreground = torch.rand(2, 1, 4, 4, generator=seeded())
    by_class = torch.rand(2, 5, 4, 4, generator=seeded()).softmax(1)
    mixed = maximum_squares_loss(foreground, by_class, torch.tensor([True, False]), CONFIG)
    assert mixed[0] == squares(foreground, by_class, True)[0]
    assert mixed[1] == squares(foreground, by_class, False)[1]


def test_maximum_squares_push_away_from_one_half_and_never_hard():
    logit = torch.linspace(-8, 8, 1600, dtype=torch.float64, requires_grad=True)
    squares(logit.sigmoid().view(1, 1, 1, -1), known=False).sum().backward()
    p = logit.detach().sigmoid()
    torch.testing.assert_close(logit.grad, -2 * p * (1 - p) * (2 * p - 1))
    assert (logit.grad.sign() == -logit.detach().sign()).all()
    assert logit.grad.abs().max().item() == pytest.approx(0.19245, abs=1e-5)
    assert p[logit.grad.argmin()].item() == pytest.approx(0.7887, abs=1e-3)


def test_maximum_squares_gradients_are_exact_and_shapes_are_checked():
    by_class = torch.rand(2, 3, 2, 2, generator=seeded(), dtype=torch.float64).requires_grad_()
    foreground = torch.rand(2, 1, 2, 2, generator=seeded(), dtype=torch.float64).requires_grad_()
    known = torch.tensor([True, False])
    assert torch.autograd.gradcheck(
        lambda f, c: maximum_squares_loss(f, c, known, CONFIG), (foreground, by_class)
    )
    with pytest.raises(InputError, match=r"shape \(2, 3, 2, 2\); give \(B, 1, h, w\)"):
        maximum_squares_loss(by_class, None, known, CONFIG)
    with pytest.raises(InputError, match=r"class probability has shape \(1, 3, 2, 2\)"):
        maximum_squares_loss(foreground, by_class[:1], known, CONFIG)


def test_settings_are_checked_and_owned():
    with pytest.raises(InputError, match=r"probability_floor is 2; give a number between 0 and 1"):
        AlignmentConfig(probability_floor=2)
    with pytest.raises(InputError, match=r"reduction is 'max'; choose one of sum, mean"):
        AlignmentConfig(reduction="max")
    assert set(sources(CONFIG)) == set(AlignmentConfig.__dataclass_fields__)
