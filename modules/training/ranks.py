"""One rank of a training on several devices: joining the process group, and Lightning's view of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy

from modules.training.class_slices import losses_with_slices

PATIENCE = timedelta(minutes=10)  # longest wait for another rank: it may load images or write a checkpoint
_SAID = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)


@dataclass(frozen=True)
class Rank:
    """Its number, from 0, and the number of ranks."""

    number: int
    world: int


@contextlib.contextmanager
def process_group(rank: Rank, store: Any, accelerator: str) -> Iterator[None]:
    """Context manager: torch's default process group, with nccl on GPUs and gloo elsewhere.

    Args:
        store: ``torch.distributed.TCPStore`` that all ranks use
        accelerator: "gpu" or "cpu"
    """
    backend = "nccl" if accelerator == "gpu" else "gloo"
    torch.distributed.init_process_group(backend, store=store, rank=rank.number, world_size=rank.world, timeout=PATIENCE)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def is_communication_error(error: BaseException) -> bool:
    """Whether an exception says that another rank did not answer, rather than what went wrong there."""
    if isinstance(error, torch.distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))


class Ranks(DDPStrategy):
    """Data-parallel training in processes that exist already, each with one device.

    Parameters without a gradient are looked for in every step, as networks with several targets may have them; gradients are
    then summed in the same order from the first step on, also after a resume. Validation does not synchronize in each batch,
    so ranks may have different numbers of batches.
    """

    def __init__(self, rank: Rank) -> None:
        super().__init__(cluster_environment=_Environment(rank), find_unused_parameters=True, broadcast_buffers=False)

    def _configure_launcher(self) -> None:
        self._launcher = None  # Lightning's would change the number of threads

    def _setup_model(self, model: Any) -> Any:
        model._ddp_params_and_buffers_to_ignore = list(losses_with_slices(model))  # each rank has its own
        # torch warns on the terminal where every parameter has a gradient; one that never has, and is not kept, avoids that
        model.register_parameter("unused", torch.nn.Parameter(torch.zeros(1, device=self.root_device)))
        try:
            return super()._setup_model(model)
        finally:
            del model.unused

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        module = self.lightning_module
        assert module is not None
        with self.precision_plugin.val_step_context():
            return module.validation_step(*args, **kwargs)


class _Environment(ClusterEnvironment):
    """Each process is a node of its own with one device, the first that it sees."""

    creates_processes_externally = True  # type: ignore[assignment]
    main_address, main_port = "", 0  # type: ignore[assignment]  # not used: the process group exists

    def __init__(self, rank: Rank) -> None:
        self.rank = rank

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.rank.world

    def set_world_size(self, size: int) -> None:
        assert size == self.rank.world, (size, self.rank)

    def global_rank(self) -> int:
        return self.rank.number

    def set_global_rank(self, rank: int) -> None:
        assert rank == self.rank.number, (rank, self.rank)

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return self.rank.number
