"""A cell: one fully resolved combination, and the identities of the stages that compute it.

Identity never sees where things lie or what they are called; it sees content, through a ``Facts`` that knows the digests of
datasets. ``Cell`` and its parts are what a worker gets; nothing else decides a result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from configs.component import Config, digest
from configs.explaining import ExplainerConfig, ScoreConfig
from configs.kinds import DatasetConfig, DetectorConfig, PretrainingConfig, ProtocolConfig
from configs.lookup import component, nearest, resolve
from grid.training import Training

ID_LENGTH = 32  # hex digits of SHA-256 that an id keeps: 128 bits
STAGES = ("detect", "pretrain", "train", "evaluate", "explain", "score")


class Cell(Training):
    """A training, what it is measured by, and what explains it."""

    pretrain_seed: int = 0
    protocols: tuple[component("protocol"), ...] = ()  # type: ignore[valid-type]
    explainers: tuple[component("explainer"), ...] = ()  # type: ignore[valid-type]

    def training(self) -> Training:
        return Training.model_construct(**{key: getattr(self, key) for key in Training.model_fields})  # valid already

    def source(self) -> Training | None:
        """The training that makes the initial weights, where ``pretraining`` is one."""
        origin = self.pretraining
        if not hasattr(origin, "data"):
            return None
        recipe = origin.recipe or self.recipe
        if origin.epochs is not None:
            recipe = recipe.model_copy(update={"epochs": origin.epochs})
        changes = {"data": origin.data, "detector": origin.detector, "recipe": recipe, "seed": self.pretrain_seed}
        return self.training().model_copy(update={**changes, "pretraining": resolve("pretraining", "none")})


class Detection(Config):
    """The detect stage: one dataset, one detector."""

    data: component("data")  # type: ignore[valid-type]
    detector: component("detector")  # type: ignore[valid-type]


class Piece(Config):
    """Rows ``start`` to ``stop`` of a manifest: a share of a detection."""

    start: int
    stop: int


def piece_id(detection: str, piece: Piece) -> str:
    """In the ledger: the detect stage's id and the rows."""
    return f"{detection}-{piece.start:09d}-{piece.stop:09d}"


def piece_of(id: str, detection: str) -> Piece | None:
    """The piece that an id names, where it is one of that detect stage."""
    found = re.fullmatch(r"([0-9a-f]+)-(\d{9})-(\d{9})", id)
    return Piece(start=int(found[2]), stop=int(found[3])) if found and found[1] == detection else None


class Facts(Protocol):
    """What identity needs to know of the world; ``grid.plan`` finds it out."""

    def dataset(self, protocol: ProtocolConfig) -> DatasetConfig:
        """The dataset of the protocol's images."""

    def images(self, data: DatasetConfig) -> str:
        """Digest of the dataset's manifest."""

    def pairs(self, protocol: ProtocolConfig, cell: Training) -> str:
        """Digest of what is asked, such as the pairs that are compared, after the overlap policy."""

    def weights(self, pretraining: PretrainingConfig, cell: Training) -> str | None:
        """Digest of the initial weights, None where there are none."""


@dataclass(frozen=True)
class Stage:
    """One node of the graph: what to compute (``config``), under which id, after which others."""

    kind: str
    label: str  # unique within the cell: "train", "evaluate:lfw view 1"
    id: str
    config: Mapping[str, Any]  # name -> Config: what the worker gets
    needs: tuple[str, ...]  # ids, upstream
    identity: Any


def stages_of(cell: Cell, facts: Facts) -> list[Stage]:
    """The stages of a cell in an order in which they can run."""
    found: list[Stage] = []

    def add(kind: str, label: str, identity: Any, config: Mapping[str, Any], *needs: Stage | None) -> Stage:
        id = digest({"stage": kind, **identity})[:ID_LENGTH]
        stage = Stage(kind, label, id, config, tuple(sorted({need.id for need in needs if need})), identity)
        if all(other.label != label for other in found):
            found.append(stage)
        return stage

    def detect(data: DatasetConfig, detector: DetectorConfig, label: str) -> Stage | None:
        if detector.trivial:
            return None
        identity = {"images": facts.images(data), "detector": detector.detection()}
        return add("detect", f"detect:{label}", identity, {"detection": Detection(data=data, detector=detector)})

    def training_identity(training: Training, detected: Stage | None, weights: Any) -> dict[str, Any]:
        identity = training.by_value()
        identity |= {"images": facts.images(training.data), "weights": weights, "seed": training.seed}
        return identity | ({"detect": detected.id} if detected else {})

    made = None
    if source := cell.source():
        seen = detect(source.data, source.detector, "source")
        made = add("pretrain", "pretrain", training_identity(source, seen, None), {"training": source}, seen)
        weights: Any = {"pretrain": made.id}
    else:
        weights = facts.weights(cell.pretraining, cell)
    training = cell.training()
    seen = detect(cell.data, cell.detector, "data")
    train = add("train", "train", training_identity(training, seen, weights), {"training": training}, seen, made)
    for protocol in cell.protocols:
        assert isinstance(protocol, ProtocolConfig)
        data = facts.dataset(protocol)
        found_in = detect(data, cell.detector, protocol.title)
        identity = {
            "train": train.id,
            "images": facts.images(data),
            "pairs": facts.pairs(protocol, cell),
            "flip_test": protocol.flip_test,
            **protocol.judging(),
        } | ({"detect": found_in.id} if found_in else {})
        config = {"training": training, "protocol": protocol}
        add("evaluate", f"evaluate:{protocol.title}", identity, config, train, found_in)
    for explainer in cell.explainers:
        assert isinstance(explainer, ExplainerConfig)
        identity = {"train": train.id, "explainer": explainer.identity()}
        # Scores are stages of their own: the explanation's worker and its digest of sources know nothing of them.
        config = {"training": training, "explainer": explainer.model_copy(update={"scores": ()})}
        looked_at = None
        if protocol := pairs_of(explainer, cell.protocols):
            data = facts.dataset(protocol)
            looked_at = detect(data, cell.detector, protocol.title)
            identity |= {"images": facts.images(data), "pairs": facts.pairs(protocol, cell)}
            config["protocol"] = protocol
        made = add("explain", f"explain:{explainer.title}", identity, config, train, seen, looked_at)
        for score in explainer.scores:
            assert isinstance(score, ScoreConfig)
            identity = {"explain": made.id, "score": score.identity()}
            label = f"score:{explainer.title}:{score.title}"
            add("score", label, identity, {**config, "score": score}, train, made, seen, looked_at)
    return found


def cell_id(train: Stage, factors: Mapping[str, str]) -> str:
    """The id of a cell: its training and its factors, an axis at its birth level left out by the caller."""
    return digest({"cell": train.id, "factors": dict(factors)})[:ID_LENGTH]


def pairs_of(explainer: ExplainerConfig, protocols: Sequence[ProtocolConfig]) -> ProtocolConfig | None:
    """The protocol whose pairs are explained; None where single images are.

    Raises:
        ValueError: there is none, or none of that title.
    """
    known = {protocol.title: protocol for protocol in protocols if protocol.task == "verification"}
    if not explainer.pairs:
        if explainer.protocol is not None:
            raise ValueError(
                f"explainer {explainer.title} names protocol {explainer.protocol!r} but explains no pairs; set pairs"
            )
        return None
    if not known:
        raise ValueError(f"explainer {explainer.title} explains pairs, and no protocol of this grid has pairs of images")
    if explainer.protocol is None:
        return next(iter(known.values()))
    if explainer.protocol not in known:
        raise ValueError(
            f"explainer {explainer.title} takes its pairs from protocol {explainer.protocol!r}, "
            f"and no protocol with pairs of images has that title{nearest(explainer.protocol, known)}"
        )
    return known[explainer.protocol]
