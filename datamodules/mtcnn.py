"""The MTCNN cascade, from an image to its faces, with facenet-pytorch's weights and our own implementation.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks. IEEE Signal
Processing Letters 23 (10), 2016.

The result depends only on the image's pixels: each image passes the networks alone, pixels are averaged in integers, and ties
between scores go to the first window (see ``mtcnn_decisions``). facenet-pytorch clips boxes that extend beyond the image, which
changes their aspect ratio; here the part outside is black, as in the authors' code. Otherwise the faces equal facenet-pytorch's
up to rounding. ``mtcnn_batches`` passes many images at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from datamodules.integral_image import IntegralImage
from datamodules.mtcnn_decisions import NONE, Found, in_pixels, proposed, refined, scales, selected, windows
from datamodules.mtcnn_networks import Networks


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
        of, boxes = _proposals(networks, areas, smallest, thresholds[0], factor)
        if len(boxes):
            of, boxes = refined(of, boxes, *networks.refine(areas.parts(in_pixels(boxes), 24)), thresholds[1])
        if not len(boxes):
            return NONE
        return selected(of, boxes, *networks.output(areas.parts(in_pixels(boxes), 48)), thresholds[2]).get(0, NONE)


def _proposals(
    networks: Networks, areas: IntegralImage, smallest: int, threshold: float, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """P-Net's proposals as squares, of image 0: (N,) zeros, and (N, 4), float32."""
    every = []
    for scale in scales(areas.height, areas.width, smallest, factor):
        probable, offsets = networks.propose(areas.whole(int(areas.height * scale + 1), int(areas.width * scale + 1)))
        rows, columns = np.nonzero(probable >= np.float32(threshold))
        if len(rows):
            of = np.zeros(len(rows), np.int64)
            every.append(windows(of, rows, columns, probable[rows, columns], offsets[rows, columns], scale))
    return proposed(every)
