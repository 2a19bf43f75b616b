"""Linear probes (Alain and Bengio, Understanding intermediate layers using linear classifier probes, 2016), cross-validated.

Classes are predicted by logistic regression and measured by balanced accuracy, numbers by ridge regression and measured by R^2,
both on standardized vectors. All images of a subject are in one fold, so that a subject's other images cannot give its
attribute away. The null distribution repeats the procedure with permuted attribute values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.latent.attribute_labels import Attribute
from modules.metrics import cluster_bootstrap

DRAWS = 100  # of permuted values, until every class has enough subjects


def probe(
    vectors: np.ndarray,
    attribute: Attribute,
    subjects: np.ndarray,
    *,
    folds: int,
    strength: float,
    permutations: int,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """How well a linear function of the vectors predicts an attribute of unseen subjects.

    Args:
        vectors: float (N, D)
        attribute: of the N images; classes with fewer than ``folds`` subjects are left out
        subjects: (N,), equal values for the images of one subject
        folds: number of folds
        strength: of the L2 regularization: 1 / C of the logistic regression, alpha of the ridge regression
        permutations: size of the null distribution; the smallest p-value is 1 / (permutations + 1)
        resamples, seed: of the bootstrap over subjects

    Returns:
        ``measure``, ``value``, ``low``, ``high``; ``null``: its mean and 95 % quantile, and ``p``; numbers of ``images`` and
        ``subjects``; for classes also ``chance`` and the names of those ``left_out``

    Raises:
        ValueError: fewer than two classes have enough subjects, also if subjects exchange values; there are fewer subjects than
            folds; or all images have one value.
    """
    rows, left_out = _enough(attribute, subjects, folds)
    vectors, attribute, subjects = vectors[rows], attribute.take(rows), subjects[rows]
    predicted = _predicted(vectors, attribute, subjects, folds, strength, seed)
    terms, statistic = _terms(attribute, predicted)
    found = cluster_bootstrap.interval(terms, subjects, statistic, resamples, seed, share=attribute.classes is not None)
    generator = np.random.default_rng(seed)
    null = []
    for _ in range(permutations):
        other = _permuted(attribute, subjects, folds, generator)
        terms, statistic = _terms(other, _predicted(vectors, other, subjects, folds, strength, seed))
        null.append(float(statistic(terms.sum(0)[None])[0]))
    about: dict[str, Any] = {"measure": "r2" if attribute.classes is None else "balanced_accuracy", **found}
    if null:
        p = (1 + sum(value >= found["value"] for value in null)) / (1 + len(null))
        about["null"] = {"mean": float(np.mean(null)), "high": float(np.quantile(null, 0.95)), "p": p}
    if attribute.classes is not None:
        about["chance"] = 1 / len(np.unique(attribute.values))
        about["left_out"] = left_out
    return {**about, "images": len(vectors), "subjects": len(np.unique(subjects))}


def _permuted(attribute: Attribute, subjects: np.ndarray, folds: int, generator: np.random.Generator) -> Attribute:
    """Permuted values in which every class has at least ``folds`` subjects, as in those that are probed."""
    present = np.unique(attribute.values if attribute.classes else [])
    for _ in range(DRAWS):
        found = attribute.permuted(subjects, generator)
        if all(len(np.unique(subjects[found.values == one])) >= folds for one in present):
            return found
    raise ValueError(
        f"attribute {attribute.name}: if subjects exchange values, a class rarely keeps {folds} subjects, because few of their "
        "images have it; with permutations: 0 there is a probe without a null distribution"
    )


def _enough(attribute: Attribute, subjects: np.ndarray, folds: int) -> tuple[np.ndarray, list[str]]:
    """Rows of classes with enough subjects, and the names of the others."""
    if attribute.classes is None:
        if len(np.unique(subjects)) < folds:
            raise ValueError(f"attribute {attribute.name}: {len(np.unique(subjects))} subjects are too few for {folds} folds")
        if len(np.unique(attribute.values)) < 2:
            raise ValueError(f"attribute {attribute.name}: all {len(attribute.values)} images have the same value")
        return np.arange(len(attribute.values)), []
    number = [len(np.unique(subjects[attribute.values == one])) for one in range(len(attribute.classes))]
    few = [one for one, count in enumerate(number) if count < folds]
    if len(number) - len(few) < 2:
        raise ValueError(
            f"attribute {attribute.name}: fewer than two classes have {folds} subjects or more "
            f"({', '.join(f'{name} {count}' for name, count in zip(attribute.classes, number, strict=True))})"
        )
    names = [attribute.classes[one] for one, count in enumerate(number) if 0 < count < folds]
    return np.flatnonzero(~np.isin(attribute.values, few)), names


def _predicted(
    vectors: np.ndarray, attribute: Attribute, subjects: np.ndarray, folds: int, strength: float, seed: int
) -> np.ndarray:
    """(N,): the prediction for each image by the model that has not seen its subject."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if attribute.classes is None:
        model, splits = Ridge(alpha=strength), GroupKFold(folds, shuffle=True, random_state=seed)
    else:
        model = LogisticRegression(C=1 / strength, max_iter=200)
        splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():  # one thread: its sums have one order
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps are part of the probe's definition
        found: np.ndarray = cross_val_predict(
            make_pipeline(StandardScaler(), model), vectors, attribute.values, groups=subjects, cv=splits
        )
    return found


def _terms(attribute: Attribute, predicted: np.ndarray) -> tuple[np.ndarray, cluster_bootstrap.Statistic]:
    """The measure as a function of sums over images."""
    values = attribute.values
    if attribute.classes is None:
        values = values - values.mean()  # R^2 does not depend on the origin; the sums of squares lose fewer digits
        errors = (attribute.values - predicted) ** 2
        return np.stack([errors, values**2, values, np.ones(len(values))], axis=1), _r2
    present = np.unique(values)
    of_class = (values[:, None] == present).astype(np.float64)
    correct = of_class * (predicted == values)[:, None]
    return np.concatenate([correct, of_class], axis=1), _balanced_accuracy


def _r2(sums: np.ndarray) -> np.ndarray:
    errors, squares, total, count = sums.T
    spread = squares - np.divide(total**2, count, out=np.zeros_like(total), where=count > 0)
    return 1 - np.divide(errors, spread, out=np.full(len(sums), np.nan), where=spread > 0)


def _balanced_accuracy(sums: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that a resample contains."""
    half = sums.shape[1] // 2
    correct, count = sums[:, :half], sums[:, half:]
    recall = np.divide(correct, count, out=np.full(correct.shape, np.nan), where=count > 0)
    return np.nanmean(recall, axis=1)
