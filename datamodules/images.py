"""Image decoding; all images are read by this module."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from configs.contract import described

ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
# Formats used by image datasets. Pillow supports some forty, and one of them, EPS, runs Ghostscript.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM", "GIF", "TIFF")
MOST_PIXELS = 89_478_485  # 256 MiB of RGB; above it Pillow warns of decompression bombs, above twice that it refuses


def read_image(path: Path) -> np.ndarray:
    """The image in the file ``path``: RGB, uint8, (height, width, 3).

    Raises:
        ValueError: the file is missing, empty, truncated or not an image; gives the file and the reason.
    """
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; ValueError if it cannot be read, with the file and the reason."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def decode(data: bytes, name: str) -> np.ndarray:
    """Decodes the image in ``data`` completely: RGB, uint8, (height, width, 3).

    The image is rotated according to its EXIF orientation. Transparent pixels are blended onto white. 16-bit pixels are scaled
    to 8 bits (65535 becomes 255): gray ones are rounded, for colors the upper byte is used. Of an animation, the first frame
    is used. The format is one of ``FORMATS``, regardless of the file name. An image has at most ``MOST_PIXELS``, whatever its
    width: 20,000 x 4,473 pixels are accepted, 20,000 x 4,474 are refused before they are decompressed.

    Raises:
        ValueError: starts with ``name`` and gives the reason.
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
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # the latter if warnings are errors
        raise ValueError(f"{name}: an image has {MOST_PIXELS:,} pixels at most ({error})") from error
    except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error and others for damaged files
        raise ValueError(f"{name}: {error}") from error
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.ndim == 3, pixels.shape
    return pixels


def from_pil(image: Image.Image) -> np.ndarray:
    """The pixels of an image that PIL opened, as ``decode`` gives those of its file; ``image`` itself is not changed.

    Raises:
        ValueError: the mode has no known range, such as F, or is not convertible to RGB; or the file is damaged.
    """
    try:
        return np.array(_rgb(ImageOps.exif_transpose(image)))
    except Exception as error:  # as in ``decode``: PIL reads a file when its pixels are first used
        raise ValueError(f"PIL image of mode {image.mode}: {error}") from error


def check_images(images: Any) -> None:
    """Checks the images given to a detector.

    Raises:
        ValueError: they are not RGB arrays, uint8 (height, width, 3), in a list or in an array (N, height, width, 3).
    """
    if isinstance(images, str) or (not isinstance(images, Sequence) and np.ndim(images) != 4):
        raise ValueError(f"images are a list of RGB arrays uint8 (height, width, 3); found {described(images)}")
    for number, image in enumerate(images):
        if not is_rgb(image):
            raise ValueError(f"image {number}: an image is an RGB array uint8 (height, width, 3); found {described(image)}")


def is_rgb(image: Any) -> bool:
    """Whether it is an array uint8 (height, width, 3) with at least one pixel."""
    fits = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    return fits and image.size > 0


def _unknown(data: bytes) -> str:
    """The format of ``data`` if Pillow could decode it but it is not in ``FORMATS``; decodes nothing."""
    Image.init()
    start = data[:32].ljust(32, b"\0")
    signatures = {kind: Image.OPEN[kind][1] for kind in Image.ID if kind not in FORMATS}
    kind = next((kind for kind, accepts in signatures.items() if accepts is not None and accepts(start) is True), None)
    return "" if kind is None else f"; it is {kind}, and only {', '.join(FORMATS)} are read"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _narrow(image)
    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers of unknown range")
    if image.mode in ALPHA or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _narrow(image: Image.Image) -> Image.Image:
    """16-bit gray as 8-bit RGB; Pillow's own conversion clips at 255, which turns most of such an image white."""
    wide = np.asarray(image, dtype=np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError(f"pixels from {wide.min()} to {wide.max()}, which is no range of 16 bits")
    gray = (wide + 128) // 257
    if isinstance(clear := image.info.get("transparency"), int):
        gray[wide == clear] = 255
    return Image.fromarray(gray.astype(np.uint8)).convert("RGB")
