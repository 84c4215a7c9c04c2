"""``openscenes.predict`` and its command line: what comes out, what is refused, what is kept."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import openscenes
from openscenes.__main__ import main
from openscenes.data.crops import CropConfig
from openscenes.data.examples import Example, ImageCache
from openscenes.data.interactions import ClickConfig
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError, WeightsError
from openscenes.method.inference import InferenceConfig, RunContext, image_probability
from openscenes.networks.config import NetworkConfig
from openscenes.networks.devices import make_fabric, multiplies_bf16_fast
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import save_weights
from openscenes.prediction import command as predict_command
from openscenes.prediction import model_files, predict
from openscenes.prediction.model_files import description, loaded_model, model_from_file
from openscenes.study.runs.models import Model, keep_model

CONFIG = NetworkConfig(
    backbone="small_resnet", crop_size=32, output_stride=4, head_width=8, psp_width=8,
    n_classes=3, normalise=True,
)  # fmt: skip
CROP, CLICKS = CropConfig(size=32, margin_px=4.0), ClickConfig(heat_map_width_px=40.0)
BOX, POINT = (10, 12, 30, 40), (20, 25)
LIB = Path(openscenes.__file__).parents[1]


@pytest.fixture(scope="module")
def network():
    """Calibrated on noise, so that its answers are neither all 0 nor all 1."""
    made = OpenSceneNet(CONFIG, generator=torch.Generator().manual_seed(1))
    noise = torch.rand(4, 5, 32, 32, generator=torch.Generator().manual_seed(2)) * 255
    for _ in range(20):
        made(noise)
    return made.eval()


@pytest.fixture(scope="module")
def asked(network):
    return loaded_model(network, CROP, CLICKS, device="cpu", precision="fp32", label="tiny")


@pytest.fixture
def image():
    return np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def file(network, tmp_path):
    return write_model(network, tmp_path / "model.safetensors", "tiny")


def write_model(network, path, label):
    save_weights(network, path, description(network.config, CROP, CLICKS) | {"label": label})
    return path


def test_shapes_types_and_ranges(image, asked):
    result = predict.predict(image, BOX, POINT, model=asked)
    assert result.mask.shape == result.probability.shape == (48, 64)
    assert (result.mask.dtype, result.probability.dtype) == (np.bool_, np.float32)
    assert 0 <= result.probability.min() and result.probability.max() <= 1
    assert 0 < result.mask.sum() < result.mask.size
    assert (result.mask == (result.probability > 0.5)).all()
    assert result.confidence == pytest.approx(result.probability[result.mask].mean(), abs=1e-6)
    outside = np.ones((48, 64), dtype=bool)
    outside[4:36, 6:46] = (
        False  # the box and its margin of 4, and a pixel or two of bicubic ringing
    )
    assert (result.probability[outside] == 0).all()


def test_it_is_what_the_study_evaluates(image, network, asked, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    example = Example("a", path, Interaction(Box(*BOX), Point(*POINT)), None)
    fabric = make_fabric("cpu")
    context = RunContext(CROP, CLICKS, InferenceConfig(), ImageCache(), fabric, 0)
    pasted = image_probability(network, example, context)
    result = predict.predict(image, BOX, POINT, model=asked)
    np.testing.assert_allclose(result.probability, pasted, atol=1e-6)


def test_the_answer_moves_with_the_object(image, asked):
    canvas, moved = (np.zeros((100, 110, 3), dtype=np.uint8) for _ in range(2))
    canvas[20:68, 20:84], moved[33:81, 29:93] = image, image
    here = predict.predict(canvas, (30, 32, 50, 60), (40, 45), model=asked)
    there = predict.predict(moved, (43, 41, 63, 69), (53, 54), model=asked)
    np.testing.assert_allclose(there.probability[13:, 9:], here.probability[:-13, :-9], atol=1e-3)


def test_the_click_is_seen(image, asked):
    first = predict.predict(image, BOX, (12, 14), model=asked).probability
    second = predict.predict(image, BOX, (28, 38), model=asked).probability
    assert np.abs(first - second).max() > 1e-3


def test_views_lists_and_fractions_are_fine(image, asked):
    image.flags.writeable = False
    straight = predict.predict(image, BOX, POINT, model=asked).probability
    flipped = np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    again = predict.predict(flipped, np.array(BOX, np.float32), list(POINT), model=asked)
    assert (again.probability == straight).all()
    predict.predict(image, (10.25, 12.5, 29.75, 39.0), (9.8, 12.1), model=asked)
    predict.predict(image, (0, 0, 48, 64), (47.5, 63.5), model=asked)


def test_confidence_by_hand():
    probability = np.array([[0.9, 0.6], [0.1, 0.4]], dtype=np.float32)
    assert predict.mean_inside(probability, probability > 0.5) == pytest.approx(0.75)
    assert predict.mean_inside(probability, probability > 2) == 0.0


def test_nothing_global_changes(image, asked):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = predict.predict(image, BOX, POINT, model=asked)
    second = predict.predict(image, BOX, POINT, model=asked)
    assert (first.probability == second.probability).all()
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "The image is a NoneType; give (H, W, 3) uint8 RGB as a NumPy array."),
        (np.zeros((8, 8), np.uint8), "The image is grey, of shape (8, 8)"),
        (np.zeros((8, 8, 4), np.uint8), "The image has shape (8, 8, 4)"),
        (np.zeros((0, 8, 3), np.uint8), "The image has shape (0, 8, 3)"),
        (np.zeros((8, 8, 3), np.float32), "The image is float32"),
        (np.zeros((8, 8, 3), np.int64), "The image is int64"),
        (np.zeros((1, 32_767, 3), np.uint8), "sides of at most 32766"),
    ],
)
def test_a_bad_image_is_refused(bad, message, asked):
    refused(message, bad, (0, 0, 1, 1), (0, 0), asked)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((30, 12, 10, 40), "The box (30, 12, 10, 40) is reversed"),
        ((10, 40, 30, 12), "is reversed"),
        ((10, 12, 10, 40), "has no area"),
        ((10, 12, 30, 12), "has no area"),
        ((-1, 12, 30, 40), "leaves the image of 48 x 64 pixels"),
        ((10, 12, 49, 40), "leaves the image"),
        ((10, 12, 30, 64.5), "leaves the image"),
        ((10, 12, float("nan"), 40), "give 4 finite numbers, (row0, col0, row1, col1)."),
        ((10, 12, float("inf"), 40), "finite"),
        ((10, 12, 30), "finite"),
        ([[10, 12], [30]], "finite"),
        (("10", "12", "30", "40"), "finite"),
        ((True, 12, 30, None), "finite"),
        (10, "finite"),
        (None, "The box is None"),
    ],
)
def test_a_bad_box_is_refused(image, box, message, asked):
    refused(message, image, box, POINT, asked)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ((9.4, 25), "The point (9.4, 25) lies outside the box (10, 12, 30, 40)"),
        ((30, 25), "lies outside the box"),
        ((20, 40), "lies outside the box"),
        ((25, 5), "click inside the box, as (row, col)."),
        ((20, float("nan")), "The point is (20, nan); give 2 finite numbers, (row, col)."),
        ((20, 25, 1), "finite"),
        ("middle", "finite"),
    ],
)
def test_a_bad_point_is_refused(image, point, message, asked):
    refused(message, image, BOX, point, asked)


def refused(message, image, box, point, asked):
    with pytest.raises(InputError) as caught:
        predict.predict(image, box, point, model=asked)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_bad_input_is_refused_before_a_model_is_looked_for(image):
    with pytest.raises(InputError, match="reversed"):
        predict.predict(image, (30, 12, 10, 40), POINT, model="nowhere.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "The device is 'tpu'; choose one of auto, cpu, cuda."),
        ({"precision": "fp8"}, "The precision is 'fp8'; choose one of auto, bf16, fp32."),
    ],
)
def test_a_bad_option_is_refused(image, file, asked, options, message):
    with pytest.raises(InputError, match=message):
        predict.predict(image, BOX, POINT, model=file, **options)
    with pytest.raises(InputError, match="A loaded model lies on cpu in fp32 already"):
        predict.predict(image, BOX, POINT, model=asked, **options)


def test_a_model_of_another_kind_is_refused(image, network):
    with pytest.raises(InputError, match="The model is a OpenSceneNet; give a path"):
        predict.predict(image, BOX, POINT, model=network)


def test_a_crop_of_another_size_is_refused(network):
    with pytest.raises(InputError, match="The crop is 64 px but the network is built for 32"):
        loaded_model(network, CropConfig(size=64))


def test_an_answer_that_is_not_finite_is_refused(image, network):
    broken = loaded_model(network, CROP, CLICKS, device="cpu", precision="fp32")
    torch.nn.init.constant_(broken.network.iog.Fine_net.final_predict[1].weight, float("nan"))
    with pytest.raises(WeightsError, match="The output of a network is not finite"):
        predict.predict(image, BOX, POINT, model=broken)


def test_bf16_comes_near_and_leaves_the_network_alone(image, network, asked):
    rough = loaded_model(network, CROP, CLICKS, device="cpu", precision="bf16")
    exact = predict.predict(image, BOX, POINT, model=asked).probability
    near = predict.predict(image, BOX, POINT, model=rough).probability
    assert 0 < np.abs(near - exact).max() < 0.1
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert next(network.parameters()).requires_grad


def test_auto_is_bf16_only_where_it_pays(network, monkeypatch):
    for pays, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(model_files, "multiplies_bf16_fast", lambda _device, pays=pays: pays)
        assert loaded_model(network, device="cpu").precision == precision


@pytest.mark.parametrize(
    ("units", "fast"),
    [(("avx2",), False), (("avx2", "avx512_f"), False), (("amx_bf16",), True),
     (("avx512_f", "avx512_bf16"), True)],
)  # fmt: skip
def test_only_a_cpu_that_multiplies_bfloat16_itself_is_asked_to(monkeypatch, units, fast):
    known = dict.fromkeys(("avx2", "avx512_f", "avx512_bf16", "amx_bf16"), False)
    there = known | dict.fromkeys(units, True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there, raising=False)
    assert multiplies_bf16_fast(torch.device("cpu")) is fast


def test_a_torch_that_does_not_tell_gets_fp32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not multiplies_bf16_fast(torch.device("cpu"))


def test_one_file_is_enough(image, file, asked):
    model = model_from_file(file, device="cpu", precision="fp32")
    assert (model.crop, model.clicks, model.network.config) == (CROP, CLICKS, CONFIG)
    options = {"device": "cpu", "precision": "fp32"}
    answer = predict.predict(image, BOX, POINT, model=str(file), **options)
    expected = predict.predict(image, BOX, POINT, model=asked)
    assert (answer.probability == expected.probability).all()


def test_a_file_is_read_once_until_it_changes(network, file):
    first = model_from_file(file, device="cpu")
    assert model_from_file(file, device="cpu") is first
    grown = network.with_unknown_class(generator=torch.Generator().manual_seed(0))
    write_model(grown, file, "grown")
    second = model_from_file(file, device="cpu")
    assert (second.label, second.network.config.unknown_class) == ("grown", True)


def test_what_a_run_writes_can_be_asked(network, tmp_path):
    profile = SimpleNamespace(crop=CROP, clicks=CLICKS, data="a test")
    study = SimpleNamespace(profile=profile)
    model = Model("abc", tmp_path, "demo seed 0 initial voc")
    keep_model(study, model, network, {}, [], 1.0)
    asked = model_from_file(model.weights, device="cpu")
    assert (asked.crop, asked.clicks, asked.label) == (CROP, CLICKS, model.label)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "There is no model file"),
        (lambda path: path.write_bytes(b"damaged"), "is not a readable .safetensors file"),
        (lambda path: save_weights(torch.nn.Linear(1, 1), path, {}), "does not say for which"),
        (
            lambda path: save_weights(
                torch.nn.Linear(1, 1), path, description(CONFIG, CROP, CLICKS)
            ),
            "does not fit this network",
        ),
        *(
            (
                lambda path, text=text: save_weights(
                    torch.nn.Linear(1, 1), path, {"configuration": text}
                ),
                "was written for another version of openscenes",
            )
            for text in ("{", "{}", "[]", '{"network": {"colour": 1}}', '{"network": {"n": 0}}')
        ),
    ],
)
def test_a_bad_file_is_refused(make, message, image, tmp_path):
    make(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=message):
        predict.predict(image, BOX, POINT, model=tmp_path / "model.safetensors")


def test_with_evidence_image_and_box_have_a_say_and_clicks_still_hold(image, asked):
    plain = predict.predict(image, BOX, POINT, model=asked)
    seen = predict.predict(image, BOX, POINT, evidence=True, model=asked)
    assert (seen.mask != plain.mask).any()
    inside = np.zeros_like(seen.mask)
    inside[8:32, 9:43] = True  # the box and 6 % of its side
    assert seen.mask.any() and not (seen.mask & ~inside).any()
    corrected = predict.predict(
        image, BOX, POINT, [(20, 15, 1), (12, 38, -1)], evidence=True, model=asked
    )
    assert corrected.mask[20, 15] and not corrected.mask[12, 38]


def test_evidence_is_a_word_of_the_command_line(image, file, tmp_path):
    Image.fromarray(image).save(tmp_path / "a.png")
    line = ["predict", f"{tmp_path}/a.png", "--model", str(file), "--device", "cpu", "--box"]
    line += [*map(str, BOX), "--point", *map(str, POINT)]
    masks = []
    for words in ([], ["--evidence"]):
        assert main([*line, *words, "--out", f"{tmp_path}/{len(masks)}.png"]) == 0
        masks.append(np.asarray(Image.open(f"{tmp_path}/{len(masks)}.png")))
    assert (masks[0] != masks[1]).any()


def test_without_a_model_the_newest_demo_model_answers(network, image, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path))
    monkeypatch.setattr(model_files, "RELEASED", tmp_path / "none")
    with pytest.raises(WeightsError, match="`make table-4` trains one"):
        predict.predict(image, BOX, POINT)
    labels = {
        "a": "demo seed 0 initial voc",
        "b": "demo seed 0 initial voc > coco st",
        "c": "study coco st",
        "d": "",
        "e": "demo seed 0 initial voc > coco ground truth",
    }
    for age, (name, label) in enumerate(labels.items()):
        path = tmp_path / "runs" / name / "model.safetensors"
        write_model(network, path, label)
        os.utime(path, (1e9 + age, 1e9 + age))
    (tmp_path / "runs" / "d" / "model.safetensors").write_bytes(b"damaged")
    assert model_files.newest_demo_model().parent.name == "b"
    assert predict.predict(image, BOX, POINT).mask.shape == (48, 64)


def test_published_iog_answers_at_512(image, tmp_path):
    path = tmp_path / "IOG.pth"
    state = OpenSceneNet(NetworkConfig()).iog.state_dict()
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    model = model_from_file(path, device="cpu", published_iog=True)
    path.unlink()
    assert (model.crop.size, model.network.config.backbone) == (512, "resnet101")
    assert predict.predict(image, BOX, POINT, model=model).mask.shape == (48, 64)
    model_files._kept.cache_clear()


def test_the_package_predicts_and_stays_light():
    assert openscenes.predict is predict.predict
    with pytest.raises(AttributeError, match="has no attribute 'predictor'"):
        _ = openscenes.predictor
    code = "import openscenes, openscenes.prediction.command, sys; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(LIB)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def command(*arguments):
    """Exit code of ``openscenes predict`` with these arguments."""
    return main(["predict", *map(str, arguments)])


INTERACTION = ("--box", *BOX, "--point", *POINT)


@pytest.fixture
def image_file(image, tmp_path):
    Image.fromarray(image).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_the_command_line_writes_masks(image_file, image, file, asked, tmp_path, capsys):
    outputs = {name: tmp_path / "new" / f"{name}.png" for name in predict_command.OUTPUTS}
    options = [part for name, path in outputs.items() for part in (f"--{name}", path)]
    model = ("--model", file, "--device", "cpu", "--precision", "fp32")
    assert command(image_file, *INTERACTION, *model, *options) == 0
    expected = predict.predict(image, BOX, POINT, model=asked)
    written = {name: np.array(Image.open(path)) for name, path in outputs.items()}
    assert (written["out"] == np.where(expected.mask, 255, 0)).all()
    assert (written["probability"] == np.rint(expected.probability * 255)).all()
    assert written["overlay"].shape == image.shape
    assert (written["overlay"][40:, 50:] == image[40:, 50:]).all()
    said = capsys.readouterr().out
    assert f"mask area   {expected.mask.sum()} px of 48 x 64" in said
    assert f"confidence  {expected.confidence:.3f}" in said
    assert {path.name for path in outputs["out"].parent.iterdir()} == {
        path.name for path in outputs.values()
    }


def test_the_command_line_turns_the_image_upright(image, file, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter clockwise
    Image.fromarray(image).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.rot90(image, -1)).save(tmp_path / "upright.png")
    interaction = ("--box", 12, 10, 40, 30, "--point", 25, 20)
    written = []
    for name in ("turned", "upright"):
        outputs = [
            f"--{kind}={tmp_path / f'{name}-{kind}.png'}" for kind in predict_command.OUTPUTS
        ]
        options = ("--model", file, "--device", "cpu", "--precision", "fp32", *outputs)
        assert command(tmp_path / f"{name}.png", *interaction, *options) == 0
        made = (tmp_path / f"{name}-{kind}.png" for kind in predict_command.OUTPUTS)
        written.append([np.array(Image.open(path)) for path in made])
    assert [pixels.shape[:2] for pixels in written[0]] == [(64, 48)] * 3
    assert all((one == other).all() for one, other in zip(*written, strict=True))


def test_the_overlay_shows_object_box_and_point():
    image, mask = np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), bool)
    mask[6:9, 6:9] = True
    drawn = predict_command.overlay(image, mask, [4, 5, 15, 16], [12, 13])
    assert tuple(drawn[7, 7]) == tuple(part // 2 for part in predict_command.OBJECT_COLOUR)
    for row, col in ((4, 5), (14, 15), (4, 15), (14, 5), (12, 13)):
        assert tuple(drawn[row, col]) == predict_command.CLICK_COLOUR
    assert not drawn[15, 16].any() and not image.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.png", *INTERACTION), "image missing: missing.png (no such file)"),
        (("BROKEN", *INTERACTION), "unreadable image: "),
        (("IMAGE", "--box", 30, 12, 10, 40, "--point", 20, 25), "is reversed"),
        (("IMAGE", "--box", -5, 12, 10, 40, "--point", 5, 25), "leaves the image"),
        (("IMAGE", "--box", "nan", 1, 2, 3, "--point", 5, 25), "finite numbers"),
        (("IMAGE", *INTERACTION, "--out", "mask.jpg"), "is not a PNG file"),
        (("IMAGE", *INTERACTION, "--out", "IMAGE"), "have one name"),
        (("IMAGE", *INTERACTION, "--out", "BROKEN/mask.png"), "cannot be written ("),
        (("IMAGE", *INTERACTION, "--device", "tpu"), "device must be"),
        (("IMAGE", *INTERACTION, "--model", "no.safetensors"), "There is no model file"),
    ],
)
def test_the_command_line_fails_with_one_sentence(
    arguments, message, image_file, file, tmp_path, capsys
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(image_file.read_bytes()[:40])
    names = {"IMAGE": str(image_file), "BROKEN": str(broken)}
    filled = [str(part) for part in arguments]
    for name, path in names.items():
        filled = [part.replace(name, path) for part in filled]
    if "--model" not in filled:
        filled += ["--model", str(file)]
    assert command(*filled) == 2
    said = capsys.readouterr()
    assert said.out == "" and message in said.err
    assert said.err.startswith("openscenes: ") and said.err.count("\n") == 1


def test_further_clicks_are_obeyed_in_any_precision_and_none_change_nothing(image, network):
    clicks = [(18, 30, 1), (18, 31, -1), (26.4, 16.2, -1), (26.4, 16.2, 1)]
    for precision in ("fp32", "bf16"):
        model = loaded_model(network, CROP, CLICKS, device="cpu", precision=precision)
        first = predict.predict(image, BOX, POINT, model=model)
        assert np.array_equal(predict.predict(image, BOX, POINT, [], model=model).mask, first.mask)
        for n in range(1, 5):
            mask = predict.predict(image, BOX, POINT, clicks[:n], model=model).mask
            last = {(round(r), round(c)): sign for r, c, sign in clicks[:n]}
            assert all(mask[place] == (sign > 0) for place, sign in last.items())
    alone = predict.predict(image, BOX, POINT, clicks, obey=False, model=model)
    again = predict.predict(image, BOX, POINT, clicks, obey=False, model=model)
    assert np.array_equal(alone.mask, again.mask)
    assert not np.array_equal(alone.probability, first.probability)


@pytest.mark.parametrize(
    "clicks",
    [[(1, 2)], [(20, 25, 0)], ["no"], [(float("nan"), 3, 1)], [(47, 63, -1)], [(900, 3, 1)]],
)
def test_clicks_that_cannot_be_are_refused(image, asked, clicks):
    with pytest.raises(InputError, match="click"):
        predict.predict(image, BOX, POINT, clicks, model=asked)


def test_a_command_takes_corrections(image, file, tmp_path):
    Image.fromarray(image).save(tmp_path / "image.png")
    out = tmp_path / "mask.png"
    asked = ["predict", str(tmp_path / "image.png"), "--box", *map(str, BOX), "--point"]
    asked += [*map(str, POINT), "--model", str(file), "--out", str(out), "--device", "cpu"]
    main([*asked, "--click", "18", "30", "1", "--click", "18", "31", "-1"])
    mask = np.asarray(Image.open(out))
    assert (mask[18, 30], mask[18, 31]) == (255, 0)
