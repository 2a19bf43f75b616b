"""Lists the operations between a tensor and a score. Reads autograd's graph, so it finds function calls as well as modules."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge


def between(score: Tensor, leaf: Tensor) -> dict[Node, tuple[bool, ...]]:
    """The operations through which ``score`` (a scalar) depends on ``leaf``, each with flags of the inputs that depend on it.

    Operations that depend only on parameters are left out, so an operation with one True is a function of one variable.
    """
    end = get_gradient_edge(leaf).node
    assert score.grad_fn is not None, "the score has no graph"
    reaches: dict[Node, bool] = {end: True}
    stack = [score.grad_fn]
    while stack:  # without recursion: networks are deeper than Python's stack
        node = stack[-1]
        before = [one for one, _ in node.next_functions if one is not None]
        if unknown := [one for one in before if one not in reaches]:
            stack += unknown
            continue
        reaches.setdefault(node, any(reaches[one] for one in before))
        stack.pop()
    inputs = {node: tuple(one is not None and reaches[one] for one, _ in node.next_functions) for node in reaches}
    return {node: inputs[node] for node, does in reaches.items() if does and node is not end}


def title(node: Node) -> str:
    """``Silu`` for ``SiluBackward0``."""
    return node.name().rstrip("0123456789").removesuffix("Backward").rsplit("::", 1)[-1]


def nonlinear(path: Mapping[Node, tuple[bool, ...]]) -> list[str]:
    """Sorted, unique titles of the operations that are not affine in their inputs.

    An operation that is not known to be affine counts as not affine.
    """
    return sorted({title(node) for node, given in path.items() if not _affine(node, given)})


def _affine(node: Node, given: tuple[bool, ...]) -> bool:
    kind = title(node)
    if kind in _PRODUCTS:
        return sum(given[-2:]) < 2 if kind in _SUM_AND_PRODUCT else sum(given) < 2
    if kind == "Div":
        return not any(given[1:])
    if kind in _NORMALIZATIONS:
        return not getattr(node, "_saved_training", True)  # affine only with running statistics
    return kind in _AFFINE


_SUM_AND_PRODUCT = {"Addmm", "Addmv", "Addbmm", "Baddbmm"}
_PRODUCTS = {"Mul", "Mm", "Mv", "Bmm", "Dot", "Convolution"} | _SUM_AND_PRODUCT
_NORMALIZATIONS = {"NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm"}
_AFFINE = {
    *("Add", "Sub", "Neg", "Sum", "Mean", "AvgPool2D", "AdaptiveAvgPool2D", "Cat", "Stack", "Clone", "Alias", "ToCopy"),
    *("View", "UnsafeView", "ReshapeAlias", "AsStrided", "T", "Transpose", "Permute", "Expand", "Repeat", "Squeeze"),
    *("Unsqueeze", "Select", "Slice", "Gather", "Index", "IndexSelect", "Unbind", "Split", "Diagonal", "ConstantPadNd"),
}
