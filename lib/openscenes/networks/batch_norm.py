"""BatchNorm over the crops of all processes that share a training, or of each half of a batch.

Ours: the paper trains on one GPU. torch's SyncBatchNorm refuses tensors on a CPU, and nothing that
only a GPU can run is tested here, so that this one serves both.
"""

from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

Norm = TypeVar("Norm", bound=nn.BatchNorm2d)


class SharedBatchNorm(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` whose statistics are those of the crops of all processes together.

    Shares may be of unequal size. Frozen, it is the plain one.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape; in training every process calls it at once."""
        if not self.training:
            return super().forward(input)
        maps = input if input.dtype == torch.float64 else input.float()
        channels = maps.shape[1]
        n_here = maps.new_full((1,), maps.numel() / channels)
        *sums, n = _Summed.apply(torch.cat([maps.sum((0, 2, 3)), n_here])).split([channels, 1])
        mean = sums[0] / n
        centred = maps - mean.view(1, -1, 1, 1)
        variance = _Summed.apply(centred.square().sum((0, 2, 3))) / n
        self._remember(mean.detach(), variance.detach() * (n / (n - 1)).detach())
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as torch does, to a mean and an unbiased variance."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var), self.momentum)


class _Summed(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(_ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def statistics_are_shared() -> bool:
    """Whether other processes' crops count too, so that one crop may come alone."""
    return dist.is_available() and dist.is_initialized()


def share_statistics(network: nn.Module) -> None:
    """Put a ``SharedBatchNorm`` in place of each BatchNorm, with the same tensors and mode."""
    for module in network.modules():
        for name, norm in module.named_children():
            if type(norm) is nn.BatchNorm2d:
                setattr(module, name, _moved(norm, SharedBatchNorm))


def _moved(norm: nn.BatchNorm2d, kind: type[Norm]) -> Norm:
    """A norm of another kind with the same tensors and mode."""
    with torch.device("meta"):
        moved = kind(norm.num_features, norm.eps, norm.momentum)
    moved._parameters, moved._buffers = norm._parameters, norm._buffers
    return moved.train(norm.training)


class HalvedBatchNorm(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` with statistics of its own for each half of a batch, old and new crops.

    Ours: as domain-specific BatchNorm (Chang et al. 2019), but with one scale and one offset.
    Frozen or evaluated, it is the plain one, with the old crops' statistics.
    """

    new_mean: Tensor
    new_var: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape; in training the first half of B are the old crops."""
        if not self.training:
            return super().forward(input)
        old, new = input.chunk(2)
        averaged = old.numel() > old.shape[1]  # one value a channel has no variance
        rest = self.weight, self.bias, averaged, self.momentum or 0.0, self.eps
        return torch.cat([
            F.batch_norm(old, self.running_mean, self.running_var, *rest),
            F.batch_norm(new, self.new_mean, self.new_var, *rest),
        ])  # fmt: skip


def halve_statistics(network: nn.Module) -> None:
    """Put a ``HalvedBatchNorm`` in place of each BatchNorm; both halves begin with its means."""
    for module in network.modules():
        for name, norm in module.named_children():
            if type(norm) is nn.BatchNorm2d:
                halved = _moved(norm, HalvedBatchNorm)
                assert norm.running_mean is not None and norm.running_var is not None
                halved.register_buffer("new_mean", norm.running_mean.clone())
                halved.register_buffer("new_var", norm.running_var.clone())
                setattr(module, name, halved)


def join_statistics(network: nn.Module, keep: Literal["scene", "source"]) -> None:
    """Put the plain BatchNorm back, with the statistics of the new crops or of the old ones."""
    for module in network.modules():
        for name, halved in module.named_children():
            if isinstance(halved, HalvedBatchNorm):
                mean, var = (halved._buffers.pop(own) for own in ("new_mean", "new_var"))
                plain = _moved(halved, nn.BatchNorm2d)
                if keep == "scene":
                    plain.running_mean, plain.running_var = mean, var
                setattr(module, name, plain)
