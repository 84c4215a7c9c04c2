"""On which devices and in which precision networks run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import lightning_fabric as fabric_module
import torch
from lightning_fabric.strategies import DDPStrategy

from openscenes.errors import InputError
from openscenes.files import one_line

MOST = 64  # processes that share one training
_DEVICE = re.compile(r"auto|(?:cpu|cuda)(?::([1-9][0-9]?))?")
Precision = Literal["auto", "32-true", "tf32", "bf16-mixed"]


def make_fabric(device: str = "auto", precision: Precision = "32-true") -> fabric_module.Fabric:
    """Fabric for "auto", "cpu" or "cuda"; "cpu:N" and "cuda:N" share the work among N of them.

    Raises:
        InputError: for another word, or more devices than there are.
    """
    found = _DEVICE.fullmatch(device) if isinstance(device, str) else None
    if found is None:
        raise InputError(
            f'device must be "auto", "cpu", "cuda", "cpu:N" or "cuda:N", got '
            f"{one_line(str(device))!r}; N is how many share the work, from 1 to {MOST}"
        )
    kind, n_devices = device.partition(":")[0], int(found[1] or 1)
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError('device "cuda" was asked for but torch sees none; use "cpu" or "auto"')
    most = MOST if kind == "cpu" else torch.cuda.device_count()
    if n_devices > most:
        raise InputError(f'device "{device}" asks for more than the {most} there are; ask for less')
    # IOG's published parameters include unused ones
    strategy = DDPStrategy(find_unused_parameters=True) if n_devices > 1 else "auto"
    return fabric_module.Fabric(
        accelerator=kind,
        devices=n_devices,
        strategy=strategy,
        precision=chosen_precision(precision, kind),
    )


def chosen_precision(precision: Precision, kind: str) -> Literal["32-true", "bf16-mixed"]:
    """What "auto" means on a "cpu" or "cuda" device: bfloat16 where it is fast, else float32."""
    if precision != "auto":
        return "32-true" if precision == "tf32" else precision
    return "bf16-mixed" if multiplies_bf16_fast(torch.device(kind)) else "32-true"


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
