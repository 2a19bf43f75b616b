"""The parts of a drawn face: each function paints a part, raises its relief and labels it in the mask.

A part changes no pixel outside its label; the ground-truth masks of look-alikes depend on this.
"""

from __future__ import annotations

import numpy as np

from datamodules.synthetic_faces.brush import Painter, curve, ellipse, mirrored, points
from datamodules.synthetic_faces.relief import Relief
from datamodules.synthetic_faces.subject import Color, Subject, blend

PARTS = (
    "background",
    "skin",
    "hair",
    "left eye",
    "right eye",
    "brows",
    "nose",
    "mouth",
    "ears",
    "neck",
    "clothes",
    "beard",
    "glasses",
    "occluder",
)
LABEL = {name: label for label, name in enumerate(PARTS)}


_LID = np.array([-1.0, -0.62, 0.0, 0.62, 1.0])


def dim(color: Color, factor: float) -> Color:
    red, green, blue = (min(255.0, max(0.0, factor * value)) for value in color)
    return red, green, blue


def eye(painter: Painter, relief: Relief, subject: Subject, side: int) -> None:
    """Draws the eye at the left (-1) or right (1) of the image, with lids and lashes."""
    view, eyes, skin = painter.view, subject.eyes, subject.head.skin
    shot = view.shot
    x, y, width = side * eyes.spacing, eyes.height, eyes.width
    opening = eyes.opening * (1 - max(shot.squint, 0.15 * shot.smile)) - 0.01
    lift = side * eyes.tilt * width * 0.5  # positive tilt raises the outer corner
    iris_x, iris_y = x + shot.gaze[0], y - 0.1 * opening + shot.gaze[1]
    glint_x = iris_x + 0.3 * eyes.iris * np.sign(shot.light[0])

    def lid(height: float, reach: float = 1.0) -> np.ndarray:
        bend = np.array([0.0, 0.72, 1.0, 0.72, 0.0]) * height
        return curve(x + _LID * width * reach + 1j * (y - bend - lift * _LID * reach), steps=4)

    def disc(radius: float) -> np.ndarray:
        return ellipse(iris_x, iris_y, radius * eyes.iris, radius * eyes.iris)

    region, upper, lower, crease, shade, rim, iris, pupil, glint = view.faces(
        ellipse(x, y - 0.01, 1.22 * width, 0.16),
        lid(opening),
        lid(-0.72 * opening),
        lid(opening + eyes.crease, 1.04),
        np.concatenate([lid(opening * 1.1), lid(opening * 0.62)[::-1]]),
        disc(1.0),
        disc(0.84),
        disc(0.42),
        ellipse(glint_x, iris_y - 0.35 * eyes.iris, 0.2 * eyes.iris, 0.2 * eyes.iris, count=10),
    )
    relief.bump(view.at(x, y), 1.15 * width, 0.14, -0.035)
    relief.bump(view.at(x, y - 0.015), 0.85 * width, 0.09, 0.045)
    painter.glaze(np.concatenate([crease - 0.02j, lower[::-1]]), dim(skin, 0.8), 0.5, soft=2)
    painter.inside(
        np.concatenate([upper, lower[::-1]]),
        [
            (region, (236, 232, 228)),
            (rim, dim(eyes.color, 0.55)),
            (iris, dim(eyes.color, 1.2)),
            (pupil, (14, 12, 12)),
            (glint, (255, 255, 255)),
            (shade, blend((140, 122, 116), skin, 0.25)),
        ],
    )
    painter.line(lower, dim(skin, 0.66), 0.01)
    if eyes.crease > 0.012:
        painter.line(crease, dim(skin, 0.62), 0.012)
    painter.line(upper, (42, 29, 24), eyes.lashes)
    painter.label(region, LABEL["left eye" if side < 0 else "right eye"], margin=1)


def brow(painter: Painter, subject: Subject, side: int) -> None:
    """Draws the brow at the left (-1) or right (1) of the image."""
    view, brows = painter.view, subject.brows
    y = brows.height - view.shot.raise_
    along = np.array([0.0, 0.33, 0.68, 1.0])
    x = side * (brows.spacing + brows.length * along)
    middle = y - brows.arch * np.array([0.0, 0.62, 1.0, 0.35]) - brows.tilt * brows.length * (along - 0.4)
    half = 0.5 * brows.thickness * np.array([0.9, 1.05, 0.85, 0.25])
    above, below = (curve(x + 1j * (middle + sign * half)) for sign in (-1, 1))
    shape = view.face(np.concatenate([above, below[::-1]]))
    painter.glaze(shape, brows.color, 0.85, soft=1)
    painter.label(shape, LABEL["brows"])


def nose(painter: Painter, relief: Relief, subject: Subject) -> None:
    """Draws the nose: bridge, tip and wings as relief, nostrils and the shadow below as paint."""
    view, form, skin = painter.view, subject.nose, subject.head.skin
    base, wide, rise = form.base, form.width, form.relief

    share = np.linspace(0, 1, 5)
    ridge = view.face(1j * (0.08 + share * (base - 0.20)), 0.16 * share)
    for place, along in zip(ridge.tolist(), share.tolist(), strict=True):
        relief.bump(place, form.bridge + 0.02 * along, 0.13, 0.028 * rise)
    relief.bump(view.at(0, base - 0.07, 0.16), form.tip, 0.85 * form.tip, 0.055 * rise)
    for side in (-1, 1):
        relief.bump(view.at(side * 0.74 * wide, base - 0.035, 0.05), 0.4 * wide, 0.06, 0.026 * rise)
    reach, edge = wide, 0.8 * wide
    wing = curve(points((edge, base - 0.10), (reach, base - 0.06), (1.02 * reach, base - 0.015), (edge, base + 0.012)), steps=4)
    hole = ellipse(0.48 * wide, base - 0.004, 0.24 * wide, 0.02, count=12)
    under = points((-edge, base), (0, base + 0.035), (edge, base), (0, base + 0.012))
    wings = view.faces(wing, mirrored(wing), out=0.05)
    holes = view.faces(hole, mirrored(hole), out=0.1)
    for side in (0, 1):
        painter.line(wings[side], dim(skin, 0.66), 0.014)
        painter.glaze(holes[side], dim(skin, 0.32), 0.9, soft=1)
    painter.glaze(view.face(curve(under, closed=True), 0.06), dim(skin, 0.55), 0.5, soft=1)
    relief.stain(view.at(0, base + 0.02, 0.05), 0.8 * wide, 0.05, 0.16)
    half = max(1.12 * wide, form.tip)
    bridge = form.bridge + 0.03
    right = points((bridge, -0.02), (bridge, 0.12), (half, base - 0.11), (half, base + 0.03), (0.6 * half, base + 0.065))
    right_side, left_side = view.faces(right, mirrored(right), out=0.05)
    tip = view.face(points((-form.tip, base - 0.08), (0, base - 0.15), (form.tip, base - 0.08), (0, base)), 0.16)
    painter.label(np.concatenate([right_side, left_side[::-1]]), LABEL["nose"])
    painter.label(tip, LABEL["nose"])


def mouth(painter: Painter, relief: Relief, subject: Subject) -> None:
    """Draws the lips, and the teeth if the mouth is open."""
    view, form, skin = painter.view, subject.mouth, subject.head.skin
    smile, gap = view.shot.smile, view.shot.gap + max(0.0, view.shot.smile - 0.35) * 0.09
    wide, y = form.width * (1 + 0.16 * smile), form.height
    corner = y - 0.07 * smile
    across = np.array([-1.0, -0.5, -0.16, 0.0, 0.16, 0.5, 1.0]) * wide

    def row(middle: float, dip: float = 0.0, fall: float = 0.45) -> np.ndarray:
        edge = np.array([0.0, 1 - fall, 1.0, 1.0, 1.0, 1 - fall, 0.0])
        heights = corner + (middle - corner) * edge
        heights[3] += dip
        return view.face(curve(across + 1j * heights))

    top, bottom = y - 0.5 * gap, y + 0.5 * gap
    upper, lower = top - form.upper * (1 - 0.2 * smile), bottom + form.lower * (1 - 0.15 * smile)
    inner = [row(top, 0.4 * form.bow, 0.3), row(bottom, 0.0, 0.3)]
    above, below = row(upper, form.bow), row(lower, 0.0, 0.3)
    painter.fill(np.concatenate([above, inner[0][::-1]]), dim(form.color, 0.84))
    painter.fill(np.concatenate([inner[1], below[::-1]]), form.color)
    if gap > 0.012:
        hole = np.concatenate([inner[0], inner[1][::-1]])
        teeth = np.concatenate([inner[0], row(min(top + 0.05, bottom), 0.0, 0.3)[::-1]])
        painter.inside(hole, [(hole, (58, 20, 22)), (teeth, (228, 222, 212))])
    else:
        painter.line(row(y, 0.4 * form.bow, 0.3), dim(form.color, 0.42), 0.016)
    relief.bump(view.at(0, 0.5 * (upper + top)), 0.8 * wide, 0.5 * form.upper + 0.01, 0.008)
    relief.bump(view.at(0, 0.5 * (bottom + lower)), 0.75 * wide, 0.5 * form.lower + 0.01, 0.014)
    shadow = view.at(0, lower + 0.03)
    relief.stain(shadow, 0.5 * wide, 0.045, 0.2)
    painter.glaze(view.face(ellipse(0, lower + 0.03, 0.4 * wide, 0.018)), dim(skin, 0.7), 0.4, soft=1)
    tall = max(corner, lower + 0.085) - min(upper, corner)
    middle = min(upper, corner) + 0.5 * tall
    painter.label(view.face(ellipse(0, middle, wide + 0.02, 0.5 * tall, 2.8)), LABEL["mouth"])
