"""Random parameters of the drawn subjects, from a seed.

A look-alike is a subject with one part exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from datamodules.synthetic_faces.subject import Brows, Color, Eyes, Hair, Head, Mouth, Nose, Subject, blend

SWAPS = ("eyes", "brows", "nose", "mouth", "hair")  # parts that a look-alike can have exchanged
_SKINS = ((98, 62, 46), (132, 85, 59), (168, 111, 79), (205, 142, 106), (234, 174, 141), (249, 200, 172))
_HAIRS = ((24, 20, 20), (50, 33, 24), (92, 60, 36), (140, 92, 50), (206, 166, 102), (150, 64, 30))
_IRISES = ((52, 30, 18), (88, 56, 30), (112, 100, 52), (84, 122, 84), (78, 120, 158), (122, 140, 150))
_SUBJECT, _SWAP = 1, 2  # random streams


def subject(seed: int, number: int) -> Subject:
    """Subject ``number`` of the population ``seed``."""
    rng = np.random.default_rng([_SUBJECT, seed, number])
    age, sex = int(rng.integers(18, 81)), int(rng.integers(0, 2))
    skin = _shade(rng, _SKINS, 0.06)
    hair = _hair(rng, age, sex, skin)
    return Subject(
        age=age,
        sex=sex,
        head=_head(rng, age, sex, skin, hair.color),
        eyes=_eyes(rng, age, sex, skin),
        brows=_brows(rng, age, sex, skin),
        nose=_nose(rng, age, sex, skin),
        mouth=_mouth(rng, age, sex, skin),
        hair=hair,
    )


def look_alike(seed: int, number: int, part: str) -> Subject:
    """Subject ``number`` with another ``part``: of 16 candidates, the one least similar to the original part."""
    base = subject(seed, number)
    rng = np.random.default_rng([_SWAP, seed, number, SWAPS.index(part)])
    candidates = [_MAKERS[part](rng, base.age, base.sex, base.head.skin) for _ in range(16)]
    table = np.array([_numbers(each) for each in (getattr(base, part), *candidates)])
    spread = table.std(axis=0) + 1e-9
    far = int((np.abs(table[1:] - table[0]) / spread).sum(axis=1).argmax())
    return replace(base, **{part: candidates[far]})


def _numbers(part: Any) -> list[float]:
    values = (getattr(part, field.name) for field in fields(part))
    return [number for value in values for number in (value if isinstance(value, tuple) else (value,))]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A random number between ``low`` and ``high``, concentrated around the middle."""
    return float(low + (high - low) * (0.5 * rng.random() + 0.25 * rng.random() + 0.25 * rng.random()))


def _shade(rng: np.random.Generator, anchors: tuple[Color, ...], spread: float) -> Color:
    place = float(rng.random()) * (len(anchors) - 1.001)
    red, green, blue = blend(anchors[int(place)], anchors[int(place) + 1], place % 1)
    tint = 1 + spread * (2 * rng.random(3) - 1)
    return float(red * tint[0]), float(green * tint[1]), float(blue * tint[2])


def _hair_color(rng: np.random.Generator, age: int, skin: Color) -> Color:
    color = _shade(rng, _HAIRS, 0.1)
    if skin[0] < 175:  # dark skin: usually dark hair
        color = blend(color, _HAIRS[0], 0.8)
    gray = float(np.clip((age - 46) / 36 + 0.25 * (rng.random() - 0.5), 0, 0.9))
    return blend(color, (196, 194, 190), gray)


def _head(rng: np.random.Generator, age: int, sex: int, skin: Color, hair: Color) -> Head:
    bearded, glassed, marked = rng.random(3)
    mole = (_between(rng, -0.45, 0.45), _between(rng, 0.28, 0.8))
    return Head(
        skin=skin,
        width=float(rng.uniform(0.645, 0.825)) - 0.02 * sex,
        cheek=_between(rng, 0.90, 1.02),
        jaw=_between(rng, 0.66, 0.92) - 0.05 * sex,
        chin=_between(rng, 0.26, 0.50) - 0.04 * sex,
        length=_between(rng, 0.93, 1.10),
        ear=_between(rng, 0.8, 1.3),
        neck=_between(rng, 0.42, 0.60) - 0.07 * sex,
        blush=_between(rng, 0.02, 0.22),
        wrinkles=0.62 * float(np.clip((age - 32) / 45 + 0.2 * (rng.random() - 0.5), 0, 1)),
        freckles=float(max(0.0, rng.random() - 0.75) * 4) if skin[0] > 190 else 0.0,
        mole=mole if marked < 0.2 else None,
        beard=_between(rng, 0.2, 0.75) if sex == 0 and bearded < 0.45 else 0.0,
        beard_top=_between(rng, 0.35, 0.66),
        moustache=_between(rng, 0.0, 0.09),
        beard_color=blend(hair, (40, 28, 22), 0.25),
        glasses=_between(rng, 0.17, 0.23) if glassed < 0.1 + age / 400 else 0.0,
        squareness=_between(rng, 1.8, 4.5),
        frame=_shade(rng, ((20, 20, 24), (70, 30, 20), (150, 120, 60), (40, 50, 110)), 0.1),
    )


def _eyes(rng: np.random.Generator, age: int, sex: int, skin: Color) -> Eyes:
    irises = _IRISES[:3] if skin[0] < 175 else _IRISES
    return Eyes(
        spacing=_between(rng, 0.285, 0.375),
        height=_between(rng, -0.03, 0.05),
        width=_between(rng, 0.15, 0.205),
        opening=_between(rng, 0.088, 0.138) + 0.006 * sex - 0.0002 * (age - 18),
        tilt=_between(rng, -0.22, 0.22),
        iris=_between(rng, 0.06, 0.081),
        crease=_between(rng, 0.0, 0.05),
        lashes=_between(rng, 0.012, 0.022) + 0.01 * sex,
        color=_shade(rng, irises, 0.1),
    )


def _brows(rng: np.random.Generator, age: int, sex: int, skin: Color) -> Brows:
    return Brows(
        height=_between(rng, -0.275, -0.16),
        spacing=_between(rng, 0.07, 0.17),
        length=_between(rng, 0.27, 0.41),
        thickness=_between(rng, 0.026, 0.072) - 0.012 * sex,
        arch=_between(rng, 0.0, 0.10) + 0.01 * sex,
        tilt=_between(rng, -0.2, 0.2),
        color=blend(_hair_color(rng, age - 12, skin), (40, 28, 22), 0.3),
    )


def _nose(rng: np.random.Generator, age: int, sex: int, skin: Color) -> Nose:
    return Nose(
        base=_between(rng, 0.36, 0.51) + 0.0004 * (age - 18),
        width=_between(rng, 0.10, 0.198) - 0.015 * sex + (0.02 if skin[0] < 175 else 0.0),
        bridge=_between(rng, 0.055, 0.11),
        tip=_between(rng, 0.08, 0.15),
        relief=_between(rng, 1.0, 1.7),
    )


def _mouth(rng: np.random.Generator, age: int, sex: int, skin: Color) -> Mouth:
    natural = blend(skin, (158, 52, 56), 0.38)
    return Mouth(
        height=_between(rng, 0.63, 0.73),
        width=_between(rng, 0.18, 0.305),
        upper=_between(rng, 0.038, 0.083) - 0.0002 * (age - 18),
        lower=_between(rng, 0.056, 0.113) - 0.0002 * (age - 18),
        bow=_between(rng, 0.0, 0.022),
        color=blend(
            natural, _shade(rng, ((176, 30, 52), (206, 90, 96), (140, 50, 80)), 0.1), float(rng.random()) * (0.2 + 0.6 * sex)
        ),
    )


def _hair(rng: np.random.Generator, age: int, sex: int, skin: Color) -> Hair:
    recede = 0.0 if sex else 0.35 * max(0.0, float(rng.random()) * (age - 22) / 58 - 0.1)
    long = bool(rng.random() < (0.75 if sex else 0.08))
    return Hair(
        front=_between(rng, -0.82, -0.5) - recede,
        sweep=_between(rng, -0.16, 0.16),
        peak=_between(rng, -0.06, 0.16) - recede,
        volume=float(rng.uniform(0.03, 0.34)) * (1 - recede),
        length=float(rng.uniform(0.5, 1.6)) if long else _between(rng, -0.1, 0.22),
        curl=float(max(0.0, rng.random() - 0.5) * 0.11),
        waves=_between(rng, 7, 17),
        color=_hair_color(rng, age, skin),
    )


_MAKERS: dict[str, Callable[[np.random.Generator, int, int, Color], Any]] = {
    "eyes": _eyes,
    "brows": _brows,
    "nose": _nose,
    "mouth": _mouth,
    "hair": _hair,
}
