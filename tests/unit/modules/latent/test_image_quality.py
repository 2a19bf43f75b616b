"""PSNR against its formula, SSIM at its fixed points."""

import numpy as np
import pytest

from modules.latent.image_quality import psnr, ssim

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3), dtype=np.uint8)


def test_psnr_is_ten_log_of_peak_over_error() -> None:
    others = np.clip(IMAGES.astype(int) + np.array([1, 5, 20])[:, None, None, None], 0, 255).astype(np.uint8)
    errors = ((IMAGES.astype(float) - others) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(psnr(IMAGES, others), 10 * np.log10(255**2 / errors))


def test_equal_images_are_perfect() -> None:
    assert np.isinf(psnr(IMAGES, IMAGES)).all()
    np.testing.assert_allclose(ssim(IMAGES, IMAGES), 1)


def test_ssim_of_a_constant_shift_is_the_luminance_term() -> None:
    dark = np.full((1, 9, 9, 3), 100, np.uint8)
    bright = np.full((1, 9, 9, 3), 150, np.uint8)
    c = (0.01 * 255) ** 2
    assert ssim(dark, bright)[0] == pytest.approx((2 * 100 * 150 + c) / (100**2 + 150**2 + c))


def test_each_pair_is_measured_by_itself() -> None:
    others = IMAGES.copy()
    others[1] = 255 - others[1]
    found = ssim(IMAGES, others)
    assert found[0] == found[2] == pytest.approx(1)
    assert found[1] < 0
