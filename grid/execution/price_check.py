"""Refuses ``--max-cost`` before anything runs if a GPU that would be used has no price: its first use would end a launch."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from grid.ledger.attempt_times import GPU
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch, Resources
from grid.spec.prices import Prices
from grid.spec.spending_limits import Limits
from grid.spec.stage_kind import stage_kind

TYPE = "accelerator_type:"  # of Ray's resources
MEMORY = re.compile(r"\d+gi?b?")  # a price may be that of all GPUs with so much memory


def visible_gpus() -> list[str]:
    """The names of the GPUs that this process sees."""
    import torch

    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def check_prices(
    limits: Limits, launch: Launch, kinds: Collection[str], visible: Callable[[], Sequence[str]] = visible_gpus
) -> None:
    """Checks the GPUs of this machine, or for a cluster the types that the grid file asks for.

    Args:
        kinds: of the stages to run

    Raises:
        BadInput: one has no price.
    """
    if limits.cost is None or launch.executor not in ("ray", "local"):  # it is unknown where an executor of the user's computes
        return
    on_gpus = _on_gpus(launch, kinds)
    if launch.address is not None:
        asked = [one for resources in on_gpus.values() for one in _types(resources)]
        _refuse(launch.prices, [one for one in asked if _other_type(launch.prices, one)], "the grid file asks for")
    elif on_gpus:
        _refuse(launch.prices, [name for name in visible() if launch.prices.of_gpu(name) is None], "this machine has")


def check_cluster_prices(limits: Limits, launch: Launch, kinds: Collection[str], nodes: Iterable[Mapping[str, float]]) -> None:
    """The same for the types of GPUs in a cluster, once it has been reached.

    Args:
        nodes: the resources of each, with the type of its GPUs if Ray knows it
    """
    if limits.cost is None or all(_types(resources) for resources in _on_gpus(launch, kinds).values()):
        return
    there = {one.removeprefix(TYPE) for node in nodes if node.get(GPU, 0) > 0 for one in node if one.startswith(TYPE)}
    _refuse(launch.prices, [one for one in sorted(there) if _other_type(launch.prices, one)], "nodes have")


def _on_gpus(launch: Launch, kinds: Collection[str]) -> dict[str, Resources]:
    """The resources of the kinds of stages that take a GPU where there is one."""
    found = {kind: launch.resources_of(kind) for kind in sorted(kinds) if stage_kind(kind).device}
    return {kind: resources for kind, resources in found.items() if resources.gpus != 0}


def _types(resources: Resources) -> list[str]:
    return [key.removeprefix(TYPE) for key, amount in resources.custom.items() if key.startswith(TYPE) and amount]


def _other_type(prices: Prices, type: str) -> bool:
    """Whether GPUs of one of Ray's types certainly have no price.

    A price is that of a part of the GPU's whole name, and the type is another part. So one for ``A100-SXM4`` may be that of an
    ``A100``, and one for ``NVIDIA`` that of any.
    """
    known = [_plain(one) for one in prices.gpu_hour]
    return prices.of_gpu(type) is None and all(
        re.search(r"\d", one) and not MEMORY.fullmatch(one) and one not in _plain(type) and _plain(type) not in one
        for one in known
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.lower())


def _refuse(prices: Prices, names: Sequence[str], who: str) -> None:
    if names:
        raise BadInput(
            f"--max-cost: launch.prices.gpu_hour has no price for {' and '.join(dict.fromkeys(names))}, which {who} (known: "
            f"{', '.join(prices.gpu_hour) or 'none'}); add its type, or any"
        )
