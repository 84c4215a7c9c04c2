"""Quality without labels: signs by hand, the line through them, and two networks compared."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from openscenes.data.examples import from_clicks
from openscenes.data.records import Box, Point
from openscenes.errors import InputError
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.quality import (
    RIDGE,
    SIGNS,
    Quality,
    Witness,
    compared,
    fitted,
    learned_quality,
    signs,
)
from openscenes.pool import Pool as Workers

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)

SIZE = 12
OBJECT = np.zeros((SIZE, SIZE), bool)
OBJECT[3:9, 3:9] = True


def seen(found=(OBJECT,), weights=(1.0,)) -> Witness:
    """A bright square on a dark ground, clicked in its middle."""
    image = np.where(OBJECT, 200, 20).astype(np.uint8)[..., None].repeat(3, 2)
    cut = SimpleNamespace(image=image, point=Point(5.0, 5.0), box=Box(3.0, 3.0, 9.0, 9.0))
    maps = np.stack(found)
    return Witness(cut, maps, np.array(weights), np.tensordot(np.float32(weights), maps, 1), 0.0)


def test_signs_of_a_perfect_answer_are_all_one() -> None:
    wide = np.pad(np.ones((8, 8), bool), 2)  # around it is a ground of another colour
    assert signs(OBJECT, seen()) == pytest.approx([1.0] * 6)
    assert signs(np.zeros_like(OBJECT), seen()) == pytest.approx([0.0] * 6)
    assert signs(wide, seen())[:2] == pytest.approx([36 / 64, 1.0])


def test_signs_of_half_an_answer_by_hand() -> None:
    half, empty = OBJECT.copy(), np.zeros_like(OBJECT)
    half[6:] = False
    found = dict(zip(SIGNS, signs(half, seen((OBJECT, empty), (0.75, 0.25))), strict=True))
    assert found["tightness"] == 0.5 and found["click"] == 1.0
    assert found["evidence"] == pytest.approx(18 * 0.75 / (18 + 18 * 0.75))
    assert found["weighted agreement"] == pytest.approx(0.75 * 0.5)
    assert found["agreement"] == pytest.approx(0.25)
    around = 18 + (8 * 8 - 36)  # the box is 0.15 of its side wider: a pixel on each side
    assert found["colours"] == pytest.approx(1 - np.sqrt(18 / around))


def test_the_line_is_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    found = rng.uniform(size=(400, len(SIGNS)))
    slopes = np.array([0.1, 0.2, 0.1, 0.0, 0.3, 0.05])
    ious = found @ slopes + 0.1
    quality = fitted(found, ious)
    assert quality.slopes == pytest.approx(slopes * 400 / (400 + RIDGE), rel=0.05, abs=0.01)
    assert np.abs(quality.iou(found) - ious).max() < 0.01
    assert quality.iou(np.full((2, 6), 9.0)).tolist() == [1.0, 1.0]
    against = fitted(found, ious - 0.3 * found[:, 2]).slopes  # no sign speaks against an answer
    assert against[2] == 0.0 and min(against) >= 0.0 and against[4] > 0.2
    constant = found.copy()
    constant[:, 1] = 1.0  # every answer holds its click
    assert np.isfinite(fitted(constant, ious).slopes).all()


def test_what_cannot_be_fitted_is_told() -> None:
    with pytest.raises(InputError, match="at least two answers of 6 signs each"):
        fitted(np.zeros((1, 6)), np.zeros(1))
    with pytest.raises(InputError, match="one for each of 6 signs"):
        Quality(0.5, (0.0,), (0.0,))
    with pytest.raises(InputError, match="give the mask of the crop"):
        signs(OBJECT[:3], seen())


def test_quality_learned_on_the_source_compares_two_networks(tiny, initial, old_root, new_root):
    context = tiny.context()
    pool, config = Workers(0, context.cache), replace(EvidenceConfig(), n_learned=6, box_error=0.02)
    labelled = tiny.labelled(old_root)
    quality = learned_quality(initial.network, labelled, context, config, pool)
    assert quality == learned_quality(initial.network, labelled, context, config, pool)
    given = [from_clicks(one) for one in tiny.clicked(new_root)]
    networks = initial.network, tiny.network(), initial.network
    predicted = compared(networks, given, context, quality, config, pool)
    assert predicted.shape == (len(given), 3)
    assert (predicted[:, 0] == predicted[:, 2]).all()
    assert predicted[:, 0].mean() > predicted[:, 1].mean() + 0.05  # the other has learned nothing
    with pytest.raises(InputError, match="give objects of the source"):
        learned_quality(initial.network, given, context, config, pool)
