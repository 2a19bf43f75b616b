"""Probes find what is planted, find nothing in noise, and are not deceived by the images of one subject."""

from typing import Any

import numpy as np
import pytest

from modules.latent import linear_probes
from modules.latent.attribute_labels import Attribute
from modules.latent.linear_probes import probe

GENERATOR = np.random.default_rng(0)
SUBJECTS = np.repeat(np.arange(30), 4)
CLASSES = np.repeat(GENERATOR.permutation(np.arange(30) % 3), 4)
NUMBERS = np.repeat(GENERATOR.normal(size=30), 4)
NOISE = GENERATOR.normal(size=(120, 6))
OWN = np.repeat(GENERATOR.normal(size=(30, 6)), 4, axis=0)  # each subject has a place of its own
QUICK = {"folds": 3, "strength": 1.0, "permutations": 9, "resamples": 200, "seed": 0}


def found(vectors: np.ndarray, attribute: Attribute, **more: Any) -> dict[str, Any]:
    return probe(vectors, attribute, SUBJECTS, **{**QUICK, **more})


def test_a_planted_class_is_found() -> None:
    vectors = NOISE.copy()
    vectors[:, :3] += 6 * np.eye(3)[CLASSES]
    about = found(vectors, Attribute("kind", CLASSES, ("a", "b", "c")))
    assert about["measure"] == "balanced_accuracy"
    assert about["value"] > 0.95
    assert about["low"] <= about["value"] <= about["high"]
    assert about["chance"] == pytest.approx(1 / 3)
    assert about["null"]["p"] == pytest.approx(0.1)
    assert about["null"]["high"] < 0.6
    assert (about["images"], about["subjects"]) == (120, 30)


def test_a_planted_number_is_found() -> None:
    vectors = NOISE.copy()
    vectors[:, 2] = NUMBERS + 0.1 * NOISE[:, 2]
    about = found(vectors, Attribute("years", 1000 + NUMBERS, None))
    assert about["measure"] == "r2"
    assert about["value"] > 0.9
    assert about["low"] > about["null"]["high"]


def test_noise_carries_nothing() -> None:
    about = found(NOISE, Attribute("kind", CLASSES, ("a", "b", "c")), permutations=19)
    assert about["low"] < 1 / 3 < about["high"]
    assert about["null"]["p"] > 0.05
    assert found(NOISE, Attribute("years", NUMBERS, None))["value"] < 0.1


def test_a_subject_in_training_does_not_give_its_other_images_away() -> None:
    """With subjects split over folds, their own places would predict the class."""
    about = found(OWN + 0.01 * NOISE, Attribute("kind", CLASSES, ("a", "b", "c")), permutations=0)
    assert about["value"] < 0.7
    shuffled = probe(
        OWN + 0.01 * NOISE, Attribute("kind", CLASSES, ("a", "b", "c")), np.arange(120), **{**QUICK, "permutations": 0}
    )
    assert shuffled["value"] > about["value"]


def test_the_measures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import balanced_accuracy_score, r2_score

    predicted = np.where(GENERATOR.random(120) < 0.7, CLASSES, (CLASSES + 1) % 3)
    terms, statistic = linear_probes._terms(Attribute("kind", CLASSES, ("a", "b", "c")), predicted)
    assert statistic(terms.sum(0)[None])[0] == pytest.approx(balanced_accuracy_score(CLASSES, predicted))
    guessed = NUMBERS + NOISE[:, 0]
    terms, statistic = linear_probes._terms(Attribute("years", NUMBERS, None), guessed)
    assert statistic(terms.sum(0)[None])[0] == pytest.approx(r2_score(NUMBERS, guessed))


def test_rare_classes_are_left_out_and_named() -> None:
    classes = CLASSES.copy()
    classes[SUBJECTS == 7] = 3
    about = found(NOISE, Attribute("kind", classes, ("a", "b", "c", "rare", "absent")), permutations=0)
    assert about["left_out"] == ["rare"]
    assert about["images"] == 116
    assert about["chance"] == pytest.approx(1 / 3)


def test_a_class_keeps_enough_subjects_if_values_are_exchanged_or_there_is_no_probe() -> None:
    """Three subjects with 40 images each, one of which has glasses, and 30 with one image: these rarely get the one."""
    subjects = np.concatenate([np.repeat(np.arange(3), 40), np.arange(3, 33)])
    glasses = np.zeros(150, np.int64)
    glasses[[0, 40, 80]] = 1
    asked = np.random.default_rng(1).normal(size=(150, 4)), Attribute("glasses", glasses, ("no", "yes")), subjects
    with pytest.raises(ValueError, match="attribute glasses: if subjects exchange values, a class rarely keeps 3 subjects"):
        probe(*asked, **QUICK)
    assert "null" not in probe(*asked, **{**QUICK, "permutations": 0})


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(ValueError, match=r"attribute kind: fewer than two classes have 3 subjects or more \(a 30, b 0\)"):
        found(NOISE, Attribute("kind", np.zeros(120, np.int64), ("a", "b")))
    with pytest.raises(ValueError, match="attribute years: 30 subjects are too few for 31 folds"):
        found(NOISE, Attribute("years", NUMBERS, None), folds=31)
    with pytest.raises(ValueError, match="attribute years: all 120 images have the same value"):
        found(NOISE, Attribute("years", np.full(120, 30.0), None))
