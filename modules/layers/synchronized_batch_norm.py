"""Batch normalization over the images of all ranks of a training (Ioffe and Szegedy, ICML 2015, Algorithm 1).

``torch.nn.SyncBatchNorm`` works on GPUs only and does not know timm's layers. This one works with any process group. Ranks may
have different numbers of images: means and sums of squared deviations are combined with weights, as by Chan et al.,
"Algorithms for Computing the Sample Variance", 1983, Eq. 2.1.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


def synchronize(network: nn.Module) -> None:
    """Makes all batch normalizations of ``network`` use the statistics of all ranks in training mode.

    Weights and buffers keep their values and names. All ranks must then call ``forward`` together, in training mode.

    Raises:
        ValueError: a layer derives from torch's batch normalization with a computation of its own.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm):
            if not _plain(layer) and not all(isinstance(getattr(layer, part, None), nn.Module) for part in ("drop", "act")):
                kind = f"{type(layer).__module__}.{type(layer).__name__}"
                raise ValueError(
                    f"compute.batch_norm: synchronized: layer {name} is a {kind} with another computation; leave "
                    "compute.batch_norm out"
                )
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]


def _plain(layer: _BatchNorm) -> bool:
    """Whether it is torch's computation; that of timm's ``BatchNormAct2d`` also has ``drop`` and ``act``."""
    return type(layer).forward is _BatchNorm.forward


def _forward(layer: Any, images: Tensor) -> Any:
    """The layer's own ``forward``, in training with the statistics of all ranks."""
    if not layer.training:
        return type(layer).forward(layer, images)
    found = _normalized(layer, images)
    return found if _plain(layer) else layer.act(layer.drop(found))


def _normalized(layer: _BatchNorm, images: Tensor) -> Tensor:
    layer._check_input_dim(images)
    found, mean, variance, count = _Normalized.apply(images, layer.weight, layer.bias, layer.eps)  # type: ignore[no-untyped-call]
    if layer.running_mean is not None and layer.running_var is not None and layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        momentum = 1.0 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
        layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), momentum)
        layer.running_var.lerp_((variance * count / (count - 1)).to(layer.running_var.dtype), momentum)
    return found  # type: ignore[no-any-return]


class _Normalized(torch.autograd.Function):
    """Normalized images, and without gradient: mean (C,), biased variance (C,) and number of values per channel, a scalar.

    Images are (N, C, ...). A rank's gradients of weight and bias are those of its own images.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float) -> Any:
        wide = images.float() if images.dtype in (torch.float16, torch.bfloat16) else images
        variance, mean = torch.var_mean(wide, _others(images), correction=0)
        own = torch.cat([mean, variance, mean.new_full((1,), images.numel() / images.shape[1])])
        parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, own)
        together = torch.stack(parts)
        means, variances, counts = together.split([len(mean), len(mean), 1], 1)
        count = counts.sum()
        mean = (means * counts).sum(0) / count
        variance = ((variances + (means - mean).square()) * counts).sum(0) / count
        found = functional.batch_norm(images, mean, variance, weight, bias, False, 0.0, epsilon)
        ctx.save_for_backward(images, weight, mean, (variance + epsilon).rsqrt(), count)
        ctx.biased = bias is not None
        ctx.mark_non_differentiable(mean, variance, count)
        return found, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *nothing: Any) -> Any:
        images, weight, mean, inverse, count = ctx.saved_tensors
        shape = [1, -1] + [1] * (images.ndim - 2)
        slope = gradient.to(mean.dtype)
        scaled = (images.to(mean.dtype) - mean.view(shape)) * inverse.view(shape)
        own = torch.stack([slope.sum(_others(images)), (slope * scaled).sum(_others(images))])
        total = own.clone()
        distributed.all_reduce(total)
        shift, stretch = (total / count).view(2, *shape).unbind()
        factor = inverse if weight is None else inverse * weight.to(mean.dtype)
        found = (slope - shift - scaled * stretch) * factor.view(shape)
        return (
            found.to(images.dtype),
            None if weight is None else own[1].to(weight.dtype),
            own[0].to(gradient.dtype if weight is None else weight.dtype) if ctx.biased else None,
            None,
        )


def _others(images: Tensor) -> list[int]:
    """All dimensions but the channels."""
    return [0, *range(2, images.ndim)]
