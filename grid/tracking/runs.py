"""The runs of one experiment: reads them, and writes what they lack."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from grid.tracking.artifacts import FILES, copied_files, log_folder
from grid.tracking.metrics import SPEED, Point
from grid.tracking.record import ERROR, LAYOUT, NEW, PROVENANCE, STUDY, Record, Seen, owner_of
from grid.tracking.run import Change, Known, Replace, known_of, with_note
from grid.user_name import user_name

PAGE = 1000  # maximum number of runs returned by one search
POINTS, PAIRS = 800, 100  # MLflow's limits per batch: 1,000 items, including at most 100 params and 100 tags


class Runs:
    """Reads and writes the runs of one study; ``known`` maps cell ids, and the keys of trials, groups and report, to runs."""

    def __init__(self, client: Any, experiment_id: str, experiment: str, study_id: str, tags: Mapping[str, str]) -> None:
        self.client, self.experiment_id, self.experiment, self.study_id = client, experiment_id, experiment, study_id
        self.known: dict[str, Known] = {}
        self.tags = dict(tags)  # of the experiment
        self.writes = 0
        self._datasets: set[tuple[str, str]] = set()  # name and digest of those that the experiment surely has
        self._new_dataset = threading.Lock()
        self.mutex = threading.Lock()  # cells are copied by several threads, each cell by one
        self.created = False  # since ``unite``
        self.has_models = True  # False if the server turns out to have none

    # -- reading

    def unite(self) -> list[str]:
        """Reads all runs; if a cell has several, keeps the oldest, and returns messages about the deleted ones."""
        found: dict[str, list[Known]] = defaultdict(list)
        for run in runs_of(self.client, [self.experiment_id], self.study_id):
            known = known_of(run)
            found[owner_of(known.tags)].append(known)
        found.pop("", None)
        said = []
        before = {known.run_id: known for known in self.known.values()}
        self.known = {}
        for cell, several in found.items():
            # runs of one cell begin when the cell did, so on equal times the one with the most content is kept
            several.sort(key=lambda known: (known.start, -len(known.metrics), -len(known.params), known.run_id))
            self.known[cell] = several[0]
            if (earlier := before.get(several[0].run_id)) and len(several) == 1:
                several[0].mine, several[0].compared = earlier.mine, earlier.compared
            for other in several[1:]:
                self._delete(other)
                said.append(f"cell {cell}: it had {len(several)} runs; {other.run_id} was deleted, {several[0].run_id} stays")
        self.created = False
        return said

    def history(self, known: Known, keys: Iterable[str]) -> dict[str, dict[int, float]]:
        """Every point of these metrics: key -> step -> value.

        Raises:
            Replace: a step has two values.
        """
        found: dict[str, dict[int, float]] = {}
        for key in keys:
            if key not in known.metrics:
                continue
            found[key] = {}
            for point in self.client.get_metric_history(known.run_id, key):
                if found[key].setdefault(point.step, point.value) != point.value:
                    raise Replace(f"{key} has two values at epoch {point.step}")
        return found

    def missing(self, known: Known, points: Sequence[Point]) -> list[Point]:
        """The points that the run lacks: an interrupted pass may have written some.

        Raises:
            Replace: it has another value.
        """
        there = {} if known.mine else self.history(known, {point.key for point in points})
        missing = []
        for point in points:
            value = there.get(point.key, {}).get(point.step)
            if value is None:
                missing.append(point)
            elif value != point.value and not point.key.endswith(SPEED):
                raise Replace(f"{point.key} is {value!r} at step {point.step} and should be {point.value!r}")
        return missing

    def check(self, known: Known, record: Record) -> None:
        """Raises Replace if a param or a dataset of the run differs."""
        if known.tags.get(LAYOUT) != record.tags[LAYOUT]:
            raise Replace("another version of facegrid wrote it")
        for key, value in record.params.items():
            if known.params.get(key, value) != value:
                raise Replace(f"its param {key} is {known.params[key]!r} and should be {value!r}")
        for seen in record.datasets:
            for name, content, context in known.datasets:
                if (name, context) == (seen.name, seen.context) and content != seen.digest:
                    raise Replace(f"its {context} dataset {name} has other content")

    # -- writing

    def fill(self, key: str, record: Record, title: str, write: Callable[[Known], None], said: list[str]) -> None:
        """Calls ``write`` with the run of ``key``, which is created if missing, and replaced if it contradicts the ledger."""
        if (known := self.known.get(key)) is not None:
            try:
                self.check(known, record)
                write(known)
                return
            except Replace as conflict:
                self.delete(key)
                said.append(f"{title}: the run {known.run_id} was replaced, because {conflict}")
        write(self.create(key, record))

    def create(self, cell: str, record: Record) -> Known:
        tags = {
            **{key: record.tags[key] for key in NEW if key in record.tags},
            "mlflow.user": user_name(), "mlflow.source.name": self.experiment, "mlflow.source.type": "LOCAL",
        }  # fmt: skip
        run = self.write(self.client.create_run, self.experiment_id, record.start, tags, record.name)
        self.known[cell] = known = known_of(run)
        known.mine = self.created = True
        known.files = {}
        return known

    def describe(self, tags: Mapping[str, str]) -> None:
        """Updates the experiment's tags that differ."""
        for key, value in with_note(self.tags, tags).items():
            if self.tags.get(key) != value:
                self.write(self.client.set_experiment_tag, self.experiment_id, key, value)
                self.tags[key] = value

    def delete(self, cell: str) -> None:
        self._delete(self.known[cell])
        del self.known[cell]

    def _delete(self, known: Known) -> None:
        """Deletes a run and its model."""
        if known.model is not None:
            self.write(delete_model, self.client, known.model)
        self.write(self.client.delete_run, known.run_id)

    def mark(self, known: Known, tag: str, value: str) -> None:
        """Sets a tag, unless it has that value."""
        if known.tags.get(tag) != value:
            self.write(self.client.set_tag, known.run_id, tag, value)
            known.tags[tag] = value

    def unmark(self, known: Known, tag: str) -> None:
        """Deletes a tag."""
        if tag in known.tags:
            self.write(self.client.delete_tag, known.run_id, tag)
            del known.tags[tag]

    def apply(self, known: Known, change: Change, record: Record) -> None:
        """Writes a change and everything else that differs from the record: files first, ticks after what they mark as done."""
        if change.files is not None and change.owners:
            known.files = copied_files(self.client, known) | change.owners
            text = json.dumps(known.files, indent=1, sort_keys=True)
            (change.files / FILES).write_text(text, encoding="utf-8")
        if change.files is not None and any(change.files.iterdir()):
            self.write(log_folder, self.client, known, change.files)
        params = {key: value for key, value in record.params.items() if key not in known.params}
        tags = {**self._tags(known, record), **with_note(known.tags, change.tags)}
        self._batches(known, params, tags, change)
        missing = [seen for seen in record.datasets if (seen.name, seen.digest, seen.context) not in known.datasets]
        if missing:
            self._log_inputs(known, missing)
            known.datasets |= {(seen.name, seen.digest, seen.context) for seen in missing}
        if ERROR not in record.tags and record.status != "FAILED":
            self.unmark(known, ERROR)
        self._finish(known, record)

    def _log_inputs(self, known: Known, missing: Sequence[Seen]) -> None:
        """Logs datasets. MLflow refuses one of two runs that log the same new dataset of an experiment at once."""
        wanted = {(seen.name, seen.digest) for seen in missing}
        with contextlib.nullcontext() if wanted <= self._datasets else self._new_dataset:
            self.write(self.client.log_inputs, known.run_id, [_input(seen) for seen in missing])
            self._datasets |= wanted

    def _tags(self, known: Known, record: Record) -> dict[str, str]:
        """Tags that differ. A finished run keeps the revision that it ran under, regardless of later launches."""
        settled = known.status == record.status == "FINISHED"
        return {
            key: value
            for key, value in record.tags.items()
            if known.tags.get(key) != value and not (settled and key in PROVENANCE and key in known.tags)
        }

    def _batches(self, known: Known, params: dict[str, str], tags: dict[str, str], change: Change) -> None:
        from mlflow.entities import Metric, Param, RunTag

        left = [Param(key, value) for key, value in params.items()]
        marks = [RunTag(key, value) for key, value in tags.items() if known.tags.get(key) != value]
        ticks = [RunTag(key, value) for key, value in change.ticks.items() if known.tags.get(key) != value]
        points = [
            Metric(point.key, point.value, point.time, point.step, **_link(known, change, point)) for point in change.points
        ]
        rest = [points[at : at + POINTS] for at in range(0, len(points), POINTS)]
        count = max(-(-len(left) // PAIRS), -(-len(marks) // PAIRS), len(rest))
        for number in range(count):
            window = slice(number * PAIRS, (number + 1) * PAIRS)
            batch = (rest[number] if number < len(rest) else [], left[window], marks[window])
            last = number == count - 1 and len(batch[2]) + len(ticks) <= PAIRS
            self._log(known, batch[0], batch[1], [*batch[2], *(ticks if last else [])])
            ticks = [] if last else ticks
        for at in range(0, len(ticks), PAIRS):
            self._log(known, [], [], ticks[at : at + PAIRS])

    def _log(self, known: Known, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]) -> None:
        self.write(self.client.log_batch, known.run_id, metrics=metrics, params=params, tags=tags)
        known.metrics |= {metric.key: metric.value for metric in metrics}
        known.params |= {param.key: param.value for param in params}
        known.tags |= {tag.key: tag.value for tag in tags}

    def _finish(self, known: Known, record: Record) -> None:
        if known.name != record.name:
            self.write(self.client.update_run, known.run_id, name=record.name)
            known.name = record.name
        if record.status == "RUNNING":
            if known.status != "RUNNING":
                self.write(self.client.update_run, known.run_id, status="RUNNING")
        elif (known.status, known.end) != (record.status, record.end):
            self.write(self.client.set_terminated, known.run_id, record.status, record.end)
            known.end = record.end
        known.status = record.status

    def write(self, call: Any, *arguments: Any, **named: Any) -> Any:
        with self.mutex:
            self.writes += 1
        return call(*arguments, **named)


def every(search: Callable[..., Any], *arguments: Any, **named: Any) -> Iterator[Any]:
    """All results of a search of MLflow's client, which answers page by page."""
    token = None
    while True:
        page = search(*arguments, **named, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def runs_of(client: Any, experiment_ids: list[str], study_id: str, **named: Any) -> Iterator[Any]:
    """The runs of a study in these experiments, as MLflow returns them."""
    return every(client.search_runs, experiment_ids, f"tags.`{STUDY}` = '{study_id}'", max_results=PAGE, **named)


def delete_model(client: Any, model_id: str) -> None:
    """Deletes a model, unless ``mlflow gc`` has removed it."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _link(known: Known, change: Change, point: Point) -> dict[str, str]:
    """The model and the dataset that a final metric belongs to; empty if it is none, or there is no model."""
    if known.model is None or point.key not in change.finals:
        return {}
    seen = change.finals[point.key]
    return {"model_id": known.model} | ({"dataset_name": seen.name, "dataset_digest": seen.digest} if seen else {})


def _input(seen: Seen) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name=seen.name, digest=seen.digest, source_type="facegrid", source=seen.source)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", seen.context)])
