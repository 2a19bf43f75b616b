import numpy as np
import pytest
from explained import paired, single

from modules.attribution.explainer import Refused
from modules.explanation_metrics.pointing import PointingConfig
from modules.metrics.pointing import pointing

SIDE = 24


def regions():
    """Of the images 2, 3, 8 and 9: a square in a corner; of the others nobody knows."""
    found = np.zeros((12, SIDE, SIDE), bool)
    found[[2, 3, 8, 9], :8, :8] = True
    return found


def pointed():
    """Maps whose maximum hits in two of the four images."""
    found = np.zeros((12, SIDE, SIDE), np.float32)
    found[[2, 8], 4, 4] = 1
    found[[3, 9], 20, 20] = 1
    found[8, 20, 20] = 0.5
    found[0, 4, 4] = 1
    return found


def test_images_count_whose_region_is_known():
    found = PointingConfig(resamples=50).build().score(paired(maps={"": pointed()}, find_regions=regions))
    assert (found["images"], found["unknown"]) == (4, 8)
    assert found["maps"][""]["pointing"]["value"] == 0.5
    assert found["maps"][""]["energy"]["value"] == pytest.approx((1 + 0 + 1 / 1.5 + 0) / 4)
    direct = pointing({"": pointed()[[2, 3, 8, 9]]}, regions()[[2, 3, 8, 9]], resamples=50)
    assert found["details"] == direct
    assert (found["each"]["of"], found["each"]["rows"]) == ("images", [2, 3, 8, 9])
    assert found["each"]["maps"] == {"": {"pointing": [1, 0, 1, 0], "energy": pytest.approx([1, 0, 1 / 1.5, 0])}}
    assert found["baselines"]["constant"]["pointing"]["value"] == pytest.approx(64 / SIDE**2)


def test_a_pair_without_maps_is_passed_over():
    explained = paired(maps={"": pointed()}, find_regions=regions, missing=frozenset({1}))
    found = PointingConfig(resamples=50).build().score(explained)
    assert (found["images"], found["missing"]) == (2, 1)
    assert found["maps"][""]["pointing"]["value"] == 0.5


@pytest.mark.parametrize(("side", "expected"), [("left", 1.0), ("right", 0.0)])
def test_one_side_of_each_pair_may_count(side, expected):
    found = PointingConfig(resamples=50, side=side).build().score(paired(maps={"": pointed()}, find_regions=regions))
    assert (found["images"], found["unknown"]) == (2, 4)
    assert found["maps"][""]["pointing"]["value"] == expected


def test_the_truth_of_maps_of_similarity_is_where_both_images_show_the_same():
    config = PointingConfig(resamples=50, truth="similarity")
    common = np.zeros((12, SIDE, SIDE), bool)
    common[[8, 9], 16:, 16:] = True
    explained = paired(maps={"": pointed()}, find_regions=regions, find_common_regions=lambda: common)
    found = config.build().score(explained)
    assert (found["images"], found["unknown"]) == (2, 10)
    assert found["each"]["rows"] == [8, 9]
    assert found["each"]["maps"][""] == {"pointing": [0, 1], "energy": pytest.approx([0.5 / 1.5, 1])}
    with pytest.raises(Refused, match="it is not known where the two images of a pair truly show the same"):
        config.build().score(paired(find_regions=regions))


def test_single_images_have_no_sides():
    with pytest.raises(Refused) as caught:
        PointingConfig(side="left").build().score(single(find_regions=regions))
    assert caught.value.code == "no_sides"


@pytest.mark.parametrize(
    "explained",
    [
        single(),
        paired(),
        paired(find_regions=lambda: np.zeros((12, SIDE, SIDE), bool)),
        paired(find_regions=regions, missing=frozenset({1, 4})),
    ],
    ids=["single images", "nobody knows", "out of the crop", "no map where it is known"],
)
def test_without_a_region_it_is_refused(explained):
    with pytest.raises(Refused) as caught:
        PointingConfig().build().score(explained)
    assert caught.value.code == "no_region"
