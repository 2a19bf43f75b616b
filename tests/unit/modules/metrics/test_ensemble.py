import numpy as np
import pytest

from modules.metrics.ensemble import combined, distance_kernel, fitted


def unit(seed, n=30, size=8):
    values = np.random.default_rng(seed).normal(size=(n, size))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_the_kernel_is_minus_the_distance_of_the_embeddings():
    expected = np.zeros(30)
    cosines = []
    for network in range(3):
        x, y = unit(2 * network), unit(2 * network + 1)
        cosines.append((x * y).sum(1))
        for row in range(30):
            expected[row] -= np.linalg.norm(x[row] - y[row])
    np.testing.assert_allclose(combined(cosines), expected, atol=1e-12)
    np.testing.assert_allclose(combined(cosines[:1]), -np.linalg.norm(unit(0) - unit(1), axis=1), atol=1e-12)
    np.testing.assert_allclose(combined(cosines), combined(cosines[::-1]), atol=1e-12)


def test_one_network_keeps_its_order():
    cosines = np.random.default_rng(0).uniform(-1, 1, 50)
    assert np.argsort(combined([cosines])).tolist() == np.argsort(cosines).tolist()


def test_a_cosine_that_rounding_put_above_one_is_one():
    assert distance_kernel(np.float32([1.0000001, 1, -1])).tolist() == [0.0, 0.0, -2.0]


@pytest.mark.parametrize("bad", [1.1, -1.1, np.nan, np.inf])
def test_what_is_no_cosine_is_named(bad):
    with pytest.raises(ValueError, match=r"row 1 is .* no cosine"):
        combined([np.zeros(3), np.array([0, bad, 0])])


@pytest.mark.parametrize(("scores", "words"), [([], "one network"), ([np.zeros(3), np.zeros(2)], r"\[3, 2\] pairs")])
def test_traps_are_refused(scores, words):
    with pytest.raises(ValueError, match=words):
        combined(scores)


def networks(seed=0, pairs=600, folds=10):
    """Cosines of a good, a fair and a useless network, labels, folds."""
    rng = np.random.default_rng(seed)
    same = np.arange(pairs) % 2 == 0
    scores = [np.clip(np.where(same, gain, 0.0) + rng.normal(0, 0.2, pairs), -1, 1) for gain in (0.5, 0.3, 0.0)]
    return scores, same, rng.permutation(np.arange(pairs) // 2 % folds)


@pytest.mark.parametrize(("loss", "c"), [("svm", 1.0), ("svm", 0.01), ("logistic", 1.0), ("logistic", 0.05)])
def test_a_fit_is_scikit_learns_on_the_other_folds(loss, c):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    scores, same, folds = networks()
    found = fitted(scores, same, folds, loss=loss, c=c)
    distances = np.stack([-np.sqrt(2 - 2 * one) for one in scores], axis=1)
    rights = []
    for fold in range(10):
        train, test = folds != fold, folds == fold
        scaler = StandardScaler().fit(distances[train])
        if loss == "svm":  # its intercept is penalized, the less the larger its scaling
            model = LinearSVC(C=c, dual=False, tol=1e-10, intercept_scaling=1e4, max_iter=100_000)
        else:
            model = LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
        model.fit(scaler.transform(distances[train]), same[train])
        np.testing.assert_allclose(found.scores[test], model.decision_function(scaler.transform(distances[test])), atol=2e-3)
        rights.append((model.predict(scaler.transform(distances[test])) == same[test]).mean())
    assert found.accuracy["folds"] == pytest.approx(rights)
    assert found.accuracy["value"] == pytest.approx(np.mean(rights))
    assert found.setting == "restricted"


@pytest.mark.parametrize("loss", ["svm", "logistic"])
def test_labels_of_a_fold_do_not_reach_its_scores(loss):
    scores, same, folds = networks()
    rng = np.random.default_rng(1)
    before = fitted(scores, same, folds, loss=loss)
    for fold in (0, 4, 9):
        shuffled = same.copy()
        shuffled[folds == fold] = rng.permutation(same[folds == fold])
        after = fitted(scores, shuffled, folds, loss=loss)
        assert after.scores[folds == fold].tobytes() == before.scores[folds == fold].tobytes()
        assert (after.scores[folds != fold] != before.scores[folds != fold]).all()


def test_useless_networks_get_no_weight_and_harm_the_sum_only():
    from modules.metrics.verification import ten_fold_accuracy

    scores, same, folds = networks(pairs=2000)
    rng = np.random.default_rng(2)
    scores += [rng.uniform(-1, 1, 2000) for _ in range(3)]
    found = fitted(scores, same, folds)
    assert all(abs(one.weights[3:]).max() < 0.1 * abs(one.weights[:1]) for one in found.verifiers)
    assert found.accuracy["value"] > ten_fold_accuracy(combined(scores), same, folds)["value"] + 0.05


def test_a_weight_of_the_losses_that_is_not_above_zero_is_refused():
    scores, same, folds = networks()
    with pytest.raises(ValueError, match="c is 0"):
        fitted(scores, same, folds, c=0)


@pytest.mark.parametrize(("loss", "c"), [("svm", 1.0), ("logistic", 0.05)])
def test_formed_pairs_of_the_other_folds_are_fitted_too(loss, c):
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    scores, same, folds = networks()
    formed = networks(seed=1, pairs=400)
    found = fitted(scores, same, folds, loss=loss, c=c, formed=formed)
    rights = []
    for fold in range(10):
        rows = [
            ([-np.sqrt(2 - 2 * one[place]) for one in part[0]], part[1][place])
            for part in ((scores, same, folds), formed)
            for place in range(len(part[1]))
            if part[2][place] != fold
        ]
        inputs, kinds = np.array([row for row, _ in rows]), np.array([kind for _, kind in rows])
        middle, scale = inputs.mean(0), inputs.std(0)
        test = np.stack([-np.sqrt(2 - 2 * one[folds == fold]) for one in scores], axis=1)
        if loss == "svm":
            model = LinearSVC(C=c, dual=False, tol=1e-10, intercept_scaling=1e4, max_iter=100_000)
        else:
            model = LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
        model.fit((inputs - middle) / scale, kinds)
        np.testing.assert_allclose(found.scores[folds == fold], model.decision_function((test - middle) / scale), atol=2e-3)
        rights.append((model.predict((test - middle) / scale) == same[folds == fold]).mean())
    assert found.accuracy["folds"] == pytest.approx(rights)
    assert found.setting == "unrestricted"


@pytest.mark.parametrize(("networks_of_formed", "labels", "words"), [(2, 400, "2 networks"), (3, 399, "of one length")])
def test_formed_pairs_that_do_not_fit_are_refused(networks_of_formed, labels, words):
    more = networks(seed=1, pairs=400)
    formed = (more[0][:networks_of_formed], more[1][:labels], more[2])
    with pytest.raises(ValueError, match=words):
        fitted(*networks(), formed=formed)
