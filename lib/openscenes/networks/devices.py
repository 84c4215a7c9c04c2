"""On which device networks run, in which precision, and how well they repeat.

Floating point on a CPU repeats to the last bit for the same machine, versions and number of
threads. On a GPU it does so only with ``deterministic``: otherwise the backward pass of an
enlargement adds up in any order, and cuDNN and cuBLAS may choose another algorithm each time. Bits
may differ even then between kinds of GPU, versions of CUDA, and numbers of devices that share a
training, whose gradients are added in another order.
"""

import ctypes
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, Literal, TypeVar

import lightning_fabric as fabric_module
import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.strategies import DDPStrategy

from openscenes.errors import InputError, TrainingError
from openscenes.files import one_line

_DEVICE = re.compile(r"auto|cpu|cuda(?::([0-9]{1,2}))?")
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # cuBLAS adds up in one order only with a fixed one
Precision = Literal["auto", "32-true", "tf32", "bf16-mixed"]
T = TypeVar("T")


def make_fabric(
    device: str = "auto", precision: Precision = "32-true", *, deterministic: bool | None = None
) -> fabric_module.Fabric:
    """Fabric on one device, and torch told how to compute there.

    Args:
        device: "auto" takes a GPU where there is one, and says so once; "cpu"; "cuda" is the
            first GPU; "cuda:K" is GPU number K, from 0 on.
        precision: "32-true" is float32 everywhere, without TF32; "tf32" has it in all products
            and convolutions on a GPU; "bf16-mixed"; "auto" as ``chosen_precision``.
        deterministic: whether only operations run that repeat to the last bit; None leaves that
            to torch as it is.
    Raises:
        InputError: for another word, a GPU that is not there, or one too late to be deterministic.
    """
    kind, number = resolved(device)
    tell(precision, kind, deterministic)
    if kind == "cpu":
        keep_freed_memory()
    return fabric_module.Fabric(
        accelerator=kind,
        devices=1 if kind == "cpu" else [number],
        precision=_in_fabric(precision, kind),
        plugins=[LightningEnvironment()],  # a job of Slurm or LSF starts no process of ours
    )


def keep_freed_memory() -> None:
    """Let the C library keep what tensors free; without glibc it does nothing.

    Otherwise memory is fetched from the system and handed back page by page. Under Dask, which
    lowers ``MALLOC_TRIM_THRESHOLD_``, a training step spent a third of its time so. Blocks above
    32 MiB go back as ever: kept, they would scatter, and the paper's crops take twice the memory.
    """
    mallopt = getattr(ctypes.CDLL(None) if os.name == "posix" else None, "mallopt", None)
    if mallopt is not None:
        for parameter, n_bytes in ((-1, 2**31 - 1), (-3, 2**25)):  # M_TRIM_, M_MMAP_THRESHOLD
            mallopt(parameter, n_bytes)


def make_shared_fabric(
    kind: str,
    precision: Precision,
    deterministic: bool,
    *,
    rank: int,
    n_devices: int,
    meeting: Path,
) -> fabric_module.Fabric:
    """Fabric of one of several processes that share a training, by gradients averaged over all.

    Every parameter that wants a gradient must get one in every step.

    Args:
        kind: "cpu" or "cuda"; process number ``rank`` takes that device's number ``rank``.
        precision, deterministic: as for ``make_fabric``.
        meeting: a file that is not there yet, where the processes find each other.
    """
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "Grad strides do not match")  # only slower
    # Fabric then takes the processes as there, and on this machine alone.
    os.environ.update({"LOCAL_RANK": str(rank), "NODE_RANK": "0"})
    if (loopback := {"linux": "lo", "darwin": "lo0"}.get(sys.platform)) is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
    dist.init_process_group(
        "nccl" if kind == "cuda" else "gloo", init_method=meeting.as_uri(), rank=rank,
        world_size=n_devices, timeout=timedelta(days=30),  # one may label a whole scene
    )  # fmt: skip
    fabric = fabric_module.Fabric(
        accelerator=kind,
        devices=n_devices,
        strategy=DDPStrategy(),
        precision=_in_fabric(precision, kind),
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    tell(precision, kind, deterministic)  # after Fabric has asked torch for the older flag
    return fabric


@contextmanager
def memory_told(what: str) -> Iterator[None]:
    """Say in one sentence where a device has too little memory.

    Args:
        what: is done in the block.
    Raises:
        TrainingError: in place of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if not on_gpu and "DefaultCPUAllocator" not in str(error):
            raise
        raise TrainingError(
            f"the memory of {'the GPU' if on_gpu else 'this machine'} does not suffice for {what}; "
            "hold fewer crops at once with MICRO_BATCH=, share each model among GPUs with "
            "DEVICES_PER_MODEL=, or train fewer models at once with WORKERS="
        ) from None


def resolved(device: str) -> tuple[Literal["cpu", "cuda"], int]:
    """The kind of a device and its number."""
    found = _DEVICE.fullmatch(device) if isinstance(device, str) else None
    if found is None:
        many = "; to share a training among several, give --devices-per-model N"
        raise InputError(
            f'device must be "auto", "cpu", "cuda" or "cuda:K", where K is the number of a GPU, '
            f"got {one_line(str(device))!r}{many if str(device).startswith('cpu:') else ''}"
        )
    if device == "cpu":
        return "cpu", 0
    missing = why_no_gpu()
    if device == "auto":
        _say(f"the CPU, as {missing}" if missing else f"cuda:0, {torch.cuda.get_device_name(0)}")
        return ("cpu" if missing else "cuda"), 0
    if missing:
        raise InputError(f'device "{device}" was asked for, but {missing}; give "cpu" or "auto"')
    number, n_devices = int(found[1] or 0), torch.cuda.device_count()
    if number >= n_devices:
        raise InputError(
            f'device "{device}" is GPU number {number}, but there are {n_devices}, counted from 0; '
            f"give a smaller number"
        )
    return "cuda", number


def why_no_gpu() -> str:
    """Why torch has no GPU to compute on, in words; "" where it has one.

    Fabric has torch count the GPUs by their driver's library, which also counts those that an old
    driver cannot start; only starting CUDA tells.
    """
    if not torch.backends.cuda.is_built():
        return "torch is built without CUDA"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            if torch.cuda.is_available():
                torch.cuda.init()
                return ""
        except (RuntimeError, AssertionError) as error:
            return f"torch cannot start CUDA ({_first_sentence(error)})"
    return (
        f"torch has no GPU ({_first_sentence(told[-1].message)})" if told else "torch sees no GPU"
    )


def _first_sentence(words: object) -> str:
    """Up to the first full stop, without the words that all such warnings begin with."""
    text = one_line(str(words)).removeprefix("CUDA initialization: ")
    return re.split(r"\.\s|\s\(Triggered", text)[0].rstrip(".")


@cache
def _say(chosen: str) -> None:
    """Say what "auto" is, in the main process; a notebook's page must not name a machine."""
    notebook = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if parent_process() is None and notebook is None:
        print(f"device auto: {chosen}", file=sys.stderr, flush=True)


def chosen_precision(precision: Precision, kind: str) -> Literal["32-true", "tf32", "bf16-mixed"]:
    """What is computed in on a "cpu" or "cuda" device.

    "auto" is bfloat16 where it is fast, else float32; TF32 exists on a GPU alone.
    """
    if precision == "auto":
        return "bf16-mixed" if multiplies_bf16_fast(torch.device(kind)) else "32-true"
    return "32-true" if precision == "tf32" and kind == "cpu" else precision


def _in_fabric(precision: Precision, kind: str) -> Any:
    chosen = chosen_precision(precision, kind)
    return "32-true" if chosen == "tf32" else chosen


def tell(precision: Precision, kind: str, deterministic: bool | None) -> None:
    """Set what torch decides for a whole process: TF32, and which algorithms it may take.

    Args: as ``make_fabric``; on a "cpu" the precision changes nothing.
    Raises:
        InputError: if CUDA has started without what makes it deterministic.
    """
    if kind == "cuda":
        in_products = "tf32" if chosen_precision(precision, kind) == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = in_products
        torch.backends.cudnn.conv.fp32_precision = in_products  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn.fp32_precision = in_products  # type: ignore[attr-defined]
    if deterministic:
        if kind == "cuda" and _WORKSPACE not in os.environ and _has_multiplied():
            raise InputError(
                f"deterministic was asked for after a GPU had been used, which is too late for "
                f"cuBLAS; ask for it in a fresh process, or set {_WORKSPACE}=:4096:8 before"
            )
        os.environ.setdefault(_WORKSPACE, ":4096:8")
        torch.backends.cudnn.benchmark = False
    if deterministic is not None:
        torch.use_deterministic_algorithms(deterministic)


def _has_multiplied() -> bool:
    """Whether something lies or lay on a GPU: starting CUDA alone leaves cuBLAS asleep."""
    return any(torch.cuda.max_memory_allocated(n) for n in range(torch.cuda.device_count()))


def told() -> dict[str, Any]:
    """What torch is told at this moment, for ``run.json``."""
    return {
        "matmul": torch.backends.cuda.matmul.fp32_precision,
        "cudnn": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cublas_workspace": os.environ.get(_WORKSPACE),
    }


def multiplies_bf16_fast(device: torch.device) -> bool:
    """Whether bfloat16 pays: on a GPU that has it, on a CPU with AMX or AVX-512 BF16 units.

    Elsewhere it is emulated, up to ten times slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # older versions of torch do not tell
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    multiplies = any(capabilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))
    return torch.backends.mkldnn.is_available() and multiplies
