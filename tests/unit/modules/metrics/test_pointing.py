import math

import numpy as np
import pytest

from modules.metrics.intervals import wilson
from modules.metrics.pointing import energies, hits, pointing

COUNT, SIZE = 12, (24, 20)


def regions():
    found = np.zeros((COUNT, *SIZE), bool)
    for row in range(COUNT):
        found[row, 2 + row : 7 + row, 1:5] = True
    return found


def oracle():
    return regions().astype(np.float32)


AREA = 5 * 4 / (24 * 20)


def test_the_oracle_has_all_the_energy_and_always_hits():
    found = pointing({"oracle": oracle(), "opposite": 1 - oracle()}, regions(), resamples=100)["methods"]
    assert found["oracle"]["pointing"]["value"] == found["oracle"]["energy"]["value"] == 1
    assert found["opposite"]["pointing"]["value"] == found["opposite"]["energy"]["value"] == 0
    assert (found["oracle"]["pointing"]["low"], found["oracle"]["pointing"]["high"]) == wilson(COUNT, COUNT)
    assert found["oracle"]["energy"]["above"]["center"]["low"] > 0


def test_a_constant_map_has_the_regions_share_of_the_image():
    for maps in (np.full((COUNT, *SIZE), 0.1), np.full((COUNT, 3, 3), 0.1), np.full((COUNT, 3, 3), -1.0)):
        np.testing.assert_allclose(hits(maps, regions()), AREA, atol=1e-12)
        np.testing.assert_allclose(energies(maps, regions()), AREA, atol=1e-12)


def test_random_maps_come_near_the_share_and_the_floor_is_one_of_them():
    many = np.repeat(regions(), 100, axis=0)
    maps = np.random.default_rng(0).random(many.shape)
    assert hits(maps, many).mean() == pytest.approx(AREA, abs=0.02)
    assert energies(maps, many).mean() == pytest.approx(AREA, abs=0.002)
    found = pointing({}, many, resamples=20)
    assert found["area"] == pytest.approx(AREA)
    assert found["methods"]["random"]["energy"]["value"] == pytest.approx(AREA, abs=0.002)
    assert found["methods"]["random"]["baseline"]


def test_a_peak_hits_within_the_tolerance_as_distances_say():
    region = np.zeros((1, *SIZE), bool)
    region[0, 10, 10] = True
    for i in range(6, 15):
        for j in range(6, 15):
            one = np.zeros((1, *SIZE))
            one[0, i, j] = 3
            for tolerance in (0, 1, 2.5):
                assert hits(one, region, tolerance)[0] == (math.dist((i, j), (10, 10)) <= tolerance)


def test_of_equal_maxima_the_share_that_hits_counts():
    one = np.zeros((1, *SIZE))
    one[0, 3, 2] = one[0, 20, 15] = one[0, 21, 15] = one[0, 22, 15] = 1
    assert hits(one, regions()[:1])[0] == 0.25


def test_energy_is_the_positive_part_in_the_region():
    maps = np.random.default_rng(1).normal(size=(COUNT, *SIZE))
    for row, value in enumerate(energies(maps, regions())):
        inside = total = 0.0
        for place in np.ndindex(*SIZE):
            total += max(maps[row][place], 0)
            inside += max(maps[row][place], 0) if regions()[row][place] else 0
        assert value == pytest.approx(inside / total, abs=1e-12)


def test_small_maps_are_enlarged():
    maps = np.zeros((1, 6, 5))
    maps[0, 1, 0] = 1
    region = np.zeros((1, *SIZE), bool)
    region[0, 4:8, 0:4] = True
    assert hits(maps, region)[0] == 1
    assert 0.3 < energies(maps, region)[0] < 1


def test_empty_maps_are_counted():
    maps = oracle()
    maps[:3] = 0
    assert pointing({"some": maps}, regions(), resamples=10)["methods"]["some"]["empty"] == 3


def test_differences_are_of_the_same_images():
    maps = np.random.default_rng(2).normal(size=(COUNT, *SIZE))
    found = pointing({"one": maps, "two": maps}, regions(), resamples=200)["methods"]
    assert found["one"]["energy"] == found["two"]["energy"]
    difference = energies(maps, regions()) - energies(np.ones((COUNT, *SIZE)), regions())
    assert found["one"]["energy"]["above"]["constant"]["value"] == pytest.approx(difference.mean())
    assert "center" not in found["center"]["energy"]["above"]


def test_what_cannot_be_evaluated_is_named():
    none = regions()
    none[4] = False
    with pytest.raises(ValueError, match="the first is image 4"):
        hits(oracle(), none)
    with pytest.raises(ValueError, match="NaN"):
        hits(oracle() * np.nan, regions())
    with pytest.raises(ValueError, match="baseline"):
        pointing({"random": oracle()}, regions())


def test_maps_that_lie_wholly_in_the_region_have_no_interval_of_width_0():
    found = pointing({"oracle": oracle()}, regions(), resamples=100)["methods"]["oracle"]
    for kind in ("pointing", "energy"):
        assert found[kind]["value"] == found[kind]["high"] == 1
        assert 0.5 < found[kind]["low"] < 0.99
