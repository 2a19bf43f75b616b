"""Scores of pairs with many ties."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st


@st.composite
def pairs(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """A few scores on a coarse grid, so ties are common, with both kinds present; either kind may be the rarer."""
    n = draw(st.integers(4, 30))
    scores = np.array(draw(st.lists(st.integers(-6, 6), min_size=n, max_size=n)), float) / 4
    same = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    same[0], same[1] = True, False
    return scores, same


def drawn(n: int = 400, seed: int = 0, digits: int = 1, shift: float = 1.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rounded scores, kinds and ten folds."""
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.5
    return np.round(rng.normal(size=n) + shift * same, digits), same, np.arange(n) % 10
