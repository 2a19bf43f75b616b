"""The rank of trials by a metric of the validation."""

from __future__ import annotations

from collections.abc import Mapping

from grid.spec.search import maximizes


def ranked(values: Mapping[int, float | None], metric: str) -> list[int]:
    """The numbers of trials, best first. Of equal ones the lower number comes first, and diverged ones (None) come last."""
    sign = -1.0 if maximizes(metric) else 1.0

    def key(trial: int) -> tuple[bool, float, int]:
        value = values[trial]
        return value is None, 0.0 if value is None else sign * value, trial

    return sorted(values, key=key)


def value_of(facts: Mapping[str, object], metric: str) -> float | None:
    """The metric in the facts of a trial; None if it diverged.

    Raises:
        ValueError: the validation has no such number.
    """
    metrics = facts["metrics"]
    assert isinstance(metrics, Mapping)
    if facts.get("diverged"):
        return None
    if metrics.get(metric) is None:
        known = ", ".join(sorted(key for key, value in metrics.items() if value is not None)) or "none"
        raise ValueError(f"search.metric: the validation of this training has no {metric} (known: {known})")
    return float(metrics[metric])
