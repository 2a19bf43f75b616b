"""Loads a trained network: from its file in a ledger, or from a study and the levels of one cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.component import Config
from configs.lookup import PACKAGES, resolve
from grid.ledger.ledger import Damaged, Ledger, Marker
from grid.ledger.study import CellView, Study
from grid.spec.cell import Cell
from grid.spec.grid_file import BadInput
from grid.spec.search import searched
from grid.spec.stage_name import EVALUATE, SHOWN_ID, TRAIN
from grid.spec.training import Compute, Input, Reconstruction, Split, Training

MODEL = "model.safetensors"
PARTS: Mapping[str, type[Config]] = {"split": Split, "input": Input, "compute": Compute, "reconstruction": Reconstruction}


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation of a network.

    Attributes:
        title: of the protocol; the evaluation's id if there is no study
        metrics: as in metrics.json
        flip_test, multi_crop: the views of an image whose embeddings the protocol sums
    """

    title: str
    metrics: Mapping[str, Any]
    flip_test: bool
    multi_crop: float | None


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        training: without ``data`` and ``pretraining`` if no study is known
        cell: the resolved cell from the study; None without a study
        view: the same cell as recorded in the study
    """

    path: Path
    ledger: Ledger
    marker: Marker
    training: Training
    cell: Cell | None
    view: CellView | None

    @property
    def title(self) -> str:
        return self.view.title if self.view else f"training {self.marker.id[:SHOWN_ID]}"

    def evaluated(self) -> list[Evaluated]:
        """The finished evaluations on pairs of images; raises BadInput if one is damaged.

        Those of the cell come first, in the order of its protocols; then those of other grids with this training, by title.
        """
        titles = {self.view.stages[name]: name.about for name in self.view.names} if self.view else {}
        place = {id: number for number, id in enumerate(titles)}
        found: list[tuple[int, Evaluated]] = []
        for id in self.ledger.done_ids(EVALUATE):
            identity = self.ledger.identity(EVALUATE, id)
            marker = self.ledger.marker(EVALUATE, id) if identity.get(TRAIN) == self.marker.id else None
            if marker is None or "metrics.json" not in marker.outputs:
                continue
            try:
                metrics = self.ledger.json(marker, "metrics.json")
            except Damaged as error:
                raise BadInput(f"{error}; launch the grid, or give --threshold") from error
            if metrics.get("task", "verification") == "verification":
                views = bool(identity["flip_test"]), identity.get("multi_crop")
                one = Evaluated(titles.get(id, f"evaluation {id[:SHOWN_ID]}"), metrics, *views)
                found.append((place.get(id, len(place)), one))
        return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].title))]


def find(target: Path, where: Mapping[str, Sequence[str]]) -> Trained:
    """The network from a checkpoint, or from the one cell of a study selected by ``where``.

    Raises:
        BadInput: it is neither, the training is not done, or its file is damaged.
    """
    if target.is_dir():
        return _of_cell(Study(target), where)
    if where:
        raise BadInput(f"--where chooses a cell of a study, and {target} is no study's folder")
    return _of_file(Path(target).absolute())


def _of_cell(study: Study, where: Mapping[str, Sequence[str]]) -> Trained:
    cell = study.only(where, "this command takes")
    marker = cell.markers.get(TRAIN)
    if marker is None:
        raise BadInput(f"{study.path}: {cell.title}: not trained ({cell.state}); launch the grid")
    return _with_cell(study, cell, marker)


def _with_cell(study: Study, view: CellView, marker: Marker) -> Trained:
    try:
        cell = Cell.model_validate(view.config)
    except ValidationError as error:
        why = " ".join(str(error.errors()[0]["msg"]).split())
        raise BadInput(f"{study.path / 'plan.json'}: {view.title} cannot be read here ({why}); launch the grid once") from error
    training = searched(cell.training(), marker.facts)
    return Trained(_whole(study.ledger, marker), study.ledger, marker, training, cell, view)


def _of_file(path: Path) -> Trained:
    if not path.is_file():
        raise BadInput(f"{path}: no such file, and no study's folder")
    folders = path.parents
    if path.name != MODEL or len(folders) < 4 or folders[2].name != TRAIN or not (folders[1] / "identity.json").is_file():
        raise BadInput(
            f"{path}: no network of a ledger, which lies in <store>/train/<id>/<attempt>/{MODEL} (MLflow's checkpoint.txt "
            "names it); a copy does not record the network's config, so name the original, or a study's folder with --where"
        )
    ledger, id = Ledger(folders[3]), folders[1].name
    try:
        marker = ledger.marker(TRAIN, id)
    except Damaged as error:
        raise BadInput(f"{path}: {error}") from error
    if marker is None or marker.attempt != folders[0].name:
        raise BadInput(f"{path}: not the result of its training (the ledger counts {marker.attempt if marker else 'none'})")
    if (folders[4] / "plan.json").is_file():  # the default location of a study's store
        study = Study(folders[4])
        if Path(study.ledger.store.url).resolve() == folders[3].resolve():
            for view in study.cells:
                if view.stages.get(TRAIN) == id:
                    return _with_cell(study, view, marker)
    identity = ledger.identity(TRAIN, id)
    if not identity:
        raise BadInput(f"{folders[1] / 'identity.json'}: damaged; launching the grid writes it again, or name a study's folder")
    training = searched(_training(identity, path), marker.facts)
    return Trained(_whole(ledger, marker), ledger, marker, training, None, None)


def _whole(ledger: Ledger, marker: Marker) -> Path:
    try:
        return ledger.path(marker, MODEL)
    except Damaged as error:
        raise BadInput(f"{error}; launch the grid, and it is computed again") from error


def _training(identity: Mapping[str, Any], path: Path) -> Training:
    """The training described by an identity: without ``data`` and ``pretraining``, of which it contains only digests.

    Raises:
        BadInput: a component is of another version, or unknown here.
    """
    parts: dict[str, Any] = {"reconstruction": None, "seed": identity["seed"], "batches": resolve("batches", "shuffled")}
    for key, value in identity.items():
        if key not in PACKAGES and key not in PARTS:
            continue
        try:
            made: Any = resolve(key, _plain(value)) if key in PACKAGES else PARTS[key].model_validate(_plain(value))
        except ValueError as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            told = f"{path}: its identity.json does not tell all of {key} ({why}); name a study's folder with --where instead"
            raise BadInput(told) from error
        if made.identity() != value:
            raise BadInput(f"{path}: {key} {value.get('name', '')} has another meaning in this version of facegrid")
        parts[key] = made
    return Training.model_construct(**parts)


def _plain(value: Any) -> Any:
    """An identity without the ``version`` of classes, which is not a config field."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "version"}
    return [_plain(item) for item in value] if isinstance(value, list) else value
