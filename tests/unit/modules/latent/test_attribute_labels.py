"""Permutations keep the values of a subject together."""

import numpy as np
import pytest

from modules.latent.attribute_labels import Attribute, constant_in_subjects, permuted
from modules.latent.single_dimensions import shares

SUBJECTS = np.array(["b", "a", "b", "c", "a", "d"])
OF_SUBJECT = np.array([1, 0, 1, 2, 0, 2])
OF_IMAGE = np.array([1, 0, 2, 2, 0, 2])


def test_a_value_belongs_to_the_subject_if_all_its_images_share_it() -> None:
    assert constant_in_subjects(OF_SUBJECT, SUBJECTS)
    assert not constant_in_subjects(OF_IMAGE, SUBJECTS)


def test_subjects_exchange_their_values() -> None:
    generator = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        found = permuted(OF_SUBJECT, SUBJECTS, generator)
        assert constant_in_subjects(found, SUBJECTS)
        per_subject = [found[one == SUBJECTS][0] for one in "abcd"]
        assert sorted(per_subject) == [0, 1, 2, 2]
        seen.add(tuple(per_subject))
    assert len(seen) == 12  # all arrangements of 0, 1, 2, 2


def test_values_of_a_subject_stay_together_if_they_differ_too() -> None:
    """Blocks of two, three, two and two images: each subject has values of one other subject, or of itself."""
    subjects = np.array(["b", "a", "b", "c", "a", "d", "a", "c", "d"])
    values = np.array([20, 10, 21, 30, 11, 40, 12, 31, 41])
    generator, seen = np.random.default_rng(1), set()
    for _ in range(200):
        found = permuted(values, subjects, generator)
        donors = [set(found[subjects == one] // 10) for one in "abcd"]
        assert sorted(number for donor in donors for number in donor) == [1, 2, 3, 4]
        assert all(len(set(found[subjects == one])) == 2 for one in "bcd")
        seen.add(tuple(found))
    assert len(seen) > 100


@pytest.mark.parametrize("flipped", [0.0, 0.05, 0.5])
def test_attributes_that_are_nearly_constant_in_subjects_are_found_by_chance_in_5_percent(flipped: float) -> None:
    """Vectors of subjects that have nothing to do with the attribute; 0.5: the attribute does not depend on the subject."""
    generator, hits = np.random.default_rng(2), []
    subjects = np.repeat(np.arange(30), 8)
    for _ in range(150):
        vectors = generator.normal(size=(30, 4))[subjects] + 0.3 * generator.normal(size=(240, 4))
        values = (subjects % 2) ^ (generator.random(240) < flipped)
        hits.append(len(shares(vectors, Attribute("glasses", values, ("no", "yes")), subjects, 39, 0).carrying) > 0)
    assert np.mean(hits) < 0.11


def test_rows_are_taken_in_order() -> None:
    found = Attribute("gender", OF_IMAGE, ("x", "y", "z")).take(np.array([3, 0]))
    assert (found.name, found.values.tolist(), found.classes) == ("gender", [2, 1], ("x", "y", "z"))
