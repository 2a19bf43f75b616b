import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.metrics import identification
from modules.metrics.identification import cmc, dir_at_far, search


def small(seed, gallery=9, probes=14, people=5, unknown=3):
    """Whole-number embeddings: products are exact, and ties are common."""
    rng = np.random.default_rng(seed)
    subjects = np.concatenate([np.arange(people), rng.integers(0, people, gallery - people)])
    who = np.concatenate([[0, people], rng.integers(0, people + unknown, probes - 2)])
    return rng.integers(-2, 3, (gallery, 3)).astype(float), subjects, rng.integers(-2, 3, (probes, 3)).astype(float), who


def naive(gallery, subjects, probes, who):
    """For each probe, {subject: best score}."""
    out = []
    for probe in probes:
        best = {}
        for entry, subject in zip(gallery, subjects, strict=True):
            best[subject] = max(best.get(subject, -np.inf), float(np.dot(probe, entry)))
        out.append(best)
    return out


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_ranks_are_what_sorting_each_probe_finds(seed, block):
    data = small(seed)
    found = search(*data, block=block)
    tables, who = naive(*data), data[3]
    assert found.mated.tolist() == [subject in tables[0] for subject in who]
    assert found.top.tolist() == [max(table.values()) for table in tables]
    for row, (table, subject) in enumerate(zip(tables, who, strict=True)):
        mate = table.get(subject, -np.inf)
        assert found.mate[row] == mate
        assert found.above[row] == sum(score > mate for score in table.values())
        assert found.tied[row] == sum(score == mate for name, score in table.items() if name != subject)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_a_rank_counts_only_if_it_holds_in_every_order_of_ties(seed):
    data = small(seed, gallery=5, people=4, probes=6)
    found, tables, who = search(*data), naive(*data), data[3]
    for rank in (1, 2, 3):
        worst = []
        for table, subject in zip(tables, who, strict=True):
            if subject not in table:
                continue
            orders = []
            for order in itertools.permutations(table):
                ranked = sorted(order, key=lambda name: -table[name])  # stable: ties stay in this order
                orders.append(ranked.index(subject) < rank)
            worst.append(all(orders))
        assert cmc(found, [rank])[rank] == pytest.approx(np.mean(worst))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.sampled_from([1, 2]))
def test_dir_is_the_best_of_all_thresholds_that_keep_the_target(seed, far, rank):
    data = small(seed)
    found = search(*data)
    hits = found.mated & (found.above + found.tied < rank)
    best = max(
        float((found.mate[hits] >= threshold).sum()) / found.mated.sum()
        for threshold in [*np.unique(found.top), *np.unique(found.mate[hits]), np.inf]
        if (found.top[~found.mated] >= threshold).mean() <= far
    )
    value, threshold, share = dir_at_far(found, far, rank)
    assert value == pytest.approx(best)
    assert share == (found.top[~found.mated] >= threshold).mean() <= far
    assert value == pytest.approx((found.mate[hits] >= threshold).sum() / found.mated.sum())


def test_order_and_names_change_nothing():
    gallery, subjects, probes, who = small(3)
    rng = np.random.default_rng(0)
    a, b = rng.permutation(len(gallery)), rng.permutation(len(probes))
    names = np.array(["q", "w", "e", "r", "t", "z", "u", "i"])
    one, two = search(gallery, subjects, probes, who), search(gallery[a], names[subjects[a]], probes[b], names[who[b]])
    for field in ("mated", "top", "mate", "above", "tied"):
        assert getattr(one, field)[b].tolist() == getattr(two, field).tolist()


def test_a_rotation_of_all_embeddings_changes_nothing():
    rng = np.random.default_rng(0)
    gallery, probes = rng.normal(size=(40, 8)), rng.normal(size=(60, 8))
    who = rng.integers(0, 50, 60)
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    one = search(gallery, np.arange(40), probes, who)
    two = search(gallery @ rotation, np.arange(40), probes @ rotation, who)
    assert one.above.tolist() == two.above.tolist()


def test_blocks_do_not_show():
    rng = np.random.default_rng(0)
    gallery, probes = rng.normal(size=(300, 64)).astype(np.float32), rng.normal(size=(101, 64)).astype(np.float32)
    gallery[150:] = gallery[:150]  # each entry twice, under another name: every mate is tied
    found = [search(gallery, np.arange(300), probes, np.arange(101), block=block) for block in (1, 10, 1000)]
    for one in found:
        assert one.tied.tolist() == [1] * 101
        assert one.mate.tobytes() == found[0].mate.tobytes()
        assert one.above.tolist() == found[0].above.tolist()


def test_a_large_gallery_takes_fewer_probes_at_a_time(monkeypatch):
    data = small(0)
    whole = search(*data)
    monkeypatch.setattr(identification, "SCORES", 1)
    assert search(*data).above.tolist() == whole.above.tolist()


def test_equal_scores_everywhere_find_nobody_for_sure():
    found = search(np.ones((4, 2)), np.arange(4), np.ones((5, 2)), np.array([0, 1, 2, 3, 9]))
    assert cmc(found, (1, 3, 4)) == {1: 0.0, 3: 0.0, 4: 1.0}
    assert dir_at_far(found, 1.0) == (0.0, float(np.nextafter(np.float32(2), np.float32(3))), 0.0)


def test_traps_are_refused():
    eye = np.eye(3)
    with pytest.raises(ValueError, match="gallery is empty"):
        search(eye[:0], np.arange(0), eye, np.arange(3))
    with pytest.raises(ValueError, match="probe embedding of row 1"):
        search(eye, np.arange(3), _nan(eye), np.arange(3))
    with pytest.raises(ValueError, match="3 values and probes 2"):
        search(eye, np.arange(3), eye[:, :2], np.arange(3))
    with pytest.raises(ValueError, match="one subject per row"):
        search(eye, np.arange(2), eye, np.arange(3))
    nobody, everybody = search(eye, np.arange(3), eye, np.arange(3) + 9), search(eye, np.arange(3), eye, np.arange(3))
    with pytest.raises(ValueError, match="closed-set"):
        cmc(nobody)
    for found in (nobody, everybody):
        with pytest.raises(ValueError, match="both kinds"):
            dir_at_far(found, 0.1)
    with pytest.raises(ValueError, match="rank 0"):
        cmc(everybody, (0, 1))


def _nan(values):
    broken = values.copy()
    broken[1, 1] = np.nan
    return broken
