"""Lightning's view of a rank: data-parallel training in a process group that exists already."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

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
        self.rank = rank
        self._hook: Any = None  # on the module that is trained

    def _configure_launcher(self) -> None:
        self._launcher = None  # Lightning's would change the number of threads

    def _setup_model(self, model: Any) -> Any:
        model._ddp_params_and_buffers_to_ignore = list(losses_with_slices(model))  # each rank has its own
        # Its place among the gradients decides last digits of sums over three or more ranks. Its gradient is 0: for a parameter
        # without a gradient, the host would wait for the device in every step, to read whether another rank has one.
        spare = torch.nn.Parameter(torch.zeros(1, device=self.root_device))
        model.register_parameter("spare", spare)
        _warn_of_unused(self.root_device)
        try:
            found = super()._setup_model(model)
            if torch.distributed.get_backend() == "fake":  # see ``one_of``; its sums have no result that torch would take
                found.register_comm_hook(None, lambda state, bucket: _done(bucket.buffer()))
        finally:
            del model.spare
        self._hook = model.register_forward_hook(lambda module, inputs, loss: loss + 0 * spare.sum().to(loss.dtype))
        return found

    def teardown(self) -> None:
        if self._hook is not None:
            self._hook.remove()
        super().teardown()

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        module = self.lightning_module
        assert module is not None
        with self.precision_plugin.val_step_context():
            return module.validation_step(*args, **kwargs)


def _warn_of_unused(device: torch.device) -> None:
    """Lets torch say that every parameter has a gradient, which it says once per process, as a warning that is left out.

    Later, in a training step, it would be printed on the terminal: only within a function of autograd is it Python's warning.
    """
    layer = DistributedDataParallel(torch.nn.PReLU(device=device), find_unused_parameters=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _Called.apply(layer, torch.zeros(1, device=device))  # type: ignore[no-untyped-call]


class _Called(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Any, images: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            layer(images)
        return images.clone()


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
