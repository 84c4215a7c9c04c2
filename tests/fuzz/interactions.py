"""Doors ``predict``, ``refine``, ``maps`` and ``evolve``: what a caller in Python gives."""

import numpy as np
import torch
from tests.fuzz import pictures
from tests.fuzz.frame import Place, check
from tests.fuzz.mutations import NO_FILE, ODD_VALUES, each
from tests.fuzz.weights import CLICKS, CROP, NETWORK, network

import openscenes
from openscenes.data.examples import clicked_object, labelled_object
from openscenes.data.records import ClickedObject
from openscenes.method.evolution import Pool
from openscenes.method.ipt import refine
from openscenes.method.prototypes import confidence_maps
from openscenes.method.training import TrainConfig
from openscenes.prediction.model_files import loaded_model
from openscenes.prediction.predict import predict

MODEL = loaded_model(NETWORK, CROP, CLICKS, device="cpu", precision="fp32", label="tiny")
HEIGHT, WIDTH = SIZE = 40, 50
ODD = (
    float("nan"),
    float("inf"),
    float("-inf"),
    -1,
    -0.5,
    0,
    0.5,
    1e300,
    2**63,
    41,
    50,
    51,
    -0.0,
    1e-9,
)


def _numbers(place: Place, n: int) -> list[float]:
    """Mostly inside the image."""
    numbers = [
        round(place.random.uniform(0, HEIGHT), place.random.choice([0, 2])) for _ in range(n)
    ]
    if place.random.random() < 0.3:
        numbers[place.random.randrange(n)] = place.random.choice(ODD)
    return numbers


def _is_good(box: list[float], point: list[float]) -> bool:
    """Whether a box and a point can be used, from their description."""
    row0, col0, row1, col1 = box
    inside = 0 <= row0 < row1 <= HEIGHT and 0 <= col0 < col1 <= WIDTH
    return inside and row0 - 0.5 <= point[0] <= row1 - 0.5 and col0 - 0.5 <= point[1] <= col1 - 0.5


def _predict(kind: str, place: Place) -> None:
    image = place.numbers.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    box, point = [5.0, 6.0, 30.0, 40.0], [12.0, 20.0]
    if kind == "numbers":
        box, point = _numbers(place, 4), _numbers(place, 2)
        if place.random.random() < 0.7:
            box = [min(box[::2]), min(box[1::2]), max(box[::2]), max(box[1::2])]
            point = (
                [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
                if place.random.random() < 0.5
                else point
            )
        good = _is_good(box, point)
    else:
        more = ("5", b"x", 1j, object(), np.array(["a"]), np.ma.masked, np.zeros((2, 2)),
                np.zeros(4, complex), torch.zeros(4), {1})  # fmt: skip
        odd = place.random.choice([*ODD_VALUES, *more])
        if kind == "types":
            box, point = place.random.choice([(odd, point), (box, odd), ([*box[:3], odd], point)])
        elif kind == "image":
            shapes = (
                (0, 5, 3),
                (5, 0, 3),
                (40, 50),
                (40, 50, 1),
                (40, 50, 4),
                (3, 40, 50),
                (1, 40000, 3),
            )
            types = (float, int, bool, np.uint16, object)
            others = [np.zeros(shape, np.uint8) for shape in shapes] + [
                image.astype(t) for t in types
            ]
            image = place.random.choice([odd, place.random.choice(others)])
        good = False
    if not good:
        answer = place.try_(predict, image, box, point, model=MODEL)
        taken = answer is None or _is_good([float(side) for side in box], [float(p) for p in point])
        check(kind == "image" or taken, "what is bad was taken")
        check(kind != "image" or answer is None, "what is no image was taken")
        return
    answer = place.good(predict, image, box, point, model=MODEL)
    check(answer.mask.shape == SIZE and answer.mask.dtype == bool, "a mask of another kind")
    check((answer.mask == (answer.probability > 0.5)).all(), "mask and probability differ")
    check(0 <= answer.probability.min() and answer.probability.max() <= 1, "no probability")
    rows, cols = np.nonzero(answer.probability)
    margin = CROP.margin_px + 4
    near = (rows >= box[0] - margin) & (rows <= box[2] + margin) & (cols >= box[1] - margin)
    check((near & (cols <= box[3] + margin)).all(), "a mask far outside the box")


def _tensor(
    place: Place, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    made = torch.from_numpy(place.numbers.random(shape, dtype=np.float32))
    return made > 0.5 if dtype is torch.bool else made.to(dtype)


def _broken(place: Place, given: dict) -> str:
    """Change one tensor; the name of what was changed."""
    name = place.random.choice(
        [name for name, value in given.items() if isinstance(value, torch.Tensor)]
    )
    old = given[name]
    given[name] = place.random.choice([
        old[:0], old[None], old[0], old.reshape(-1), old * float("nan"), old.float() * 1e30,
        old.to(torch.float16), old.to(torch.int64), old.to(torch.complex64), None, "x", old.numpy(),
        old.transpose(0, -1), torch.cat([old, old]), old[..., :1], old.float() * float("inf"),
        old.float() - 5, [1, 2],
    ])  # fmt: skip
    return name


def _refine(kind: str, place: Place) -> None:
    """Voting with odd tensors: refused, or a mask of the coarse mask's shape."""
    given = {
        "features": _tensor(place, (2, 6, 5, 7)),
        "coarse_mask": _tensor(place, (2, 1, 20, 28), torch.bool),
        "predicted_mask": _tensor(place, (2, 1, 20, 28), torch.bool),
        "points": torch.tensor([[3, 4], [10, 20]]),
        "region": _tensor(place, (2, 1, 20, 28), torch.bool),
        "coarse_probability": _tensor(place, (2, 1, 20, 28)),
    }  # fmt: skip
    if kind == "good":
        given["coarse_mask"] &= place.random.random() < 0.7
        refined = place.good(refine, **given)
    else:
        _broken(place, given)
        refined = place.try_(refine, **given)
    if refined is not None:
        check(refined.mask.shape == given["coarse_mask"].shape, "a mask of another shape")
        check(refined.mask.dtype == torch.bool, "a mask that is none")


def _maps(kind: str, place: Place) -> None:
    """Confidence with odd tensors: refused, or finite and between 0 and 1."""
    given = {
        "features": _tensor(place, (2, 6, 5, 7)),
        "selections": _tensor(place, (2, 3, 20, 28), torch.bool),
    }
    if kind == "temperature":
        odd = place.random.choice([*ODD, None, "1", True, [1.0], 10**400])
        maps = place.try_(confidence_maps, **given, temperature=odd)
    elif kind == "good":
        maps = place.good(confidence_maps, **given)
    else:
        _broken(place, given)
        maps = place.try_(confidence_maps, **given)
    if maps is not None:
        check(maps.shape[2:] == given["selections"].shape[2:], "maps of another size")
        check(maps.isfinite().all() and maps.min() >= 0 and maps.max() <= 1, "no confidence")


def _evolve(kind: str, place: Place) -> None:
    """A scene with an object that cannot be used is refused before anything is trained."""
    good, odd = place.work / "good.png", place.work / "odd.png"
    for path in (good, odd):
        path.write_bytes(pictures.saved(pictures.Image.fromarray(
            place.numbers.integers(0, 255, (40, 50, 3), dtype=np.uint8)), "PNG"))  # fmt: skip
    box, point = (5, 6, 30, 40), (12, 20)
    if kind in NO_FILE:
        NO_FILE[kind](odd)
    elif kind == "box":
        boxes = [(5, 6, 5, 40), (9, 9, 3, 3), (0, 0, 41, 50), (float("nan"), 0, 9, 9),
                 (-9, -9, -3, -3), (1e9, 1e9, 2e9, 2e9), (0, 0, float("inf"), 9)]  # fmt: skip
        box = place.random.choice(boxes)
    elif kind == "point":
        point = place.random.choice(
            [(float("nan"), 3), (-1, -1), (1e9, 1e9), (39, 49), (float("inf"), 0)]
        )
    elif kind == "text":
        odd.write_bytes(b"no picture")
    net, config = network(3), TrainConfig(epochs=1, batch_size=2)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    if kind == "mask":
        mask = place.work / "mask.png"
        mask.write_bytes(
            pictures.in_mode(place.random.choice(pictures.MODES), place.numbers).content
        )
        place.bad(lambda: openscenes.initialise(
            net, [labelled_object(good, mask, box, point, 1)], config))  # fmt: skip
    else:

        def scene() -> list[ClickedObject]:
            return [clicked_object(good, (5, 6, 30, 40), (12, 20)), clicked_object(odd, box, point)]

        place.bad(lambda: openscenes.evolve(net, Pool(()), scene()))
    after = net.state_dict()
    check(all(torch.equal(before[name], after[name]) for name in before), "the network was changed")


DOORS = {
    "predict": each(80, _predict, ("numbers",)) | each(40, _predict, ("types", "image")),
    "refine": each(8, _refine, ("good",)) | each(60, _refine, ("tensors",)),
    "maps": each(5, _maps, ("good",)) | each(40, _maps, ("tensors",))
    | each(10, _maps, ("temperature",)),
    "evolve": each(1, _evolve, NO_FILE) | each(6, _evolve, ("box", "point", "mask"))
    | each(1, _evolve, ("text",)),
}  # fmt: skip
