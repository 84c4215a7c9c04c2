"""Eq. 4-6 and everything around them: erosion, clicks, votes, fall-backs, options, errors."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from openscenes.errors import InputError
from openscenes.method import selections, voting
from openscenes.method.ipt import IPTConfig, refine
from openscenes.settings import sources

literal = SimpleNamespace(**run_path(str(Path(__file__).parent / "literal.py")))
SIZE = 48
CONFIG = IPTConfig(reference_px=SIZE, center_radius_px=5, iterations=1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def scene(channels=16, dtype=torch.float64, contrast=1.0):
    """Two objects whose coarse masks miss a part and have a part too much."""
    generator = seeded(3)
    truth = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    truth[0, :, 8:34, 10:36] = True
    truth[1, :, 14:44, 20:40] = True
    inside = F.adaptive_avg_pool2d(truth.double(), 12)
    shift = contrast * torch.rand(1, channels, 1, 1, generator=generator, dtype=torch.float64)
    noise = 0.3 * torch.rand(2, channels, 12, 12, generator=generator, dtype=torch.float64)
    coarse = truth.clone()
    coarse[:, :, 14:20, 30:44] ^= True
    predicted = truth.clone()
    predicted[:, :, 30:] = False
    probability = 0.5 + (coarse.double() - 0.5) * torch.rand(
        coarse.shape, generator=generator, dtype=torch.float64
    )
    return SimpleNamespace(
        features=(noise + inside * shift).to(dtype),
        coarse=coarse,
        predicted=predicted,
        points=torch.tensor([[20, 18], [30, 28]]),
        probability=probability,
    )


def refined(given, config=CONFIG, seed=0, **options):
    return refine(
        given.features,
        given.coarse,
        given.predicted,
        given.points,
        config,
        generator=options.pop("generator", None) or seeded(seed),
        **options,
    )


def literal_refined(given, result, b):
    return literal.refine(
        given.features[b].double(),
        given.coarse[b, 0],
        given.predicted[b, 0],
        result.center_mask[b, 0],
        kernel=(CONFIG.kernel_px, CONFIG.iterations),
    )


@pytest.mark.parametrize(
    ("dtype", "channels", "contrast", "tolerance"),
    [
        (torch.float64, 16, 1.0, 1e-9),
        (torch.float32, 16, 1.0, 1e-4),
        (torch.float32, 1024, 0.1, 1e-4),
    ],
)
def test_agrees_with_the_literal_version(dtype, channels, contrast, tolerance):
    given = scene(channels, dtype, contrast)
    result = refined(given)
    for b in range(2):
        truth = literal_refined(given, result, b)
        for name, expected in truth["maps"].items():
            assert (result.confidence[name][b, 0] - expected).abs().max() < tolerance
        assert abs(result.threshold_global[b] - truth["thresholds"][0]) < tolerance
        assert abs(result.threshold_merged[b] - truth["thresholds"][1]) < tolerance
        near = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        for name, level in zip(("global", "merged"), truth["thresholds"], strict=True):
            near |= (truth["maps"][name] - level).abs() < 2 * tolerance
        assert near.float().mean() < 0.01
        assert torch.equal(result.label_global[b, 0][~near], truth["labels"][0][~near])
        assert torch.equal(result.label_merged[b, 0][~near], truth["labels"][1][~near])
        assert torch.equal(result.mask[b, 0][~near], truth["mask"][~near])
        assert not torch.equal(result.mask[b], given.coarse[b])


def test_votes_by_hand():
    ballots = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    mask, votes = voting.majority(list(ballots))
    assert votes.tolist() == [3, 2, 1, 0]
    assert votes.dtype == torch.uint8
    assert mask.tolist() == [True, True, False, False]


def test_mean_confidence_by_hand():
    confidence = torch.tensor([[[[0.2, 0.4], [0.9, 0.1]]]])
    mask = torch.tensor([[[[True, True], [True, False]]]])
    assert voting.mean_confidence(confidence, mask).item() == pytest.approx(0.5)
    assert voting.mean_confidence(confidence, mask & False).item() == float("inf")


@pytest.mark.parametrize("radius", [1, 2, 6])
@pytest.mark.parametrize("size", [(40, 33), (5, 4)])
def test_erosion_is_opencvs(radius, size):
    masks = torch.rand(6, 1, *size, generator=seeded()) > 0.02
    masks[0], masks[1] = True, False
    kernel = 2 * radius + 1
    ours = selections.eroded(masks, radius)
    for mask, result in zip(masks, ours, strict=True):
        assert torch.equal(result[0], literal.eroded(mask[0], kernel, 1))
    pooled = -F.max_pool2d(-masks.float(), kernel, stride=1, padding=radius)
    assert torch.equal(ours, pooled.bool())


def test_three_erosions_by_5x5_have_radius_6_and_scale_with_the_crop():
    mask = torch.rand(1, 1, 64, 64, generator=seeded()) > 0.005
    assert torch.equal(selections.eroded(mask, 6)[0, 0], literal.eroded(mask[0, 0], 5, 3))
    assert [IPTConfig().erosion_radius(height) for height in (512, 256, 1024, 32)] == [6, 3, 12, 1]
    assert [IPTConfig().center_radius(height) for height in (512, 256, 32)] == [10.0, 5.0, 1.0]


def test_center_points_lie_near_the_click_inside_the_object_and_differ():
    mask = torch.zeros(1, 1, 30, 30, dtype=torch.bool)
    mask[..., 10:, 12:] = True
    seen = torch.zeros_like(mask)
    for seed in range(60):
        chosen = selections.center_selection(
            mask, torch.tensor([[11, 13]]), n_points=3, radius=2, generators=[seeded(seed)]
        )
        assert chosen.sum() == 4
        assert chosen[0, 0, 11, 13]
        seen |= chosen
    rows, cols = torch.meshgrid(torch.arange(30), torch.arange(30), indexing="ij")
    disk = (rows - 11) ** 2 + (cols - 13) ** 2 <= 4
    assert torch.equal(seen[0, 0], disk & mask[0, 0])


def test_fewer_center_points_where_the_object_has_fewer():
    mask = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    mask[0, 0, 0, 0:2] = True
    chosen = selections.center_selection(
        mask, torch.tensor([[0, 0]]), n_points=3, radius=4, generators=[seeded()]
    )
    assert torch.equal(chosen, mask)


def test_an_object_does_not_depend_on_its_batch():
    given = scene(dtype=torch.float32)
    both = refined(given, generator=[seeded(1), seeded(2)])
    one = SimpleNamespace(**{name: value[1:] for name, value in vars(given).items()})
    alone = refined(one, generator=[seeded(2)])
    assert torch.equal(both.center_mask[1:], alone.center_mask)
    assert torch.equal(both.mask[1:], alone.mask)


def test_same_seed_same_result_and_the_global_generator_is_untouched():
    given, before = scene(), torch.get_rng_state()
    assert torch.equal(refined(given, seed=7).center_mask, refined(given, seed=7).center_mask)
    assert not torch.equal(refined(given, seed=7).center_mask, refined(given, seed=8).center_mask)
    assert torch.equal(before, torch.get_rng_state())


def flags(result):
    return {name for name, value in result.flags.items() if value[0]}


def test_an_ordinary_object_raises_no_flag():
    assert flags(refined(scene())) == set()


def test_an_empty_coarse_mask_is_returned_unchanged():
    given = scene()
    given.coarse[0] = False
    for fusion in ("vote", "weighted_sum"):
        config = replace(CONFIG, fusion=fusion)
        result = refined(given, config, coarse_probability=torch.full_like(given.probability, 0.9))
        assert flags(result) == {"empty_coarse", "click_outside"}
        assert not result.mask[0].any()
        assert not result.label_global[0].any()
        assert not result.label_merged[0].any()
        assert result.mask[1].any()


def test_a_disagreeing_predictor_falls_back_to_the_coarse_mask():
    given = scene()
    given.predicted[0] = ~given.coarse[0]
    result = refined(given)
    assert flags(result) == {"predictor_disagrees"}
    assert torch.equal(result.global_mask[0], given.coarse[0])
    assert torch.equal(result.global_mask[1], given.coarse[1] & given.predicted[1])


@pytest.mark.parametrize("edge", ["boundary", "inner"])
def test_a_thin_object_is_all_edge(edge):
    given = scene()
    given.coarse[0] = False
    given.coarse[0, 0, 20:23, 5:40] = True
    given.points[0] = torch.tensor([21, 20])
    result = refined(given, replace(CONFIG, edge=edge))
    assert "thin" in flags(result)
    assert not result.flags["thin"][1]
    assert torch.equal(result.edge_mask[0], given.coarse[0])


def test_an_object_that_fills_the_crop_keeps_it():
    given = scene()
    given.coarse[0] = given.predicted[0] = True
    result = refined(given)
    assert flags(result) == {"thin"}
    assert result.mask[0].all()


def test_a_click_outside_the_object_still_makes_the_center_prototype():
    given = scene()
    given.points[0] = torch.tensor([0, 0])
    result = refined(given)
    assert flags(result) == {"click_outside"}
    assert result.center_mask[0].nonzero().tolist() == [[0, 0, 0]]


def test_inner_edge_is_what_boundary_leaves():
    given = scene()
    inner = refined(given, replace(CONFIG, edge="inner")).edge_mask
    boundary = refined(given).edge_mask
    assert torch.equal(inner ^ boundary, given.coarse)
    assert not (inner & boundary).any()


def test_weighted_sum_with_a_hard_coarse_mask_changes_nothing():
    given = scene()
    result = refined(given, replace(CONFIG, fusion="weighted_sum", hard_coarse=True))
    assert torch.equal(result.mask, given.coarse)


@pytest.mark.parametrize(
    "chosen", [("global",), ("center",), ("edge",), ("global", "center", "edge")]
)
def test_weighted_sums_of_table_3(chosen):
    given = scene()
    config = replace(CONFIG, fusion="weighted_sum", prototypes=chosen)
    result = refined(given, config, coarse_probability=given.probability)
    mean = sum(result.confidence[name] for name in chosen) / len(chosen)
    assert torch.equal(result.mask, given.probability > 0.625 - 0.25 * mean)
    assert not torch.equal(result.mask, given.coarse)


@pytest.mark.parametrize("chosen", [("center",), ("edge",)])
def test_one_map_alone_is_the_merged_map_and_must_agree_with_the_coarse_mask(chosen):
    given = scene()
    result = refined(given, replace(CONFIG, prototypes=chosen))
    assert torch.equal(result.confidence["merged"], result.confidence[chosen[0]])
    assert not result.label_global.any()
    assert torch.equal(result.mask, given.coarse & result.label_merged)


def test_the_global_map_alone_must_agree_with_the_coarse_mask():
    given = scene()
    result = refined(given, replace(CONFIG, prototypes=("global",)))
    assert torch.equal(result.mask, given.coarse & result.label_global)
    assert result.votes.max() == 2


@pytest.mark.parametrize("n_ballots", [2, 3])
def test_soft_votes_of_certain_maps_are_the_majority(n_ballots):
    patterns = torch.cartesian_prod(*[torch.tensor([False, True])] * n_ballots).T
    ballots = list(patterns.reshape(n_ballots, 1, 1, 1, -1))
    soft = voting.soft_majority(
        [(b.double(), level) for b, level in zip(ballots, (0.5, 0.1, 0.7), strict=False)]
    )
    assert torch.equal(soft, voting.majority(ballots)[0])


def test_soft_votes_by_hand():
    sure, unsure, against = torch.full((3, 1, 1, 1, 1), 0.0).unbind(0)
    sure, unsure, against = sure + 0.9, unsure + 0.3, against + 0.2
    # thresholds 0.5, 0.2, 0.4 stretch them to 0.9, 0.5625 and 0.25: mean 0.571
    assert voting.soft_majority([(sure, 0.5), (unsure, 0.2), (against, 0.4)]).item()
    # without the sure one: 0.406
    assert not voting.soft_majority([(unsure, 0.2), (against, 0.4)]).item()


def test_soft_vote_listens_to_the_coarse_probability():
    given = scene()
    config = replace(CONFIG, vote="weighted_sum")
    certain = refined(given, config, coarse_probability=given.coarse.double()).mask
    assert not torch.equal(
        certain, refined(given, config, coarse_probability=given.probability).mask
    )
    assert torch.equal(certain, refined(given, replace(config, hard_coarse=True)).mask)


def test_background_outside_coarse_leaves_the_object_out_of_c_bar():
    given = scene()
    result = refined(given, replace(CONFIG, background="outside_coarse"))
    enlarged = literal.enlarge(given.features[0], (SIZE, SIZE))
    expected = literal.confidence(enlarged, result.edge_mask[0, 0], (~given.coarse[0, 0]).double())
    assert (result.confidence["edge"][0, 0] - expected).abs().max() < 1e-9
    inside = given.coarse & given.predicted
    assert (
        result.confidence["edge"][inside].mean() > refined(given).confidence["edge"][inside].mean()
    )


def test_soft_predictor_weighs_and_otherwise_half_decides():
    given = scene()
    hard = refined(given).global_mask
    given.predicted = given.predicted.double() * 0.4 + 0.3
    assert torch.equal(refined(given).global_mask, hard)
    soft = refined(given, replace(CONFIG, soft_predictor=True))
    torch.testing.assert_close(soft.global_mask, given.coarse * given.predicted)


def test_confine_keeps_the_mask_in_the_region():
    given, region = scene(), torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    region[..., :24, :] = True
    config = replace(CONFIG, clip_to_box=True)
    free = refined(given).mask
    assert (free & ~region).any()
    assert torch.equal(refined(given, config, region=region).mask, free & region)


def test_a_saturated_merged_map_is_or_edge_or_and():
    config = IPTConfig()
    maps = torch.tensor([0.0, config.alpha, config.beta, config.alpha + config.beta])
    for k, expected in [(0.39, "0111"), (0.41, "0011"), (0.93, "0011"), (0.94, "0001")]:
        assert "".join(str(int(label)) for label in maps > config.n * k) == expected


def test_a_pixel_at_its_threshold_is_background():
    given = scene()
    given.features = torch.ones_like(given.features)
    result = refined(given, replace(CONFIG, m=1.0, n=1.0))
    assert result.threshold_global.tolist() == [0.5, 0.5]
    assert not result.mask.any()
    assert refined(given, replace(CONFIG, m=0.99)).label_global.all()


def test_half_precision_features_and_no_gradient():
    given = scene(dtype=torch.bfloat16)
    given.features.requires_grad_()
    result = refined(given)
    assert result.confidence["merged"].dtype == torch.float32
    assert not result.confidence["merged"].requires_grad


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": torch.tensor([[20, 18], [30, SIZE]])}, r"row 30, col 48\) lies outside the 48"),
        ({"points": torch.tensor([[-1, 18], [30, 3]])}, r"row -1, col 18\) lies outside"),
        ({"points": torch.tensor([[20.0, 18.0], [30.0, 3.0]])}, r"points are torch.float32"),
        ({"points": torch.tensor([[20, 18]])}, r"shape \(1, 2\); give integers of shape \(2, 2\)"),
        ({"coarse": torch.zeros(1, 1, 48, 48).bool()}, r"coarse_mask has shape \(1, 1, 48, 48\)"),
        ({"coarse": torch.zeros(2, 1, 48, 48)}, r"coarse_mask is torch.float32; give a bool mask"),
        (
            {"predicted": torch.zeros(2, 1, 9, 9).bool()},
            r"predicted_mask has .*give \(2, 1, 48, 48",
        ),
    ],
)
def test_errors_say_what_was_got_and_wanted(change, message):
    given = SimpleNamespace(**{**vars(scene()), **change})
    with pytest.raises(InputError, match=message):
        refined(given)


def test_options_that_lack_their_map_say_so():
    given = scene()
    with pytest.raises(InputError, match="needs coarse_probability and got None"):
        refined(given, replace(CONFIG, fusion="weighted_sum"))
    with pytest.raises(InputError, match="clip_to_box is set and region is None"):
        refined(given, replace(CONFIG, clip_to_box=True))
    with pytest.raises(InputError, match="Got 3 generators for 2 objects"):
        refined(given, generator=[seeded()] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"m": 1.2}, r"IPTConfig.m is 1.2; give a number between 0 and 1"),
        ({"kernel_px": 4}, r"kernel_px is 4; give an odd number"),
        ({"edge": "outer"}, r"edge is 'outer'; choose one of boundary, inner"),
        ({"prototypes": ()}, r"prototypes is \(\); choose one or more of global, center, edge"),
        ({"prototypes": ("edge", "edge")}, r"each once"),
        ({"temperature": 0.0}, r"temperature is 0.0; give a number"),
        ({"alpha": 0.5}, r"alpha \+ beta is 1.2; give weights whose sum"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        IPTConfig(**options)


def test_every_setting_has_an_owner():
    owners = sources(IPTConfig)
    assert set(owners) == set(IPTConfig.__dataclass_fields__)
    assert owners["alpha"].startswith("Sec. 4.1.2")
