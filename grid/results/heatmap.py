"""Colors for attribution maps, the same in the report and in MLflow. Raw maps are not modified.

Both color maps are from matplotlib: "inferno", perceptually uniform, starting at 0; "RdBu_r" for signed maps, centered at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EMPTY = "zero everywhere"
SEQUENTIAL, DIVERGING = "inferno", "RdBu_r"
PAPER = 200  # gray level where there is no image


@dataclass(frozen=True)
class Scale:
    """The raw values at the ends of the color map, in the method's unit; symmetric about 0 if signed, else starting at 0."""

    low: float = 0.0
    high: float = 0.0
    signed: bool = False

    @staticmethod
    def of(maps: np.ndarray, signed: bool) -> Scale:
        """The scale up to the largest magnitude of all maps or, for unsigned maps, the largest value."""
        if signed:
            high = float(np.abs(maps).max(initial=0.0))
            return Scale(-high, high, True)
        return Scale(0.0, float(maps.max(initial=0.0)), False)


def tile(crop: np.ndarray, raw: np.ndarray | None, scale: Scale, side: int) -> np.ndarray:
    """(side, side, 3) uint8: a crop, or a map over it. Non-square images are centered on gray.

    A map without any evidence is labeled in words, because a dark image could also be a weak map or a missing one.
    """
    import cv2

    face = resized(crop, side)
    if raw is not None:
        face = overlaid(face, raw, scale.low, scale.high)
        if not raw.any():
            face[-16:] = face[-16:] // 3
            cv2.putText(face, EMPTY, (4, face.shape[0] - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (235, 235, 235), 1, cv2.LINE_AA)
    if face.shape[:2] == (side, side):
        return face
    found = blank(side)
    top, left = (side - face.shape[0]) // 2, (side - face.shape[1]) // 2
    found[top : top + face.shape[0], left : left + face.shape[1]] = face
    return found


def jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    """A picture (h, w, 3) uint8 as a JPEG file."""
    import cv2

    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def from_unit(generated: np.ndarray) -> np.ndarray:
    """Converts (N, 3, H, W) in [-1, 1], the network input, to (N, H, W, 3) uint8."""
    found: np.ndarray = np.rint(np.clip((generated.transpose(0, 2, 3, 1) + 1) * 127.5, 0, 255)).astype(np.uint8)
    return found


def footed(canvas: np.ndarray, scale: Scale) -> np.ndarray:
    """(H + 20, W, 3) uint8: an image (H, W, 3) with its scale below, for displays that show only images."""
    import cv2

    width = canvas.shape[1]
    foot = np.full((20, width, 3), 255, np.uint8)
    texts = [f"{value:.3g}" for value in (scale.low, scale.high)]
    sizes = [cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.36, 1)[0][0] for text in texts]
    start, end = sizes[0] + 8, width - sizes[1] - 8
    if end > start:
        foot[6:15, start:end] = np.rint(colored(np.linspace(0, 1, end - start)[None], scale.signed)).astype(np.uint8)
    for text, x in zip(texts, (2, width - sizes[1] - 3), strict=True):
        cv2.putText(foot, text, (x, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (60, 60, 66), 1, cv2.LINE_AA)
    return np.concatenate([canvas, foot])


def blank(side: int, words: str = "") -> np.ndarray:
    """(side, side, 3) uint8, shown if there is no image."""
    import cv2

    found = np.full((side, side, 3), PAPER, np.uint8)
    if words:
        cv2.putText(found, words, (4, side - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (70, 70, 76), 1, cv2.LINE_AA)
    return found


def overlaid(crop: np.ndarray, raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """(H, W, 3) uint8: the gray crop (H, W, 3) under the colored map (h, w), which is upsampled bilinearly.

    The opacity grows with the map's magnitude, so that the face stays visible where there is no evidence.
    """
    import cv2

    size = (crop.shape[1], crop.shape[0])
    value = cv2.resize(raw.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    place = np.clip((value - low) / (high - low), 0, 1) if high > low else np.zeros_like(value)
    strength = np.abs(2 * place - 1) if low < 0 else place
    weight = (0.35 + 0.4 * strength)[..., None]
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    mixed: np.ndarray = np.rint((1 - weight) * gray + weight * colored(place, low < 0)).astype(np.uint8)
    return mixed


def colored(place: np.ndarray, signed: bool) -> np.ndarray:
    """Maps values from 0 to 1 to RGB, float32 from 0 to 255."""
    import matplotlib

    found = matplotlib.colormaps[DIVERGING if signed else SEQUENTIAL](place)[..., :3] * 255
    return np.asarray(found, np.float32)


def resized(crop: np.ndarray, side: int) -> np.ndarray:
    """(h, w, 3) uint8 with the crop's aspect ratio; the longer side is ``side``."""
    import cv2

    height, width = crop.shape[:2]
    longer = max(height, width)
    size = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
    found: np.ndarray = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if longer > side else cv2.INTER_LINEAR)
    return found
