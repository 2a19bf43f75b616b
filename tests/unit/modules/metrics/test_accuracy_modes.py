"""Each mode against its procedure written out as loops over thresholds."""

import json
import math

import numpy as np
import pytest

from modules.metrics import accuracy_modes
from modules.metrics.accuracy_modes import all_modes, best_threshold, facenet, facenet_mean, insightface, ten_fold, youden
from modules.metrics.verification import ten_fold_accuracy


def unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def faces(pairs=400, size=16, seed=0, noise=1.3):
    """Embeddings of pairs, every second one genuine, with a common offset that a mean can take away."""
    rng = np.random.default_rng(seed)
    same = np.arange(pairs) % 2 == 0
    left = rng.normal(size=(pairs, size))
    right = np.where(same[:, None], left, rng.normal(size=(pairs, size))) + noise * rng.normal(size=(pairs, size))
    offset = rng.normal(size=size)
    left, right = unit(left + offset), unit(right + offset)
    return left, right, (left * right).sum(1), same, np.arange(pairs) * 10 // pairs


def loop_accuracy(threshold, distances, same):
    predicted = distances < threshold
    right = sum(1 for p, s in zip(predicted, same, strict=True) if p == s)
    return right / len(same)


def loop_best(thresholds, distances, same):
    values = np.zeros(len(thresholds))
    for place, threshold in enumerate(thresholds):
        values[place] = ((distances < threshold) == same).mean()
    return thresholds[np.argmax(values)]


def loop_val(threshold, distances, same):
    predicted = distances < threshold
    return (predicted & same).sum() / same.sum(), (predicted & ~same).sum() / (~same).sum()


def loop_folds(distances_of, same, folds):
    """(accuracies, thresholds, vals, fars), for distances that may depend on the training pairs."""
    out = [], [], [], []
    for fold in range(10):
        train, test = folds != fold, folds == fold
        distances = distances_of(train)
        threshold = loop_best(np.arange(0, 4, 0.01), distances[train], same[train])
        out[0].append(loop_accuracy(threshold, distances[test], same[test]))
        out[1].append(threshold)
        fine = np.arange(0, 4, 0.001)
        fars = np.array([loop_val(value, distances[train], same[train])[1] for value in fine])
        chosen = 0.0
        if fars.max() >= 1e-3:
            last = np.flatnonzero(fars <= 1e-3)[-1]
            chosen = fine[last] + (1e-3 - fars[last]) / (fars[last + 1] - fars[last]) * 0.001
        val, far = loop_val(chosen, distances[test], same[test])
        out[2].append(val)
        out[3].append(far)
    return out


def agrees(found, loops):
    assert found["folds"] == pytest.approx(loops[0], abs=1e-12)
    assert found["thresholds"] == pytest.approx(loops[1], abs=1e-12, rel=0)
    assert found["value"] == pytest.approx(np.mean(loops[0]), abs=1e-12)
    assert found["spread"] == pytest.approx(np.std(loops[0]), abs=1e-12)
    assert found["spread_is"] == "standard deviation"
    if "val" in found:
        assert found["val"]["value"] == pytest.approx(np.mean(loops[2]), abs=1e-12)
        assert found["val"]["spread"] == pytest.approx(np.std(loops[2]), abs=1e-12)
        assert found["val"]["far"] == pytest.approx(np.mean(loops[3]), abs=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_insightface_and_facenet_are_their_loops_over_embeddings(seed):
    left, right, scores, same, folds = faces(seed=seed)
    distances = np.square(left - right).sum(1)  # as public code computes them
    loops = loop_folds(lambda _: distances, same, folds)
    agrees(insightface(scores, same, folds), loops)
    agrees(facenet(scores, same, folds), loops)


@pytest.mark.parametrize("subtract", [True, False])
def test_facenet_mean_is_its_loop(subtract):
    left, right, _, same, folds = faces()

    def distances(train):
        mean = np.concatenate([left[train], right[train]]).mean(0) if subtract else 0
        one, other = left - mean, right - mean
        cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        return np.arccos(cosines) / math.pi

    agrees(facenet_mean(left, right, same, folds, subtract=subtract), loop_folds(distances, same, folds))


def test_subtracting_the_mean_changes_something():
    left, right, _, same, folds = faces()
    one, two = (facenet_mean(left, right, same, folds, subtract=subtract) for subtract in (True, False))
    assert one["thresholds"] != two["thresholds"]


@pytest.mark.parametrize("digits", [1, 8])
def test_youden_is_its_loop(digits):
    _, _, scores, same, folds = faces()
    scores = scores.round(digits)
    found = youden(scores, same, folds)
    accuracies = []
    for fold in range(10):
        train, test = folds != fold, folds == fold
        low, span = scores[train].min(), scores[train].max() - scores[train].min()
        best, chosen = -np.inf, None
        for number in range(1, 1001):
            threshold = low + span / 1000 * number
            tpr = (scores[train & same] > threshold).mean()
            fpr = (scores[train & ~same] > threshold).mean()
            if tpr - fpr > best:
                best, chosen = tpr - fpr, threshold
        assert found["thresholds"][fold] == pytest.approx(chosen, abs=1e-12, rel=0)
        right = (scores[test & same] > chosen).sum() + (scores[test & ~same] < chosen).sum()
        accuracies.append(right / test.sum())
    assert found["folds"] == pytest.approx(accuracies, abs=1e-12, rel=0)
    assert found["spread"] == pytest.approx(np.std(accuracies, ddof=1) / np.sqrt(10), abs=1e-12, rel=0)
    assert found["spread_is"] == "standard error"


def test_view2_and_oracle_are_the_exact_ones():
    _, _, scores, same, folds = faces()
    exact = ten_fold_accuracy(scores, same, folds)
    found = ten_fold(scores, same, folds)
    assert (found["value"], found["spread"], found["spread_is"]) == (exact["value"], exact["se"], "standard error")
    best = best_threshold(scores, same)
    assert best["value"] == max(((scores >= t) == same).mean() for t in [*scores, np.inf])
    assert (best["spread"], best["spread_is"]) == (None, None)


def test_all_modes_stand_beside_each_other():
    left, right, scores, same, folds = faces()
    found = all_modes(scores, same, folds, (left, right))
    assert list(found) == ["ten_fold", "insightface", "youden", "best_threshold", "facenet", "facenet_mean"]
    assert "facenet_mean" not in all_modes(scores, same, folds)
    exact = found["ten_fold"]["value"]
    assert {name: mode["difference"] for name, mode in found.items()} == {n: m["value"] - exact for n, m in found.items()}
    others = [mode["value"] for name, mode in found.items() if name != "facenet_mean"]
    assert found["best_threshold"]["value"] == max(others)
    json.dumps(found, allow_nan=False)


def test_order_of_pairs_changes_nothing():
    _, _, scores, same, folds = faces()
    order = np.random.default_rng(1).permutation(len(scores))
    assert all_modes(scores, same, folds) == all_modes(scores[order], same[order], folds[order])


def test_equal_scores_are_a_coin():
    same, folds = np.arange(40) % 2 == 0, np.arange(40) // 4
    found = all_modes(np.full(40, 0.25), same, folds)
    assert {name: mode["value"] for name, mode in found.items() if name != "youden"} == dict.fromkeys(
        ["ten_fold", "insightface", "best_threshold", "facenet"], 0.5
    )
    assert found["youden"]["value"] == 0.0  # its threshold is the score of every pair, and a pair at the threshold is wrong


@pytest.mark.parametrize("mode", accuracy_modes.MODES)
def test_traps_are_refused(mode):
    call = accuracy_modes.MODES[mode]
    _, _, scores, same, folds = faces(40)
    with pytest.raises(ValueError, match="row 3"):
        call(np.where(np.arange(40) == 3, np.nan, scores), same, folds)
    with pytest.raises(ValueError, match="40 of 40"):
        call(scores, np.ones(40, bool), folds)
    if mode != "best_threshold":
        with pytest.raises(ValueError, match="two folds"):
            call(scores, same, np.zeros(40, int))


def test_an_embedding_without_direction_is_named():
    left, right, _, same, folds = faces(40)
    left[7] = 0
    with pytest.raises(ValueError, match="pair 7"):
        facenet_mean(left, right, same, folds, subtract=False)


def test_a_fold_of_one_kind_of_pairs_has_accuracies_and_no_val():
    left, right, scores, same, _ = faces(40)
    folds = np.zeros(40, int)
    folds[np.flatnonzero(same)[5:]] = 1 + np.arange(int(same.sum()) - 5) % 2
    folds[~same] = 1 + np.arange(int((~same).sum())) % 2
    found = all_modes(scores, same, folds, (left, right))
    assert all(0 <= mode["value"] <= 1 for mode in found.values())
    for name in ("facenet", "facenet_mean"):
        assert found[name]["val"]["value"] is None
        assert found[name]["val"]["reason"] == "fold 1 of 3 has no impostor pairs"
