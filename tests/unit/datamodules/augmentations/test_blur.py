import numpy as np

from datamodules.augmentations.blur import BlurConfig

DOT = np.zeros((61, 41, 3), np.uint8)
DOT[30, 20] = 255


def spread(image):
    """Standard deviations of the light's place, down and across, in pixels."""
    light = image[..., 0].astype(float)
    light /= light.sum()
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.sqrt([(light * (y - 30) ** 2).sum(), (light * (x - 20) ** 2).sum()])


def test_a_dot_becomes_a_bell_of_that_width():
    dot = DOT.copy()
    dot[28:33, 18:23] = 255  # a square of 5 pixels: more light, so that rounding matters less; its own variance is 2
    for sigma in (1.0, 2.0):
        found = BlurConfig(sigma=(sigma, sigma), probability=1).build()(dot, 0)
        assert np.allclose(spread(found), np.sqrt(sigma**2 + 2), atol=0.12)


def test_the_width_is_drawn_from_its_range():
    augment = BlurConfig(sigma=(0.8, 2.0), probability=1).build()
    tops = [int(augment(DOT, seed).max()) for seed in range(60)]
    low, high = (255 / (2 * np.pi * sigma**2) for sigma in (2.0, 0.8))
    assert min(tops) >= low - 2
    assert max(tops) <= high + 4
    assert len(set(tops)) > 15


def test_light_is_kept():
    noise = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    found = BlurConfig(probability=1).build()(noise, 1)
    assert abs(found.mean() - noise.mean()) < 1
    assert found.std() < 0.6 * noise.std()
