"""Interfaces of the parts of a network and of its training; ``configs.data_interfaces`` says what holds for all kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from configs.component import Component, Missing


class BackboneConfig(Component, ABC):
    """The network from image to feature map.

    ``stored``: there is no network but embeddings that were computed elsewhere, ``vectors(keys) -> (n, dimension)``.
    ``scored``: there are only scores of pairs, ``pair_scores(left, right, same) -> (n,)``.
    ``finished``: it is evaluated and cannot be trained.
    """

    kind: ClassVar[str] = "backbone"
    finished: ClassVar[bool] = False
    stored: ClassVar[bool] = False
    scored: ClassVar[bool] = False

    @abstractmethod
    def build(self) -> Any:
        """An ``nn.Module`` from (N, 3, H, W) float in [-1, 1] to (N, channels, h, w), with

        * ``channels: int``, of the output
        * ``stages() -> dict[str, nn.Module]``: named modules with spatial outputs, shallow to deep; the last one's output is
          the feature map.
        """

    def weights_of(self, source: str) -> Any:
        """Location of the ``source`` ("imagenet") weights of this backbone; None if there are no published ones."""
        return None


class HeadConfig(Component, ABC):
    kind: ClassVar[str] = "head"
    dimension: int = 512

    @abstractmethod
    def build(self, channels: int, height: int, width: int) -> Any:
        """An ``nn.Module``: (N, channels, height, width) to (N, dimension)."""


class DecoderConfig(Component, ABC):
    """Reconstructs the image from the feature map; trained together with the recognition loss."""

    kind: ClassVar[str] = "decoder"

    @abstractmethod
    def build(self, channels: int, height: int, width: int, size: int | tuple[int, int]) -> Any:
        """An ``nn.Module`` from (N, channels, height, width) to (N, 3, H, W) in [-1, 1]; ``size`` is (H, W) or one number.

        Raises:
            ValueError: it cannot produce this size from such a map; says which size it would produce.
        """


class LossConfig(Component, ABC):
    """Maps embeddings and labels to a scalar.

    The built loss may have ``prepare(counts)``, called once before training with the number of training images of each class,
    int64 (classes,); what it sets is in ``state_dict``. A loss that predicts numbers (its labels are numbers) has
    ``prepare_values(values)`` instead, with the training images' values, and ``predict(embeddings) -> (N,)``.
    """

    kind: ClassVar[str] = "loss"
    predicts: ClassVar[Literal["class", "number"]] = "class"
    required_classes: ClassVar[int | None] = None  # the number of classes it works for; None: any
    classifies: ClassVar[bool] = True  # False: no ``logits``, so no class can be validated or explained
    shares_classes: ClassVar[bool] = False  # whether ranks can divide its classes, as those of ``MarginSoftmax`` can

    def needs(self) -> frozenset[str]:
        """Requirements on every batch: "pairs" means two images of one subject, and one of another."""
        return frozenset()

    @abstractmethod
    def build(self, dimension: int, classes: int) -> Any:
        """An ``nn.Module``: ``forward(embeddings, labels) -> scalar`` and ``logits(embeddings) -> (N, classes)``."""


@runtime_checkable
class PreparedLoss(Protocol):
    """A built loss that needs the number of training images of each class before the first step; most do not."""

    def prepare(self, counts: Any) -> None:
        """``counts``: int64 tensor (classes,)."""


@runtime_checkable
class ExpectingLoss(Protocol):
    """A built loss that learns about each training batch from its labels on the host, before they are copied to the device.

    So it need not wait for the device. It must work without, too: validation and other callers do not tell it.
    """

    def expect(self, labels: Any) -> None:
        """``labels``: int64 tensor (N,) on the CPU, of the batch that ``forward`` gets next."""


class PretrainingConfig(Component, ABC):
    """Initial weights of the backbone."""

    kind: ClassVar[str] = "pretraining"

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        return None

    def check(self, backbone: BackboneConfig) -> None:
        """Raises ValueError if the weights exist but do not fit this backbone."""

    def impossible(self, backbone: BackboneConfig) -> str | None:
        """Why this can never be used with that backbone (the reason of a skip rule), or None."""
        return None

    def content(self, backbone: BackboneConfig) -> str | None:
        """Digest of the weights to load; None if there are none or if a stage makes them."""
        return None

    @abstractmethod
    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads the weights into a built backbone; ``made`` is the file made by the pretrain stage, for ``source``."""

    def load_head(self, head: Any, backbone: BackboneConfig, config: HeadConfig) -> None:
        """Loads weights into a built head, if there are any for it."""

    def check_head(self, backbone: BackboneConfig, head: HeadConfig, size: tuple[int, int]) -> None:
        """Raises ValueError if the weights include a different head; ``size`` of the input is (height, width)."""


class TrainedPretrainingConfig(PretrainingConfig, ABC):
    """Weights made by a ``pretrain`` stage of the same grid: the cell's network, trained on other data."""

    data: Any  # DatasetConfig
    detector: Any  # DetectorConfig
    recipe: Any = None  # RecipeConfig; None: the cell's recipe
    epochs: int | None = None  # None: the recipe's epochs


class RecipeConfig(Component, ABC):
    """Optimizer, schedule and length of training. Recipes that train derive from ``modules.training.recipe.Recipe``."""

    kind: ClassVar[str] = "recipe"
    trains: ClassVar[bool] = True  # False: the weights are used as loaded
    epochs: int
    batch_size: int

    @property
    def needs_validation(self) -> bool:
        """Whether it needs a validation loss; if so, a plan refuses a split without one."""
        return False

    @property
    def decodes_only(self) -> bool:
        """Whether only the decoder is trained, without a recognition loss."""
        return False

    @property
    def part_size(self) -> int:
        """Images per forward pass: the batch, or a part of it (gradient accumulation)."""
        return self.batch_size

    @property
    def learning_part(self) -> int | str:
        """The part of the backbone that is trained, see ``modules.training.freezing``."""
        return "all"

    @property
    def optimizer_copies(self) -> int:
        """Optimizer state tensors per parameter."""
        return 2

    @abstractmethod
    def build(self, parameters: Any, steps_per_epoch: int) -> Any:
        """A ``modules.training.recipe.OptimizerSchedule``: optimizer, ``after_step()``, ``state_dict``, and
        ``after_epoch(validation_loss) -> stop``."""
