"""MTCNN with the weights of facenet-pytorch.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks. IEEE Signal
Processing Letters 23 (10), 2016.

Boxes are the same bytes however images are grouped, in whatever order, on however many threads. For that each image passes the
networks alone, on one thread: in a batch, and with more threads, sums are taken in another order, and boxes move by 1e-5
pixels. What threads there are work on different images.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from configs.kinds import Detection as AnyDetection
from configs.kinds import DetectorConfig, Manifest
from datamodules.cutting import Size, centred_square, cut, sides
from datamodules.detection import MISSED, Detection

WEIGHTS = "facenet-pytorch 2.5.3"
CENTRE = 0.5  # side of the square that stands in for a face that was not found, as a share of the image's shorter side
CONFIDENT = 0.9  # what largest_over_threshold asks for, as in facenet-pytorch
OFF_CENTRE = 2.0  # weight of the squared distance from the centre, as in facenet-pytorch

Selection = Literal["center_weighted_size", "probability", "largest", "largest_over_threshold"]
Probability = Annotated[float, Field(ge=0, lt=1)]


class Config(DetectorConfig):
    name: Literal["mtcnn"] = "mtcnn"
    margin: Annotated[int, Field(ge=0)] = 20  # pixels of the output crop, both sides together
    selection_method: Selection = "center_weighted_size"  # which of several faces
    min_face_size: Annotated[int, Field(ge=12)] = 20  # pixels
    thresholds: tuple[Probability, Probability, Probability] = (0.6, 0.7, 0.7)  # of the three networks
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.709  # from one scale of the image pyramid to the next

    def detection(self) -> dict[str, Any]:
        crop = {"margin", "on_missing_face"}
        return {"weights": WEIGHTS} | {key: value for key, value in self.identity().items() if key not in crop}

    def build(self, device: str = "cpu") -> Mtcnn:
        return Mtcnn(self, device)


class Mtcnn:
    """Detects with the three networks, which are loaded when first needed; cropping needs none."""

    def __init__(self, config: Config, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)

    def detect(self, images: Sequence[np.ndarray]) -> list[AnyDetection]:
        """One Detection per image, each a function of that image's pixels alone.

        Args:
            images: RGB, uint8, (height, width, 3), of any sizes
        """
        _ = self._networks  # loaded before the threads start
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(self._one, images))
        finally:  # a thread that asks for one changes what later threads begin with
            torch.set_num_threads(threads)

    def of_manifest(self, manifest: Manifest) -> Any:
        """Never called: sizes do not tell where faces are, which is why ``Config.trivial`` is False."""
        raise AssertionError("mtcnn must see the images")

    def crop(self, image: np.ndarray, detection: AnyDetection, size: Size) -> np.ndarray:
        """uint8 (height, width, 3) as ``size`` says.

        The box is widened so that ``margin`` pixels of the output surround it (half on each side), is clipped at the image's
        edges, and is resized without regard to its aspect, as facenet-pytorch's ``extract_face`` does. Where no face was found,
        the square in the image's centre with half its shorter side is taken.
        """
        box = self._window(image, detection, size) if detection.found else None
        return cut(image, box or centred_square(image, CENTRE), size)

    def _window(self, image: np.ndarray, detection: AnyDetection, size: Size) -> tuple[int, int, int, int]:
        margin, (down, across) = self.config.margin, sides(size)
        if margin >= min(down, across):
            raise ValueError(f"detector mtcnn: margin {margin} must be smaller than the crop of {min(down, across)} pixels")
        height, width = image.shape[:2]
        x0, y0, x1, y1 = detection.box
        x, y = margin * (x1 - x0) / (across - margin) / 2, margin * (y1 - y0) / (down - margin) / 2
        return int(max(x0 - x, 0)), int(max(y0 - y, 0)), int(min(x1 + x, width)), int(min(y1 + y, height))

    @cached_property
    def _networks(self) -> Any:
        from facenet_pytorch import MTCNN

        # Channels last takes two thirds of the time on a CPU.
        return MTCNN(device=self.device).eval().to(memory_format=torch.channels_last)

    def _one(self, image: np.ndarray) -> AnyDetection:
        from facenet_pytorch.models.utils.detect_face import detect_face

        config = self.config
        height, width = image.shape[:2]
        if min(height, width) * (12.0 / config.min_face_size) < 12:  # smaller than the smallest face: no scale fits
            return MISSED
        nets = self._networks
        with torch.inference_mode():
            boxes, points = detect_face(
                np.ascontiguousarray(image),
                config.min_face_size,
                nets.pnet,
                nets.rnet,
                nets.onet,
                list(config.thresholds),
                config.factor,
                self.device,
            )
        faces = np.asarray(boxes[0], np.float32).reshape(-1, 5)
        chosen = choose(faces[:, :4], faces[:, 4], (width, height), config.selection_method)
        if chosen is None:
            return MISSED
        x0, y0, x1, y1, score = faces[chosen].tolist()
        if min(x1, width) - max(x0, 0) < 2 or min(y1, height) - max(y0, 0) < 2:  # a box that leaves nothing to crop
            return MISSED
        landmarks = np.asarray(points[0], np.float32)[chosen].tolist()
        return Detection(True, (x0, y0, x1, y1), score, tuple((x, y) for x, y in landmarks))


def choose(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int], method: Selection) -> int | None:
    """Which of the faces is meant: its row, or None.

    The methods are facenet-pytorch's: the most probable face, the largest, the largest of those over 0.9, or the one with the
    greatest area minus twice the squared distance of its centre from the image's. Of equal
    faces the larger, then the first, counts.

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
        "center_weighted_size": areas - OFF_CENTRE * (offset**2).sum(axis=1),
    }[method]
    best = max(range(len(boxes)), key=lambda row: (merit[row], areas[row], -row), default=None)
    return None if best is None or merit[best] == -np.inf else best
