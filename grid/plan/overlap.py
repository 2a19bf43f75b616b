"""What remains of the pairs of a protocol when their subjects or images were trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from configs.component import digest
from configs.data_interfaces import Manifest, Pairs, ProtocolConfig


def free_pairs(protocol: ProtocolConfig, manifest: Manifest, pairs: Pairs, seen: np.ndarray) -> Pairs:
    """The identity audit: the pairs whose images are not ``seen`` (bool, by row of the manifest).

    Raises:
        ValueError: some pairs are affected and the policy is ``refuse``; the message says how many pairs would remain. Or the
            remaining pairs are in fewer than two folds, so no accuracy can be cross-validated.
    """
    shared = seen[pairs.left] | seen[pairs.right]
    folds = len(np.unique(pairs.fold[~shared]))
    if not shared.any():
        if folds < 2:
            raise ValueError(
                f"protocol {protocol.title}: its {len(pairs.fold)} pairs are in {folds} fold{'s' * (folds != 1)}, and "
                "cross-validated accuracy needs two at least"
            )
        return pairs
    remain, of = int((~shared).sum()), len(shared)
    genuine = int((pairs.same & ~shared).sum())
    subjects = {manifest.identities[row] for row in [*pairs.left, *pairs.right] if seen[row]}
    also = "" if protocol.near is None else " (or images nearly like theirs)"
    refused = (
        f"protocol {protocol.title}: {len(subjects)} of its subjects are in the training set{also}, so "
        f"{of - remain} of its {of} pairs say nothing about unseen subjects"
    )
    if genuine in (0, remain):
        kind = "pair" if remain == 0 else "genuine pair" if genuine == 0 else "impostor pair"
        raise ValueError(f"{refused}; without them no {kind} remains: train on others, or choose another protocol")
    if folds < 2:
        raise ValueError(
            f"{refused}; the other {remain} are in one fold, and cross-validated accuracy needs two at least: train on others, "
            "or choose another protocol"
        )
    if protocol.overlap == "refuse":
        raise ValueError(f"{refused}; `overlap: drop` evaluates the {remain} pairs that are free of them")
    keep = np.flatnonzero(~shared)
    return dataclasses.replace(  # type: ignore[type-var]
        pairs, left=pairs.left[keep], right=pairs.right[keep], same=pairs.same[keep], fold=pairs.fold[keep]
    )


def pairs_digest(pairs: Pairs, keys: Sequence[str]) -> str:
    rows = zip(pairs.left.tolist(), pairs.right.tolist(), pairs.same.tolist(), pairs.fold.tolist(), strict=True)
    return digest([[keys[left], keys[right], same, fold] for left, right, same, fold in rows])
