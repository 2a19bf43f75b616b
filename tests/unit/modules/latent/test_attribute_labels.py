"""Permutations keep the images of a subject together where the attribute belongs to the subject."""

import numpy as np

from modules.latent.attribute_labels import Attribute, constant_in_subjects, permuted

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


def test_images_exchange_theirs_otherwise() -> None:
    found = permuted(OF_IMAGE, SUBJECTS, np.random.default_rng(1))
    assert sorted(found) == sorted(OF_IMAGE)
    assert found.tolist() != OF_IMAGE.tolist()


def test_rows_are_taken_in_order() -> None:
    found = Attribute("gender", OF_IMAGE, ("x", "y", "z")).take(np.array([3, 0]))
    assert (found.name, found.values.tolist(), found.classes) == ("gender", [2, 1], ("x", "y", "z"))
