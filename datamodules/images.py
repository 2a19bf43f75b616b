"""Reads one image, the same way wherever an image is read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
# Pillow knows some forty formats; one of them, EPS, starts Ghostscript. These are the ones that image datasets use.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM", "GIF", "TIFF")
MOST_PIXELS = 89_478_485  # 256 MiB of RGB; beyond it Pillow warns of decompression bombs, and beyond twice that refuses itself


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

    The image is turned upright by its EXIF orientation. Transparent pixels lie on white. Pixels of 16 bits are scaled to 8:
    65535 becomes 255; grey ones are rounded, of colours the upper byte counts. Of a moving image, the first frame counts.
    The format is one of ``FORMATS``, whatever the file is called.
    An image has ``MOST_PIXELS`` at most, whatever its width: 20,000 x 4,473 pixels are read, and 20,000 x 4,474 refused before
    they are unpacked.

    Raises:
        ValueError: begins with ``name`` and says why there is no image.
    """
    if not data:
        raise ValueError(f"{name}: the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels; an image has {MOST_PIXELS:,} at most")
            ImageOps.exif_transpose(image, in_place=True)
            image.load()
            pixels = np.array(_rgb(image))
    except UnidentifiedImageError as error:
        raise ValueError(f"{name}: no image of a known format{_unknown(data)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # the latter where warnings are errors
        raise ValueError(f"{name}: an image has {MOST_PIXELS:,} pixels at most ({error})") from error
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error and others for broken files
        raise ValueError(f"{name}: {error}") from error
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.ndim == 3, pixels.shape
    return pixels


def _unknown(data: bytes) -> str:
    """Names the format of ``data`` where Pillow has a decoder for it that is not in ``FORMATS``; decodes nothing."""
    Image.init()
    start = data[:32].ljust(32, b"\0")
    signatures = {kind: Image.OPEN[kind][1] for kind in Image.ID if kind not in FORMATS}
    kind = next((kind for kind, accepts in signatures.items() if accepts is not None and accepts(start) is True), None)
    return "" if kind is None else f"; it is {kind}, and only {', '.join(FORMATS)} are read"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _narrow(image)
    if image.mode in ALPHA or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers of unknown range")
    return image.convert("RGB")


def _narrow(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as RGB of 8; Pillow's own conversion clips at 255, which turns most of such an image white."""
    wide = np.asarray(image, dtype=np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError(f"pixels from {wide.min()} to {wide.max()}, which is no range of 16 bits")
    grey = (wide + 128) // 257
    if isinstance(clear := image.info.get("transparency"), int):
        grey[wide == clear] = 255
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
