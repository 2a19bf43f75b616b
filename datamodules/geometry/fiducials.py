"""Five facial landmarks, their target positions, and the similarity transform between them.

A point is (x, y) in pixels; the center of the first pixel is (0, 0), as in OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from configs.data_interfaces import Detection
from datamodules.geometry.cutting import Size, sides, stand_in

NATURAL = 112  # crop height that the target positions are defined for

TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
PLACES = np.array(TEMPLATE)
"""Eyes, nose and corners of the mouth in a crop of 112 x 112 pixels, as face-recognition networks are commonly trained."""


def places(size: Size) -> np.ndarray:
    """Float64 (5, 2): target positions of the landmarks in a crop of that size.

    The positions scale with the height and stay centered horizontally: x becomes (x - 56) * height / 112 + width / 2. A crop
    of 112 x 96 is that of 112 x 112 without 8 columns on either side.
    """
    height, width = sides(size)
    return (PLACES - (NATURAL / 2, 0)) * (height / NATURAL) + (width / 2, 0)


def landmarks(detection: Detection, who: str) -> np.ndarray:
    """The landmarks, float64 (5, 2).

    Raises:
        ValueError: the face has none, or all coincide; ``who`` is named as needing them.
    """
    found = np.array(detection.landmarks, np.float64)
    if found.shape != (len(PLACES), 2):
        raise ValueError(f"alignment {who} needs five landmarks, and this detection has none; use the alignment box")
    if not np.ptp(found, axis=0).any():
        raise ValueError(f"alignment {who}: the five landmarks of a face are one point, {tuple(found[0].tolist())}")
    return found


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares similarity transform from ``source`` to ``target``: float64 (2, 3), [sR | t].

    Umeyama: Least-Squares Estimation of Transformation Parameters Between Two Point Patterns. IEEE TPAMI 13 (4), 1991. In the
    plane, with points as complex numbers, it is a linear regression: target = a * source + b, so a = cov / var (his equations
    40-43; reflections cannot occur).

    Args:
        source, target: (N, 2); the source points must not all coincide
    """
    z, w = (points @ np.array([1, 1j]) for points in (source, target))
    center, aim = z.mean(), w.mean()
    z, w = z - center, w - aim
    a = np.vdot(z, w) / np.vdot(z, z).real
    b = aim - a * center
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def warped(image: np.ndarray, matrix: np.ndarray, size: Size) -> np.ndarray:
    """The image warped by ``matrix`` (2, 3), from image to crop: uint8 (height, width, 3), bilinear, black outside."""
    height, width = sides(size)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=0)


class LandmarkAlignment:
    """Warps a face so that its landmarks come nearest to target positions; bilinear, black outside the image.

    Args:
        who: name of the alignment, for messages
        target: the positions, float64 (5, 2), in a crop of a size
    """

    def __init__(self, who: str, target: Callable[[Size], np.ndarray]) -> None:
        self.who = who
        self.target = target

    def crop(self, image: np.ndarray, detection: Detection, size: Size) -> np.ndarray:
        """The aligned face, uint8 (height, width, 3) as in ``size``; ``cutting.stand_in`` if no face was found.

        Raises:
            ValueError: the face has no landmarks.
        """
        if not detection.found:
            return stand_in(image, size)
        return warped(image, similarity(landmarks(detection, self.who), self.target(size)), size)
