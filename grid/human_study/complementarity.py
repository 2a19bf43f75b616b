"""People on the pairs that the network gets wrong, and the network on the pairs that people get wrong.

Zhong and Deng (ICPR 2018, Section III) report that their network decides 92.36 % of 478 pairs correctly in which people made
mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Complementarity:
    """Shares; None where there is no such pair or judgment.

    Attributes:
        network_errors: number of pairs that the network decides wrongly
        people_there: accuracy of people on these in each pass, (first, second)
        hard_pairs: number of pairs that more than half of the participants get wrong in the first pass
        network_there: accuracy of the network on these
        network_at_mistakes: share of people's wrong judgments in the first pass for which the network is right
        either: share of pairs decided correctly by the network or by at least half of the participants in the first pass
    """

    network_errors: int
    people_there: tuple[float | None, float | None]
    hard_pairs: int
    network_there: float | None
    network_at_mistakes: float | None
    either: float


def complementarity(correct: np.ndarray, network: np.ndarray) -> Complementarity:
    """Compares people with the network, pair by pair.

    Args:
        correct: bool (P, 2, N), P at least 1
        network: bool (N,)
    """
    first = correct[:, 0]
    hard = first.mean(axis=0) < 0.5
    mistakes = (~first).sum(axis=0)
    wrong = ~network
    return Complementarity(
        int(wrong.sum()),
        (_share(correct[:, 0][:, wrong]), _share(correct[:, 1][:, wrong])),
        int(hard.sum()),
        _share(network[hard]),
        float(mistakes[network].sum() / mistakes.sum()) if mistakes.any() else None,
        float((network | ~hard).mean()),
    )


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
