"""The sum of a training's losses, each of which is read one step later, so that no step waits for the device."""

from __future__ import annotations

from torch import Tensor

from modules.layers.late_copy import LateCopy
from modules.training.nonfinite import finite


class LateLosses:
    """Sum over images of the losses of an epoch's steps.

    A loss is copied to the host while the device works, and read when the next one is added. By then the device has computed
    it, and still has that step's backward pass and the next forward pass to do, so it is never idle. ``read`` waits for the
    last one.

    Attributes:
        total: sum of loss x images of the steps read so far
        images: their number of images
    """

    def __init__(self, total: float = 0.0, images: float = 0.0) -> None:
        self.total, self.images = total, images
        self._step: tuple[int, int, int] | None = None  # images, epoch and steps of the loss that is to be read
        self._copy = LateCopy()

    def add(self, loss: Tensor, images: int, epoch: int, steps: int) -> None:
        """Adds the mean loss, a scalar, of a step with that many images, and reads the step before it.

        Args:
            epoch: from 0
            steps: number of optimizer steps done before, over all epochs

        Raises:
            NonFiniteLoss: the loss of the step before is NaN or infinite.
        """
        self.read()
        self._copy.send(loss.detach().double())
        self._step = images, epoch, steps

    def read(self) -> LateLosses:
        """Reads the last loss if that has not been done; returns itself.

        Raises:
            NonFiniteLoss: it is NaN or infinite.
        """
        step, self._step = self._step, None
        if step is None:
            return self
        images, *when = step
        self.total += finite(float(self._copy.read()), "training loss", *when) * images
        self.images += images
        return self
