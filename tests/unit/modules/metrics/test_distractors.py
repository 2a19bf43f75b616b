"""Ranks among distractors, counted one by one."""

import numpy as np
import pytest

from modules.metrics.distractors import ranks
from modules.metrics.identification import search


def drawn(seed=0, whole=False):
    rng = np.random.default_rng(seed)
    subjects = rng.permutation(np.repeat(np.arange(5), [2, 3, 4, 2, 5]))
    make = (lambda *shape: rng.integers(-2, 3, shape).astype(float)) if whole else (lambda *shape: rng.normal(size=shape))
    return make(16, 4), subjects, make(30, 4)


@pytest.mark.parametrize("whole", [False, True])  # whole numbers have ties
@pytest.mark.parametrize("scores", [31, 10**6])
def test_every_ordered_pair_is_ranked_among_the_first_distractors(whole, scores):
    probes, subjects, distractors = drawn(1, whole)
    asked, ahead = ranks(probes, subjects, distractors, [3, 10, 30], scores=scores)
    wanted = []
    for row in range(16):
        for other in range(16):
            if other != row and subjects[other] == subjects[row]:
                mate = probes[row] @ probes[other]
                counts = [sum(probes[row] @ one >= mate for one in distractors[:size]) for size in (3, 10, 30)]
                wanted.append((row, *counts))
    assert sorted(zip(asked.tolist(), *ahead.T.tolist(), strict=True)) == sorted(wanted)
    assert len(wanted) == sum(count * (count - 1) for count in (2, 3, 4, 2, 5))


@pytest.mark.parametrize("whole", [False, True])
def test_a_rank_is_that_of_a_search_in_a_gallery_of_the_mate_and_the_distractors(whole):
    """As the benchmark is defined: each image of a subject in turn joins the gallery, and every other one searches."""
    probes, subjects, distractors = drawn(2, whole)
    asked, ahead = ranks(probes, subjects, distractors, [5, 30])
    found = sorted(zip(asked.tolist(), *ahead.T.tolist(), strict=True))
    wanted = []
    for mate in range(16):
        searching = np.flatnonzero((subjects == subjects[mate]) & (np.arange(16) != mate))
        counts = []
        for size in (5, 30):
            gallery = np.vstack([probes[mate], distractors[:size]])
            one = search(gallery, np.arange(size + 1), probes[searching], np.zeros(len(searching), int))
            counts.append(one.above + one.tied)
        wanted += list(zip(searching.tolist(), *(one.tolist() for one in counts), strict=True))
    assert found == sorted(wanted)


@pytest.mark.parametrize("dimension", [64, 100, 512])
def test_a_distractor_that_equals_the_mate_bit_by_bit_is_ranked_before_it(dimension):
    """In float64 the products of one and the same embedding differ in their last bits, by their places in a matrix."""
    rng = np.random.default_rng(0)
    units = rng.normal(size=(60, dimension))
    units[1:40:2] = units[:40:2] + rng.normal(scale=0.3, size=(20, dimension))  # no other distractor is as similar as the mate
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)
    probes, subjects = units[:40], np.repeat(np.arange(20), 2)
    _, ahead = ranks(probes, subjects, np.concatenate([probes, units[40:]]), [60])
    assert set(ahead[:, 0].tolist()) == {2}  # the distractors that equal the probe and its mate


def test_what_cannot_be_ranked_is_refused():
    probes, subjects, distractors = drawn()
    with pytest.raises(ValueError, match=r"sizes \[31\] are not all from 1 to 30"):
        ranks(probes, subjects, distractors, [31])
    with pytest.raises(ValueError, match="1 subjects have one image"):
        ranks(np.vstack([probes, probes[:1]]), np.append(subjects, 9), distractors, [3])
    with pytest.raises(ValueError, match="0 probes and 30 distractors are left"):
        ranks(probes[:0], subjects[:0], distractors, [3])
    with pytest.raises(ValueError, match="16 probes and 0 distractors are left"):
        ranks(probes, subjects, distractors[:0], [0])
    with pytest.raises(ValueError, match="probe embedding"):
        ranks(np.full_like(probes, np.nan), subjects, distractors, [3])
