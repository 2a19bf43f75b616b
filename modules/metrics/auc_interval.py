"""The interval of an AUC over pairs that share subjects.

An AUC is a mean over comparisons of a genuine with an impostor pair, so each pair has an influence on it: how far its placement
lies from the AUC (DeLong et al., Biometrics 44, 1988). Influences are summed per subject and give the variance as for error
rates (``pair_rates``). Its degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946): few where a few subjects make
most of it, and fewer than there are subjects with pairs of the rarer kind. The interval is Student's on the scale of the logit,
since AUCs are skewed near 1 (Pepe: The statistical evaluation of medical tests for classification and prediction, 2003, section
5.2).
"""

from __future__ import annotations

import numpy as np

from modules.metrics.intervals import LEVEL, TINY, effective, mid_p, placements
from modules.metrics.pair_rates import numbered, over_subjects
from modules.metrics.resampled_units import ResampledUnits


def auc_interval(scores: np.ndarray, same: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """95 %; its width is never 0: at full separation each subject of the rarer kind of pairs counts as one trial, see
    ``intervals.effective``.

    Args:
        scores: (n,), higher is more similar.
        same: (n,) bool; at least one of each kind.
        left, right: (n,) int or text, the subjects of each pair, equal exactly where ``same``; at least two have genuine pairs.
    """
    from scipy.special import expit, logit, stdtrit

    wins, losses = placements(scores, same)
    value = float(wins.mean())
    influence = np.empty(len(scores))
    influence[same], influence[~same] = (wins - value) / len(wins), (losses - value) / len(losses)
    who, subjects = numbered(np.concatenate([left, right]))
    parts, own = over_subjects(influence, who[: len(scores)], who[len(scores) :], subjects, (same, ~same))
    units = ResampledUnits.of(same, who[: len(scores)], who[len(scores) :]).behind("auc")
    total, alone = float(parts.sum()), float(own.sum())
    variance = max(total, alone / 2)
    if variance <= TINY**2 or not 0 < value < 1:
        return effective(value, 0.0, units, len(scores), mid_p)
    noise = float(((parts - parts.mean()) ** 2).sum())
    freedom = min(units - 1.0, max(2 * variance**2 / noise, 1.0)) if noise > 0 else units - 1.0
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * variance**0.5 / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))
