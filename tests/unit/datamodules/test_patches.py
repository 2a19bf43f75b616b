"""Where patches lie and where they come from."""

from collections import Counter

import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.patches import boxes, patches_of

COUNT = 400
IDENTITIES = [f"p{row // 4}" for row in range(40)]  # ten subjects with four images


def config(**settings):
    return resolve("protocol", {"name": "patched_pairs", "protocol": {"name": "drawn"}, **settings})


def some_pairs():
    rng = np.random.default_rng(3)
    left = rng.integers(0, 40, COUNT)
    same = np.arange(COUNT) % 2 == 0
    right = np.where(same, left // 4 * 4 + (left + 1) % 4, (left + 4) % 40)
    return Pairs(left, right, same, np.zeros(COUNT, np.int64))


def test_boxes_on_a_face_of_112_are_the_slices_of_the_public_code():
    places = [(0, 0), (96, 96), (31, 5)]
    assert boxes(places, 16, 1.0, 112, 112) == [(top, left, top + 16, left + 16) for top, left in places]


@pytest.mark.parametrize(("height", "width", "area"), [(250, 250, 0.45), (100, 64, 1.0), (300, 401, 0.7), (160, 160, 1.0)])
def test_boxes_are_scaled_to_the_central_square(height, width, area):
    """Within half a pixel of the same rectangle in real numbers."""
    square = round(area * min(height, width))
    places = [(0, 0), (96, 96), (31, 5), (50, 77)]
    for (top, left), found in zip(places, boxes(places, 16, area, height, width), strict=True):
        scale = square / 112
        up, across = (height - square) // 2, (width - square) // 2
        wanted = [up + top * scale, across + left * scale, up + (top + 16) * scale, across + (left + 16) * scale]
        np.testing.assert_allclose(found, wanted, atol=0.5 + 1e-9)


def test_a_patch_of_a_tiny_image_has_a_pixel_at_least():
    for top, left, bottom, right in boxes([(0, 0), (111, 111), (55, 3)], 1, 0.1, 64, 64):
        assert (bottom - top, right - left) == (1, 1)
        assert 29 <= top < bottom <= 35
        assert 29 <= left < right <= 35


def test_sources_are_the_second_image_or_another_subject():
    pairs = some_pairs()
    found = patches_of(config(), pairs, IDENTITIES)
    assert [one.same for one in found] == pairs.same.tolist()
    assert [one.partner for one in found] == pairs.right.tolist()
    used = Counter()
    for pair, one in enumerate(found):
        assert len(one.places) == 27
        if one.same:
            assert IDENTITIES[one.source] != IDENTITIES[pairs.left[pair]]
            used[one.source] += 1
        else:
            assert one.source == pairs.right[pair]
    assert len(used) > 35
    assert max(used.values()) < 20


def test_places_are_uniform_and_follow_from_the_seed():
    pairs = some_pairs()
    first, again, other = (patches_of(config(seed=seed), pairs, IDENTITIES) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    places = np.array([one.places for one in first]).reshape(-1)
    assert (places.min(), places.max()) == (0, 96)
    expected = len(places) / 97
    chi_square = ((np.bincount(places, minlength=97) - expected) ** 2 / expected).sum()
    assert chi_square < 142  # the 99.9 % quantile with 96 degrees of freedom is 144.6


def test_listed_places_and_sources_are_those_of_the_list(tmp_path):
    pairs = some_pairs()
    images = np.stack([pairs.left, pairs.right], 1)
    lines = [f"{2 * pair}, {2 * pair + 1}\t{(2 * pair + 9) % 800}\t[20, 30]\t[{pair % 90}, 3]" for pair in range(0, COUNT, 2)]
    file = tmp_path / "patch_idx_gen.txt"
    file.write_text("\n".join(lines))
    found = patches_of(config(genuine_places=str(file)), pairs, IDENTITIES)
    drawn = patches_of(config(), pairs, IDENTITIES)
    for pair in range(COUNT):
        if pair % 2:
            assert found[pair] == drawn[pair]
        else:
            assert found[pair].places == ((4, pair % 90), (14, 3))
            assert found[pair].source == images[(2 * pair + 9) % 800 // 2, 1]
    file.write_text("\n".join(lines[:-1]))
    with pytest.raises(ValueError, match=r"patch_idx_gen\.txt: has no patches for pair 398 of the protocol.*genuine"):
        patches_of(config(genuine_places=str(file)), pairs, IDENTITIES)
    file.write_text("\n".join(["0, 1\t800\t[20]\t[3]", *lines[1:]]))
    with pytest.raises(ValueError, match=r"patch_idx_gen\.txt, line 1: the source is image 800 of 800"):
        patches_of(config(genuine_places=str(file)), pairs, IDENTITIES)


def test_genuine_pairs_of_a_single_subject_have_no_source():
    pairs = Pairs(np.array([0]), np.array([1]), np.array([True]), np.array([0]))
    with pytest.raises(ValueError, match="all pairs are of one subject"):
        patches_of(config(), pairs, IDENTITIES)


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ({"name": "drawn", "flip_test": True}, "its flip_test would be ignored"),
        ({"name": "drawn", "transforms": [{"name": "jpeg", "quality": 9}]}, "its transforms would be ignored"),
        ({"name": "lfw", "root": "/lfw", "setting": "restricted"}, "its setting would be ignored"),
        ({"name": "clustering", "data": "drawn"}, "protocol clustering compares no pairs of images"),
    ],
)
def test_settings_of_the_inner_protocol_that_would_be_ignored_are_refused(inner, said):
    with pytest.raises(ValueError, match=said):
        config(protocol=inner)
