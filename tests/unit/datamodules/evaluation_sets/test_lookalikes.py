import numpy as np
import pytest

from datamodules.evaluation_sets import lookalikes
from datamodules.evaluation_sets.lookalikes import folds_of, mine
from datamodules.list_readers.lfw import read_list


def naive(embeddings, identities, folds, per_fold, uses):
    """All pairs, sorted, taken one by one."""
    wide = embeddings.astype(np.float64)
    unit = wide / np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]
    found = []
    for fold in sorted(set(folds.values())):
        rows = [row for row, who in enumerate(identities) if folds.get(who) == fold]
        pairs = [(a, b) for a in rows for b in rows if a < b and identities[a] != identities[b]]
        left, right = (np.array(side, int) for side in zip(*pairs, strict=True))
        scores = np.einsum("nd,nd->n", unit[left], unit[right])
        used, taken = dict.fromkeys(rows, 0), 0
        for _, a, b in sorted(zip(-scores, left.tolist(), right.tolist(), strict=True)):
            if taken < per_fold and used[a] < uses and used[b] < uses:
                used[a], used[b], taken = used[a] + 1, used[b] + 1, taken + 1
                found.append((a, b, fold))
    return found


def triples(found):
    return list(zip(found.left.tolist(), found.right.tolist(), found.fold.tolist(), strict=True))


@pytest.mark.parametrize("block", [3, 1024])
@pytest.mark.parametrize(("per_fold", "uses"), [(1, 1), (20, 1), (60, 3), (5, 2)])
def test_the_pairs_are_those_of_an_exhaustive_search(monkeypatch, per_fold, uses, block):
    monkeypatch.setattr(lookalikes, "BLOCK", block)
    rng = np.random.default_rng(3)
    identities = [f"p{i % 25}" for i in range(100)]
    folds = {f"p{i}": i % 2 for i in range(24)}  # the last has none
    embeddings = rng.normal(size=(100, 8)).round(1)  # rounded, so that there are ties
    embeddings[10] = embeddings[60]
    found = mine(embeddings, identities, folds, per_fold, uses)
    assert list(zip(found.left.tolist(), found.right.tolist(), found.fold.tolist(), strict=True)) == naive(
        embeddings, identities, folds, per_fold, uses
    )


def test_the_search_grows_where_the_first_candidates_are_used_up():
    """One image that is like all others fills the first candidates, but may be used once."""
    rng = np.random.default_rng(0)
    embeddings = np.concatenate([np.ones((1, 64)), rng.normal(size=(200, 64)) + 0.6])
    identities = [str(i) for i in range(201)]
    folds = dict.fromkeys(identities, 0)
    found = mine(embeddings, identities, folds, 3, 1)
    assert sorted([*found.left.tolist(), *found.right.tolist()]).count(0) == 1
    assert triples(found) == naive(embeddings, identities, folds, 3, 1)


def test_rounding_of_the_preselection_decides_nothing():
    """All cosines differ by less than float32 can tell."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(1, 64)) + 1e-5 * rng.normal(size=(60, 64))
    identities = [str(i) for i in range(60)]
    folds = dict.fromkeys(identities, 0)
    assert triples(mine(embeddings, identities, folds, 1, 1)) == naive(embeddings, identities, folds, 1, 1)


def test_equal_scores_go_by_the_first_row():
    embeddings = np.eye(2)[[0, 1, 1, 0]]
    found = mine(embeddings, list("abcd"), dict.fromkeys("abcd", 0), 1)
    assert triples(found) == [(0, 3, 0)]


def test_all_equal_scores_go_by_row():
    found = mine(np.ones((6, 4)), ["a", "a", "b", "b", "c", "c"], dict.fromkeys("abc", 0), 2, 1)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(0, 2), (1, 3)]


def test_length_and_precision_of_the_embeddings_do_not_matter():
    rng = np.random.default_rng(1)
    embeddings, identities = rng.normal(size=(60, 16)), [f"p{i // 2}" for i in range(60)]
    folds = {f"p{i}": i % 3 for i in range(30)}
    plain = mine(embeddings, identities, folds, 10)
    scaled = mine(embeddings * rng.uniform(0.1, 10, size=(60, 1)), identities, folds, 10)
    assert np.array_equal(plain.left, scaled.left)
    assert np.array_equal(plain.right, scaled.right)


@pytest.mark.parametrize(
    ("embeddings", "per_fold", "error"),
    [
        (np.ones((4, 2)), 5, "fold 7: 4 images make 4 impostor pairs with each image in 2 at most, asked for 5"),
        (np.array([[1.0, 0], [0, 0], [1, 1], [1, 2]]), 1, r"row 1 has no direction \(norm 0.0\), as have 1 of 4"),
        (np.array([[1.0, 0], [0, 1], [np.nan, 1], [1, 2]]), 1, "row 2 has no direction"),
        (np.ones((3, 2)), 1, r"found \(3, 2\) for 4 images"),
        (np.ones((4, 2)), 0, "at least 1"),
    ],
)
def test_what_cannot_be_mined_is_said(embeddings, per_fold, error):
    with pytest.raises(ValueError, match=error):
        mine(embeddings, ["a", "a", "b", "b"], {"a": 7, "b": 7}, per_fold)


def test_one_subject_alone_makes_no_pair():
    with pytest.raises(ValueError, match="fold 0: 2 images make 0 impostor pairs"):
        mine(np.ones((2, 2)), ["a", "a"], {"a": 0}, 1)
    with pytest.raises(ValueError, match="no subject has a fold"):
        mine(np.ones((2, 2)), ["a", "a"], {}, 1)


def test_nobody_is_in_two_folds_of_view_2(shared):
    folds = folds_of(read_list(shared / "data" / "lfw", "view2"))
    assert len(folds) == 4281
    assert set(folds.values()) == set(range(10))


def test_a_subject_in_two_folds_is_refused(tmp_path):
    (tmp_path / "pairs.txt").write_text("2 1\nAda 1 2\nAda 1 Bob 1\nEve 1 2\nEve 1 Bob 1\n")
    with pytest.raises(ValueError, match=r"line 5: Bob is in fold 2 and in fold 1"):
        folds_of(read_list(tmp_path, "view2"))
