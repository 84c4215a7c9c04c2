"""Named tensors on disk: equal ones are written as equal bytes, and foreign files are checked.

Nothing is unpickled: what a .pth file holds besides tensors and plain values is refused.
"""

import hashlib
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from openscenes.errors import DataError, WeightsError
from openscenes.files import one_line, require_regular
from openscenes.paths import atomic

State = dict[str, Tensor]
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
_ABOUT, _DIGEST = "__metadata__", "sha256"
_LENGTH_BYTES = 8  # of a safetensors file: how long its header is
# What torch.load raises where bytes are not what they should be.
_DAMAGED = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, TypeError, ValueError,
    AttributeError, AssertionError, ArithmeticError, MemoryError, struct.error,
    zipfile.BadZipFile,
)  # fmt: skip


def write_tensors(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all: tensors, metadata and a digest of both.

    The library writes metadata in a random order; here equal metadata give equal bytes.
    """
    plain = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    names, body = _parts(np.frombuffer(plain, dtype=np.uint8))
    told = {name: value.encode(errors="replace").decode() for name, value in metadata.items()}
    about = {**told, _DIGEST: _digest(told, names, body)}
    text = json.dumps({_ABOUT: dict(sorted(about.items())), **names}).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    with atomic(path) as partial, partial.open("wb") as file:
        file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
        file.write(body.data)


def read_tensors(path: Path) -> tuple[State, dict[str, str]]:
    """The tensors and metadata of a safetensors file, as ``write_tensors`` or others write it.

    Raises:
        WeightsError: if it is missing or damaged; a digest, where it has one, tells.
    """
    _require_file(path)
    try:
        names, body = _parts(np.memmap(path, dtype=np.uint8, mode="r"))
        metadata = names.pop(_ABOUT, {})
        digest = metadata.pop(_DIGEST, None)
        if digest not in (None, _digest(metadata, names, body)):
            raise ValueError("its digest does not fit")
        return load_file(path), metadata
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError,
            RecursionError, MemoryError) as error:  # fmt: skip
        raise _damaged(path, error) from error


def read_state(path: Path) -> State:
    """The named tensors of a .safetensors file, or of a .pth file that holds nothing else.

    A state dict that lies alone inside a checkpoint, beside numbers and texts, is taken out.

    Raises:
        WeightsError: if the file is missing, damaged, of another kind, holds other objects, or
            tensors that no network has: sparse, complex, quantised or not finite.
    """
    if path.suffix.lower() == ".safetensors":
        state, _ = read_tensors(path)
    else:
        state = _of_pytorch(path)
    check_tensors(state, path)
    return state


def check_tensors(state: State, path: Path) -> None:
    """Refuse tensors that no network has: sparse, complex, quantised or not finite."""
    for name, tensor in state.items():
        wrong = _wrong(tensor)
        if wrong:
            raise WeightsError(
                f"{one_line(str(path))} cannot be used: {one_line(name)} {wrong}; save the "
                "network's own state dict."
            )


def _of_pytorch(path: Path) -> State:
    _require_file(path)
    try:
        if zipfile.is_zipfile(path):
            _check_sums(path)
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    inner = [one for one in content.values() if _is_state(one)] if isinstance(content, dict) else []
    state = content if _is_state(content) else inner[0] if len(inner) == 1 else None
    if state is None:
        raise WeightsError(
            f"{one_line(str(path))} holds more than named tensors; save only the network's state "
            "dict."
        )
    return dict(state)


def _check_sums(path: Path) -> None:
    """PyTorch does not compare the check sums of a file's parts, which it never packs."""
    with zipfile.ZipFile(path) as parts:
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts.infolist()):
            raise ValueError("its parts are compressed")
        damaged = parts.testzip()
    if damaged is not None:
        raise ValueError(f"the check sum of {damaged} does not fit")


def _is_state(content: object) -> bool:
    """Whether it is a dict of named tensors, of one at least."""
    return (
        isinstance(content, dict) and bool(content)
        and all(isinstance(name, str) and isinstance(value, Tensor)
                for name, value in content.items())
    )  # fmt: skip


def _wrong(tensor: Tensor) -> str:
    """Why no network can have this tensor; "" where one can."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return f"is no dense tensor ({tensor.layout}, {tensor.device.type})"
    if tensor.dtype not in (*FLOATS, *_WHOLE):
        return f"is of the type {tensor.dtype}"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "is larger than what the file holds of it"
    if tensor.dtype in FLOATS and not bool(torch.isfinite(tensor).all()):
        return "holds numbers that are not finite"
    return ""


def _require_file(path: Path) -> None:
    try:
        require_regular(path, "weight file")
    except DataError as error:
        raise WeightsError(f"{error}") from None


def _damaged(path: Path, error: Exception) -> WeightsError:
    why = one_line(str(error).partition("\n")[0] or type(error).__name__, 120)
    return WeightsError(
        f"{one_line(str(path))} is damaged or holds more than tensors ({why}); fetch or save it "
        "again as a plain state dict."
    )


def _parts(whole: NDArray[np.uint8]) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    end = _LENGTH_BYTES + int.from_bytes(whole[:_LENGTH_BYTES].tobytes(), "little")
    return json.loads(whole[_LENGTH_BYTES:end].tobytes()), whole[end:]


def _digest(metadata: dict[str, str], names: dict[str, Any], body: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(json.dumps([metadata, names], sort_keys=True).encode())
    digest.update(body.data)
    return digest.hexdigest()
