import time

import numpy as np
import pytest

from datamodules.evaluation_sets.templates import UNKNOWN, Clustering, Comparisons, Identification, Templates


@pytest.fixture
def templates():
    """Templates 7, 8, 9, 20 of subjects 1, 2, 1, 2; the first has two images."""
    return Templates.of(np.arange(5), np.array([0, 0, 1, 2, 3]), np.array([7, 7, 20, 9, 8]), {7: 1, 8: 2, 9: 1, 20: 2})


def test_templates_go_by_number(templates):
    assert templates.numbers.tolist() == [7, 8, 9, 20]
    assert templates.template.tolist() == [0, 0, 3, 2, 1]
    assert templates.labels.tolist() == [1, 2, 1, 2]
    assert templates.weights.tolist() == [1.0] * 5
    assert len(templates) == 4


def test_a_template_without_a_subject_is_unknown(templates):
    found = Templates.of(templates.rows, templates.media, templates.numbers[templates.template])
    assert found.labels.tolist() == [UNKNOWN] * 4
    assert found.digest != templates.digest


def test_arrays_are_read_only_and_not_copied(templates):
    left = np.array([0, 1], np.int32)
    pairs = Comparisons(templates, left, np.array([2, 3]), np.array([True, True]))
    assert np.shares_memory(pairs.left, left)
    assert (pairs.right.dtype, pairs.same.dtype, templates.rows.dtype) == (np.int32, bool, np.int64)
    with pytest.raises(ValueError, match="read-only"):
        pairs.left[0] = 1
    left[0] = 3  # the caller's own array stays the caller's
    with pytest.raises(ValueError, match="read-only"):
        templates.rows[0] = 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"rows": np.arange(4)}, "different lengths"),
        ({"rows": np.array([0, 1, 2, 3, -1])}, r"rows\[4\] is -1"),
        ({"rows": np.arange(5) + 0.5}, "rows: expected a list of int64, found float64"),
        ({"rows": np.zeros((5, 1), int)}, "rows: expected a list"),
        ({"template": np.array([0, 0, 1, 2, 4])}, r"template\[4\] is 4, but there are 4 templates"),
        ({"template": np.array([0, 0, 1, 2, 2])}, r"template 20 has no image \(1 have none\)"),
        ({"labels": np.array([0, 1, 2, -2])}, r"labels\[3\] is -2"),
        ({"weights": np.array([1, 1, 1, 1, np.nan])}, "weights: expected numbers from 0 on"),
        ({"weights": np.array([1, 1, 1, 1, -1])}, "weights: expected numbers from 0 on"),
        ({"labels": np.arange(3)}, "different lengths"),
    ],
)
def test_what_is_no_set_of_templates_is_refused(templates, change, error):
    names = ("rows", "media", "template", "labels", "numbers", "weights")
    with pytest.raises(ValueError, match=error):
        Templates(**{name: getattr(templates, name) for name in names} | change)


def test_comparisons_are_checked(templates):
    for left, error in (
        ([0, 4], r"left\[1\] is 4, but there are 4 templates"),
        ([0], "one length above 0"),
        ([0, 2**40], "32 bits"),
    ):
        with pytest.raises(ValueError, match=error):
            Comparisons(templates, np.array(left), np.array([2, 3]), np.array([True, True]))
    with pytest.raises(ValueError, match="one length above 0"):
        Comparisons(templates, np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool))
    with pytest.raises(ValueError, match="same: expected a list of bool"):
        Comparisons(templates, np.array([0]), np.array([1]), np.array([2]))


def test_the_order_of_galleries_is_part_of_a_search(templates):
    search = Identification(templates, np.array([2, 3]), (np.array([0]), np.array([1])))
    assert search.probes.dtype == search.galleries[0].dtype == np.int32
    assert search.digest != Identification(templates, np.array([2, 3]), (np.array([1]), np.array([0]))).digest


@pytest.mark.parametrize(
    ("probes", "galleries", "error"),
    [
        ([2, 3], [[0, 1], [], [1]], "3 galleries"),
        ([2, 3], [[]], "gallery 1: empty"),
        ([], [[0]], "probes: empty"),
        ([1], [[0, 2]], r"gallery 1: subject 1 is in it more than once \(1 are\)"),
        ([0, 2], [[0]], "template 7 is both probe and gallery"),
        ([9], [[0]], "probes.0. is 9"),
    ],
)
def test_searches_are_checked(templates, probes, galleries, error):
    with pytest.raises(ValueError, match=error):
        Identification(templates, np.array(probes, int), tuple(np.array(one, int) for one in galleries))


def test_a_search_needs_subjects(templates):
    unknown = Templates.of(np.arange(3), np.arange(3), np.array([5, 6, 7]), {5: 0})
    with pytest.raises(ValueError, match="probes: the subject of template 6 is unknown"):
        Identification(unknown, np.array([1]), (np.array([0]),))


def test_clustering_is_checked():
    assert len(Clustering(np.array([3, 1]), np.array([0, 1]))) == 2
    for rows, labels, error in (([1], [0], "two images or more"), ([1, 1], [0, 1], "twice"), ([1, 2], [0, -1], r"labels\[1\]")):
        with pytest.raises(ValueError, match=error):
            Clustering(np.array(rows), np.array(labels))


def test_digests_follow_every_value(templates):
    pairs = Comparisons(templates, np.array([0, 1]), np.array([2, 3]), np.array([True, True]))
    others = [
        Comparisons(templates, np.array([1, 0]), np.array([2, 3]), np.array([True, True])),
        Comparisons(templates, np.array([2, 3]), np.array([0, 1]), np.array([True, True])),
        Comparisons(templates, np.array([0, 1]), np.array([2, 3]), np.array([True, False])),
    ]
    assert len({one.digest for one in [pairs, *others]}) == 4
    assert (
        pairs.digest
        == Comparisons(templates, np.array([0, 1], np.int64), np.array([2, 3], np.int32), np.array([True] * 2)).digest
    )
    assert Clustering(np.array([0, 1]), np.array([0, 1])).digest != Clustering(np.array([1, 0]), np.array([0, 1])).digest


def test_millions_of_pairs_are_cheap(templates):
    count = 4_000_000
    left = np.zeros(count, np.int32)
    start = time.perf_counter()
    pairs = Comparisons(templates, left, left, np.ones(count, bool))
    assert pairs.digest
    assert time.perf_counter() - start < 2
    assert np.shares_memory(pairs.left, left)
