"""Reads one image, the same way wherever an image is read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def read_image(path: Path) -> np.ndarray:
    """The image in the file ``path``: RGB, uint8, (height, width, 3).

    Raises:
        ValueError: the file is absent, empty, truncated or no image; names the file and says why.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    return decode(data, str(path))


def decode(data: bytes, name: str) -> np.ndarray:
    """The image in ``data``, every pixel of it: RGB, uint8, (height, width, 3).

    The image is turned upright by its EXIF orientation. Transparent pixels lie on white. Pixels of 16 bits are scaled to 8.
    Of a moving image, the first frame counts.

    Raises:
        ValueError: begins with ``name`` and says why there is no image.
    """
    if not data:
        raise ValueError(f"{name}: the file is empty")
    try:
        with Image.open(io.BytesIO(data)) as image:
            upright = ImageOps.exif_transpose(image)
            upright.load()
            pixels = np.array(_rgb(upright))
    except UnidentifiedImageError as error:
        raise ValueError(f"{name}: no image of a known format") from error
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error and others for broken files
        raise ValueError(f"{name}: {error}") from error
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.ndim == 3, pixels.shape
    return pixels


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ALPHA or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255, which turns most of a 16-bit image white.
        wide = np.clip(np.asarray(image, dtype=np.int64), 0, 65535)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers of unknown range")
    return image.convert("RGB")
