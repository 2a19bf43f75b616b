"""Similarity of reconstructed and original images: PSNR and SSIM of each image, by scikit-image."""

from __future__ import annotations

import numpy as np


def psnr(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair of images, in dB: float64 (N,); infinite for equal images.

    Args:
        images, others: uint8 (N, H, W, 3)
    """
    from skimage.metrics import peak_signal_noise_ratio

    _check(images, others)
    with np.errstate(divide="ignore"):
        found = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(images, others, strict=True)]
    return np.array(found, np.float64)


def ssim(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al., IEEE Transactions on Image Processing 13, 2004) of each pair: float64 (N,).

    Windows of 7 x 7 pixels, mean over the three color channels; 1 for equal images.

    Args:
        images, others: uint8 (N, H, W, 3), at least 7 pixels high and wide
    """
    from skimage.metrics import structural_similarity

    _check(images, others)
    found = [structural_similarity(a, b, data_range=255, channel_axis=2) for a, b in zip(images, others, strict=True)]
    return np.array(found, np.float64)


def _check(images: np.ndarray, others: np.ndarray) -> None:
    assert images.shape == others.shape, (images.shape, others.shape)
    assert images.dtype == others.dtype == np.uint8, (images.dtype, others.dtype)
