"""The MTCNN cascade, from an image to its faces, with facenet-pytorch's weights and our own implementation.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks. IEEE Signal
Processing Letters 23 (10), 2016.

The result depends only on the image's pixels: each image passes the networks alone, pixels are averaged in integers, and ties
between scores go to the first window (small before large, then top to bottom, then left to right). facenet-pytorch clips boxes
that extend beyond the image, which changes their aspect ratio; here the part outside is black, as in the authors' code.
Otherwise the faces equal facenet-pytorch's up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from datamodules.integral_image import IntegralImage
from datamodules.mtcnn_networks import Networks

CELL, STRIDE = 12, 2  # P-Net's receptive field and stride in pixels


class Found(NamedTuple):
    """Faces, the most probable first.

    Attributes:
        boxes: float32 (N, 4): x0, y0, x1, y1 in pixels; may extend beyond the image
        scores: float32 (N,)
        points: float32 (N, 5, 2)
    """

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray


NONE = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def faces(networks: Networks, image: np.ndarray, smallest: int, thresholds: Sequence[float], factor: float) -> Found:
    """Detects the faces in an image.

    Args:
        image: RGB, uint8, (height, width, 3)
        smallest: minimum face size in pixels
        thresholds: minimum scores after each of the three networks
        factor: scale factor of the image pyramid
    """
    areas = IntegralImage(image)
    with torch.inference_mode():
        boxes = _proposals(networks, areas, smallest, thresholds[0], factor)
        if len(boxes):
            boxes = _refined(networks, areas, boxes, thresholds[1])
        return _outputs(networks, areas, boxes, thresholds[2]) if len(boxes) else NONE


def scales(height: int, width: int, smallest: int, factor: float) -> list[float]:
    """Scales of the image pyramid, down to the receptive field of P-Net."""
    found, scale = [], CELL / smallest
    side = min(height, width) * scale
    while side >= CELL:
        found.append(scale)
        scale *= factor
        side *= factor
    return found


def _proposals(networks: Networks, areas: IntegralImage, smallest: int, threshold: float, factor: float) -> np.ndarray:
    """P-Net's proposals as squares (N, 4), float32."""
    every = [np.zeros((0, 9), np.float32)]
    for scale in scales(areas.height, areas.width, smallest, factor):
        canvas = areas.whole(int(areas.height * scale + 1), int(areas.width * scale + 1))
        probable, offsets = networks.propose(canvas)
        rows, columns = np.nonzero(probable >= np.float32(threshold))
        if len(rows):
            corner = STRIDE * np.stack([columns, rows], axis=1).astype(np.float32)
            begin, end = (np.floor((corner + np.float32(add)) / np.float32(scale)) for add in (1, CELL))
            found = np.concatenate([begin, end, probable[rows, columns, None], offsets[rows, columns]], axis=1)
            every.append(found[suppressed(found[:, :4], found[:, 4], 0.5)])
    found = np.concatenate(every)
    found = found[suppressed(found[:, :4], found[:, 4], 0.7)]
    side = found[:, 2:4] - found[:, :2]
    return _squares(found[:, :4] + found[:, 5:] * np.tile(side, 2))


def _refined(networks: Networks, areas: IntegralImage, boxes: np.ndarray, threshold: float) -> np.ndarray:
    scores, offsets = networks.refine(areas.parts(_pixels(boxes), 24))
    good = scores > np.float32(threshold)
    boxes, scores, offsets = boxes[good], scores[good], offsets[good]
    kept = suppressed(boxes, scores, 0.7)
    return _squares(_moved(boxes[kept], offsets[kept]))


def _outputs(networks: Networks, areas: IntegralImage, boxes: np.ndarray, threshold: float) -> Found:
    scores, offsets, points = networks.output(areas.parts(_pixels(boxes), 48))
    good = scores > np.float32(threshold)
    boxes, scores, offsets, points = boxes[good], scores[good], offsets[good], points[good]
    side = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]
    landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * side + boxes[:, None, :2] - 1
    boxes = _moved(boxes, offsets)
    kept = _contained(boxes, scores, 0.7)
    return Found(boxes[kept], scores[kept], landmarks[kept])


def _pixels(boxes: np.ndarray) -> np.ndarray:
    """Boxes in whole pixels, int64; corners count from 1 and are inclusive, as in the authors' code."""
    found = np.trunc(boxes).astype(np.int64)
    found[:, :2] -= 1
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    return found


def _moved(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)


def _squares(boxes: np.ndarray) -> np.ndarray:
    """Squares with the same centers and the longer of the two sides."""
    side = boxes[:, 2:] - boxes[:, :2]
    longer = side.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + side * np.float32(0.5) - longer * np.float32(0.5)
    return np.concatenate([corner, corner + longer], axis=1)


def suppressed(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Non-maximum suppression: rows of the boxes that no better one overlaps with an IoU above ``threshold``, best first.

    Ties between scores go to the first row.
    """
    from torchvision.ops import nms

    order = np.argsort(-scores, kind="stable")
    ranks = torch.arange(len(order), 0, -1, dtype=torch.float32)  # distinct, so the library has no ties to break
    return order[nms(torch.from_numpy(boxes[order]), ranks, threshold).numpy()]


def _contained(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """As ``suppressed``, with the overlap relative to the smaller box, and sides counted in whole pixels."""
    left = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        side = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2]) + 1
        shared = np.maximum(side, 0).prod(axis=1)
        left = left[shared / np.minimum(areas[best], areas[left]) <= np.float32(threshold)]
    return np.array(kept, np.int64)
