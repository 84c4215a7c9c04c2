"""Which worker is given which GPU: torch's own counting, of GPUs that a driver claims to have."""

import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from openscenes.errors import InputError
from openscenes.networks.devices import make_fabric
from openscenes.study.graph import workers
from openscenes.study.graph.clusters import local_workers
from openscenes.study.graph.workers import GPU, HOST, Slot, slots_here, visible_gpus
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.memory import GIB
from openscenes.study.runs.recipes import initial

FIRST = initial("voc+sbd", 0)
UUIDS = [f"GPU-{letter * 8}-0000" for letter in "abcd"]
PARTS = [f"MIG-{letter * 8}-0000" for letter in "abc"]


@pytest.fixture
def driver(monkeypatch):
    """A driver of GPUs with so much memory each, and what the user made visible of them."""

    def has(gib: list[float], visible: str | None) -> None:
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
        monkeypatch.setattr(torch.cuda, "_raw_device_count_nvml", lambda: len(gib))
        monkeypatch.setattr(torch.cuda, "_raw_device_uuid_nvml", lambda: UUIDS[: len(gib)])
        # of several parts of a GPU a process sees the first
        monkeypatch.setattr(torch._C, "_cuda_getDeviceCount", lambda: 1, raising=False)
        monkeypatch.setattr(
            torch.cuda, "get_device_properties",
            lambda number: SimpleNamespace(total_memory=gib[number] * GIB),
        )  # fmt: skip

    return has


@pytest.fixture
def study(monkeypatch) -> Study:
    """The smoke study on the first GPU, with memory of the host for 1,000 trainings."""
    opened = open_study(profile_named("smoke?precision=32-true"), None, "cpu")
    monkeypatch.setattr(workers, "memory_gib", lambda: 1000 * need(opened, "cuda")[HOST])
    return replace(opened, fabric=SimpleNamespace(device=torch.device("cuda", 0)))


def need(study: Study, kind: str) -> dict[str, float]:
    return workers.needs(study.profile, FIRST, kind)


@pytest.mark.parametrize(
    ("visible", "device", "found"),
    [
        (None, "auto", ["0", "1", "2", "3"]),
        (None, "cuda:2", ["2"]),
        ("2,0", "cuda", ["2", "0"]),
        ("3, 1", "cuda", ["3", "1"]),
        ("2,0", "cuda:1", ["0"]),
        ("0,-1,1", "cuda", ["0"]),
        ("1,9,2", "cuda", ["1"]),
        ("1,1", "cuda", []),
        ("", "auto", []),
        (",".join(UUIDS[1:3]), "auto", UUIDS[1:3]),
        (",".join(UUIDS[1:3]), "cuda:1", UUIDS[2:3]),
        (",".join(PARTS), "auto", PARTS),
        (",".join(PARTS), "cuda:0", PARTS[:1]),
    ],
)
def test_gpus_are_those_that_cuda_would_see(driver, visible, device, found) -> None:
    driver([80.0] * 4, visible)
    assert visible_gpus(device) == found


def test_each_gpu_has_a_worker_of_its_own(study, driver) -> None:
    driver([1.5 * need(study, "cuda")[GPU]] * 4, ",".join(UUIDS))
    slots = slots_here(study, [FIRST])
    assert [slot.environment()["CUDA_VISIBLE_DEVICES"] for slot in slots] == UUIDS
    assert {slot.gib[GPU] for slot in slots} == {1.5 * need(study, "cuda")[GPU]}


def test_every_part_of_a_gpu_has_a_worker_of_its_own(study, driver) -> None:
    driver([1.5 * need(study, "cuda")[GPU]], ",".join(PARTS))
    assert [slot.gpus for slot in slots_here(study, [FIRST])] == [(part,) for part in PARTS]


@pytest.mark.parametrize(("times", "n"), [(0.5, 1), (1.9, 1), (2.1, 2), (3.9, 3), (64.0, 4)])
def test_a_gpu_has_as_many_workers_as_its_counted_memory_holds(study, driver, times, n) -> None:
    gib = times * need(study, "cuda")[GPU]
    driver([gib * 3, gib], None)  # the smaller one decides
    slots = slots_here(study, [FIRST])
    assert [slot.gpus for slot in slots] == [("0",), ("1",)] * n
    assert [slot.gib[GPU] for slot in slots] == pytest.approx([gib / n] * 2 * n)


def test_one_named_gpu_is_shared_by_what_its_own_memory_holds(study, driver) -> None:
    gib = need(study, "cuda")[GPU]
    driver([9 * gib, 9 * gib, 2.5 * gib], None)
    third = replace(study, fabric=SimpleNamespace(device=torch.device("cuda", 2)))
    assert [slot.gpus for slot in slots_here(third, [FIRST], "cuda:2")] == [("2",)] * 2


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_worker_that_the_host_is_too_small_for_still_has_a_gpu(
    study, driver, monkeypatch, device
) -> None:
    driver([80.0] * 2, None)
    monkeypatch.setattr(workers, "memory_gib", lambda: 0.5 * need(study, "cuda")[HOST])
    (slot,) = slots_here(study, [FIRST], device)
    assert slot.gpus == (device[5:] or "0",)


def test_a_model_on_several_gpus_has_a_group_of_them(study, driver) -> None:
    driver([80.0] * 4, ",".join(UUIDS))
    pairs = replace(study, profile=replace(study.profile, devices_per_model=2))
    assert [slot.gpus for slot in slots_here(pairs, [FIRST])] == [
        tuple(UUIDS[:2]), tuple(UUIDS[2:])
    ]  # fmt: skip
    threes = replace(study, profile=replace(study.profile, devices_per_model=3))
    assert [slot.gpus for slot in slots_here(threes, [FIRST])] == [tuple(UUIDS[:3])]
    with pytest.raises(InputError, match="shares 2 GPUs, but there are 1"):
        slots_here(pairs, [FIRST], "cuda:1")


def test_workers_that_are_asked_for_take_turns_and_share_the_memory(study, driver) -> None:
    driver([80.0] * 2, None)
    slots = slots_here(study, [FIRST], asked=3)
    assert [slot.gpus for slot in slots] == [("0",), ("1",), ("0",)]
    assert [slot.gib[GPU] for slot in slots] == [40.0] * 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about the lack of a GPU")
def test_without_a_visible_gpu_a_command_says_so(monkeypatch, capsys) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match=r'^device "cuda" was asked for, but [^\n]+$'):
        make_fabric("cuda")


def test_workers_know_their_gpus_before_cuda_starts() -> None:
    def seen() -> tuple[str, bool]:  # in a worker
        torch = sys.modules.get("torch")
        return os.environ["CUDA_VISIBLE_DEVICES"], bool(torch and torch.cuda.is_initialized())

    given = [(UUIDS[1],), (PARTS[0],), ("2", "3")]
    with local_workers([Slot({HOST: 1.0, GPU: 1.0}, gpus) for gpus in given]) as client:
        told = client.run(seen)
        by_name = {
            worker["name"]: told[address]
            for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()
        }
    assert by_name == {str(i): (",".join(gpus), False) for i, gpus in enumerate(given)}


def test_a_notebook_sees_the_gpu_that_was_asked_for_alone(driver) -> None:
    driver([80.0] * 3, "0,2,1")
    assert workers.gpu_of("cuda:2", torch.device("cuda", 2)) == "1"
    assert workers.gpu_of("cuda:2", torch.device("cuda", 0)) == ""  # of a worker that sees it alone
    assert workers.gpu_of("cpu", torch.device("cpu")) == ""
