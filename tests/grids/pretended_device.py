"""A device that only pretends to be one, to count on a machine without a GPU how often the host would wait for it.

Tensors on ``DEVICE`` are computed by the CPU. As with CUDA, the host waits where a value or a shape is read, and where
something is copied between the two without ``non_blocking``; and an operation takes tensors of one device. ``tensor.data``
cannot be replaced. Tests import it by its module name; this folder is on pytest's path.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = "lazy"  # a name that torch knows, that no backend answers to, and whose gradients it computes in the calling thread
READS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "bincount", "_unique2", "unique_dim", "unique_consecutive")
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")


class There(torch.Tensor):
    """A tensor on the device, with its values in ``own``."""

    own: torch.Tensor

    @staticmethod
    def __new__(cls, own: torch.Tensor) -> There:
        found: There = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, own.shape, strides=own.stride(), storage_offset=own.storage_offset(), dtype=own.dtype, device=DEVICE
        )
        found.own = own
        return found

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{function} on {DEVICE} outside of Pretended")


class Pretended(TorchDispatchMode):
    """Context manager in which ``DEVICE`` works.

    Attributes:
        waits: the operations for which the host would have waited
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self._functions = _Functions()

    def __enter__(self) -> Pretended:
        self._functions.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._functions.__exit__(*error)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = function._schema.name.removeprefix("aten::")
        there = [one for one in tree_leaves((args, kwargs)) if isinstance(one, There)]
        to = kwargs.get("device")
        if to is not None and to.type == DEVICE:
            kwargs["device"] = torch.device("cpu")
        on_device = to.type == DEVICE if to is not None else bool(there)
        if self._waits(name, args, kwargs, bool(there), on_device):
            self.waits.append(name)
        here = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor) and not isinstance(one, There)]
        if there and any(one.ndim for one in here) and name not in (*INDEXING, "copy_"):
            raise RuntimeError(f"{name}: tensors on two devices")
        found = function(*tree_map(_own, args), **tree_map(_own, kwargs))
        if not on_device:
            return tree_map(lambda one: one.clone() if there and isinstance(one, torch.Tensor) else one, found)
        known = {id(one.own): one for one in there}  # what is changed in place stays itself
        return tree_map(lambda one: known.get(id(one), There(one)) if isinstance(one, torch.Tensor) else one, found)

    def _waits(self, name: str, args: Any, kwargs: Any, there: bool, on_device: bool) -> bool:
        if name == "_to_copy":
            return there != on_device and not kwargs.get("non_blocking")
        if not there:
            return False
        if name == "copy_":
            blocking = not (args[2] if len(args) > 2 else kwargs.get("non_blocking"))
            return isinstance(args[0], There) != isinstance(args[1], There) and args[1].ndim > 0 and blocking
        places = [one for one in args[1] if one is not None] if name in INDEXING else []
        return name in READS or any(not isinstance(one, There) or one.dtype == torch.bool for one in places)


class _Functions(TorchFunctionMode):
    """What torch does beside its dispatcher."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.tolist and isinstance(args[0], There):
            return args[0].cpu().tolist()
        if function is torch.tensor and (place := kwargs.pop("device", None)) is not None:
            return torch.tensor(*args, **kwargs).to(place)
        return function(*args, **kwargs)


def _own(one: Any) -> Any:
    return one.own if isinstance(one, There) else one
