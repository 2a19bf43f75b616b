"""When the memory of a study's trainings was measured, and what was reserved meanwhile; it is part of what the study spent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grid.ledger.attempt_times import AttemptTime
from grid.ledger.lock import last_heard, live_holder
from grid.ledger.sealed import Damaged, seal, unseal
from grid.ledger.store import LocalStore

FILE = "measurement_times.json"


def measurement_times(study: Path) -> list[AttemptTime]:
    """All measurements of memory of the study in this folder, oldest first; none if their file is damaged.

    One without an end runs as long as the launch that began it holds the study; else it ended when that was last heard of.
    """
    return [time for _, time in _read(study)]


def begin_measurement(study: Path, id: str, began: float, reserved: Mapping[str, float], device: str | None) -> None:
    """Records that a measurement runs; the caller holds the study's lock.

    Args:
        study: its folder
        id: of the measurement, for ``change_measurement``
        began: unix seconds, by the clock of this process
        reserved: CPUs and GPUs
        device: as in claims: "cpu", or the number and name of a GPU; None: not known yet
    """
    launch = (live_holder(LocalStore(study)) or {}).get("token", "")
    record = {"id": id, "launch": launch, "began": began, "ended": None, "reserved": dict(reserved), "device": device}
    _write(study, [*(one for one, _ in _read(study)), record])


def change_measurement(study: Path, id: str, **known: float | str) -> None:
    """Records the ``device``, or when it ``ended`` (unix seconds) or its process was found to be lost."""
    _write(study, [{**one, **known} if one.get("id") == id else one for one, _ in _read(study)])


def _read(study: Path) -> list[tuple[dict[str, Any], AttemptTime]]:
    """The records of the measurements, and what they say."""
    data = LocalStore(study).get(FILE)
    if data is None:
        return []
    try:
        return [(dict(one), _time(study, one)) for one in unseal(data, study / FILE)["times"]]
    except (Damaged, ValueError, KeyError, TypeError) as error:
        why = error if isinstance(error, Damaged) else f"{study / FILE} is damaged ({error!r})"
        logging.getLogger("facegrid").warning("%s; the time of earlier measurements of memory is not counted", why)
        return []


def _time(study: Path, one: Mapping[str, Any]) -> AttemptTime:
    began, ended = float(one["began"]), one["ended"]
    if ended is None and (heard := last_heard(LocalStore(study), one["launch"])) is not None:
        ended = max(began, heard)
    end = None if ended is None else float(ended)
    return AttemptTime(0, began, end, "running" if end is None else "done", dict(one["reserved"]), one["device"], None)


def _write(study: Path, records: list[dict[str, Any]]) -> None:
    LocalStore(study).put(FILE, seal({"times": records}, indent=1))
