"""MTCNN's decisions between its networks: which windows and boxes are kept, and how they are moved. On the host, with NumPy.

The same functions decide for one image and for those of a batch: boxes of all images lie in one array, ``of`` has the image of
each, ascending, and no box meets one of another image. Ties between scores go to the first window: small before large, then top
to bottom, then left to right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

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


def scales(height: int, width: int, smallest: int, factor: float) -> list[float]:
    """Scales of the image pyramid, down to the receptive field of P-Net."""
    found, scale = [], CELL / smallest
    side = min(height, width) * scale
    while side >= CELL:
        found.append(scale)
        scale *= factor
        side *= factor
    return found


def windows(
    of: np.ndarray, rows: np.ndarray, columns: np.ndarray, scores: np.ndarray, offsets: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """The best of P-Net's windows at one scale: ``of``, and float32 (N, 9): box in whole pixels of the image, score, offsets.

    Args:
        of: int64 (M,)
        rows, columns: int64 (M,), ascending in each image, of the windows whose scores reached the threshold
        scores: (M,)
        offsets: (M, 4)
    """
    corner = STRIDE * np.stack([columns, rows], axis=1).astype(np.float32)
    begin, end = (np.floor((corner + np.float32(add)) / np.float32(scale)) for add in (1, CELL))
    found = np.concatenate([begin, end, scores[:, None], offsets], axis=1)
    kept = suppressed(of, found[:, :4], found[:, 4], 0.5)
    return of[kept], found[kept]


def proposed(every: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Proposals: ``of``, and squares (N, 4), float32; from the windows of all scales."""
    of = np.concatenate([np.zeros(0, np.int64), *(one for one, _ in every)])
    order = np.argsort(of, kind="stable")
    found = np.concatenate([np.zeros((0, 9), np.float32), *(one for _, one in every)])[order]
    kept = suppressed(of[order], found[:, :4], found[:, 4], 0.7)
    of, found = of[order][kept], found[kept]
    side = found[:, 2:4] - found[:, :2]
    return of, squares(found[:, :4] + found[:, 5:] * np.tile(side, 2))


def refined(
    of: np.ndarray, boxes: np.ndarray, scores: np.ndarray, offsets: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Squares kept by R-Net's scores and moved by its offsets: ``of``, and (N, 4)."""
    good = scores > np.float32(threshold)
    of, boxes, scores, offsets = of[good], boxes[good], scores[good], offsets[good]
    kept = suppressed(of, boxes, scores, 0.7)
    return of[kept], squares(moved(boxes[kept], offsets[kept]))


def selected(
    of: np.ndarray, boxes: np.ndarray, scores: np.ndarray, offsets: np.ndarray, points: np.ndarray, threshold: float
) -> dict[int, Found]:
    """Faces kept by O-Net's scores, by image; ``points`` (N, 10) are five x and five y relative to the box."""
    good = scores > np.float32(threshold)
    of, boxes, scores, offsets, points = of[good], boxes[good], scores[good], offsets[good], points[good]
    side = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]
    landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * side + boxes[:, None, :2] - 1
    boxes = moved(boxes, offsets)
    found = {}
    for image, part in groups(of):
        kept = part.start + contained(boxes[part], scores[part], 0.7)
        found[image] = Found(boxes[kept], scores[kept], landmarks[kept])
    return found


def groups(of: np.ndarray) -> Iterator[tuple[int, slice]]:
    """The rows of each image: (image, rows)."""
    starts = np.flatnonzero(np.diff(of, prepend=-1)).tolist()
    for start, stop in pairwise([*starts, len(of)]):
        yield int(of[start]), slice(start, stop)


def in_pixels(boxes: np.ndarray) -> np.ndarray:
    """Boxes in whole pixels, int64; corners count from 1 and are inclusive, as in the authors' code."""
    found = np.trunc(boxes).astype(np.int64)
    found[:, :2] -= 1
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    return found


def moved(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)


def squares(boxes: np.ndarray) -> np.ndarray:
    """Squares with the same centers and the longer of the two sides."""
    side = boxes[:, 2:] - boxes[:, :2]
    longer = side.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + side * np.float32(0.5) - longer * np.float32(0.5)
    return np.concatenate([corner, corner + longer], axis=1)


def suppressed(of: np.ndarray, boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Non-maximum suppression: rows of the boxes that no better one of their image overlaps with an IoU above ``threshold``.

    By image, the best first. Ties between scores go to the first row.
    """
    import torchvision  # noqa: F401 - registers the operator: the library's function of that name takes longer than it

    order = np.lexsort((-scores, of))  # stable
    ranks = torch.arange(len(order), 0, -1, dtype=torch.float32)  # distinct, so the library has no ties to break
    ordered = torch.from_numpy(boxes[order])
    nms = torch.ops.torchvision.nms
    parts = [part for _, part in groups(of[order])]
    kept = [part.start + nms(ordered[part], ranks[part], threshold).numpy() for part in parts]
    return order[np.concatenate([np.zeros(0, np.int64), *kept])]


def contained(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """As ``suppressed`` in one image, with the overlap relative to the smaller box, and sides counted in whole pixels."""
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
