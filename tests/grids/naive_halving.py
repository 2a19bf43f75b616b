"""Successive halving, derived naively from recorded validation curves."""

import numpy as np


def naive(curves: np.ndarray, rungs: list[int], reduction: int, lower: bool) -> list[list[int]]:
    """The survivors of each rung, in order of their number: removes the worst trial until few enough are left."""
    alive, found = list(range(len(curves))), []
    for rung, epochs in enumerate(rungs):
        found.append(sorted(alive))
        if rung + 1 == len(rungs):
            break
        while len(alive) > max(1, len(curves) // reduction ** (rung + 1)):
            values = [curves[trial][epochs - 1] * (1 if lower else -1) for trial in alive]
            worst = max(range(len(alive)), key=lambda place: (values[place], alive[place]))
            del alive[worst]
    return found
