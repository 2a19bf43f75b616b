"""The hair of a drawn subject, behind and in front of the head."""

from __future__ import annotations

import numpy as np

from datamodules.synthetic_faces.brush import Painter, curve, mirrored, points
from datamodules.synthetic_faces.features import LABEL, dim
from datamodules.synthetic_faces.relief import Relief
from datamodules.synthetic_faces.subject import Hair, Subject


def back_hair(painter: Painter, subject: Subject) -> None:
    """Draws the hair behind the neck."""
    hair, width, view = subject.hair, subject.head.width, painter.view
    if hair.length < 0.3:
        return
    reach = width + 0.12 + 0.6 * hair.volume
    half = points((0.6 * reach, -0.85), (0.95 * reach, -0.4), (reach, 0.2), (1.02 * reach, hair.length - 0.25))
    around = np.concatenate([half, points((0.7 * reach, hair.length), (0, hair.length + 0.05), (-0.7 * reach, hair.length))])
    shape = view.outline(_curled(curve(np.concatenate([around, mirrored(half)[::-1]]), closed=True), hair))
    painter.fill(shape, dim(hair.color, 0.62))
    painter.label(shape, LABEL["hair"])


def front_hair(painter: Painter, relief: Relief, subject: Subject) -> None:
    """Draws the hair on the head: its hairline, strands along its shape, and a highlight."""
    hair, view = subject.hair, painter.view
    outer, inner = _edges(subject)
    outside = view.outline(_curled(outer, hair))
    flat = view.face(inner)
    # In a turned head the far hairline disappears behind the edge of the hair.
    limit = np.abs(outside.real).max() - 0.02
    flat.real = np.clip(flat.real, -limit, limit)
    shade = flat[10:-10] + 0.045j
    painter.glaze(np.concatenate([shade, flat[10:-10][::-1]]), dim(subject.head.skin, 0.55), 0.4, soft=1)
    cap = np.concatenate([outside, flat[::-1]])
    painter.fill(cap, dim(hair.color, 0.9), solid=True)
    for index, share in enumerate((0.07, 0.16, 0.28, 0.37, 0.46, 0.58, 0.67, 0.79, 0.9)):
        path = (outside + (flat - outside) * share)[::2]
        tone = (0.78, 1.12, 0.98)[index % 3]
        painter.line(path, dim(hair.color, tone), 0.02)
    painter.label(cap, LABEL["hair"])
    painter.label(np.concatenate([shade, flat[10:-10][::-1]]), LABEL["hair"])


def _edges(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """The outer and inner edge, from the left side over the top to the right: two (n, 2) curves of equal length."""
    hair, width = subject.hair, subject.head.width
    side = min(hair.length, 0.95)
    reach = width + 0.03 + 0.35 * hair.volume + 0.08 * (hair.length > 0.3)
    low = reach if hair.length > 0.3 else width + 0.02
    top = -1.0 - hair.volume
    half = points((low, side), (reach, -0.15), (0.93 * reach, -0.58), (0.56 * reach, 0.1 + top + 0.02))
    outer = np.concatenate([mirrored(half), points((0, top)), half[::-1]])
    temple = min(hair.front + hair.peak, -0.4)
    left, right = (min(temple + sign * hair.sweep, -0.38) for sign in (-1, 1))
    rim = 0.86 * width if hair.length > 0.3 else 0.95 * width
    inner = points(
        (-rim, side),
        (-0.93 * width, -0.12),
        (-0.84 * width, min(left + 0.2, -0.3)),
        (-0.5 * width, left),
        (0, hair.front),
        (0.5 * width, right),
        (0.84 * width, min(right + 0.2, -0.3)),
        (0.93 * width, -0.12),
        (rim, side),
    )
    return curve(outer), curve(inner)


def _curled(path: np.ndarray, hair: Hair) -> np.ndarray:
    """The path with curls, displaced outwards and back."""
    if hair.curl == 0:
        return path
    steps = np.abs(np.diff(path, prepend=path[:1])).cumsum()
    push = 1 + hair.curl * np.sin(hair.waves * 2 * steps)
    return path * push
