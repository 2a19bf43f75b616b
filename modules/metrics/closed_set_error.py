"""Closed-set classification: the share of images whose class is not among the highest logits.

Taigman et al.: DeepFace. CVPR 2014, Section 5.2 and Table 1 report the top-1 error on held-out images of the training subjects.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.metrics.intervals import effective

METHOD = "subjects as clusters (ratio estimate, effective sample size)"


def missed(logits: np.ndarray, labels: np.ndarray, top: int = 1) -> np.ndarray:
    """bool (N,): whether the image's class is not among its ``top`` highest logits; ties count against the class.

    Args:
        logits: float (N, classes)
        labels: int (N,), from 0
        top: at least 1

    Raises:
        ValueError: a logit is not finite; or a label is no class.
    """
    if not np.isfinite(logits).all():
        bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        raise ValueError(f"the logits of row {bad[0]}, and of {len(bad)} rows, are not finite: the network did not train")
    if len(labels) and not (labels.min() >= 0 and labels.max() < logits.shape[1]):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, and there are {logits.shape[1]} classes")
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    above: np.ndarray = (logits >= own).sum(axis=1) - 1
    return above >= top


def share_by_subject(events: np.ndarray, subjects: np.ndarray) -> dict[str, Any]:
    """The share of ``events`` with its 95 % interval; images of a subject are not independent, so subjects are clusters.

    The variance is that of a ratio estimate over clusters: with e_s = events of subject s - share * images of s, it is
    S / (S - 1) * sum e_s^2 / N^2 (Cochran: Sampling Techniques, 3rd edition, 1977, Section 6.3).

    Args:
        events: bool (N,)
        subjects: int or text (N,), at least two different ones

    Raises:
        ValueError: there are fewer than two subjects.
    """
    _, who = np.unique(subjects, return_inverse=True)
    count = int(who.max()) + 1 if len(who) else 0
    if count < 2:
        raise ValueError(f"the interval of a share needs images of two subjects, found {count}")
    images = np.bincount(who, minlength=count)
    share = float(np.mean(events))
    residuals = np.bincount(who, weights=np.asarray(events, np.float64), minlength=count) - share * images
    variance = float(count / (count - 1) * (residuals**2).sum() / len(who) ** 2)
    low, high = effective(share, variance, count, len(who))
    return {"value": share, "low": low, "high": high, "method": METHOD, "n": len(who)}
