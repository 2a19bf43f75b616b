"""Open-set validation: verification on subjects that are not in the training set."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from modules.metrics.roc import Curve

MOST = 2000  # maximum number of compared images, i.e. two million pairs


def verified(embeddings: Tensor, labels: Tensor) -> tuple[float, float] | None:
    """Returns (1 - AUC, 1 - EER) over all pairs of images by cosine; None without genuine or without impostor pairs.

    If there are more than ``MOST`` images, only the first ``MOST`` in label order are used.

    Args:
        embeddings: (N, D)
        labels: int64 (N,), the subjects
    """
    order = torch.argsort(labels, stable=True)[:MOST]
    vectors = functional.normalize(embeddings[order].double().cpu())
    left, right = torch.triu_indices(len(order), len(order), offset=1)
    subjects = labels[order].cpu()
    same = subjects[left] == subjects[right]
    if not bool(same.any()) or bool(same.all()):
        return None
    curve = Curve.of((vectors @ vectors.T)[left, right].numpy(), same.numpy())
    return 1 - curve.auc(), 1 - curve.eer()[0]
