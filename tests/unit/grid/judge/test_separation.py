"""Moments of subjects against sums over lists of pairs."""

import itertools

import numpy as np
import pytest

from grid.judge.separation import Moments, resampled

SUBJECTS = np.array([0, 0, 0, 1, 1, 2, 3, 3])


def cosines(seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(len(SUBJECTS), 5)) + 2 * np.eye(5)[SUBJECTS]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found: np.ndarray = vectors @ vectors.T
    return found


def listed(scores: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """The definition, on each pair written as often as a resample has it."""
    kinds: tuple[list[float], list[float]] = ([], [])
    for one, other in itertools.combinations(range(len(SUBJECTS)), 2):
        here, there = SUBJECTS[one], SUBJECTS[other]
        times = weights[here] if here == there else weights[here] * weights[there]
        kinds[int(here != there)].extend([scores[one, other]] * int(times))
    genuine, impostor = map(np.array, kinds)
    gap = genuine.mean() - impostor.mean()
    return gap / impostor.std(), gap / np.sqrt((genuine.var() + impostor.var()) / 2)


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (2, 0, 1, 1), (0, 3, 1, 0), (1, 0, 3, 0)])
def test_both_statistics_are_those_of_the_pairs_of_a_resample(weights: tuple[int, ...]) -> None:
    found = Moments.of(cosines(), SUBJECTS).statistics(np.array([weights], float))
    assert [float(one[0]) for one in found] == pytest.approx(listed(cosines(), np.array(weights)), rel=1e-9)


def test_a_resample_without_a_genuine_pair_has_no_statistic() -> None:
    """Subject 2 has one image."""
    assert all(np.isnan(one[0]) for one in Moments.of(cosines(), SUBJECTS).statistics(np.array([[0.0, 0, 4, 0]])))


def test_resamples_draw_as_many_subjects_as_there_are() -> None:
    weights = resampled(7, 400)
    assert weights.shape == (401, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert weights[1:].var(axis=0) == pytest.approx(np.full(7, 6 / 7), abs=0.3), "binomial: n p (1 - p) = 6 / 7"
    assert np.array_equal(weights, resampled(7, 400))
