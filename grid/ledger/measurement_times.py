"""When the memory of a study's trainings was measured, and what was reserved meanwhile; it is part of what the study spent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from grid.ledger.attempt_times import AttemptTime
from grid.ledger.sealed import Damaged, seal, unseal
from grid.ledger.store import LocalStore

FILE = "measurement_times.json"


def measurement_times(study: Path) -> list[AttemptTime]:
    """All measurements of memory of the study in this folder, oldest first; none if their file is damaged."""
    data = LocalStore(study).get(FILE)
    if data is None:
        return []
    try:
        return [
            AttemptTime(0, float(one["began"]), float(one["ended"]), "done", dict(one["reserved"]), one["device"], None)
            for one in unseal(data, study / FILE)["times"]
        ]
    except (Damaged, ValueError, KeyError, TypeError) as error:
        why = error if isinstance(error, Damaged) else f"{study / FILE} is damaged ({error!r})"
        logging.getLogger("facegrid").warning("%s; the time of earlier measurements of memory is not counted", why)
        return []


def add_measurement_time(study: Path, began: float, ended: float, reserved: Mapping[str, float], device: str) -> None:
    """Records a measurement.

    Args:
        study: its folder
        began, ended: unix seconds
        reserved: CPUs and GPUs
        device: as in claims: "cpu", or the number and name of a GPU
    """
    times = [*measurement_times(study), AttemptTime(0, began, ended, "done", reserved, device, None)]
    record = [{"began": one.began, "ended": one.ended, "reserved": dict(one.reserved), "device": one.device} for one in times]
    LocalStore(study).put(FILE, seal({"times": record}, indent=1))
