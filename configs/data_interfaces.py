"""Interfaces of the components that make and judge data: datasets, detectors, augmentations, batches, protocols.

Planning only uses configs, so their methods need neither a GPU nor the network, and no import heavier than torch. The
objects that compute are made by ``build``, which may import heavy packages inside the function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from configs.component import NAMING, Born, Component, Labeled, Missing
from configs.lookup import component
from configs.transforms import SweepPoint

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int], None]
"""Called with (done, total) by long work."""


class Manifest(Protocol):
    """The images of a dataset after the skip policy was applied, as rows in a fixed order."""

    @property
    def keys(self) -> Sequence[str]: ...  # one stable key per image, such as "Ann_Veneman/Ann_Veneman_0003.jpg"
    @property
    def identities(self) -> Sequence[str]: ...  # the subject of each image
    @property
    def widths(self) -> Sequence[int]: ...  # in pixels
    @property
    def heights(self) -> Sequence[int]: ...
    @property
    def digests(self) -> Sequence[str]: ...  # SHA-256 of each image's bytes
    @property
    def skipped(self) -> Mapping[str, str]: ...  # key -> reason, for images left out by the skip policy
    @property
    def digest(self) -> str: ...  # SHA-256 of the content: keys, identities and image bytes

    def subset(self, rows: Iterable[int]) -> Manifest: ...  # these rows, in this order


class ThirdParty:
    """Third-party data: what is needed, its license, and how to obtain it.

    Attributes:
        needs: files or folders needed, by field
        terms: license or terms of use
        origin: who distributes it, and how
    """

    needs: ClassVar[str] = ""
    terms: ClassVar[str] = ""
    origin: ClassVar[str] = ""

    @classmethod
    def how(cls) -> str:
        """What to do when the data is missing."""
        return f"{cls.origin} (terms: {cls.terms}); it needs {cls.needs}"


class DatasetConfig(ThirdParty, Component, ABC):
    """Face images labeled by subject."""

    kind: ClassVar[str] = "data"
    server: ClassVar[str | None] = None  # URL prefix of a public server that has ``sources``
    sources: ClassVar[tuple[Any, ...]] = ()  # files on public servers, ``datamodules.download.Source``
    identified: ClassVar[bool] = True  # False: no subject labels; every image is its own identity
    on_bad_image: Literal["fail", "skip"] = "fail"
    # Policy for one file under two identities: refuse to train, leave these images out, or train with them.
    on_identity_conflict: Literal["fail", "skip", "keep"] = "fail"

    @property
    @abstractmethod
    def namespace(self) -> str:
        """Identities of two datasets can be compared if their namespaces are equal ("lfw")."""

    def untransformed(self) -> DatasetConfig:
        """The dataset of the original images, row by row; differs from this one only for ``transformed``."""
        return self

    def names(self, identities: Iterable[str]) -> Mapping[str, str]:
        """Identity -> name, for the subjects whose names are known; normalized by ``datamodules.list_readers.subject_names``.

        Names can be compared between datasets, identities only within a namespace.
        """
        return {}

    def least_images(self) -> int:
        """Images that a subject must have after the skip policies; subjects with fewer are left out."""
        return 1

    def missing(self) -> Missing | None:
        """The files it needs that are not on disk; None if all are there."""
        return None

    def columns(self, manifest: Manifest) -> Mapping[str, Column]:
        """Labels of each image beside its identity, by name, in the manifest's order; a training may use one as its target."""
        return {}

    def official_validation(self, manifest: Manifest) -> np.ndarray | None:
        """bool (N,): the images of the published validation split; None if the dataset has none."""
        return None

    def left_out(self) -> dict[str, str]:
        """Images in its folder that it does not use, as text: ``unread`` (unsupported formats) and ``misplaced`` files."""
        return {}

    def repairs(self) -> str:
        """Damage in its lists that was repaired while reading, as text; empty if there was none."""
        return ""

    @abstractmethod
    def manifest(self, cache: Path) -> Manifest | None:
        """The manifest if it is known without reading images; None if a scan is needed.

        ``cache`` is the folder of cached scans; it need not exist. A cached scan is valid only while the files' names, sizes
        and modification times are unchanged.

        Raises:
            ValueError: an image is unreadable and the policy is ``fail``; names the first one and gives their number.
        """

    @abstractmethod
    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        """Reads every image once, caches the result in ``cache`` and returns the manifest; errors as ``manifest``."""

    @abstractmethod
    def build(self, manifest: Manifest) -> Dataset:
        """Access to the images: row i of the dataset is row i of the manifest."""


class Column(Protocol):
    """One label per image, see ``datamodules.columns``."""

    @property
    def values(self) -> np.ndarray: ...  # int64 (N,), -1 if unknown; or float64 (N,), NaN if unknown
    @property
    def classes(self) -> tuple[str, ...] | None: ...  # names of the classes; None if the values are numbers
    @property
    def known(self) -> np.ndarray: ...  # bool (N,)
    @property
    def unit(self) -> str: ...  # of numbers, such as "years"
    @property
    def ordered(self) -> bool: ...  # whether the classes have an order
    @property
    def digest(self) -> str: ...  # SHA-256 of classes and values
    def binned(self, edges: Sequence[float]) -> Column: ...  # classes of a column of numbers
    def merged(self, groups: Mapping[str, Sequence[str]]) -> Column: ...  # with some classes combined


class Dataset(Protocol):
    """Random access to images."""

    @property
    def manifest(self) -> Manifest: ...
    def __len__(self) -> int: ...
    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3)."""


class DetectorConfig(Component, ABC):
    """Face detection and cropping."""

    kind: ClassVar[str] = "detector"
    trivial: ClassVar[bool] = False  # True: needs no detection stage, the box follows from the image size
    on_missing_face: Literal["center_crop", "drop", "fail"] = "center_crop"

    @abstractmethod
    def detection(self) -> dict[str, Any]:
        """The part of the config that affects boxes and landmarks; crop settings are left out."""

    @abstractmethod
    def build(self, device: str = "cpu") -> Detector: ...


class Detector(Protocol):
    def detect(self, images: Sequence[np.ndarray]) -> list[Detection]:
        """One Detection per image; independent of batching, order and number of threads, on a GPU up to rounding."""

    def of_manifest(self, manifest: Manifest) -> Any:
        """For trivial detectors only: the Detections of all images, without reading them."""

    def crop(self, image: np.ndarray, detection: Detection, size: int | tuple[int, int]) -> np.ndarray:
        """Crop of the face, uint8 (height, width, 3); a single ``size`` means a square."""


class Detection(Protocol):
    @property
    def found(self) -> bool: ...
    @property
    def box(self) -> tuple[float, float, float, float]: ...  # x0, y0, x1, y1 in pixels of the full image
    @property
    def score(self) -> float: ...  # 0 to 1
    @property
    def landmarks(self) -> tuple[tuple[float, float], ...]: ...  # five (x, y): eyes, nose, mouth corners; or empty


class AlignmentConfig(Component, ABC):
    """How a detected face is cropped or aligned, given its detection alone."""

    kind: ClassVar[str] = "alignment"
    # Positions of the parts of the face in the crops, see ``datamodules.geometry.parts``; None if unknown.
    geometry: ClassVar[str | None] = None

    @abstractmethod
    def build(self) -> Alignment: ...


class Alignment(Protocol):
    def crop(self, image: np.ndarray, detection: Detection, size: int | tuple[int, int]) -> np.ndarray:
        """The crop, uint8 (height, width, 3); a single ``size`` means a square. Without a face, a crop of the image's center.

        Raises:
            ValueError: landmarks are needed and the detection has none.
        """


class AugmentationConfig(Component, ABC):
    kind: ClassVar[str] = "augmentation"

    def check(self, detector: DetectorConfig) -> None:
        """Raises ValueError if the augmentation cannot be used on crops of that detector."""

    @property
    def batched(self) -> bool:
        """Whether ``build`` returns a ``BatchAugmentation``; in a pipeline such a step is the last one."""
        return False

    @property
    def moves(self) -> bool:
        """Whether it moves the parts of the face to other places of the image; a flip does not, as faces are symmetric."""
        return False

    @property
    def needs_places(self) -> bool:
        """Whether it expects the parts of the face where the detector's crops have them; no step before it ``moves``."""
        return False

    @abstractmethod
    def build(self) -> Augmentation: ...


class Augmentation(Protocol):
    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (size, size, 3) to the same shape; a pure function of image and seed."""


@runtime_checkable
class BatchAugmentation(Augmentation, Protocol):
    """An augmentation that changes a whole batch on the training's device.

    For one image, ``__call__`` is ``prepare`` and then ``apply``.
    """

    def prepare(self, image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The loader's part: the image, uint8 (height, width, 3) as before, and its parameters, float32 (P,).

        A pure function of image and seed. Both are sent to the device.
        """

    def apply(self, images: Any, parameters: Any) -> Any:
        """The device's part: tensor uint8 (B, height, width, 3) to the same shape.

        The result of an image depends on it and its row of the parameters (B, P) alone. Nothing is drawn here, and no value is
        read on the host, which would wait for the device.
        """


class BatchesConfig(Component, ABC):
    """Composition and order of the training batches."""

    kind: ClassVar[str] = "batches"
    pairs: ClassVar[bool] = False  # True: every batch has two images of one subject, and one of another

    def check(self, batch_size: int, subjects: int | None = None) -> None:
        """Raises ValueError if batches of this size are impossible, given the number of subjects if it is known."""

    def at_most(self, batch_size: int, subjects: int) -> int:
        """The largest possible batch size up to ``batch_size`` for so few subjects; used by quick runs."""
        return batch_size

    @abstractmethod
    def build(self, rows: Any, labels: Any, batch_size: int, seed: int) -> Any:
        """A sampler as in ``datamodules.samplers``, over manifest rows (N,) with class ``labels`` (N,) int64.

        Several devices share each of its batches, see ``datamodules.sharing``.
        """


class ProtocolConfig(ThirdParty, Labeled, ABC):
    """An evaluation protocol: the image pairs to compare, or another ``task`` on embeddings."""

    kind: ClassVar[str] = "protocol"
    task: ClassVar[str] = "verification"  # a file in ``grid/evaluation``, or the dotted path of a user's module
    label: Annotated[str | None, NAMING] = None  # title in reports; must be unique within a grid
    flip_test: bool = False  # add the embedding of the mirrored image before normalization
    # Add the embeddings of the four corner crops, whose sides are this fraction of the image's.
    multi_crop: Annotated[float | None, Born(None), Field(gt=0, lt=1)] = None
    # Of the evaluated network: 32-bit, or mixed with bfloat16, which is faster on a GPU and changes the third digit.
    precision: Annotated[Literal["32-true", "bf16-mixed"], Born("32-true")] = "32-true"
    overlap: Literal["refuse", "drop"] = "refuse"  # policy for pairs with training subjects
    # Largest difference in bits between the 64-bit hashes of a test and a training image that count as near duplicates.
    near: Annotated[int | None, Born(None), Field(ge=0, le=15)] = None
    # Applied in order to every image before face detection, see ``datamodules/transforms``; nothing is trained on them.
    transforms: Annotated[tuple[component("transform"), ...], Born(())] = ()  # type: ignore[valid-type]
    sweep_point: Annotated[SweepPoint | None, NAMING] = None  # set by a grid file's ``sweep``

    @abstractmethod
    def dataset(self) -> DatasetConfig:
        """The dataset with the images of the pairs."""

    def missing(self) -> Missing | None:
        """The files it needs that are not on disk; None if all are there."""
        return self.dataset().missing()

    def evaluation_identity(self) -> dict[str, Any]:
        """The settings that affect the results beside the images and the pairs; part of the evaluation's identity."""
        chosen = {"multi_crop": self.multi_crop, "precision": self.precision}
        return {key: value for key, value in chosen.items() if value not in (None, "32-true")}

    @abstractmethod
    def pairs(self, manifest: Manifest) -> Pairs:
        """The pairs, in the protocol's order.

        Raises:
            ValueError: the list names an image that is not in the manifest; gives list, line and image.
        """

    def region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """Ground truth of where image ``row`` differs from image ``other``: bool (height, width) of the full image ``row``.

        ``dataset`` is built from ``dataset()``; ``row`` and ``other`` are rows of its manifest. None if unknown.
        """
        return None

    def common_region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """Ground truth of where image ``row`` shows the same as image ``other``, of another subject; as ``region``."""
        return None


class Pairs(Protocol):
    """Pairs of manifest rows to compare; four arrays of equal length."""

    @property
    def left(self) -> np.ndarray: ...  # int64, row of the manifest
    @property
    def right(self) -> np.ndarray: ...
    @property
    def same(self) -> np.ndarray: ...  # bool: True for genuine pairs
    @property
    def fold(self) -> np.ndarray: ...  # int64, from 0
