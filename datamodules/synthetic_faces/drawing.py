"""Draws a subject in a shot: a stylised portrait and the mask of its parts.

The image is painted on a canvas of twice its size, downscaled, and lit by the relief of the face. The result is a pure function
of the arguments: only integer and elementwise float32 operations are used, so that it does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from datamodules.synthetic_faces.brush import OVER, Painter, curve, ellipse, mirrored, points
from datamodules.synthetic_faces.features import LABEL, brow, dim, eye, mouth, nose
from datamodules.synthetic_faces.hair import back_hair, front_hair
from datamodules.synthetic_faces.occluders import OCCLUDERS, glasses
from datamodules.synthetic_faces.relief import Relief
from datamodules.synthetic_faces.shot import Shot, View
from datamodules.synthetic_faces.subject import Subject, blend

VERSION = 1  # raise whenever any image changes


class Drawing(NamedTuple):
    image: np.ndarray  # RGB, uint8, (size, size, 3)
    mask: np.ndarray  # index into PARTS, uint8, (size, size)


def draw(subject: Subject, shot: Shot, size: int, occluder: str = "none") -> Drawing:
    """The image of ``subject`` in ``shot`` and its mask; ``size`` in pixels, ``occluder`` one of ``OCCLUDERS`` or "none"."""
    rng = np.random.Generator(np.random.SFC64(shot.stream))
    view = View(shot, subject.head.width, size)
    painter, relief = Painter(view, _background(rng, shot, size * OVER)), Relief(view)
    back_hair(painter, subject)
    _body(painter, subject)
    outline = _head(painter, relief, subject)
    _beard(painter, subject, outline)
    nose(painter, relief, subject)
    mouth(painter, relief, subject)
    for side in (-1, 1):
        eye(painter, relief, subject, side)
        brow(painter, subject, side)
    glasses(painter, subject)
    if occluder != "none":
        OCCLUDERS[occluder](painter, relief, subject)
    front_hair(painter, relief, subject)
    return Drawing(_develop(painter, relief, rng), painter.labels)


def transplanted(base: Drawing, other: Drawing, labels: Sequence[int]) -> Drawing:
    """``base`` with the parts ``labels`` taken from ``other``; pixels that belong to these parts in neither keep ``base``."""
    theirs = np.isin(base.mask, labels) | np.isin(other.mask, labels)
    return Drawing(np.where(theirs[..., None], other.image, base.image), np.where(theirs, other.mask, base.mask))


def _background(rng: np.random.Generator, shot: Shot, side: int) -> np.ndarray:
    """A background out of focus: a few colors and a few objects with edges."""
    colors = 120 + shot.clutter * (rng.random((4, 4, 1)) * 100 + rng.random((4, 4, 3)) * 50 + rng.random(3) * 50 - 90)
    small = cv2.resize(np.clip(np.rint(colors), 0, 255).astype(np.uint8), (64, 64), interpolation=cv2.INTER_LINEAR)
    for _ in range(round(5 * shot.clutter)):
        x, y, width, height = (int(value) for value in rng.integers((0, 0, 3, 6), (64, 64, 26, 50)))
        color = [int(value) for value in rng.integers(20, 170) + rng.integers(0, 60, 3)]
        if rng.random() < 0.6:
            cv2.rectangle(small, (x - width // 2, y - height // 2), (x + width // 2, y + height // 2), color, -1)
        else:
            cv2.circle(small, (x, y), width // 2, color, -1)
    return cv2.resize(cv2.blur(small, (3, 3)), (side, side), interpolation=cv2.INTER_LINEAR)


def _body(painter: Painter, subject: Subject) -> None:
    view, head, shot = painter.view, subject.head, painter.view.shot
    wide = 1.35 - 0.12 * subject.sex
    torso = points((-head.neck, 1.22), (-0.75 * wide, 1.36), (-wide, 1.62), (-1.15 * wide, 2.3), (-1.2 * wide, 6.0))
    torso = np.concatenate([torso, mirrored(torso)[::-1]]) + 0.2 * np.sin(shot.yaw)
    painter.fill(torso, shot.cloth)
    neck = points((-head.neck, 0.4), (-head.neck, 1.1), (-1.25 * head.neck, 1.27), (0, 1.35 + 0.3 * shot.collar))
    neck = np.concatenate([neck, mirrored(neck)[-2::-1]]) + 0.15 * np.sin(shot.yaw)
    painter.fill(neck, dim(head.skin, 0.78))
    painter.line(neck[2:-2], dim(shot.cloth, 0.7), 0.05)
    side, near = 1.2 * head.neck, 0.84 * head.neck
    shade = view.outline(curve(points((-side, 0.6), (-near, 1.0), (0, 1.22), (near, 1.0), (side, 0.6))))
    painter.glaze(shade, dim(head.skin, 0.4), 0.45, soft=5)
    painter.label(torso, LABEL["clothes"], margin=0)
    painter.label(neck, LABEL["neck"], margin=0)


def _head(painter: Painter, relief: Relief, subject: Subject) -> np.ndarray:
    """Draws ears, skull, cheeks, and marks of age and sun on the skin; returns the outline in the upright plane."""
    view, head = painter.view, subject.head
    skin, width, length, turn = head.skin, head.width, head.length, view.shot.yaw
    for side in (-1, 1):
        reach = 0.10 * head.ear * (1 - side * 1.1 * turn)
        ear = view.outline(ellipse(side * (width + 0.02), 0.12, max(0.03, reach), 0.2 * head.ear))
        painter.fill(ear, dim(skin, 0.88), solid=True)
        painter.fill(
            view.outline(ellipse(side * (width + 0.03), 0.11, max(0.02, 0.5 * reach), 0.11 * head.ear)), dim(skin, 0.68)
        )
        painter.label(ear, LABEL["ears"], margin=0)
    half = points(
        (0.55 * width, -0.91),
        (0.9 * width, -0.58),
        (width, -0.1),
        (0.985 * width * head.cheek, 0.26),
        (head.jaw * width, 0.64),
        (head.chin * width, 0.92 * length),
    )
    around = np.concatenate([points((0, -1.0)), half, points((0, length)), mirrored(half)[::-1]])
    outline = view.outline(curve(around, closed=True))
    painter.fill(outline, skin, solid=True)
    painter.label(outline, LABEL["skin"], margin=0)
    rosy = (0.96 * skin[0], 0.6 * skin[1], 0.6 * skin[2])
    for side in (-1, 1):
        cheek = view.at(side * 0.42 * width / 0.72, 0.32)
        relief.bump(cheek, 0.3, 0.26, 0.05 + 0.02 * view.shot.smile)
        painter.glaze(view.face(ellipse(side * 0.42, 0.36, 0.15, 0.13)), rosy, head.blush, soft=4)
        relief.bump(view.at(side * 0.3, -0.2), 0.3, 0.12, 0.03)
        _age(painter, subject, side)
    relief.bump(view.at(0, 0.86 * length), 0.24, 0.15, 0.05)
    relief.bump(view.at(0, -0.45), 0.5, 0.3, 0.03)
    if head.mole:
        painter.fill(view.face(ellipse(*head.mole, 0.026, 0.026, count=12)), dim(skin, 0.36))
    for index in range(round(30 * head.freckles)):
        spot = ((index * 0.618 % 1 - 0.5) * 0.85, 0.12 + 0.24 * (index * 0.414 % 1))
        painter.fill(view.face(ellipse(*spot, 0.014, 0.014, count=8)), blend(skin, (150, 90, 60), 0.45))
    return outline


def _age(painter: Painter, subject: Subject, side: int) -> None:
    """Nasolabial folds, bags under the eyes and forehead lines; their position depends only on the head."""
    view, head = painter.view, subject.head
    fold = points((side * 0.24, 0.42), (side * 0.33, 0.54), (side * 0.36, 0.68))
    strength = 0.25 * max(0.0, view.shot.smile) + 0.75 * head.wrinkles
    lines = (
        (fold, strength),
        (points((side * 0.18, 0.17), (side * 0.3, 0.22), (side * 0.43, 0.17)), head.wrinkles),
        (points((side * 0.52, -0.03), (side * 0.6, -0.06)), head.wrinkles),
        (points((0, -0.47), (side * 0.2, -0.485), (side * 0.38, -0.46)), head.wrinkles - 0.25),
        (points((0, -0.38), (side * 0.2, -0.395), (side * 0.34, -0.37)), head.wrinkles - 0.45),
    )
    paths = view.faces(*(curve(path, steps=4) for path, _ in lines))
    for path, (_, share) in zip(paths, lines, strict=True):
        if share > 0.05:
            painter.line(path, blend(head.skin, dim(head.skin, 0.55), min(share, 1)), 0.014)


def _beard(painter: Painter, subject: Subject, outline: np.ndarray) -> None:
    view, head = painter.view, subject.head
    if head.beard == 0:
        return
    top, width = head.beard_top, head.width
    half = points((0.99 * width, top - 0.25), (0.93 * head.cheek * width, top), (0.5 * width, top + 0.22), (0.26, 0.56))
    jaw = points((0.93 * head.jaw * width + 0.02, 0.66), (head.chin * width, 0.93 * head.length))
    lower = np.concatenate([half[:2], jaw, points((0, 1.01 * head.length)), mirrored(jaw)[::-1], mirrored(half[:2])[::-1]])
    inner = np.concatenate([mirrored(half[2:]), points((0, 0.57)), half[:1:-1]])
    shape = np.concatenate([view.outline(curve(lower, steps=4)), view.face(curve(inner, steps=4))])
    painter.glaze(shape, head.beard_color, head.beard, soft=3)
    painter.label(shape, LABEL["beard"], margin=1)
    if head.moustache > 0.02:
        lip = points(
            (-0.3, 0.66), (-0.16, 0.57 - head.moustache / 4), (0, 0.56), (0.16, 0.57 - head.moustache / 4), (0.3, 0.66)
        )
        under = points((0.15, 0.60 + head.moustache / 2), (0, 0.59), (-0.15, 0.60 + head.moustache / 2))
        shape = view.face(curve(np.concatenate([lip, under]), closed=True, steps=4))
        painter.glaze(shape, head.beard_color, head.beard, soft=1)
        painter.label(shape, LABEL["beard"], margin=1)


def _develop(painter: Painter, relief: Relief, rng: np.random.Generator) -> np.ndarray:
    """Downscales the canvas, lights it, and simulates the camera."""
    shot, size = painter.view.shot, painter.view.size
    flat = cv2.resize(painter.canvas, (size, size), interpolation=cv2.INTER_AREA)
    cover = cv2.resize(painter.cover, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
    light, gloss = relief.light()
    light = (1 + cover * (light - 1)) * np.float32(shot.gain)
    gloss *= cover * np.float32(34 * shot.gain)
    planes = [cv2.multiply(flat[..., k], light * np.float32(shot.tint[k]), dtype=cv2.CV_32F) + gloss for k in range(3)]
    image = cv2.convertScaleAbs(cv2.merge(planes))
    if shot.blur:
        image = cv2.blur(image, (3, 3))
    if shot.noise > 0:
        raw = rng.integers(0, 256, (2, *image.shape), np.uint8)  # the sum of two bytes has the standard deviation 104.5
        grain = ((raw[0].astype(np.int16) + raw[1] - 255) * np.int16(round(shot.noise * 256 / 104.5))) >> 8
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    return image
