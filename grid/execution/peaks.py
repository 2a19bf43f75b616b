"""Measured memory of trainings, kept in the study: one peak for all trainings that take the same."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.component import digest
from grid.execution.job import Job
from grid.execution.memory_peak import Peak
from grid.ledger.sealed import Damaged, seal, unseal
from grid.ledger.store import LocalStore
from grid.spec.launch_settings import MEASURED
from grid.spec.search import Slot, Space, replaced_layers
from grid.spec.stage_name import SEARCH, TRIAL

FILE = "memory.json"
UNRELATED = ("seed", "pretraining")  # keys of a training that do not change its memory


class Peaks:
    """The peaks that were measured for a study, by ``key_of`` their trainings; they are kept in ``FILE``.

    A damaged file is no error: its trainings are measured again, and it is replaced.

    Args:
        study: folder of the study; None: they are kept in this process only
    """

    def __init__(self, study: Path | None) -> None:
        self.study = study
        self._peaks = {} if study is None else _read(study)

    def get(self, key: str, slot: Mapping[str, float] | None = None, nodes: Sequence[Mapping[str, float]] = ()) -> Peak | None:
        """The peak of such trainings, if it was measured where they are to run, see ``Peak.suits``.

        Args:
            slot: what they reserve; None: a peak of any device will do
            nodes: resources of the nodes where they are to run
        """
        peak = self._peaks.get(key)
        return peak if peak is None or slot is None or peak.suits(slot, nodes) else None

    def put(self, key: str, peak: Peak) -> None:
        """Adds a peak."""
        self._peaks[key] = peak
        if self.study is not None:
            record = {"peaks": {key: one.record() for key, one in sorted(self._peaks.items())}}
            LocalStore(self.study).put(FILE, seal(record, indent=1))

    def of(
        self, jobs: Sequence[Job], slot: Mapping[str, float] | None = None, nodes: Sequence[Mapping[str, float]] = ()
    ) -> Peak | None:
        """The same of the first of these jobs that is a training."""
        training = first_training(jobs) if self._peaks else None
        return None if training is None else self.get(key_of(training), slot, nodes)


def _read(study: Path) -> dict[str, Peak]:
    data = LocalStore(study).get(FILE)
    if data is None:
        return {}
    try:
        return {key: Peak.of(one) for key, one in unseal(data, study / FILE)["peaks"].items()}
    except (Damaged, ValueError, KeyError, TypeError, AttributeError) as error:
        why = error if isinstance(error, Damaged) else f"{study / FILE} is damaged ({error!r})"
        logging.getLogger("facegrid").warning("%s; the memory of trainings is measured again", why)
        return {}


def measurable(job: Job) -> bool:
    """Whether the memory of a job can be measured: it trains a network."""
    training = job.config.get("training", {})
    return job.kind in MEASURED and training.get("recipe", {}).get("name") != "none"


def first_training(jobs: Sequence[Job]) -> Job | None:
    """The first job whose memory can be measured."""
    return next((job for job in jobs if measurable(job)), None)


def probed(job: Job) -> Job:
    """The training that is measured for a job: its own, or for a trial of a search one with the largest head of its space.

    So the trials of a search are measured once, before it is known which of them a later rung trains.
    """
    if job.kind != TRIAL:
        return job
    slot, training = job.config["slot"], job.config["training"]
    head = replaced_layers(training["head"], Space.model_validate(slot["space"]).largest)
    first = Slot(rung=0, place=0, epochs=slot["epochs"]).model_dump(mode="json")
    needs = {id: kind for id, kind in job.needs.items() if kind != TRIAL}
    inputs = {name: id for name, id in job.inputs.items() if id in needs}
    config = {**job.config, "training": {**training, "head": head}, "slot": first}
    return replace(job, config=config, needs=needs, inputs=inputs)


def key_of(job: Job) -> str:
    """Equal for trainings that take the same memory: of the same code, with settings that differ in seed and rates only.

    Of a recipe, the number of epochs does not count, nor do the values of fractions: a rate of 0.1 or of 0.2. That one is zero
    counts, since optimizers keep nothing for a momentum of zero. The head that a search chooses is known by the search, and its
    trials are all alike, see ``probed``.
    """
    job = probed(job)
    training = {key: value for key, value in job.config["training"].items() if key not in UNRELATED}
    training["recipe"] = {key: _rough(value) for key, value in training["recipe"].items() if key != "epochs"}
    about = {"kind": job.kind, "source": job.source, "search": job.inputs.get(SEARCH), "workers": job.workers}
    devices = [job.devices, job.usable_devices]  # the fewest decide about memory, the most about whole GPUs
    return digest({**about, "devices": devices, "training": training})


def _rough(value: Any) -> Any:
    """A setting of a recipe without the values of fractions."""
    if isinstance(value, float):
        return bool(value)
    if isinstance(value, Mapping):
        return {key: _rough(one) for key, one in value.items()}
    return [_rough(one) for one in value] if isinstance(value, list) else value
