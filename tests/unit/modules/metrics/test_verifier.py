import numpy as np
import pytest

from modules.metrics import linear_verifier, plda
from modules.metrics.verification import ten_fold_accuracy
from modules.metrics.verifier import restricted, unrestricted

FOLDS = 5


def protocol(seed=0, noisy=True):
    """Subjects of five folds, four images each; pairs within folds. Some directions carry only noise, so learning helps."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(FOLDS * 12), 4)
    scale = np.array([1.0] * 4 + [0.05] * 8)
    noise = np.array([0.5] * 4 + [2.0] * 8) if noisy else 0.3
    embeddings = (rng.normal(size=(FOLDS * 12, 12)) * scale)[subjects] + noise * rng.normal(size=(len(subjects), 12))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    image_folds = subjects // 12
    left, right = [], []
    for fold in range(FOLDS):
        first = fold * 48
        for subject in range(12):
            images = first + subject * 4
            left += [images, images + 1, images, images + 2]
            right += [images + 1, images + 2, first + (subject * 4 + 9) % 48, first + (subject * 4 + 23) % 48]
    left, right = np.array(left), np.array(right)
    same = subjects[left] == subjects[right]
    return embeddings, left, right, same, image_folds[left], subjects


def test_who_may_learn_more_finds_more():
    embeddings, left, right, same, folds, subjects = protocol()
    scores = (embeddings[left] * embeddings[right]).sum(1)
    values = [
        ten_fold_accuracy(scores, same, folds)["value"],
        restricted(embeddings, left, right, same, folds, penalty=10).accuracy["value"],
        unrestricted(embeddings, left, right, same, folds, subjects).accuracy["value"],
    ]
    assert values[0] + 0.02 < values[1]
    assert values[0] + 0.02 < values[2]


@pytest.mark.parametrize("loss", ["logistic", "svm"])
@pytest.mark.parametrize("features", ["difference", "product", "both"])
def test_restricted_is_a_fit_on_the_other_folds(features, loss):
    embeddings, left, right, same, folds, _ = protocol()
    found = restricted(embeddings, left, right, same, folds, features=features, loss=loss, penalty=3)
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        inputs = linear_verifier.FEATURES[features](embeddings[left], embeddings[right])
        model = linear_verifier.fit(inputs[train], same[train], loss, 3)
        np.testing.assert_allclose(found.scores[test], model.score(inputs[test]))
        right_ones = ((model.score(inputs[test]) >= 0) == same[test]).mean()
        assert found.accuracy["folds"][fold] == pytest.approx(right_ones)
    assert found.accuracy["value"] == pytest.approx(np.mean(found.accuracy["folds"]))
    assert found.accuracy["se"] == pytest.approx(np.std(found.accuracy["folds"], ddof=1) / np.sqrt(FOLDS))


def test_unrestricted_is_fits_on_the_other_folds_with_thresholds_from_folds_that_no_fit_saw():
    embeddings, left, right, same, folds, subjects = protocol()
    found = unrestricted(embeddings, left, right, same, folds, subjects)
    image_folds = subjects // 12
    used = np.isin(np.arange(len(subjects)), np.concatenate([left, right]))
    for fold in range(FOLDS):
        inner, labels = [], []
        for other in set(range(FOLDS)) - {fold}:
            rows = used & (image_folds != fold) & (image_folds != other)
            model = plda.fit(embeddings[rows], subjects[rows])
            inner.append(model.score(embeddings[left[folds == other]], embeddings[right[folds == other]]))
            labels.append(same[folds == other])
        inner, labels = np.concatenate(inner), np.concatenate(labels)
        threshold = found.accuracy["thresholds"][fold]
        reached = ((inner >= threshold) == labels).sum()
        assert reached == max(((inner >= level) == labels).sum() for level in [*inner, np.inf])
        model = plda.fit(embeddings[used & (image_folds != fold)], subjects[used & (image_folds != fold)])
        scores = model.score(embeddings[left[folds == fold]], embeddings[right[folds == fold]])
        np.testing.assert_allclose(found.scores[folds == fold], scores)
        assert found.accuracy["folds"][fold] == ((scores >= threshold) == same[folds == fold]).mean()


@pytest.mark.parametrize("fold", range(FOLDS))
def test_nothing_of_the_held_out_fold_reaches_its_verifier(fold):
    embeddings, left, right, same, folds, subjects = protocol()
    rng = np.random.default_rng(fold)
    mine = folds == fold
    turned = same | mine
    moved = embeddings.copy()
    moved[subjects // 12 == fold] = rng.normal(size=(48, 12))
    shuffled = subjects.copy()
    shuffled[subjects // 12 == fold] = rng.permutation(subjects[subjects // 12 == fold])
    one, two = restricted(embeddings, left, right, same, folds), restricted(moved, left, right, turned, folds)
    assert one.verifiers[fold].weights.tobytes() == two.verifiers[fold].weights.tobytes()
    assert one.verifiers[fold].bias == two.verifiers[fold].bias
    assert one.verifiers[fold - 1].weights.tobytes() != two.verifiers[fold - 1].weights.tobytes()
    one = unrestricted(embeddings, left, right, same, folds, subjects)
    two = unrestricted(moved, left, right, turned, folds, shuffled)
    assert one.verifiers[fold].base.tobytes() == two.verifiers[fold].base.tobytes()
    assert one.accuracy["thresholds"][fold] == two.accuracy["thresholds"][fold]
    assert one.verifiers[fold - 1].base.tobytes() != two.verifiers[fold - 1].base.tobytes()


def test_folds_that_share_are_refused():
    embeddings, left, right, same, folds, subjects = protocol()
    shared = subjects.copy()
    shared[subjects == 13] = 3
    with pytest.raises(ValueError, match="subject 3 is in folds 0 and 1"):
        unrestricted(embeddings, left, right, same, folds, shared)
    crossing = left.copy()
    crossing[-1] = left[0]
    with pytest.raises(ValueError, match="image 0 is in pairs of folds 0 and 4"):
        unrestricted(embeddings, crossing, right, same, folds, subjects)


def test_other_traps_are_refused():
    embeddings, left, right, same, folds, subjects = protocol()
    with pytest.raises(ValueError, match="known are difference, product, both, chi_square"):
        restricted(embeddings, left, right, same, folds, features="cosine")
    with pytest.raises(ValueError, match="two folds"):
        restricted(embeddings, left, right, same, np.zeros(len(folds)))
    with pytest.raises(ValueError, match="three folds"):
        unrestricted(embeddings, left, right, same, folds // 3, subjects)
    with pytest.raises(ValueError, match="both genuine and impostor"):
        restricted(embeddings, left, right, np.ones(len(same), bool), folds)
    with pytest.raises(ValueError, match="label of row"):
        restricted(embeddings, left, right, np.where(same, 1, -1), folds)
