"""Brushes for drawn faces: smooth curves, antialiased fills and lines, on a canvas of twice the image's size.

Drawing is deterministic: every coordinate is rounded to 1/16 pixel first, and OpenCV draws polygons in integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from datamodules.synthetic_faces.shot import View

OVER = 2  # canvas pixels per image pixel, along each side
_BITS = 4


@cache
def _basis(count: int, closed: bool, steps: int) -> np.ndarray:
    """Weights of the control points of a Catmull-Rom spline: (points of the curve, count)."""
    spans = count if closed else count - 1
    t = np.arange(steps) / steps
    powers = np.stack([t**3, t**2, t, np.ones_like(t)], axis=1)
    spline = np.array([[-1, 3, -3, 1], [2, -5, 4, -1], [-1, 0, 1, 0], [0, 2, 0, 0]]) / 2
    weights = (powers[:, :, None] * spline[None]).sum(axis=1)
    rows = np.zeros((spans * steps + (not closed), count))
    for span in range(spans):
        for k in range(4):
            place = span + k - 1
            place = place % count if closed else min(max(place, 0), count - 1)
            rows[span * steps : (span + 1) * steps, place] += weights[:, k]
    if not closed:
        rows[-1, -1] = 1
    return rows


def curve(points: np.ndarray, closed: bool = False, steps: int = 6) -> np.ndarray:
    """A smooth curve through the points."""
    return (_basis(len(points), closed, steps) * points).sum(axis=1)


def points(*rows: tuple[float, float]) -> np.ndarray:
    """(x, y) pairs as x + iy."""
    return np.array([complex(x, y) for x, y in rows])


def mirrored(path: np.ndarray) -> np.ndarray:
    """The path mirrored left to right."""
    return -path.conj()


@cache
def _circle(power: float, count: int) -> np.ndarray:
    angle = np.arange(count) * (2 * np.pi / count)
    cos, sin = np.cos(angle), np.sin(angle)
    bent = 2 / power
    return np.sign(cos) * np.abs(cos) ** bent + 1j * np.sign(sin) * np.abs(sin) ** bent


def ellipse(x: float, y: float, width: float, height: float, power: float = 2.0, count: int = 20) -> np.ndarray:
    """A superellipse with half axes ``width`` and ``height``."""
    circle = _circle(power, count)
    return complex(x, y) + width * circle.real + (1j * height) * circle.imag


class Painter:
    """A canvas, a mask of the parts, and the head coverage of each pixel (which the relief lights)."""

    def __init__(self, view: View, canvas: np.ndarray) -> None:
        self.view = view
        self.canvas = canvas
        self.labels = np.zeros((view.size, view.size), np.uint8)
        self.cover = np.zeros(canvas.shape[:2], np.uint8)

    def _fixed(self, plane: np.ndarray, over: int) -> np.ndarray:
        pixels = (self.view.pixels(plane) * over - (0.5 + 0.5j)) * (1 << _BITS)
        return np.rint(pixels.view(np.float64)).astype(np.int32).reshape(-1, 1, 2)

    def thick(self, width: float) -> int:
        return max(1, round(width * self.view.scale * OVER))

    def fill(self, plane: np.ndarray, color: tuple[float, ...], solid: bool = False) -> None:
        """Fills a polygon given in the upright plane; ``solid`` makes it part of the lit head."""
        points = [self._fixed(plane, OVER)]
        cv2.fillPoly(self.canvas, points, color, cv2.LINE_AA, _BITS)
        if solid:
            cv2.fillPoly(self.cover, points, 255, cv2.LINE_AA, _BITS)

    def line(self, plane: np.ndarray, color: tuple[float, ...], width: float, closed: bool = False) -> None:
        cv2.polylines(self.canvas, [self._fixed(plane, OVER)], closed, color, self.thick(width), cv2.LINE_AA, _BITS)

    def label(self, plane: np.ndarray, value: int, margin: int = 2) -> None:
        """Labels a polygon, with ``margin`` pixels around it, as part ``value``."""
        points = [self._fixed(plane, 1)]
        cv2.fillPoly(self.labels, points, value, cv2.LINE_8, _BITS)
        if margin:
            cv2.polylines(self.labels, points, True, value, 2 * margin, cv2.LINE_8, _BITS)

    def glaze(self, plane: np.ndarray, color: tuple[float, ...], opacity: float, soft: int = 0) -> None:
        """Draws a translucent polygon whose edge is blurred over ``soft`` canvas pixels."""
        ground, stencil, _ = self._cut_out(plane, soft + 2, round(255 * opacity))
        if ground.size == 0:
            return
        if soft:
            stencil = cv2.blur(stencil, (2 * soft + 1, 2 * soft + 1), borderType=cv2.BORDER_REPLICATE)
        _mix(ground, np.array(color).astype(np.uint16), stencil)

    def inside(self, outline: np.ndarray, image: Sequence[tuple[np.ndarray, tuple[float, ...]]]) -> None:
        """Paints the fills of ``image``, in order, clipped to ``outline``."""
        ground, stencil, corner = self._cut_out(outline, 2, 255)
        if ground.size == 0:
            return
        patch = ground.copy()
        for plane, color in image:
            cv2.fillPoly(patch, [self._fixed(plane, OVER) - corner], color, cv2.LINE_AA, _BITS)
        _mix(ground, patch.astype(np.uint16), stencil)

    def _cut_out(self, plane: np.ndarray, margin: int, value: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The canvas region around a polygon, its stencil with ``value`` in the polygon, and its corner in fixed point."""
        fixed = self._fixed(plane, OVER)
        x0, y0, width, height = cv2.boundingRect(fixed >> _BITS)
        left, top = max(0, x0 - margin), max(0, y0 - margin)
        ground = self.canvas[top : max(0, y0 + height + margin), left : max(0, x0 + width + margin)]
        corner, stencil = np.array([left, top], np.int32) << _BITS, np.zeros(ground.shape[:2], np.uint8)
        if stencil.size:
            cv2.fillPoly(stencil, [fixed - corner], value, cv2.LINE_AA, _BITS)
        return ground, stencil, corner


def _mix(ground: np.ndarray, color: np.ndarray, stencil: np.ndarray) -> None:
    """Blends ``color`` (uint16, a single one or one per pixel) into ``ground`` with opacity ``stencil``/255, in integers."""
    share = cv2.merge([stencil] * 3).astype(np.uint16)
    share += share >> 7  # 0 to 256
    ground[:] = (ground * (256 - share) + color * share + 128) >> 8
