"""A cell: one fully resolved combination, and the external facts that its identity depends on.

Identity never depends on paths or file names; it depends on content, provided by a ``Facts`` that knows the digests of
datasets. ``Cell`` and its parts are sent to workers; nothing else affects a result.
"""

from __future__ import annotations

import re
from typing import Protocol, Self

from pydantic import model_validator

from configs.component import Config
from configs.data_interfaces import DatasetConfig, ProtocolConfig
from configs.lookup import component, resolve
from configs.network_interfaces import PretrainingConfig, TrainedPretrainingConfig
from grid.spec.search import Search
from grid.spec.training import Training

ID_LENGTH = 32  # an id is this many hex digits of SHA-256: 128 bits


class Cell(Training):
    """A training, its evaluation protocols, and its explainers. ``search`` chooses the layers of the head before it."""

    pretrain_seed: int = 0
    search: Search | None = None
    protocols: tuple[component("protocol"), ...] = ()  # type: ignore[valid-type]
    explainers: tuple[component("explainer"), ...] = ()  # type: ignore[valid-type]
    stages: tuple[component("stage"), ...] = ()  # type: ignore[valid-type]  # of user-defined kinds

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        if self.search is not None:
            try:
                self.search.check(self)
            except ValueError as error:
                raise ValueError(f"search: {error}") from error
        return self

    @model_validator(mode="after")
    def _pretrains(self) -> Self:
        if (source := self.source()) is not None:
            try:
                _check_source(source)
            except ValueError as error:
                raise ValueError(f"pretraining {self.pretraining.name}: {error}") from error
        return self

    def training(self) -> Training:
        return Training.model_construct(**{key: getattr(self, key) for key in Training.model_fields})  # already validated

    def check_titles(self) -> None:
        """Raises ValueError if two protocols, explainers, stages of one name, or scores of an explainer have the same title."""
        for kind in ("protocols", "explainers", "stages"):
            names = [f"{one.name}:{one.title}" if kind == "stages" and one.label else one.title for one in getattr(self, kind)]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two {kind} are called {min(twice)!r}; give one a `label`")
        for explainer in self.explainers:
            scored = [score.title for score in explainer.scores]
            if twice := {name for name in scored if scored.count(name) > 1}:
                raise ValueError(f"explainer {explainer.title}: two scores are called {min(twice)!r}; give one a `label`")

    def source(self) -> Training | None:
        """The source training that produces the initial weights, if ``pretraining`` is one.

        It starts from random weights, so by the cell's recipe it trains the whole network, whatever the cell freezes.
        """
        origin = self.pretraining
        if not isinstance(origin, TrainedPretrainingConfig):
            return None
        recipe = origin.recipe or self.recipe
        if origin.recipe is None and recipe.learning_part != "all":
            recipe = recipe.model_copy(update={"trainable": "all"})
        if origin.epochs is not None:
            recipe = recipe.model_copy(update={"epochs": origin.epochs})
        changes = {"data": origin.data, "detector": origin.detector, "recipe": recipe, "seed": self.pretrain_seed}
        changes |= {"targets": {}, "target_weighting": "fixed"}  # a source training learns identities only
        return self.training().model_copy(update={**changes, "pretraining": resolve("pretraining", "none")})


def _check_source(source: Training) -> None:
    """Raises ValueError if a source training cannot run, or leaves the backbone as it was initialized."""
    if not source.recipe.trains:
        raise ValueError(
            f"recipe {source.recipe.name} trains nothing; set pretraining.recipe to one that trains, such as one_cycle"
        )
    if (part := source.recipe.learning_part) in ("none", "decoder"):
        raise ValueError(f"its recipe.trainable is {part}, so the backbone would keep its random weights; leave it out")
    source.check_together()


class Detection(Config):
    """The detect stage: one dataset, one detector."""

    data: component("data")  # type: ignore[valid-type]
    detector: component("detector")  # type: ignore[valid-type]


class DetectionShard(Config):
    """Rows ``start`` to ``stop`` of a manifest: one part of a detection."""

    start: int
    stop: int


def shard_id(detection: str, shard: DetectionShard) -> str:
    """The shard's id in the ledger: the detect stage's id and the rows."""
    return f"{detection}-{shard.start:09d}-{shard.stop:09d}"


def shard_of(id: str, detection: str) -> DetectionShard | None:
    """The shard that an id refers to, if it belongs to that detect stage."""
    found = re.fullmatch(r"([0-9a-f]+)-(\d{9})-(\d{9})", id)
    return DetectionShard(start=int(found[2]), stop=int(found[3])) if found and found[1] == detection else None


class Facts(Protocol):
    """The external facts that identities depend on; implemented in ``grid.plan``."""

    def dataset(self, protocol: ProtocolConfig) -> DatasetConfig:
        """The dataset of the protocol's images."""

    def images(self, data: DatasetConfig) -> str:
        """Digest of the dataset's manifest."""

    def labels(self, data: DatasetConfig) -> dict[str, str]:
        """Digest of each column of the dataset."""

    def label_classes(self, data: DatasetConfig) -> dict[str, tuple[str, ...] | None]:
        """The classes of each column of the dataset; None for numbers."""

    def columns(self, training: Training) -> dict[str, str]:
        """Digest of the column of each target except the identity, which is covered by the images."""

    def pairs(self, protocol: ProtocolConfig, cell: Training) -> str:
        """Digest of the evaluation data, such as the compared pairs, after the overlap policy."""

    def weights(self, pretraining: PretrainingConfig, cell: Training) -> str | None:
        """Digest of the initial weights, or None if there are none."""
