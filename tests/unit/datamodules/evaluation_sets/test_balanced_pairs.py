from collections import Counter

import numpy as np
import pytest

from datamodules.evaluation_sets.balanced_pairs import genuine_pairs, impostor_pairs


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("images", [[3] * 8, [3] * 7, [5, 1, 2, 4], [2, 2]])
def test_all_impostor_pairs_are_found_once(images):
    most = (sum(images) ** 2 - sum(size**2 for size in images)) // 2
    found = impostor_pairs(images, most, rng())
    assert len({frozenset(pair) for pair in found}) == len(found) == most
    assert all(left[0] != right[0] for left, right in found)
    assert all(image < images[subject] for pair in found for subject, image in pair)
    with pytest.raises(ValueError, match=f"{most + 1} impostor pairs were asked for, but the images make {most}"):
        impostor_pairs(images, most + 1, rng())


@pytest.mark.parametrize("images", [[3] * 8, [5, 1, 2, 4]])
def test_all_genuine_pairs_are_found_once(images):
    most = sum(size * (size - 1) // 2 for size in images)
    found = genuine_pairs(images, most, rng())
    assert len({frozenset(pair) for pair in found}) == len(found) == most
    assert all(left[0] == right[0] for left, right in found)
    with pytest.raises(ValueError, match=f"{most + 1} genuine pairs were asked for"):
        genuine_pairs(images, most + 1, rng())


@pytest.mark.parametrize(("subjects", "count"), [(20, 300), (60, 300), (9, 50), (6, 15)])
def test_no_two_subjects_meet_again_before_all_have_met(subjects, count):
    found = impostor_pairs([8] * subjects, count, rng())
    met = Counter(frozenset((left[0], right[0])) for left, right in found)
    possible = subjects * (subjects - 1) // 2
    assert len(met) == min(count, possible)
    assert max(met.values()) - min(met.values()) <= 1
    compared = Counter(subject for pair in met.elements() for subject in pair)
    assert max(compared.values()) - min(compared.values()) <= 1 + count // possible


def test_consecutive_impostor_pairs_hold_every_subject_once():
    found = impostor_pairs([4] * 10, 45, rng())
    for start in range(0, 45, 5):
        assert {subject for pair in found[start : start + 5] for subject, _ in pair} == set(range(10))


def test_genuine_pairs_take_turns():
    found = genuine_pairs([6] * 10, 57, rng())
    for start in range(0, 50, 10):
        assert {left[0] for left, _ in found[start : start + 10]} == set(range(10))


def test_chance_chooses_and_a_generator_gives_one_result():
    assert impostor_pairs([4] * 10, 30, rng()) == impostor_pairs([4] * 10, 30, rng())
    assert genuine_pairs([4] * 10, 30, rng()) == genuine_pairs([4] * 10, 30, rng())
    assert impostor_pairs([4] * 10, 30, rng()) != impostor_pairs([4] * 10, 30, np.random.default_rng(1))
    assert genuine_pairs([4] * 10, 30, rng()) != genuine_pairs([4] * 10, 30, np.random.default_rng(1))
