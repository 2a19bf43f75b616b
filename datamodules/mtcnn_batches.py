"""The MTCNN cascade for many images at once, for GPUs.

P-Net gets the images of a batch together, one pass per scale of the pyramid; scales depend on the smallest face alone, so
images of any sizes share them, padded to the largest. R-Net and O-Net get the crops of all images together. Between the
networks the host decides, image by image, with the functions that decide for one image (``mtcnn_decisions``). Only what they
need is copied, once per network.

Padding reaches no window of an image. Another batch changes only the last bits of the networks' sums: boxes and landmarks move
by less than 1e-4 pixels, and a face is lost or gained only where a score or an overlap is as close to its threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from datamodules.integral_images import IntegralImages
from datamodules.mtcnn_decisions import NONE, Found, in_pixels, proposed, refined, scales, selected, windows
from datamodules.mtcnn_networks import Networks

PIXELS = 1 << 24  # of a batch with its padding; about 1.5 GB of sums and feature maps
PADDED = 1.3  # largest ratio of padded to actual pixels
REFINED, OUTPUT = 4096, 1024  # faces per pass of R-Net and O-Net, about 0.3 GB of feature maps


def groups(sizes: Sequence[tuple[int, int]], pixels: int = PIXELS) -> Iterator[list[int]]:
    """Places of images that form a batch, from all sizes (height, width): similar ones together, with few pixels of padding.

    An image of more than ``pixels`` pixels is a batch by itself.
    """
    some: list[int] = []
    actual = height = width = 0
    for place in sorted(range(len(sizes)), key=lambda place: (sizes[place], place)):
        high, wide = sizes[place]
        padded = (len(some) + 1) * max(height, high) * max(width, wide)
        if some and (padded > pixels or padded > PADDED * (actual + high * wide)):
            yield some
            some, actual, height, width = [], 0, 0, 0
        some.append(place)
        actual, height, width = actual + high * wide, max(height, high), max(width, wide)
    if some:
        yield some


def faces_of(
    networks: Networks, images: Sequence[np.ndarray], smallest: int, thresholds: Sequence[float], factor: float
) -> list[Found]:
    """Detects the faces in each image; arguments as of ``datamodules.mtcnn.faces``."""
    found = [NONE] * len(images)
    with torch.inference_mode():
        for places in groups([(image.shape[0], image.shape[1]) for image in images]):
            batch = _Batch(networks, [images[place] for place in places])
            for place, one in zip(places, batch.faces(smallest, thresholds, factor), strict=True):
                found[place] = one
    return found


class _Batch:
    """Images that pass the networks together."""

    def __init__(self, networks: Networks, images: Sequence[np.ndarray]) -> None:
        self.networks = networks
        self.sizes = [(image.shape[0], image.shape[1]) for image in images]
        self.areas = IntegralImages(images, networks.device)

    def faces(self, smallest: int, thresholds: Sequence[float], factor: float) -> list[Found]:
        of, boxes = self._proposals(smallest, thresholds[0], factor)
        rows = self._passed(of, boxes, 24, self.networks.refined, 5, REFINED)
        of, boxes = refined(of, boxes, rows[:, 0], rows[:, 1:], thresholds[1])
        rows = self._passed(of, boxes, 48, self.networks.outputs, 15, OUTPUT)
        found = selected(of, boxes, rows[:, 0], rows[:, 1:5], rows[:, 5:], thresholds[2])
        return [found.get(place, NONE) for place in range(len(self.sizes))]

    def _proposals(self, smallest: int, threshold: float, factor: float) -> tuple[np.ndarray, np.ndarray]:
        """P-Net's proposals: the image of each, (N,), and squares (N, 4), float32."""
        pyramids = [scales(*size, smallest, factor) for size in self.sizes]
        passes, outputs = [], []
        longest: list[float] = max(pyramids, key=len)
        for level, scale in enumerate(longest):
            of = [place for place, pyramid in enumerate(pyramids) if len(pyramid) > level]
            sizes = torch.tensor([[int(side * scale + 1) for side in self.sizes[place]] for place in of])
            canvases = self.areas.whole(torch.tensor(of, device=self.networks.device), sizes)
            found = self.networks.proposals(canvases, sizes)
            passes.append((scale, of, found.shape[1:3]))
            outputs.append(found.reshape(-1, 5))
        if not outputs:
            return proposed([])
        places, values = _reached(torch.cat(outputs), threshold)
        every, start = [], 0
        for scale, of, (height, width) in passes:
            first, last = np.searchsorted(places, (start, start + len(of) * height * width))
            image, window = np.divmod(places[first:last] - start, height * width)
            row, column = np.divmod(window, width)
            value = values[first:last]
            every.append(windows(np.array(of, np.int64)[image], row, column, value[:, 0], value[:, 1:], scale))
            start += len(of) * height * width
        return proposed(every)

    def _passed(
        self, of: np.ndarray, boxes: np.ndarray, side: int, network: Callable[[Tensor], Tensor], numbers: int, most: int
    ) -> np.ndarray:
        """The network's outputs, float32 (N, numbers), for N boxes, at most ``most`` boxes at a time."""
        if not len(boxes):
            return np.zeros((0, numbers), np.float32)
        where = torch.from_numpy(np.concatenate([of[:, None], in_pixels(boxes)], axis=1)).to(self.networks.device)
        found = [network(self.areas.parts(part[:, 0], part[:, 1:], side)) for part in where.split(most)]
        return torch.cat(found).cpu().numpy()


def _reached(outputs: Tensor, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of the rows (N, 5) whose first number reached the threshold, in one copy."""
    places = (outputs[:, 0] >= float(np.float32(threshold))).nonzero()[:, 0]
    both = torch.cat([places[:, None].double(), outputs[places].double()], dim=1).cpu().numpy()
    return both[:, 0].astype(np.int64), both[:, 1:].astype(np.float32)
