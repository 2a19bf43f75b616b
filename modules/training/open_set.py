"""Validation on subjects that are not trained on: how well embeddings tell them apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from modules.metrics.roc import Curve

MOST = 2000  # images that are compared, so two million pairs at most


def verified(embeddings: Tensor, labels: Tensor) -> tuple[float, float] | None:
    """(1 - AUC, 1 - EER) of all pairs of the images by cosine; None where they have no genuine or no impostor pair.

    Of more than ``MOST`` images, the first so many in the order of their labels are compared.

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
