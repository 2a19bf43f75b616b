"""Context managers that restore the network on exit: evaluation mode, hooks on the outputs of named modules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Puts every module in evaluation mode and restores each module's mode on exit."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def hooked(modules: Mapping[str, nn.Module], see: Callable[[str, Tensor], Tensor | None]) -> Iterator[None]:
    """Calls ``see(name, output)`` at each forward of a module; a return value other than None replaces the output."""
    handles = []

    def hook(name: str) -> Callable[[nn.Module, Any, Tensor], Tensor | None]:
        return lambda module, inputs, output: see(name, output)

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(hook(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()
