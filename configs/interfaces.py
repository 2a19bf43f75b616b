"""What each kind of component must be able to say, before any of it is built.

The plan asks these questions of a Config, so answering them needs neither a GPU nor the network, and no import heavier than
torch. Everything that computes is made by ``build`` and may import what it likes, inside the function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from configs.component import NAMING, Born, Component, Missing

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int], None]
"""Called with (done, total) by long work."""


class Manifest(Protocol):
    """What is known of a dataset's images after the skip policy: rows in a fixed order."""

    @property
    def keys(self) -> Sequence[str]: ...  # one stable key per image, such as "Ann_Veneman/Ann_Veneman_0003.jpg"
    @property
    def identities(self) -> Sequence[str]: ...  # the subject of each image, same length
    @property
    def widths(self) -> Sequence[int]: ...  # pixels
    @property
    def heights(self) -> Sequence[int]: ...
    @property
    def digests(self) -> Sequence[str]: ...  # SHA-256 of each image's bytes
    @property
    def skipped(self) -> Mapping[str, str]: ...  # key -> why, for images that the policy left out
    @property
    def digest(self) -> str: ...  # SHA-256 of content: keys, identities and image bytes

    def subset(self, rows: Iterable[int]) -> Manifest: ...  # those rows, in that order


class ThirdParty:
    """Third-party data: what is needed, under which licence, and how to obtain it.

    Attributes:
        needs: what must lie where, by field
        terms: under which terms it is given out
        origin: who gives it out, and how
    """

    needs: ClassVar[str] = ""
    terms: ClassVar[str] = ""
    origin: ClassVar[str] = ""

    @classmethod
    def how(cls) -> str:
        """The remedy where it is missing."""
        return f"{cls.origin} (terms: {cls.terms}); it needs {cls.needs}"


class DatasetConfig(ThirdParty, Component, ABC):
    """Images of subjects."""

    kind: ClassVar[str] = "data"
    server: ClassVar[str | None] = None  # address below which a public server has ``sources``
    sources: ClassVar[tuple[Any, ...]] = ()  # what a public server has, of ``datamodules.download.Source``
    identified: ClassVar[bool] = True  # False: it names no subjects, so every image has an identity of its own
    on_bad_image: Literal["fail", "skip"] = "fail"
    # The same file under two identities: a training is refused, or trains without these images, or with them.
    on_identity_conflict: Literal["fail", "skip", "keep"] = "fail"

    @property
    @abstractmethod
    def namespace(self) -> str:
        """Identities of two datasets are comparable when their namespaces are equal ("lfw")."""

    def names(self, identities: Iterable[str]) -> Mapping[str, str]:
        """Identity -> name, of the subjects whose names are known; normalised by ``datamodules.list_readers.subject_names``.

        Names are comparable between datasets, identities only within a namespace.
        """
        return {}

    def missing(self) -> Missing | None:
        """What must be on disk and is not."""
        return None

    def columns(self, manifest: Manifest) -> Mapping[str, Column]:
        """What is known of each image beside its identity, by name: a training may target it. In the manifest's order."""
        return {}

    def left_out(self) -> dict[str, str]:
        """Images in its folder that it does not take, in words: ``unread`` formats, and ``misplaced`` files."""
        return {}

    def repairs(self) -> str:
        """What was damaged in its lists and was read all the same, in words; empty where nothing was."""
        return ""

    @abstractmethod
    def manifest(self, cache: Path) -> Manifest | None:
        """The manifest as far as it is known without reading images; None where a scan is due.

        ``cache`` is a folder that scans are kept in; it need not exist. A cached scan counts only while the files' names,
        sizes and modification times are what they were.

        Raises:
            ValueError: an image is unreadable and the policy is ``fail``: names the first and counts them all.
        """

    @abstractmethod
    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        """Reads every image once, keeps the result in ``cache``, and returns the manifest; errors as ``manifest``."""

    @abstractmethod
    def build(self, manifest: Manifest) -> Dataset:
        """The images themselves, row i of the dataset being row i of the manifest."""


class Column(Protocol):
    """One value per image, see ``datamodules.columns``."""

    @property
    def values(self) -> np.ndarray: ...  # int64 (N,), -1 where unknown; numbers are float64, NaN where unknown
    @property
    def classes(self) -> tuple[str, ...] | None: ...  # their names; None: the values are numbers
    @property
    def known(self) -> np.ndarray: ...  # bool (N,)
    @property
    def digest(self) -> str: ...  # SHA-256 of classes and values


class Dataset(Protocol):
    """Random access to images."""

    @property
    def manifest(self) -> Manifest: ...
    def __len__(self) -> int: ...
    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3)."""


class DetectorConfig(Component, ABC):
    """Where the face is, and how it is cut out."""

    kind: ClassVar[str] = "detector"
    trivial: ClassVar[bool] = False  # True: needs no stage; the box follows from the image size alone
    on_missing_face: Literal["center_crop", "drop", "fail"] = "center_crop"

    @abstractmethod
    def detection(self) -> dict[str, Any]:
        """The part of the config that decides boxes and landmarks; crop settings are left out."""

    @abstractmethod
    def build(self, device: str = "cpu") -> Detector: ...


class Detector(Protocol):
    def detect(self, images: Sequence[np.ndarray]) -> list[Detection]:
        """One Detection per image; independent of how images are grouped, of their order and of thread count."""

    def of_manifest(self, manifest: Manifest) -> Any:
        """Trivial detectors only: the Detections of all images, none of which is read."""

    def crop(self, image: np.ndarray, detection: Detection, size: int | tuple[int, int]) -> np.ndarray:
        """(height, width, 3) uint8; one number is the side of a square."""


class Detection(Protocol):
    @property
    def found(self) -> bool: ...
    @property
    def box(self) -> tuple[float, float, float, float]: ...  # x0, y0, x1, y1 in pixels of the full image
    @property
    def score(self) -> float: ...  # 0 to 1
    @property
    def landmarks(self) -> tuple[tuple[float, float], ...]: ...  # five (x, y): eyes, nose, mouth corners; or none


class AlignmentConfig(Component, ABC):
    """How a face that was found is cut out, or brought into a common place; no image is looked at a second time for it."""

    kind: ClassVar[str] = "alignment"
    # Where the parts of a face lie in its crops, see ``datamodules.geometry.parts``; None: unknown.
    geometry: ClassVar[str | None] = None

    @abstractmethod
    def build(self) -> Alignment: ...


class Alignment(Protocol):
    def crop(self, image: np.ndarray, detection: Detection, size: int | tuple[int, int]) -> np.ndarray:
        """(height, width, 3) uint8; one number is the side of a square. Where no face was found, the image's centre.

        Raises:
            ValueError: the face has no landmarks, and they are needed.
        """


class AugmentationConfig(Component, ABC):
    kind: ClassVar[str] = "augmentation"

    def check(self, detector: DetectorConfig) -> None:
        """Raises ValueError where crops of that detector are not what this augmentation takes them for."""

    @abstractmethod
    def build(self) -> Augmentation: ...


class Augmentation(Protocol):
    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (size, size, 3) to the same; a pure function of image and seed."""


class BatchesConfig(Component, ABC):
    """Which images are trained on together, and in which order."""

    kind: ClassVar[str] = "batches"
    pairs: ClassVar[bool] = False  # True: every batch has two images of an identity, and one of another

    def check(self, batch_size: int, subjects: int | None = None) -> None:
        """Raises ValueError where batches of that many images cannot be made, of so many subjects where they are known."""

    def at_most(self, batch_size: int, subjects: int) -> int:
        """The largest batch up to ``batch_size`` that so few subjects allow, for a quick look."""
        return batch_size

    @abstractmethod
    def build(self, rows: Any, labels: Any, batch_size: int, seed: int, rank: int, world: int) -> Any:
        """A sampler as ``datamodules.samplers`` has them, of manifest rows (N,) with the classes ``labels`` (N,) int64."""


class ProtocolConfig(ThirdParty, Component, ABC):
    """Which pairs are compared, of which images; or what else is asked of embeddings (``task``)."""

    kind: ClassVar[str] = "protocol"
    task: ClassVar[str] = "verification"  # a file of ``grid/evaluators``, or the dotted path of a module of a user's own
    label: Annotated[str | None, NAMING] = None  # how reports call it; must differ between the protocols of a grid
    flip_test: bool = False  # add the embedding of the mirror image before normalising
    # Add the embeddings of the four corners with this share of the sides.
    multi_crop: Annotated[float | None, Born(None), Field(gt=0, lt=1)] = None
    overlap: Literal["refuse", "drop"] = "refuse"  # pairs of subjects that were trained on
    # Images are compared with those that were trained on: nearly the same are those whose 64-bit hashes differ by so many.
    near: Annotated[int | None, Born(None), Field(ge=0, le=15)] = None

    @property
    def title(self) -> str:
        return self.label or self.name

    @abstractmethod
    def dataset(self) -> DatasetConfig:
        """The dataset that the pairs' images are in."""

    def missing(self) -> Missing | None:
        """What must be on disk and is not."""
        return self.dataset().missing()

    def evaluation_identity(self) -> dict[str, Any]:
        """What decides numbers beside the images and what is asked of them: a part of the evaluation's identity."""
        return {} if self.multi_crop is None else {"multi_crop": self.multi_crop}

    @abstractmethod
    def pairs(self, manifest: Manifest) -> Pairs:
        """The pairs, in the protocol's order.

        Raises:
            ValueError: the list names an image that the manifest does not have (names list, line and image).
        """

    def region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """Where image ``row`` truly differs from image ``other``: bool (height, width) of the full image ``row``.

        ``dataset`` is built of ``dataset()``, ``row`` and ``other`` are rows of its manifest. None where nobody knows.
        """
        return None


class Pairs(Protocol):
    """Rows of the manifest compared with each other; four arrays of one length."""

    @property
    def left(self) -> np.ndarray: ...  # int64 row
    @property
    def right(self) -> np.ndarray: ...
    @property
    def same(self) -> np.ndarray: ...  # bool: genuine
    @property
    def fold(self) -> np.ndarray: ...  # int64 from 0


class BackboneConfig(Component, ABC):
    """Images to a feature map."""

    kind: ClassVar[str] = "backbone"

    @abstractmethod
    def build(self) -> Any:
        """An ``nn.Module``: (N, 3, H, W) float in [-1, 1] to (N, channels, h, w), with

        * ``channels: int``, of the output
        * ``stages() -> dict[str, nn.Module]``: named modules with spatial outputs, shallow to deep; the last one's output is
          the feature map.
        """

    def weights_of(self, source: str) -> Any:
        """Where ``source`` ("imagenet") weights for this backbone stand; None where nobody published any."""
        return None


class HeadConfig(Component, ABC):
    kind: ClassVar[str] = "head"
    dimension: int = 512

    @abstractmethod
    def build(self, channels: int, height: int, width: int) -> Any:
        """An ``nn.Module``: (N, channels, height, width) to (N, dimension)."""


class DecoderConfig(Component, ABC):
    """Feature map back to the image; trained beside the recognition loss."""

    kind: ClassVar[str] = "decoder"

    @abstractmethod
    def build(self, channels: int, height: int, width: int, size: int | tuple[int, int]) -> Any:
        """An ``nn.Module``: (N, channels, height, width) to (N, 3, H, W) in [-1, 1]; ``size`` is (H, W) or one number for both.

        Raises:
            ValueError: it cannot give images of that size from such a map; says what it would give.
        """


class LossConfig(Component, ABC):
    """Embeddings and labels to a scalar.

    What it builds may have ``prepare(counts)``: called once before training with the training images of each class, int64
    (classes,). What that sets is in ``state_dict``. One that predicts numbers has ``prepare_values(values)`` instead, with the
    training images' values, and ``predict(embeddings) -> (N,)``; its labels are numbers.
    """

    kind: ClassVar[str] = "loss"
    predicts: ClassVar[Literal["class", "number"]] = "class"
    classifies: ClassVar[bool] = True  # False: no ``logits``, so no class can be validated or explained

    def needs(self) -> frozenset[str]:
        """What every batch must have: "pairs" are two images of an identity, and one of another."""
        return frozenset()

    @abstractmethod
    def build(self, dimension: int, classes: int) -> Any:
        """An ``nn.Module``: ``forward(embeddings, labels) -> scalar`` and ``logits(embeddings) -> (N, classes)``."""


@runtime_checkable
class PreparedLoss(Protocol):
    """A built loss that is told, before the first step, how many training images each class has; most need not be."""

    def prepare(self, counts: Any) -> None:
        """``counts``: int64 tensor (classes,)."""


class PretrainingConfig(Component, ABC):
    """What the backbone's weights are before training."""

    kind: ClassVar[str] = "pretraining"

    def missing(self, backbone: BackboneConfig) -> Missing | None:
        return None

    def check(self, backbone: BackboneConfig) -> None:
        """Raises ValueError where the weights are there but are not this backbone's."""

    def impossible(self, backbone: BackboneConfig) -> str | None:
        """Why this can never apply to that backbone (a reason for a skip rule), or None."""
        return None

    def content(self, backbone: BackboneConfig) -> str | None:
        """Digest of the weights that will be loaded; None where there are none or where they are made by a stage."""
        return None

    @abstractmethod
    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Puts the weights into a built backbone; ``made`` is the file of the pretrain stage, for ``source``."""

    def load_head(self, head: Any, backbone: BackboneConfig, config: HeadConfig) -> None:
        """Puts weights into a built head, where there are any for it."""

    def check_head(self, backbone: BackboneConfig, head: HeadConfig, size: tuple[int, int]) -> None:
        """Raises ValueError where the weights have a head, and it is not this one; ``size`` of the input: height, width."""


class TrainedPretrainingConfig(PretrainingConfig, ABC):
    """Weights that a ``pretrain`` stage of the same grid makes: the cell's network, trained on other data."""

    data: Any  # DatasetConfig
    detector: Any  # DetectorConfig
    recipe: Any = None  # RecipeConfig; None: as in the cell
    epochs: int | None = None  # None: as the recipe says


class RecipeConfig(Component, ABC):
    """How the weights move: optimiser, schedule, lengths. One that trains derives from ``modules.training.recipe.Recipe``."""

    kind: ClassVar[str] = "recipe"
    trains: ClassVar[bool] = True  # False: weights stay as they were loaded
    epochs: int
    batch_size: int

    @property
    def needs_validation(self) -> bool:
        """Whether it cannot go on without a validation loss, so that a plan refuses a split that gives none."""
        return False

    @property
    def decodes_only(self) -> bool:
        """Whether the decoder is all that learns, and recognition is no part of the loss."""
        return False

    @property
    def part_size(self) -> int:
        """Images that go through the network together: the batch, or a part of it."""
        return self.batch_size

    @property
    def learning_part(self) -> int | str:
        """How much of the backbone learns, see ``modules.training.freezing``."""
        return "all"

    @property
    def optimizer_copies(self) -> int:
        """Tensors of state that the optimiser keeps per parameter."""
        return 2

    @abstractmethod
    def build(self, parameters: Any, steps_per_epoch: int) -> Any:
        """A ``modules.training.recipe.OptimizerSchedule``: optimizer, ``after_step()``, ``state_dict``, and
        ``after_epoch(validation_loss) -> stop``."""
