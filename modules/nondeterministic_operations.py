"""Operations that have no deterministic form on CUDA, and whether a network uses one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from modules.training.determinism import kept_algorithms

# From the documentation of torch.use_deterministic_algorithms, PyTorch 2.14: what raises an error on CUDA. Bilinear and
# trilinear interpolation, listed there too, have had deterministic gradients since 2.2: torch.nn.functional.interpolate.
NAMES = {
    "_adaptive_avg_pool2d_backward": "the gradient of AdaptiveAvgPool2d",
    "_adaptive_avg_pool3d_backward": "the gradient of AdaptiveAvgPool3d",
    "_ctc_loss_backward": "the gradient of CTCLoss",
    "_upsample_bicubic2d_aa_backward": "the gradient of bicubic interpolation",
    "_upsample_bilinear2d_aa_backward": "the gradient of bilinear interpolation with antialiasing",
    "adaptive_max_pool2d_backward": "the gradient of AdaptiveMaxPool2d",
    "avg_pool3d_backward": "the gradient of AvgPool3d",
    "fractional_max_pool2d_backward": "the gradient of FractionalMaxPool2d",
    "fractional_max_pool3d_backward": "the gradient of FractionalMaxPool3d",
    "grid_sampler_2d_backward": "the gradient of grid_sample",
    "grid_sampler_3d_backward": "the gradient of grid_sample",
    "histc": "histc",
    "kthvalue": "kthvalue",
    "max_unpool2d": "MaxUnpool2d",
    "max_unpool3d": "MaxUnpool3d",
    "median": "median",
    "nll_loss2d_forward": "NLLLoss of images",
    "put_": "put_",
    "reflection_pad1d_backward": "the gradient of ReflectionPad1d",
    "reflection_pad2d_backward": "the gradient of ReflectionPad2d",
    "reflection_pad3d_backward": "the gradient of ReflectionPad3d",
    "upsample_bicubic2d_backward": "the gradient of bicubic interpolation",
    "upsample_linear1d_backward": "the gradient of linear interpolation",
}


def nondeterministic_operations(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> list[str]:
    """The operations of NAMES in a function and in the gradient with respect to its argument, in words, sorted.

    Args:
        function: works on torch's meta device, so nothing is computed
        shape: of its argument, float32
    """
    argument = torch.empty(shape, device="meta", requires_grad=True)
    with kept_algorithms(), warnings.catch_warnings(action="ignore"), _Names() as seen:
        # Some functions choose a deterministic form if asked for it. An error would hide the operations that follow.
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.autograd.grad(function(argument).sum(), argument)
    return sorted({NAMES[name] for name in seen.names & NAMES.keys()})


class _Names(TorchDispatchMode):
    """Collects the names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(function._schema.name.removeprefix("aten::"))
        return function(*args, **(kwargs or {}))
