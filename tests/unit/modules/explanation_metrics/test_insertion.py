import numpy as np
import pytest
import torch
from explained import logits, paired, single, together
from scipy.ndimage import gaussian_filter

from modules.explanation_metrics.insertion import InsertionConfig

SHARES = (0, 0.5, 1)
QUICK = {"shares": SHARES, "resamples": 20}


def ranked(explained, name=""):
    """Pixels of each image, most important first, by maps that are as large as the images."""
    return [np.argsort(-one.ravel(), kind="stable") for one in explained.maps[name]]


def wide(count, side=24):
    return np.random.default_rng(3).normal(size=(count, side, side)).astype(np.float32)


def naive(explained, score):
    """(F, N): the blurred image, half of the pixels brought back, the image."""
    given = explained.images.numpy()
    side = given.shape[2]
    soft = np.stack([gaussian_filter(one.astype(float), (0, 0.1 * side, 0.1 * side)) for one in given]).astype(np.float32)
    half = soft.copy()
    for row, order in enumerate(ranked(explained)):
        for pixel in order[: side * side // 2]:
            half[row, :, pixel // side, pixel % side] = given[row, :, pixel // side, pixel % side]
    return np.array(
        [[score(torch.from_numpy(block[row : row + 1]), row) for row in range(len(given))] for block in (soft, half, given)]
    )


def test_of_a_class_the_probability_is_followed():
    side = single().images.shape[2]
    explained = single(maps={"": wide(4, side)})
    found = InsertionConfig(**QUICK).build().score(explained)

    def probability(image, row):
        return torch.softmax(logits(explained, image)[0], 0)[explained.labels[row]].item()

    course = naive(explained, probability)
    assert found["headlines"] == ["probability"]
    assert found["details"]["methods"][""]["probability"]["course"] == pytest.approx(course.mean(1).tolist(), abs=1e-5)
    wanted = (course[0] / 4 + course[1] / 2 + course[2] / 4).mean()
    assert found["maps"][""]["probability"]["value"] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("target", "sign"), [("cosine", 1), ("distance", -1)])
def test_of_a_pair_each_image_is_followed_beside_the_other_as_it_is(target, sign):
    side = single().images.shape[2]
    explained = paired(target, maps={"": wide(12, side)})
    found = InsertionConfig(**QUICK).build().score(explained)
    codes = explained.network.embed(explained.images).detach().double()

    def value(image, row):
        other = codes[row + 1 if row % 2 == 0 else row - 1]
        cosine = torch.cosine_similarity(explained.network.embed(image)[0].detach().double(), other, dim=0).item()
        return cosine if sign > 0 else 1 - cosine

    assert found["headlines"] == [target]
    course = naive(explained, value).mean(1)
    assert found["details"]["methods"][""][target]["course"] == pytest.approx(course.tolist(), abs=1e-5)


def test_images_of_pairs_without_maps_are_left_out():
    explained = together(missing=frozenset({0, 5}))
    found = InsertionConfig(**QUICK).build().score(explained)
    assert (found["count"], found["missing"], found["details"]["images"]) == (4, 2, 8)
    codes = explained.network.embed(explained.images).detach().double()
    cosines = torch.cosine_similarity(codes[0::2], codes[1::2])[1:5]
    assert found["details"]["methods"]["S-"]["cosine"]["course"][-1] == pytest.approx(cosines.mean().item(), abs=1e-5)
