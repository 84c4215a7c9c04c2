"""Where bfloat16 pays: twice the speed on some machines, a tenth of it on others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def multiplies_bf16_fast(device: torch.device) -> bool:
    """Whether bfloat16 pays: on a GPU that has it, on a CPU that multiplies it itself.

    Ours: a CPU does so by matrix units (AMX) or by vectors (AVX-512 BF16); others emulate it.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # older versions of torch do not tell, and are then asked for nothing unusual
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    multiplies = any(capabilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))
    return torch.backends.mkldnn.is_available() and multiplies
