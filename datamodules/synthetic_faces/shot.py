"""A shot of a drawn subject: the parameters that vary between images, and the projection of the head into the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SHOT = 3  # random stream
_DEPTH = 0.78  # depth of the face, in half heights of the head


@dataclass(frozen=True)
class Shot:
    """Angles in radians, center and scale as fractions of the image size; all numbers already include ``variation``."""

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    scale: float  # half the head's height
    light: tuple[float, float, float]  # unit vector towards the light: x right, y down, z towards the viewer
    ambient: float
    gain: float
    tint: tuple[float, float, float]
    smile: float
    gap: float  # opening of the mouth
    squint: float
    raise_: float  # of the brows
    gaze: tuple[float, float]
    cloth: tuple[float, float, float]
    collar: float
    noise: float
    blur: int  # radius in pixels
    clutter: float
    stream: int  # seed of pixel-level randomness: background and noise


def shot(seed: int, number: int, index: int, variation: float) -> Shot:
    """Shot ``index`` of subject ``number``; with variation 0 all shots of a subject are the same image."""
    rng = np.random.default_rng([_SHOT, seed, number, index])
    v = variation

    def swing(reach: float, limit: float = np.inf) -> float:
        return float(np.clip(v * reach * (rng.random() + rng.random() - 1), -limit, limit))

    yaw, pitch, roll = swing(0.48, 0.5), swing(0.26, 0.3), swing(0.34, 0.5)
    scale = float(np.clip(0.35 + swing(0.075), 0.25, 0.45))
    room = 0.5 - 0.8 * scale
    x = 0.5 + float(np.clip(swing(0.22), -room, room))
    y = 0.48 + float(np.clip(swing(0.18), -0.9 * room, 0.5 - 1.05 * scale))
    azimuth, height = swing(1.2, 1.2), 0.5 + swing(0.5, 0.6)
    light = (np.sin(azimuth) * np.cos(height), -np.sin(height), np.cos(azimuth) * np.cos(height))
    warm = swing(0.1, 0.2)
    smile, gap = 0.1 + swing(0.9, 0.9), max(0.0, swing(0.16, 0.12))
    cloth = 30 + 180 * (0.55 * rng.random(3) + 0.45 * rng.random()) if v > 0 else np.full(3, 100.0)
    stream = int(rng.integers(0, 2**32))
    return Shot(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        x=x,
        y=y,
        scale=scale,
        light=(float(light[0]), float(light[1]), float(light[2])),
        ambient=float(np.clip(0.55 + swing(0.15), 0.35, 0.75)),
        gain=float(np.clip(1.04 + swing(0.24), 0.65, 1.35)),
        tint=(1 + warm, 1.0 + swing(0.03), 1 - warm),
        smile=smile,
        gap=gap,
        squint=swing(0.3, 0.3),
        raise_=swing(0.05, 0.05),
        gaze=(swing(0.035, 0.05), swing(0.015, 0.02)),
        cloth=(float(cloth[0]), float(cloth[1]), float(cloth[2])),
        collar=0.5 + swing(0.5, 0.5),
        noise=float(v * (1.5 + 3.5 * rng.random())),
        blur=int(v > 0 and rng.random() < 0.35 * min(v, 1.5)),
        clutter=min(v, 1.0),
        stream=stream if v > 0 else 0,
    )


class View:
    """Projection of a head of half width ``width`` into an image of ``size`` pixels; a point is x + iy."""

    def __init__(self, shot: Shot, width: float, size: int) -> None:
        self.shot, self.width, self.size = shot, width, size
        self.scale = shot.scale * size
        self.center = complex(shot.x, shot.y) * size
        self._sines = np.sin([shot.yaw, shot.pitch]).tolist()
        self._cosines = np.cos([shot.yaw, shot.pitch]).tolist()
        self.turn = complex(np.cos(shot.roll), np.sin(shot.roll))

    def face(self, points: np.ndarray, out: float | np.ndarray = 0.0) -> np.ndarray:
        """Projects points on the face, raised by ``out``, to the upright image plane; both in half heights of the head."""
        x, y = points.real, points.imag
        a, b = x / (1.18 * self.width), y / 1.3
        z = _DEPTH * np.sqrt(np.maximum(1 - a * a - b * b, 0.06)) + out
        depth = z * self._cosines[0] - x * self._sines[0]
        near = 0.94 + 0.1 * depth
        found = np.empty(points.shape, np.complex128)
        found.real = (x * self._cosines[0] + z * self._sines[0]) * near
        found.imag = (y * self._cosines[1] - (depth - 0.2) * self._sines[1]) * near
        return found

    def faces(self, *paths: np.ndarray, out: float = 0.0) -> list[np.ndarray]:
        """``face`` for several paths at once, which is faster."""
        ends = np.cumsum([len(path) for path in paths])
        return np.split(self.face(np.concatenate(paths), out), ends[:-1])

    def at(self, x: float, y: float, out: float = 0.0) -> complex:
        """One point, as ``face``."""
        return complex(self.face(np.array([complex(x, y)]), out)[0])

    def outline(self, points: np.ndarray) -> np.ndarray:
        """``face`` for points of the silhouette: a turned head keeps its width, as it is round, and the chin moves with it."""
        z = 0.34 * np.maximum(points.imag, 0)
        found = points + z * complex(self._sines[0], -self._sines[1])
        return found + 0.1j * self._sines[1]

    def pixels(self, plane: np.ndarray) -> np.ndarray:
        """Points of the upright plane in pixels; the image's corner is 0."""
        return self.center + (self.scale * self.turn) * plane

    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """The upright-plane coordinates of all pixel centers: two float32 (size, size) arrays."""
        across = ((np.arange(self.size) + 0.5 - self.center.real) / self.scale).astype(np.float32)
        down = ((np.arange(self.size) + 0.5 - self.center.imag) / self.scale).astype(np.float32)[:, None]
        cos, sin = np.float32(self.turn.real), np.float32(self.turn.imag)
        return across * cos + down * sin, down * cos - across * sin
