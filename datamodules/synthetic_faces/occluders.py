"""Glasses, which belong to the subject, and occluders: a surgical mask and sunglasses.

An occluder hides the face below it and is shaded by its own shape, not by the relief of nose and mouth. Its position and size
follow the subject's head and the shot's pose; hair is drawn over it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from datamodules.synthetic_faces.brush import Painter, curve, ellipse, mirrored, points
from datamodules.synthetic_faces.features import LABEL, dim
from datamodules.synthetic_faces.relief import Relief
from datamodules.synthetic_faces.subject import Subject, blend

_CLOTHS = ((150, 190, 208), (226, 228, 226), (52, 54, 60))  # colors of surgical masks: blue, white, black; chosen by the shot
_LENSES = ((22, 24, 30), (48, 36, 28))


def glasses(painter: Painter, subject: Subject) -> None:
    """Draws the subject's own glasses: frames only; the mask keeps the labels of eyes, brows and nose."""
    view, head = painter.view, subject.head
    if head.glasses == 0:
        return
    left, right = (ellipse(x, 0.03, head.glasses, 0.8 * head.glasses, head.squareness) for x in (-0.31, 0.31))
    parts = [left, right, points((-0.31 + head.glasses, 0.0), (0, -0.03), (0.31 - head.glasses, 0.0))]
    parts += [points((side * (0.31 + head.glasses), -0.01), (side * 0.97 * head.width, 0.0)) for side in (-1, 1)]
    for index, part in enumerate(parts):
        shape = view.face(part, 0.06)
        painter.line(shape, head.frame, 0.028, closed=index < 2)
        ring = _ring(painter, shape, closed=index < 2)
        free = (painter.labels == LABEL["skin"]) & ring
        painter.labels[free] = LABEL["glasses"]


def surgical_mask(painter: Painter, relief: Relief, subject: Subject) -> None:
    """Draws a surgical mask over nose, mouth and chin, with three pleats and ear loops."""
    view, head = painter.view, subject.head
    cloth = _CLOTHS[view.shot.stream % len(_CLOTHS)]
    top, low = 0.95 * head.width * head.cheek, 0.97 * head.jaw * head.width
    side = view.outline(points((top, 0.3), (low, 0.64), (1.02 * head.chin * head.width, 0.94 * head.length)))
    chin = view.outline(points((0, 1.03 * head.length)))
    other = view.outline(points((-top, 0.3), (-low, 0.64), (-1.02 * head.chin * head.width, 0.94 * head.length)))
    rim = points((0.72 * top, 0.27), (0.3, 0.21), (0.12, 0.14), (0, 0.115))
    lift = np.array([0.0, 0.04, 0.1, 0.12])
    edge = np.concatenate([view.face(mirrored(rim), lift), view.face(rim[-2::-1], lift[-2::-1])])
    shape = curve(np.concatenate([edge, side, chin, other[::-1]]), closed=True)
    for corner, sign in ((side, 1), (other, -1)):
        ear = view.outline(points((sign * (head.width + 0.03), 0.02), (sign * (head.width + 0.05), 0.24)))
        for start, end in zip(corner[:2], ear, strict=True):
            loop = np.array([start, end])
            painter.line(loop, dim(cloth, 0.9), 0.018)
            painter.labels[_ring(painter, loop)] = LABEL["occluder"]
    painter.fill(shape, cloth, solid=True)
    for height, dark in ((0.42, 0.72), (0.58, 0.68), (0.74, 0.72)):
        across = np.array([-0.94, -0.5, 0.0, 0.5, 0.94]) * (top + (low - top) * (height - 0.3) / 0.34)
        sag = np.array([0.0, 0.05, 0.07, 0.05, 0.0])
        pleat = curve(view.face(across + 1j * (height + sag), np.array([0.0, 0.05, 0.08, 0.05, 0.0])))
        inner = [(np.concatenate([pleat, pleat[::-1] + 0.035j]), dim(cloth, dark))]
        inner.append((np.concatenate([pleat + 0.035j, pleat[::-1] + 0.06j]), blend(cloth, (255, 255, 255), 0.25)))
        painter.inside(shape, inner)
    painter.line(shape, dim(cloth, 0.76), 0.022, closed=True)
    painter.label(shape, LABEL["occluder"], margin=1)
    _takes_light_alone(painter, relief)
    relief.bump(view.at(0, 0.34, 0.1), 0.24, 0.3, 0.09)
    relief.bump(view.at(0, 0.62, 0.06), 0.7, 0.5, 0.08)


def sunglasses(painter: Painter, relief: Relief, subject: Subject) -> None:
    """Draws sunglasses: two dark lenses that cover the eyes, with bridge and temples."""
    view, head, eyes = painter.view, subject.head, subject.eyes
    tone = _LENSES[view.shot.stream % len(_LENSES)]
    x, y, wide, tall = max(0.29, eyes.spacing), eyes.height + 0.015, 0.265, 0.2
    for side in (-1, 1):
        temple = view.face(points((side * (x + wide - 0.02), y - 0.06), (side * 0.99 * head.width, y - 0.04)), 0.04)
        bridge = view.face(points((side * (x - wide + 0.02), y - 0.05), (0, y - 0.09)), 0.08)
        for bar, thick in ((temple, 0.045), (bridge, 0.04)):
            painter.line(bar, tone, thick)
            painter.labels[_ring(painter, bar)] = LABEL["occluder"]
    for side in (-1, 1):
        lens = view.face(ellipse(side * x, y, wide, tall, 3.0), 0.06)
        sky = view.face(ellipse(side * x, y - tall, 1.2 * wide, 0.75 * tall), 0.06)
        streak = points((-0.14, -0.2), (-0.06, -0.2), (-0.16, 0.2), (-0.24, 0.2)) + complex(side * x, y)
        shine = [(sky, blend(tone, (120, 130, 150), 0.35)), (view.face(streak, 0.06), blend(tone, (190, 200, 215), 0.4))]
        painter.fill(lens, tone, solid=True)
        painter.inside(lens, shine)
        painter.line(lens, dim(tone, 0.5), 0.03, closed=True)
        painter.label(lens, LABEL["occluder"], margin=1)
    _takes_light_alone(painter, relief)


OCCLUDERS: dict[str, Callable[[Painter, Relief, Subject], None]] = {"mask": surgical_mask, "sunglasses": sunglasses}


def _ring(painter: Painter, path: np.ndarray, closed: bool = False) -> np.ndarray:
    """The pixels of a thin line: bool (size, size)."""
    pixels = np.rint((painter.view.pixels(path) - (0.5 + 0.5j)).view(np.float64)).astype(np.int32).reshape(-1, 1, 2)
    ring = np.zeros_like(painter.labels)
    cv2.polylines(ring, [pixels], closed, 1, 2)
    return ring == 1


def _takes_light_alone(painter: Painter, relief: Relief) -> None:
    """Removes the face's own relief below an occluder."""
    relief.flatten(painter.labels == LABEL["occluder"])
