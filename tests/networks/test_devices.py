"""Which device, which precision, and what torch is told."""

import json
import os
import platform
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from openscenes.errors import InputError, TrainingError
from openscenes.networks import devices
from openscenes.networks.devices import (
    chosen_precision,
    keep_freed_memory,
    make_fabric,
    memory_told,
    tell,
    told,
    why_no_gpu,
)

FLAGS = (
    (torch.backends.cuda.matmul, "fp32_precision"), (torch.backends.cudnn.conv, "fp32_precision"),
    (torch.backends.cudnn.rnn, "fp32_precision"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """Put torch's flags and the environment back."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "x")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    before = [getattr(*flag) for flag in FLAGS]
    yield
    for (place, name), value in zip(FLAGS, before, strict=True):
        setattr(place, name, value)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "NVIDIA H200")


@pytest.mark.parametrize(
    "word",
    ["tpu", "cuda:x", "", "cpu:two", "cpu:0", "cpu:²", "cpu:٣", "cpu:-1", "cpu:", "cuda:", "CPU",
     "cpu:1 ", "cpu\n", "auto:2", "cpu:2", "cuda:999", "cuda:-1", 0, None, True],
)  # fmt: skip
def test_an_unknown_device_is_refused(word):
    with pytest.raises(InputError, match="where K is the number of a GPU, got ") as caught:
        make_fabric(word)
    assert ("--devices-per-model N" in str(caught.value)) == str(word).startswith("cpu:")
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_refused(two_gpus):
    assert devices.resolved("cuda") == ("cuda", 0)
    assert devices.resolved("cuda:1") == ("cuda", 1)
    with pytest.raises(InputError, match="GPU number 2, but there are 2, counted from 0; give"):
        make_fabric("cuda:2")


def test_without_a_gpu_cuda_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr(devices, "why_no_gpu", lambda: "torch sees no GPU")
    with pytest.raises(InputError, match='"cuda:1" was asked for, but torch sees no GPU; give'):
        make_fabric("cuda:1")
    assert make_fabric("auto").device == torch.device("cpu")


@pytest.mark.parametrize(
    "job",
    [
        {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "sweep"},
        {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"},
        {"SLURM_NTASKS": "1", "SLURM_NNODES": "2"},
        {"LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "gone", "JSM_NAMESPACE_SIZE": "2",
         "JSM_NAMESPACE_LOCAL_RANK": "0"},
        {"TORCHELASTIC_RUN_ID": "1", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"},
    ],
)  # fmt: skip
def test_variables_of_a_job_change_nothing(monkeypatch, job):
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    made = make_fabric("cpu")
    assert (made.world_size, made.is_global_zero) == (1, True)


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n2 GiB"), "the GPU"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't"),
            "this machine",
        ),
    ],
    ids=["gpu", "cpu"],
)
def test_too_little_memory_is_one_sentence(error, whose):
    said = f"^the memory of {whose} does not suffice for a model; hold fewer .* WORKERS=$"
    with pytest.raises(TrainingError, match=said), memory_told("a model"):
        raise error
    with pytest.raises(RuntimeError, match="^other$"), memory_told("a model"):
        raise RuntimeError("other")


def too_old():
    raise RuntimeError(
        "The NVIDIA driver on your system is too old (found version 11040). Please update it."
    )


def warning():
    import warnings

    warnings.warn("CUDA initialization: The NVIDIA driver is too old. Please", stacklevel=1)
    return False


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_available": lambda: False}, "torch sees no GPU"),
        ({"is_available": warning}, "torch has no GPU (The NVIDIA driver is too old)"),
        ({"is_available": lambda: True, "init": too_old},
         "torch cannot start CUDA (The NVIDIA driver on your system is too old (found version "
         "11040))"),
        ({"is_available": lambda: True, "init": lambda: None}, ""),
    ],
    ids=["none", "warned", "refused", "there"],
)  # fmt: skip
def test_why_there_is_no_gpu(monkeypatch, changes, reason):
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    for name, value in changes.items():
        monkeypatch.setattr(torch.cuda, name, value)
    assert why_no_gpu() == reason
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
    assert why_no_gpu() == "torch is built without CUDA"


def test_auto_says_once_what_it_chose(monkeypatch, two_gpus, capsys):
    devices._say.cache_clear()
    assert devices.resolved("auto") == devices.resolved("auto") == ("cuda", 0)
    assert capsys.readouterr().err == "device auto: cuda:0, NVIDIA H200\n"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.resolved("auto") == ("cpu", 0)
    assert capsys.readouterr().err == "device auto: the CPU, as torch sees no GPU\n"
    devices._say.cache_clear()
    monkeypatch.setattr(devices, "parent_process", lambda: SimpleNamespace())
    devices.resolved("auto")
    assert capsys.readouterr().err == "", "a worker repeats it"


@pytest.mark.parametrize(
    ("precision", "kind", "told_products", "name"),
    [
        ("32-true", "cuda", "ieee", "32-true"),
        ("tf32", "cuda", "tf32", "tf32"),
        ("bf16-mixed", "cuda", "ieee", "bf16-mixed"),
        ("tf32", "cpu", "none", "32-true"),
    ],
    ids=["float32", "tf32", "bf16", "cpu"],
)
def test_float32_is_float32_in_products_and_convolutions(precision, kind, told_products, name):
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.backends.cudnn.conv.fp32_precision = "none"
    tell(precision, kind, None)
    assert (told()["matmul"], told()["cudnn"]) == (told_products, told_products)
    assert chosen_precision(precision, kind) == name
    assert torch.backends.mkldnn.fp32_precision == "none", "a CPU computes as before"


def test_deterministic_is_told_and_taken_back():
    make_fabric("cpu", deterministic=True)
    assert told()["deterministic"] and told()["cublas_workspace"] == ":4096:8"
    assert not told()["cudnn_benchmark"]
    make_fabric("cpu")
    assert told()["deterministic"], "torch is left as it is"
    make_fabric("cpu", deterministic=False)
    assert not told()["deterministic"]
    assert json.loads(json.dumps(told())) == told()


def test_deterministic_comes_too_late_once_a_gpu_was_used(monkeypatch, two_gpus):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda number: 512 * number)
    with pytest.raises(InputError, match="too late for cuBLAS; ask for it in a fresh process, or"):
        tell("32-true", "cuda", True)
    assert not torch.are_deterministic_algorithms_enabled()


def test_in_a_fresh_process_the_workspace_is_set_before_cuda_starts():
    code = (
        "import os, torch; from openscenes.networks.devices import make_fabric; "
        "make_fabric('cpu', deterministic=True); "
        "print(torch.cuda.is_initialized(), os.environ['CUBLAS_WORKSPACE_CONFIG'])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert run.stdout.split() == ["False", ":4096:8"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_tensors_are_not_handed_back_to_the_system():
    keep_freed_memory()
    pages = 4_000_000 * 4 // resource.getpagesize()
    faults = []
    for _ in range(30):
        torch.ones(4_000_000)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    assert faults[-1] - faults[14] < 5 * pages  # each would be fetched anew
