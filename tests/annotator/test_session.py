"""The model is asked as it was trained, the backbone runs once for an object."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from openscenes import masks
from openscenes.annotator.evolve.session import Session
from openscenes.data.examples import ImageCache
from openscenes.errors import InputError, WeightsError
from openscenes.networks.devices import make_fabric
from openscenes.networks.openscene import OpenSceneNet
from openscenes.prediction.model_files import loaded_model
from openscenes.prediction.predict import predict
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import run_context

BOX, POINT = (10.0, 20.0, 40.0, 60.0), (25.0, 40.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An image, a study of the smoke profile, and an untrained network whose corrector is loud."""
    folder = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(noise).save(folder / name)
    study = Study(profile_named("smoke"), folder, make_fabric("cpu", "32-true"), ImageCache())
    network = OpenSceneNet(study.profile.network, generator=torch_generator("session")).eval()
    score = network.corrector.score.weight
    torch.nn.init.normal_(score, std=0.5, generator=torch_generator("loud"))
    return SimpleNamespace(folder=folder, study=study, network=network)


@pytest.fixture
def session(world):
    return Session(run_context(world.study), world.network, "tiny")


def counted(session, monkeypatch):
    """Count the backbone's runs."""
    runs, encode = [], session.network.encode
    monkeypatch.setattr(session.network, "encode", lambda x: runs.append(1) or encode(x))
    return runs


def test_the_first_answer_is_that_of_predict(world, session):
    path = world.folder / "a.png"
    answer = session.predict(path, BOX, POINT)
    model = loaded_model(
        world.network, world.study.profile.crop, world.study.profile.clicks, precision="fp32",
        device="cpu",
    )  # fmt: skip
    expected = predict(session.image(path), BOX, POINT, evidence=True, model=model)
    assert 0 < answer.mask.sum() < answer.mask.size
    assert np.mean(answer.mask != expected.mask) < 0.002  # the warp's steps of 1/32 px
    assert answer.confidence == pytest.approx(expected.confidence, abs=1e-3)


def test_another_picture_in_the_same_file_is_encoded_anew(session, tmp_path):
    path = tmp_path / "a.png"
    answers = []
    for value in (40, 200):
        Image.new("RGB", (80, 64 + value), (value, 10, 90)).save(path)
        answers.append(session.predict(path, BOX, POINT))
    assert answers[1].encoded
    assert answers[1].mask.shape == (264, 80)


def test_the_backbone_runs_once_for_an_object(world, session, monkeypatch):
    runs = counted(session, monkeypatch)
    path = world.folder / "a.png"
    first = session.predict(path, BOX, POINT)
    one = (30.0, 50.0, -1 if first.mask[30, 50] else 1)
    corrected = session.predict(path, BOX, POINT, [one])
    other = (15.0, 25.0, -1 if corrected.mask[15, 25] else 1)
    more = session.predict(path, BOX, POINT, [one, other])
    undone = session.predict(path, BOX, POINT)
    assert [a.encoded for a in (first, corrected, more, undone)] == [True, False, False, False]
    assert len(runs) == 1
    assert np.array_equal(first.mask, undone.mask)
    assert not np.array_equal(first.mask, corrected.mask)
    assert not np.array_equal(corrected.mask, more.mask)


def test_every_clicked_pixel_has_its_label_also_of_two_side_by_side(world, session):
    path, further = world.folder / "a.png", []
    for row, col, sign in [(30, 50, 1), (30, 51, -1), (31, 50, 1), (20, 30, -1), (20, 30, 1)]:
        further.append((float(row), float(col), sign))
        mask = session.predict(path, BOX, POINT, further).mask
        last = {(int(r), int(c)): s for r, c, s in further}
        assert all(mask[place] == (sign > 0) for place, sign in last.items())
    again = Session(run_context(world.study), world.network, "tiny").predict(
        path, BOX, POINT, further
    )
    assert np.array_equal(again.mask, mask)


def test_other_objects_of_the_image_are_background_until_one_is_claimed(world, session):
    path = world.folder / "a.png"
    mine = session.predict(path, BOX, POINT).mask
    other = np.zeros_like(mine)
    other[tuple(slice(at - 3, at + 4) for at in np.argwhere(mine)[mine.sum() // 3])] = True
    assert not other[round(POINT[0]), round(POINT[1])]
    taken = [masks.encode(other)]
    without = session.predict(path, BOX, POINT, [], taken).mask
    core = cv2.erode(other.view(np.uint8), np.ones((5, 5))) > 0  # a crop's pixel is wide
    assert core.any() and (mine & core).any() and not (without & core).any()
    row, col = np.argwhere(core)[0]
    claimed = session.predict(path, BOX, POINT, [(float(row), float(col), 1)], taken)
    assert claimed.mask[row, col] and not claimed.encoded
    assert np.array_equal(session.predict(path, BOX, POINT).mask, mine)


def test_another_point_box_or_image_is_another_object(world, session, monkeypatch):
    runs = counted(session, monkeypatch)
    session.predict(world.folder / "a.png", BOX, POINT)
    session.predict(world.folder / "b.png", BOX, POINT)
    session.predict(world.folder / "b.png", BOX, (26.0, 40.0))
    session.predict(world.folder / "b.png", (9.0, *BOX[1:]), (26.0, 40.0))
    assert len(runs) == 4


def test_an_interaction_that_cannot_be_is_refused_in_words(world, session):
    path = world.folder / "a.png"
    with pytest.raises(InputError, match="leaves the image of 64 x 80 pixels"):
        session.predict(path, (0, 0, 65, 80), POINT)
    with pytest.raises(InputError, match="lies outside the box"):
        session.predict(path, BOX, (50, 40))


def test_a_correction_that_the_model_cannot_see_is_refused(world, session):
    with pytest.raises(InputError, match=r"click \(60, 40\) lies outside .*draw a larger one"):
        session.predict(world.folder / "a.png", BOX, POINT, [(25, 41, 1), (60, 40, -1)])


def test_the_crop_follows_the_object_to_a_click_outside_it(world, session, monkeypatch):
    runs, path, far = counted(session, monkeypatch), world.folder / "a.png", (60.0, 70.0, 1)
    near = (25.0, 30.0, 1)
    before = session.predict(path, BOX, POINT, [near])
    wide = session.predict(path, BOX, POINT, [near, far])
    assert wide.encoded and wide.mask[60, 70] and wide.mask[25, 30]
    again = session.predict(path, BOX, POINT, [near])  # the click is taken back
    assert np.array_equal(again.mask, before.mask) and len(runs) == 3


def test_damaged_weights_are_said(world):
    network = OpenSceneNet(world.study.profile.network, generator=torch_generator("nan"))
    broken = Session(run_context(world.study), network, "broken")
    list(network.parameters())[-1].data.fill_(float("nan"))
    for parameter in network.iog.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(WeightsError, match="prediction of broken is not finite"):
        broken.predict(world.folder / "a.png", BOX, POINT)


def test_a_file_that_changed_is_encoded_anew_and_read_upright(world, session, monkeypatch):
    runs, path = counted(session, monkeypatch), world.folder / "changing.png"
    Image.new("RGB", (80, 64), "red").save(path)
    session.predict(path, BOX, POINT)
    session.predict(path, BOX, POINT)
    assert len(runs) == 1
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 80), "blue").save(path, exif=exif)
    answer = session.predict(path, BOX, POINT)
    assert len(runs) == 2 and answer.mask.shape == (64, 80)
    assert (session.image(path) == (0, 0, 255)).all()


@pytest.mark.parametrize(
    "further",
    [[(1, 2)], [(1, 2, 0)], [(float("nan"), 2, 1)], [("a", 2, 1)], [(10**400, 2, 1)], 7],
    ids=["two numbers", "no sign", "nan", "text", "far", "number"],
)
def test_what_is_no_further_click(further, world, session):
    with pytest.raises(InputError, match="The further clicks are"):
        session.predict(world.folder / "a.png", BOX, POINT, further)
