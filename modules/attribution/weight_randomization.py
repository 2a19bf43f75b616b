"""Networks with reinitialized parameters, for sanity checks (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def layers(network: nn.Module, parts: Sequence[str]) -> list[str]:
    """Names of the modules with own parameters or buffers, from the output down: ``parts`` of the network in that order.

    Within a part, modules are in reverse order of definition, which is the order of the forward pass.
    """
    found: list[str] = []
    for part in parts:
        module = getattr(network, part, None)
        if isinstance(module, nn.Module):
            found += [f"{part}.{name}".rstrip(".") for name, one in reversed(list(module.named_modules())) if _own(one)]
    return found


def randomized(network: Any, names: Sequence[str], seed: int) -> Any:
    """A copy of the network in which the modules ``names`` are reinitialized; the network itself is unchanged.

    New values are drawn from a normal distribution with the tensor's mean and standard deviation, so that activations keep
    their scale; if all values are equal (a fresh normalization) the standard deviation is 0.1. Variances of normalizations,
    which must stay positive, are multiplied by exp of normal numbers. The values depend only on the seed and the module's name.
    """
    changed = copy.deepcopy(network)
    with torch.no_grad():
        for name in names:
            digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
            for key, tensor in sorted(_own(changed.get_submodule(name)).items()):
                drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                tensor.copy_(_moved(key, tensor.double().cpu(), drawn))
    return changed


def _moved(key: str, tensor: Tensor, drawn: Tensor) -> Tensor:
    if key.endswith("var"):
        return tensor * torch.exp(0.5 * drawn)
    spread = tensor.std(unbiased=False)
    return tensor.mean() + (spread if spread > 0 else 0.1) * drawn


def _own(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and floating-point buffers of the module itself, not of its children."""
    both = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: tensor for name, tensor in both if tensor.is_floating_point()}
