"""MTCNN with the weights of facenet-pytorch.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks. IEEE Signal
Processing Letters 23 (10), 2016. ``datamodules.mtcnn`` implements the cascade.

On a CPU, boxes are bit-identical regardless of batching, order and number of threads. To this end each image passes the
networks alone, on one thread: batches and threads change the order of summation, which moves boxes by 1e-5 pixels. Multiple
threads work on different images. On a GPU, images pass the networks in batches (``datamodules.mtcnn_batches``): boxes of one
image in different batches differ by less than 1e-4 pixels.

With ``listed``, the landmarks and scores that a dataset lists, as IJB's do, take the place of the detection; images of other
datasets are detected as without it.

The ``alignment`` crops the face; ``margin: 8`` is short for ``alignment: {name: box, margin: 8}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from configs.component import Born, Component
from configs.data_interfaces import Alignment, DetectorConfig, Manifest
from configs.data_interfaces import Detection as AnyDetection
from configs.float32_precision import without_tf32
from configs.lookup import component
from datamodules.detection import MISSED, Detection
from datamodules.geometry.cutting import Size
from datamodules.images import check_images

if TYPE_CHECKING:
    from datamodules.mtcnn_decisions import Found

WEIGHTS = "facenet-pytorch 2.5.3"
CASCADE = 2  # raise whenever any box changes; 1 was facenet-pytorch's own cascade
CONFIDENT = 0.9  # threshold of largest_over_threshold, as in facenet-pytorch
OFF_CENTER = 2.0  # weight of the squared distance from the center, as in facenet-pytorch

Selection = Literal["center_weighted_size", "probability", "largest", "largest_over_threshold"]
Probability = Annotated[float, Field(ge=0, lt=1)]


class MTCNNConfig(DetectorConfig):
    name: Literal["mtcnn"] = "mtcnn"
    alignment: component("alignment") = Field(default_factory=lambda: {"name": "box"})  # type: ignore[valid-type]
    selection_method: Selection = "center_weighted_size"  # which face to choose among several
    min_face_size: Annotated[int, Field(ge=12)] = 20  # pixels
    thresholds: tuple[Probability, Probability, Probability] = (0.6, 0.7, 0.7)  # of the three networks
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.709  # scale factor of the image pyramid
    listed: Annotated[bool, Born(False)] = False  # where a dataset lists landmarks, as IJB's do, these are used

    @model_validator(mode="before")
    @classmethod
    def _margin_is_of_the_box(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "margin" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "margin"}
        alignment = rest.get("alignment", "box")
        if isinstance(alignment, Component):
            alignment = alignment.model_dump(mode="json")
        box = {"name": alignment} if isinstance(alignment, str) else dict(alignment) if isinstance(alignment, dict) else {}
        if box.get("name") != "box":
            name = box.get("name", alignment)
            raise ValueError(
                f"margin {given['margin']!r} is of the alignment box, and the alignment is {name!r}, which has places for the "
                "landmarks instead; leave margin out"
            )
        if box.setdefault("margin", given["margin"]) != given["margin"]:
            raise ValueError(f"margin is {given['margin']!r} and alignment.margin is {box['margin']!r}; leave one of them out")
        return {**rest, "alignment": box}

    def identity(self) -> dict[str, Any]:
        """Keeps the alignment box in its original form, as a margin among the other fields, for existing identities."""
        found = super().identity()
        if self.alignment.name == "box":
            box = found.pop("alignment")
            found |= {key: value for key, value in box.items() if key != "name"}
        return found

    def detection(self) -> dict[str, Any]:
        crop = {"alignment", "on_missing_face"}
        decides = {key: value for key, value in super().identity().items() if key not in crop}
        return {"weights": WEIGHTS, "cascade": CASCADE} | decides

    def build(self, device: str = "cpu") -> Mtcnn:
        return Mtcnn(self, device)


class Mtcnn:
    """Detects faces with the three networks, which are loaded on first use; cropping does not need them."""

    def __init__(self, config: MTCNNConfig, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.alignment: Alignment = config.alignment.build()

    def detect(self, images: Sequence[np.ndarray]) -> list[AnyDetection]:
        """One Detection per image, which depends only on that image's pixels; on a GPU up to 1e-4 pixels.

        Args:
            images: RGB, uint8, (height, width, 3), of any sizes

        Raises:
            ValueError: something else was given.
        """
        check_images(images)
        config, networks = self.config, self._networks
        if self.device.type != "cpu":
            from datamodules.mtcnn_batches import faces_of

            with without_tf32():
                every = faces_of(networks, images, config.min_face_size, config.thresholds, config.factor)
            return list(map(self._chosen, every, images))
        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(self._one, images))
        finally:  # set_num_threads in one thread changes the default of later threads
            torch.set_num_threads(threads)

    def of_manifest(self, manifest: Manifest) -> Any:
        """Never called: image sizes do not determine boxes, so ``Config.trivial`` is False."""
        raise AssertionError("mtcnn must see the images")

    def crop(self, image: np.ndarray, detection: AnyDetection, size: Size) -> np.ndarray:
        """uint8 (height, width, 3) as ``size`` says; see ``datamodules.alignments``."""
        return self.alignment.crop(image, detection, size)

    @cached_property
    def _networks(self) -> Any:
        from datamodules.mtcnn_networks import Networks

        return Networks(self.device)

    def _one(self, image: np.ndarray) -> AnyDetection:
        from datamodules.mtcnn import faces

        config = self.config
        return self._chosen(faces(self._networks, image, config.min_face_size, config.thresholds, config.factor), image)

    def _chosen(self, found: Found, image: np.ndarray) -> AnyDetection:
        """The face that the config selects."""
        height, width = image.shape[:2]
        chosen = choose(found.boxes, found.scores, (width, height), self.config.selection_method)
        if chosen is None:
            return MISSED
        x0, y0, x1, y1 = found.boxes[chosen].tolist()
        if min(x1, width) - max(x0, 0) < 2 or min(y1, height) - max(y0, 0) < 2:  # the box leaves nothing to crop
            return MISSED
        points = tuple((x, y) for x, y in found.points[chosen].tolist())
        return Detection(True, (x0, y0, x1, y1), float(found.scores[chosen]), points)


def choose(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int], method: Selection) -> int | None:
    """The row of the selected face, or None.

    The methods are facenet-pytorch's: the most probable face, the largest, the largest with a score over 0.9, or the one with
    the greatest area minus twice the squared distance of its center from the image's. Ties go to the larger face, then to the
    first.

    Args:
        boxes: (N, 4), x0, y0, x1, y1
        scores: (N,)
        size: width and height of the image
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    offset = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(size) / 2
    merit = {
        "probability": scores,
        "largest": areas,
        "largest_over_threshold": np.where(scores > CONFIDENT, areas, -np.inf),
        "center_weighted_size": areas - OFF_CENTER * (offset**2).sum(axis=1),
    }[method]
    best = max(range(len(boxes)), key=lambda row: (merit[row], areas[row], -row), default=None)
    return None if best is None or merit[best] == -np.inf else best
