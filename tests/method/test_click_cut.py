"""Laws of obeyed clicks over random objects, networks and clicks; windows and oddities by hand."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from openscenes.errors import InputError, OpenScenesError
from openscenes.method.click_cut import CutConfig, mark, obey, still_taken
from openscenes.method.random_walk import WalkConfig, walked
from openscenes.seeding import numpy_generator

SIZE = 48
SEEDS = range(12)


def blob(generator, size=SIZE):
    """A random object: a few ellipses."""
    rows, cols = np.mgrid[:size, :size]
    mask = np.zeros((size, size), bool)
    for _ in range(generator.integers(1, 4)):
        (row, col), (tall, wide) = generator.uniform(5, size - 5, 2), generator.uniform(3, 14, 2)
        mask |= ((rows - row) / tall) ** 2 + ((cols - col) / wide) ** 2 < 1
    return mask


def scene(seed):
    """An image with an object, what a network that errs says of it, and the truth."""
    generator = numpy_generator("scene", seed)
    truth, seen = blob(generator), blob(generator)
    image = np.where(truth[..., None], generator.integers(0, 256, 3), generator.integers(0, 256, 3))
    image = np.clip(image + generator.normal(0, 12, image.shape), 0, 255).astype(np.uint8)
    probability = np.clip(seen * 0.8 + generator.uniform(0, 0.2, truth.shape), 0, 1)
    return generator, image, probability.astype(np.float32), truth


def drawn(generator, n, truth):
    """Clicks that tell the truth at random pixels, in fractions of them."""
    places = generator.uniform(-0.5, SIZE - 0.5, (n, 2))
    rows, cols = np.clip(np.rint(places), 0, SIZE - 1).astype(int).T
    return np.c_[places, np.where(truth[rows, cols], 1, -1)].astype(np.float32)


def replayed(probabilities, image, first, clicks, **more):
    """The fold over a list of clicks: the answers after none, one, two, ... of them."""
    answers = [first]
    for n, probability in zip(range(1, len(clicks) + 1), probabilities, strict=False):
        answers.append(obey(probability, image, answers[-1], clicks[:n], **more))
    return answers


def is_obeyed(answer, clicks, threshold=0.5):
    rows, cols = np.clip(np.rint(clicks[:, :2]), 0, SIZE - 1).astype(int).T
    last = {(r, c): s for r, c, s in zip(rows, cols, clicks[:, 2], strict=True)}
    return all((answer[place] > threshold) == (sign > 0) for place, sign in last.items())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_every_click_so_far_is_obeyed_whatever_the_network_says(seed, threshold):
    generator, image, probability, truth = scene(seed)
    clicks = drawn(generator, 12, truth)
    clicks[::4, 2] *= -1  # some lie
    networks = [generator.random(truth.shape).astype(np.float32) for _ in clicks]
    answers = replayed(networks, image, probability, clicks, threshold=threshold)
    for n, answer in enumerate(answers):
        assert is_obeyed(answer, clicks[:n], threshold)
        assert answer.dtype == np.float32 and 0 <= answer.min() <= answer.max() <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_click_only_adds_or_only_takes_away_so_that_none_undoes_its_like(seed):
    generator, image, probability, truth = scene(seed)
    clicks = drawn(generator, 12, truth)
    networks = [generator.random(truth.shape).astype(np.float32) for _ in clicks]
    answers = replayed(networks, image, probability, clicks)
    for before, after, sign in zip(answers, answers[1:], clicks[:, 2], strict=False):
        (lost, gained) = (before > 0.5) & (after <= 0.5), (before <= 0.5) & (after > 0.5)
        assert not (lost if sign > 0 else gained).any()


def nearest(places):
    """(H, W) squared distances to the nearest of (K, 2) pixels."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    squared = [(rows - row) ** 2 + (cols - col) ** 2 for row, col in places]
    return np.min([np.full((SIZE, SIZE), np.inf), *squared], axis=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_lies_nearer_to_an_earlier_click_of_the_other_sign_stays(seed):
    generator, image, probability, truth = scene(seed)
    clicks = drawn(generator, 12, truth)
    networks = [generator.random(truth.shape).astype(np.float32) for _ in clicks]
    answers = replayed(networks, image, probability, clicks, config=CutConfig(unlike=0.0))
    pixels = np.clip(np.rint(clicks[:, :2]), 0, SIZE - 1)
    for n, (before, after) in enumerate(pairwise(answers)):
        against = pixels[:n][clicks[:n, 2] != clicks[n, 2]]
        theirs = nearest(against) <= nearest(pixels[n : n + 1])
        assert np.array_equal(before[theirs], after[theirs])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_click_that_agrees_changes_nothing(seed):
    generator, image, probability, truth = scene(seed)
    seen = probability > 0.5
    clicks = drawn(generator, 5, seen)
    network = generator.random(truth.shape).astype(np.float32)
    for n in range(1, 6):
        assert obey(network, image, probability, clicks[:n]) is probability


@pytest.mark.parametrize("seed", SEEDS)
def test_clicks_played_again_or_taken_back_give_the_same_bits(seed):
    generator, image, probability, truth = scene(seed)
    clicks = drawn(generator, 8, truth)
    networks = [generator.random(truth.shape).astype(np.float32) for _ in clicks]
    whole = replayed(networks, image, probability, clicks)
    again = replayed(networks, image.copy(), probability.copy(), clicks.copy())
    assert all(np.array_equal(*pair) for pair in zip(whole, again, strict=True))
    assert np.array_equal(replayed(networks, image, probability, clicks[:5])[-1], whole[5])
    assert np.array_equal(probability, scene(seed)[2])  # what is given stays as it was


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scribble_has_no_order(seed):
    generator, image, probability, truth = scene(seed)
    old, scribble = drawn(generator, 2, truth), drawn(generator, 30, truth)
    scribble = scribble[scribble[:, 2] == scribble[0, 2]]
    shuffled = scribble[generator.permutation(len(scribble))]
    one, other = (
        obey(probability, image, probability, np.concatenate([old, s]), n_new=len(s))
        for s in (scribble, shuffled)
    )
    assert np.array_equal(one, other)
    assert is_obeyed(one, scribble)


@pytest.mark.parametrize("seed", SEEDS)
def test_beyond_its_window_and_without_colours_a_click_changes_what_the_network_says(seed):
    generator, image, probability, truth = scene(seed)
    (click,) = drawn(generator, 1, truth)
    config = CutConfig(longest=0.1, colours=0.0)
    network = generator.random(truth.shape).astype(np.float32)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    radius = max(config.window * 0.1 * SIZE, config.least_px)
    far = np.hypot(rows - np.rint(click[0]), cols - np.rint(click[1])) > radius
    silent = obey(probability, image, probability, click[None], config=config)
    assert np.array_equal(silent[far], probability[far])
    heard = obey(network, image, probability, click[None], config=config) > 0.5
    flipped = heard != (probability > 0.5)
    assert np.array_equal(heard[flipped & far], network[flipped & far] > 0.5)


def test_a_pixel_belongs_to_a_click_of_its_colour_though_another_click_is_nearer():
    image = np.full((SIZE, SIZE, 3), 60, np.uint8)
    image[:, :12] = (200, 120, 40)  # the object, of which the mask has more
    filled, network = np.full((2, SIZE, SIZE), 0.05, np.float32)
    filled[:, :40] = 0.9
    clicks = np.array([[24, 10, 1], [24, 32, -1]], np.float32)
    network[:, :12] = 0.9
    near_the_object = np.s_[22:27, 16:20]
    for unlike, left in ((0.0, True), (0.22, False)):
        config = CutConfig(unlike=unlike)
        answer = obey(network, image, filled, clicks, config=config) > 0.5
        assert answer[near_the_object].all() == left and answer[near_the_object].any() == left
        assert answer[:, :10].all()


def test_what_the_network_changes_elsewhere_waits_for_a_click_there():
    image = np.full((SIZE, SIZE, 3), 128, np.uint8)
    nothing = np.zeros((SIZE, SIZE), np.float32)
    network = nothing.copy()
    network[2:40, 2:10] = network[30:46, 30:46] = 0.9
    config = CutConfig(longest=0.01, least_px=2.0)
    one = (
        obey(network, image, nothing, np.array([[5.0, 5.0, 1.0]], np.float32), config=config) > 0.5
    )
    assert one[3:39, 3:9].all()
    assert not one[:, 12:].any()


def test_what_looks_like_the_clicked_pixel_goes_with_it_up_to_the_edge_of_the_image():
    image = np.full((SIZE, SIZE, 3), 60, np.uint8)
    image[14:26, 18:33] = (200, 120, 40)
    nothing = np.full((SIZE, SIZE), 0.05, np.float32)
    nothing[14:26, 33:40] = 0.95  # the network has found what lies beside it
    answer = obey(nothing, image, nothing, np.array([[20.0, 25.0, 1.0]], np.float32))
    gained = (answer > 0.5) & (nothing < 0.5)
    inside = np.zeros_like(gained)
    inside[14:26, 18:33] = True
    assert (gained & inside).sum() > 0.9 * inside.sum()
    assert not (gained & ~inside).any()


def test_what_the_network_takes_with_a_click_stays_where_its_colour_says_so():
    image = np.full((SIZE, SIZE, 3), 60, np.uint8)
    tyre = np.zeros((SIZE, SIZE), bool)
    tyre[8:40, 8:40] = True
    tyre[12:36, 12:36] = False
    image[tyre] = (200, 120, 40)
    filled = np.zeros((SIZE, SIZE), np.float32)
    filled[8:40, 8:40] = 0.9
    nothing = np.full_like(filled, 0.05)  # the network gives up the tyre with its gap
    answer = obey(nothing, image, filled, np.array([[24.0, 24.0, -1.0]], np.float32)) > 0.5
    assert (answer & tyre).sum() > 0.9 * tyre.sum()
    assert (answer & ~tyre).sum() < 0.1 * (~tyre[8:40, 8:40]).sum()


def test_neighbours_count_as_background_until_a_click_claims_one():
    _, image, _, _ = scene(0)
    mine = np.zeros((SIZE, SIZE), np.float32)
    mine[10:40, 10:40] = 0.9
    taken = np.zeros((SIZE, SIZE), bool)
    taken[12:20, 12:20] = taken[30:36, 30:36] = True
    clicks = np.array([[24.0, 5.0, 1.0], [14.0, 14.0, 1.0]], np.float32)
    answer = obey(mine, image, mine, clicks[:1], taken=taken)
    assert not (answer[taken] > 0.5).any()
    claimed = obey(mine, image, answer, clicks, taken=taken)
    assert (claimed[12:20, 12:20] > 0.5).all()
    assert not (claimed[30:36, 30:36] > 0.5).any()


def test_of_two_clicks_on_one_pixel_the_later_one_counts():
    _, image, probability, _ = scene(1)
    both = np.array([[20.0, 20.0, 1.0], [20.3, 19.8, -1.0]], np.float32)
    for clicks, sign in ((both, -1), (both[::-1], 1)):
        *_, last = replayed([probability] * 2, image, probability, clicks)
        assert (last[20, 20] > 0.5) == (sign > 0)


@pytest.mark.parametrize("place", [(0, 0), (0, 47), (47, 20), (-0.5, 23.5), (47.5, 47.5)])
@pytest.mark.parametrize("filled", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_empty_and_full_answers_one_colour_and_clicks_on_the_border(place, filled, sign):
    image = np.full((SIZE, SIZE, 3), 128, np.uint8)
    answer = np.full((SIZE, SIZE), filled, np.float32)
    click = np.array([[*place, sign]], np.float32)
    assert is_obeyed(obey(answer, image, answer, click), click)


def test_an_object_of_one_pixel():
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[9, 9] = 255
    empty = np.zeros((SIZE, SIZE), np.float32)
    click = np.array([[9, 9, 1]], np.float32)
    one = np.zeros_like(empty)
    one[9, 9] = 1.0
    assert obey(empty, image, one, click) is one
    found = obey(empty, image, empty, click, config=CutConfig(longest=0.01)) > 0.5
    assert found[9, 9] and found.sum() <= 9


def test_a_walk_is_the_solution_of_its_equations():
    """Against a dense solver, without the limits that an answer has."""
    generator = numpy_generator("walk")
    image = generator.integers(0, 60, (6, 7, 3), dtype=np.uint8)
    prior, trust = (generator.random((6, 7)).astype(np.float32) for _ in range(2))
    fixed = generator.random((6, 7)) < 0.2
    config = WalkConfig(tolerance=1e-14, steps=200)
    colours, n = image.reshape(-1, 3) / 255, 42
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in (i + 1,) * (i % 7 < 6) + (i + 7,) * (i < 35):
            weight = np.exp(-config.contrast * np.square(colours[i] - colours[j]).sum()) + 1e-4
            matrix[[i, j], [j, i]] -= weight
            matrix[[i, j], [i, j]] += weight
    matrix += np.diag(config.prior * trust.ravel())
    right = (config.prior * trust * prior).ravel()
    held = fixed.ravel()
    matrix[held], right[held] = np.eye(n)[held], prior.ravel()[held]
    exact = np.linalg.solve(matrix, right).reshape(6, 7)
    assert np.allclose(walked(prior, image, trust, fixed, config), exact, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((3, 3, 3), np.uint8)}, "of one crop"),
        ({"clicks": np.zeros((0, 3), np.float32)}, "of which 1 to K are new"),
        ({"n_new": 3}, "of which 1 to K are new"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(change, words):
    _, image, probability, _ = scene(0)
    given = {"probability": probability, "image": image, "previous": probability}
    given |= {"clicks": np.array([[3, 3, 1]], np.float32)} | change
    with pytest.raises(InputError, match=words):
        obey(**given)


@pytest.mark.parametrize(
    ("config", "change"),
    [(CutConfig(), {"core": -1.0}), (CutConfig(), {"colours": 2.0}), (WalkConfig(), {"steps": 0})],
)
def test_a_setting_that_means_nothing_is_refused(config, change):
    with pytest.raises(OpenScenesError):
        replace(config, **change)


def test_clicks_are_marked_in_a_window_of_the_image_and_the_later_one_counts():
    mask = np.zeros((3, 4), bool)
    mark(mask, np.array([[11, 21, 1], [12, 23, 1], [12, 23, -1], [9, 20, 1]], np.float32), 10, 20)
    assert np.argwhere(mask).tolist() == [[1, 1]]
    mark(mask, None)
    assert mask.sum() == 1


def test_neighbours_of_a_first_answer_are_background_but_for_the_one_that_is_pointed_at():
    taken = np.zeros((SIZE, SIZE), bool)
    taken[5:9, 5:9] = taken[20:30, 20:30] = True
    left = still_taken(taken, np.array([[24, 24]]))
    assert left[5:9, 5:9].all() and left.sum() == 16
    assert np.array_equal(still_taken(taken, np.array([[15, 15]])), taken)
