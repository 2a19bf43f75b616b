"""The precision of float32 convolutions and matrix products on GPUs, whatever a program has set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Turns TF32 off for convolutions, recurrent layers and matrix products; on exit, all settings are as before.

    TF32 rounds factors to 10 bits of mantissa. torch allows it in cuDNN's convolutions by default. Also usable as a decorator.

    torch has two interfaces, ``allow_tf32`` with ``set_float32_matmul_precision``, and ``fp32_precision``. Reading the first
    raises an error where the two disagree, so both are set, and both are restored.
    """
    import torch

    backends: Any = torch.backends
    settings = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul, backends.mkldnn.matmul)
    convolutions = _unless_inconsistent(lambda: backends.cudnn.allow_tf32)
    products = _unless_inconsistent(torch.get_float32_matmul_precision)
    precisions = [one.fp32_precision for one in settings]
    try:
        backends.cudnn.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")
        for one in settings:
            one.fp32_precision = "ieee"
        yield
    finally:
        if convolutions is not None:
            backends.cudnn.allow_tf32 = convolutions
        if products is not None:
            torch.set_float32_matmul_precision(products)
        for one, precision in zip(settings, precisions, strict=True):
            one.fp32_precision = precision


@contextlib.contextmanager
def tf32_allowed(allowed: bool) -> Iterator[None]:
    """Turns TF32 on if ``allowed``, else off, on GPUs; on CPUs always off. On exit, all settings are as before."""
    import torch

    backends: Any = torch.backends
    with without_tf32():
        if not allowed:
            yield
            return
        try:
            torch.set_float32_matmul_precision("high")
            for one in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul):
                one.fp32_precision = "tf32"
            backends.mkldnn.matmul.fp32_precision = "ieee"  # "high" allows it on CPUs, too, where some have it
            backends.cudnn.allow_tf32 = True
            yield
        finally:  # what the older interface could not tell is not restored by ``without_tf32``
            torch.set_float32_matmul_precision("highest")
            backends.cudnn.allow_tf32 = False


def _unless_inconsistent(read: Callable[[], Any]) -> Any:
    """A setting of the older interface; None if the newer one was set to something that it cannot express."""
    try:
        return read()
    except RuntimeError:
        return None
