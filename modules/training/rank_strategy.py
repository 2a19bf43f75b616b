"""Lightning's view of a rank: data-parallel training in a process group that exists already."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy

from modules.training.class_slices import losses_with_slices
from modules.training.ranks import Rank


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
            found = super()._setup_model(model)
            if torch.distributed.get_backend() == "fake":  # see ``one_of``; its sums have no result that torch would take
                found.register_comm_hook(None, lambda state, bucket: _done(bucket.buffer()))
            return found
        finally:
            del model.unused

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        module = self.lightning_module
        assert module is not None
        with self.precision_plugin.val_step_context():
            return module.validation_step(*args, **kwargs)


def _done(result: torch.Tensor) -> torch.futures.Future[torch.Tensor]:
    future: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    future.set_result(result)
    return future


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
