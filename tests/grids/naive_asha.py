"""Algorithm 2 of Li et al. (ASHA, MLSys 2020), written naively: workers that ask for a job, and a clock."""

import heapq

import numpy as np


def naive(
    curves: np.ndarray, rungs: list[int], reduction: int, lower: bool, workers: int, seconds: np.ndarray
) -> list[tuple[float, int, int]]:
    """The time, trial and rung of every job, in the order in which they begin.

    Args:
        curves: (trials, epochs), the metric of each trial after each epoch
        seconds: (trials, rungs), how long a job takes
    """
    results: list[dict[int, float]] = [{} for _ in rungs]
    promoted: list[list[int]] = [[] for _ in rungs]
    running: list[tuple[float, int, int]] = []
    begun: list[tuple[float, int, int]] = []
    fresh = 0

    def get_job() -> tuple[int, int] | None:
        nonlocal fresh
        for rung in reversed(range(len(rungs) - 1)):
            best = sorted(results[rung], key=lambda trial: (results[rung][trial] * (1 if lower else -1), trial))
            candidates = best[: len(results[rung]) // reduction]
            promotable = [trial for trial in candidates if trial not in promoted[rung]]
            if promotable:
                promoted[rung].append(promotable[0])
                return promotable[0], rung + 1
        if fresh == len(curves):
            return None
        fresh += 1
        return fresh - 1, 0

    now = 0.0
    while True:
        while len(running) < workers and (job := get_job()) is not None:
            begun.append((now, *job))
            heapq.heappush(running, (now + seconds[job[0], job[1]], *job))
        if not running:
            return begun
        now, trial, rung = heapq.heappop(running)
        results[rung][trial] = float(curves[trial][rungs[rung] - 1])
