"""The threshold for a wished false match rate, chosen on some subjects and measured on others.

A threshold that is reported on the pairs that chose it looks better than it is. Here the subjects are split into two halves:
the pairs within one half choose, those within the other measure. FMR, the false match rate, is the share of impostor pairs
that are accepted, TMR that of genuine pairs.

This gives one threshold to use elsewhere; ``operating_points`` decides every pair for a report, with several thresholds by the
same rule.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from modules.metrics.operating_points import METHOD, threshold_for
from modules.metrics.pair_rates import PairRate, connected
from modules.metrics.validation import at_least, checked

SEED = 0  # of the choice of the halves


def halves(left: np.ndarray, right: np.ndarray) -> dict[Any, bool]:
    """Subject -> whether it is in the half that chooses.

    If the pairs form several groups without common subjects, as the folds of LFW's View 2 do, whole groups are assigned, the
    largest first, to the half with fewer pairs: then no pair is lost. Groups that hold more than half of the pairs are split by
    the hash of each subject, and pairs between the halves are of no use.
    """
    names, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    one, other = np.split(place, 2)
    groups, group = connected(one, other, len(names))
    sizes = np.bincount(group[one], minlength=groups)
    if 2 * sizes.max() > len(one):
        digests = [hashlib.sha256(f"{SEED} {name}".encode()).hexdigest() for name in names.tolist()]
        rank = np.argsort(np.argsort(np.array(digests)))
        return dict(zip(names.tolist(), (rank < len(names) // 2).tolist(), strict=True))
    order = np.random.default_rng(SEED).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    chooses, counts = np.zeros(len(sizes), bool), [0, 0]
    for number in order.tolist():
        side = int(counts[1] < counts[0])
        chooses[number] = side == 0
        counts[side] += int(sizes[number])
    return dict(zip(names.tolist(), chooses[group].tolist(), strict=True))


def held_out_threshold(scores: np.ndarray, same: np.ndarray, left: np.ndarray, right: np.ndarray, fmr: float) -> dict[str, Any]:
    """The threshold for ``fmr`` on the pairs of one half, see ``threshold_for``, and its rates on those of the other.

    Args:
        scores: (n,) float, higher is more similar
        same: (n,) bool
        left, right: (n,) the subjects of each pair's images
        fmr: the wished false match rate, above 0

    Returns:
        ``fmr`` and ``tmr`` with ``value``, ``low`` and ``high`` (95 % over subjects, see ``pair_rates``, for this threshold),
        ``threshold`` (accept if score >= threshold), ``wished``, and the numbers of pairs of either half.

    Raises:
        ValueError: a half has no pairs of a kind, or too few impostor pairs to show such a rate; says which rates it can.
    """
    scores, same = checked(scores, same)
    if not 0 < fmr < 1:
        raise ValueError(f"a false match rate is between 0 and 1, such as 0.001; found {fmr:g}")
    chooses = halves(left, right)
    one = np.array([chooses[who] for who in left.tolist()])
    other = np.array([chooses[who] for who in right.tolist()])
    first, second = one & other, ~one & ~other
    counts = [int((part & (same == kind)).sum()) for part in (first, second) for kind in (True, False)]
    if min(counts) == 0:
        raise ValueError(f"of two halves of the subjects one has no genuine or no impostor pairs: {counts}")
    if fmr * min(counts[1], counts[3]) < 1:
        least = min(counts[1], counts[3])
        raise ValueError(
            f"{least} impostor pairs in a half of the subjects cannot show a false match rate of {fmr:g}; ask for "
            f"1/{least} = {at_least(1 / least)} or more, or evaluate more pairs"
        )
    threshold = threshold_for(np.sort(scores[first & ~same]), fmr)
    accepted = scores >= threshold
    return {
        "threshold": threshold,
        "wished": fmr,
        "fmr": _share(accepted, second & ~same, left, right),
        "tmr": _share(accepted, second & same, left, right),
        "chosen_on": {"genuine": counts[0], "impostor": counts[1], "subjects": sum(chooses.values())},
        "measured_on": {"genuine": counts[2], "impostor": counts[3], "subjects": len(chooses) - sum(chooses.values())},
        "unused_pairs": len(scores) - sum(counts),
    }


def _share(accepted: np.ndarray, those: np.ndarray, left: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    rate = PairRate.of(accepted[those], left[those], right[those])
    low, high = rate.interval
    return {"value": rate.value, "low": low, "high": high, "method": METHOD}
