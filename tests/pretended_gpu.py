"""A GPU that is not there: tensors that claim to lie on it, and refuse what CUDA refuses.

They lie in ordinary memory and hold true values, so that code which looks at its data runs on.
Every call of torch passes ``PretendedGpu``, which
  * answers "cuda:0" for their device, and obeys ``device=`` and ``.to``;
  * raises ``Refused`` for operands of two devices, a generator of the other one, ``.numpy()``, and,
    under deterministic algorithms, for what has none on CUDA;
  * counts what makes the host wait for the GPU, by the line of the package that asks.
It cannot tell kernels that CUDA lacks, other digits, memory, or what happens in a backward pass.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")
ENDS_IN_PYTHON = {
    *("item", "tolist", "is_nonzero", "equal", "allclose"),
    *("__bool__", "__int__", "__float__", "__index__", "__contains__", "__format__", "__repr__"),
}
SIZE_UNKNOWN = {"nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount"}
WAITS = ENDS_IN_PYTHON | SIZE_UNKNOWN
ACROSS = {"copy_", "set_", "_has_compatible_shallow_copy_type", "type_as", "__set__", "__get__"}
JOINS = {"cat", "concat", "stack", "hstack", "vstack"}  # here even single numbers are refused
INDEXING = {"__getitem__", "__setitem__", "index_put", "index_put_"}
NO_ORDER = {"adaptive_avg_pool2d", "adaptive_max_pool2d", "grid_sample", "put_", "histc", "median"}
LINEAR = {"linear", "bilinear", "bicubic", "trilinear"}


class Refused(RuntimeError):
    """What CUDA would have raised."""


class OnGpu(Tensor):
    """A tensor that counts as lying on the GPU."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            copied = _there(self.detach().clone()).requires_grad_(self.requires_grad)
            memo[id(self)] = nn.Parameter(copied) if isinstance(self, nn.Parameter) else copied
            memo[id(self)].requires_grad_(self.requires_grad)
        return memo[id(self)]


class PretendedGpu(TorchFunctionMode):
    """See the module; ``waits`` counts by place."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = _name(func), dict(kwargs or {})
        if name in ("get device", "get is_cuda") and isinstance(args[0], OnGpu):
            return GPU if name == "get device" else True
        if name in ("to", "cpu", "cuda", "type_as", "pin_memory") and isinstance(args[0], Tensor):
            return self._moved(func, name, args, kwargs)
        here = any(isinstance(tensor, OnGpu) for tensor in _tensors([args, kwargs]))
        asked = kwargs.get("device")
        ends_here = here if asked is None else torch.device(asked).type == "cuda"
        if asked is not None:
            kwargs["device"] = CPU
        self._check_generator(name, kwargs.get("generator"), ends_here)
        if here:
            self._check(name, args, kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            made = func(*args, **kwargs)
        return _marked(made, there=ends_here) if not name.startswith("set ") else made

    def _moved(self, func, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """``tensor.to`` in all its forms."""
        own, place, rest = args[0], None, []
        if name in ("cpu", "cuda"):
            func, place = Tensor.to, CPU if name == "cpu" else GPU
        for value in [*args[1:], kwargs.pop("device", None), kwargs.pop("other", None)]:
            if isinstance(value, torch.device | str):
                place = torch.device(value)
            elif isinstance(value, Tensor):
                place = GPU if isinstance(value, OnGpu) else CPU
                rest.append(value.dtype)
            elif isinstance(value, torch.dtype):  # not whether to block or to copy
                rest.append(value)
        before = isinstance(own, OnGpu)
        after = before if place is None else place.type == "cuda"
        if before and not after:
            self.waits[f"{_line()} to the CPU"] += 1
        if name == "pin_memory":
            return own
        if name in ("cpu", "cuda"):
            rest = [CPU]
        elif name == "type_as":
            func = Tensor.to
        with torch._C.DisableTorchFunctionSubclass():
            made = func(own, *rest, **kwargs) if rest or kwargs else own
            made = made.clone() if made is own and before != after else made
        return _marked(made, there=after)

    def _check_generator(self, name: str, generator: Any, ends_here: bool) -> None:
        if generator is not None and ends_here and generator.device.type == "cpu":
            raise Refused(f"{_line()}: {name} draws on the GPU by a generator of the CPU")

    def _check(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name in ("numpy", "__array__"):
            raise Refused(f"{_line()}: {name} of a tensor on the GPU; take .cpu() of it first")
        if name in WAITS or (name in INDEXING and _by_mask(args[1])):
            self.waits[f"{_line()} {name}"] += 1
        if torch.are_deterministic_algorithms_enabled() and _has_no_order(name, args, kwargs):
            raise Refused(f"{_line()}: {name} has no deterministic backward pass on the GPU")
        others = [t for t in _tensors([args, kwargs]) if not isinstance(t, OnGpu)]
        if name in INDEXING:  # a slice may be copied across, and keys may come from the CPU
            wrong = args[2:] if isinstance(args[0], OnGpu) else args[1:2]
            keys = list(_tensors(args[1]))
            elsewhere = [
                t for t in _tensors(wrong) if isinstance(t, OnGpu) != isinstance(args[0], OnGpu)
            ]
            bad = bool(keys) and any(tensor.dim() > 0 for tensor in elsewhere)
        else:
            bad = any(name in JOINS or tensor.dim() > 0 for tensor in others)
        if bad and name not in ACROSS and not name.startswith(("get ", "set ")):
            shapes = ", ".join(f"{tuple(tensor.shape)}" for tensor in others)
            raise Refused(f"{_line()}: {name} of tensors on the GPU and on the CPU ({shapes})")


class PretendedFabric:
    """What trainings ask of Fabric, on the one pretended GPU."""

    device, world_size, global_rank, is_global_zero = GPU, 1, 0, True

    def setup(self, module: nn.Module, *optimisers: Any) -> Any:
        module.to(GPU)
        return (module, *optimisers) if optimisers else module

    def backward(self, loss: Tensor, **options: Any) -> None:
        loss.backward(**options)

    def clip_gradients(
        self, module: nn.Module, _optimiser: Any, *, max_norm: float, **_others: Any
    ) -> Tensor:
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        for gradient in gradients:
            gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))
        return norm

    def autocast(self) -> Any:
        return nullcontext()

    def no_backward_sync(self, _module: nn.Module, enabled: bool = True) -> Any:
        return nullcontext()

    def barrier(self) -> None:
        pass


@contextmanager
def pretended_gpu() -> Iterator[PretendedGpu]:
    """A block in which there is a GPU."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # of another class, as here
    try:
        with PretendedGpu() as mode:
            yield mode
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def _name(func: Any) -> str:
    """Of a function, or "get device" for reading that property."""
    name = getattr(func, "__name__", str(func))
    if name in ("__get__", "__set__"):
        return f"{name.strip('_')} {getattr(func.__self__, '__name__', '')}"
    return name


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _there(tensor: Tensor) -> Tensor:
    return tensor if isinstance(tensor, OnGpu) else tensor.as_subclass(OnGpu)


def _marked(made: Any, *, there: bool) -> Any:
    """All tensors of a result, counted as on the GPU or not."""
    if isinstance(made, Tensor):
        return _there(made) if there else made.as_subclass(Tensor)
    if isinstance(made, tuple) and hasattr(made, "_fields"):
        return type(made)(*(_marked(item, there=there) for item in made))
    if isinstance(made, tuple | list) and any(True for _ in _tensors(made)):
        return type(made)([_marked(item, there=there) for item in made])
    return made


def _by_mask(keys: Any) -> bool:
    return any(isinstance(key, OnGpu) and key.dtype == torch.bool for key in _tensors(keys))


def _has_no_order(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether torch refuses it on CUDA under deterministic algorithms."""
    learns = torch.is_grad_enabled() and any(t.requires_grad for t in _tensors([args, kwargs]))
    if name == "interpolate":
        return learns and kwargs.get("mode") in LINEAR
    single = name == "adaptive_avg_pool2d" and args[1] in (1, (1, 1))  # is a mean
    return name in NO_ORDER and not single and (learns or name in ("put_", "histc", "median"))


def _line() -> str:
    """The line of the package that is running."""
    frame = sys._getframe()
    while frame.f_back is not None and "/openscenes/" not in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/openscenes/')[2]}:{frame.f_lineno}"
