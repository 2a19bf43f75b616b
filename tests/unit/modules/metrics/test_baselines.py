import numpy as np

from modules.metrics.baselines import baselines, center_maps, constant_maps, random_maps


def test_the_center_prior_is_a_gaussian_of_its_spread():
    found = center_maps(2, (40, 20), 0.25)
    assert found.shape == (2, 40, 20)
    assert np.unravel_index(found[0].argmax(), (40, 20)) in {(19, 9), (19, 10), (20, 9), (20, 10)}
    np.testing.assert_allclose(found[1, 7, 3], np.exp(-0.5 * (((7.5 - 20) / 10) ** 2 + ((3.5 - 10) / 5) ** 2)), rtol=1e-6)


def test_random_maps_differ_between_images_and_follow_the_seed():
    found = random_maps(2, (5, 4), 0)
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_array_equal(found, random_maps(2, (5, 4), 0))
    assert not np.array_equal(found, random_maps(2, (5, 4), 1))


def test_a_constant_map_is_constant():
    assert constant_maps(2, (5, 4)).std() == 0
    assert set(baselines(1, (3, 3), 0, 0.25)) == {"random", "constant", "center"}
