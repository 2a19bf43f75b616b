"""A drawn subject: the parameters that are the same in every shot.

Lengths are in half heights of the head: the crown is at y = -1, the eyes near y = 0, the chin near y = 1; x points to the
right of the image, y down. Colors are RGB from 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[float, float, float]


def blend(one: Color, other: Color, share: float) -> Color:
    """From ``one`` (share 0) to ``other`` (share 1)."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Head:
    skin: Color
    width: float
    cheek: float
    jaw: float
    chin: float
    length: float
    ear: float
    neck: float
    blush: float
    wrinkles: float
    freckles: float
    mole: tuple[float, float] | None
    beard: float  # opacity; 0 is none
    beard_top: float
    moustache: float
    beard_color: Color
    glasses: float  # radius; 0 is none
    squareness: float
    frame: Color


@dataclass(frozen=True)
class Eyes:
    spacing: float
    height: float
    width: float
    opening: float
    tilt: float
    iris: float
    crease: float
    lashes: float
    color: Color


@dataclass(frozen=True)
class Brows:
    height: float
    spacing: float
    length: float
    thickness: float
    arch: float
    tilt: float
    color: Color


@dataclass(frozen=True)
class Nose:
    base: float
    width: float
    bridge: float
    tip: float
    relief: float


@dataclass(frozen=True)
class Mouth:
    height: float
    width: float
    upper: float
    lower: float
    bow: float
    color: Color


@dataclass(frozen=True)
class Hair:
    front: float  # y of the hairline above the nose
    sweep: float  # how much lower the hairline is on one side
    peak: float  # how much lower it is at the temples
    volume: float
    length: float  # how far it reaches down the sides
    curl: float
    waves: float
    color: Color


@dataclass(frozen=True)
class Subject:
    age: int  # years
    sex: int  # 0 male, 1 female
    head: Head
    eyes: Eyes
    brows: Brows
    nose: Nose
    mouth: Mouth
    hair: Hair
