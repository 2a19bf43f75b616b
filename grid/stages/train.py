"""Trains one network: from crops to ``model.safetensors``, resumable after every epoch and within one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from configs.network_interfaces import PreparedLoss
from grid.ledger.ledger import Marker, Resume
from grid.spec.search import searched
from grid.spec.stage_name import SEARCH
from grid.spec.training import Training
from grid.stages.context import Context, Faces, Result, faces_of, write_json
from grid.stages.labels import Labels, class_counts, known_counts, labels_of, rows_of
from grid.stages.ranks import all_ranks, as_rank
from modules.layers.synchronized_batch_norm import synchronize
from modules.network import Network, embedding_digest
from modules.targets import objective
from modules.training.trainer import fit, network_weights

if TYPE_CHECKING:
    from modules.training.recognizer import Recognizer


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``model.safetensors`` (the selected epoch), ``history.json`` and ``timing.json``."""
    chosen = context.inputs.get(SEARCH)
    if chosen is None:
        return trained(config["training"], context, initial_network)
    result = trained(searched(config["training"], chosen.facts), context, initial_network)
    return Result({**result.facts, "head": chosen.facts["head"]}, result.outputs)


Initial = Callable[[Context, Training, "int | Mapping[str, int]"], Network]
"""Makes the network to train from (context, training, number of classes)."""


def trained(training: Training, context: Context, initial: Initial) -> Result:
    """Trains the network made by ``initial``; writes the files of ``run``."""
    faces, labels, network = prepared(training, context, initial)
    if not training.recipe.trains:
        return _as_loaded(context, network, faces, labels)
    saves = Saves(context)
    recognizer = fitted(training, context, network, faces, labels, saves)
    if context.helper is not None:
        return Result({}, ())
    if not context.fast:  # whose only step may be one that is skipped
        recognizer.check_steps()
    train_rows, validation_rows = rows_of(faces, training)
    recipe = recognizer.recipe
    best = min(recognizer.history, key=lambda row: (_loss(row), row["epoch"]))
    kept = best if recipe.select == "best" else recognizer.history[-1]
    saved = saves.best if recipe.select == "best" else saves.last
    assert saved is not None, "a training has at least one epoch"
    weights = network_weights(saved.path)
    path = context.attempt.path
    _save(weights, path)
    write_json(path / "history.json", recognizer.history)
    write_json(path / "timing.json", recognizer.timing)
    facts = {
        "parameters": parameters(network),
        "network": embedding_digest(weights),
        "classes": labels.classes,
        "images": len(train_rows),
        "validation_images": len(validation_rows),
        "skipped_images": len(faces.manifest.skipped),
        "missing_faces": faces.crops.missing,
        "epochs": len(recognizer.history),
        "best_epoch": best["epoch"],
        "kept_epoch": kept["epoch"],
        "validation_loss": kept["validation_loss"],
        "validation_accuracy": kept["validation_accuracy"],
    }
    if training.compute.precision == "16-mixed":
        facts["skipped_steps"] = recognizer.skipped_steps
    names = [key for key in kept if key.startswith(("validation_loss_", "validation_accuracy_", "validation_mae_"))]
    facts |= {key: kept[key] for key in names}
    facts |= {f"labeled_{name}": count for name, count in known_counts(labels, train_rows).items()}
    if counts := class_counts(faces, training, train_rows):
        facts["class_counts"] = counts
    return Result(facts, ("model.safetensors", "history.json", "timing.json"))


def prepared(training: Training, context: Context, initial: Initial) -> tuple[Faces, Labels, Network]:
    """What a training begins with: the crops, their labels, and the network made by ``initial`` from the training's seed."""
    faces = faces_of(context, training.data, training.detector, training.input.pixels)
    labels = labels_of(faces.manifest, training)
    torch.manual_seed(training.seed)
    return faces, labels, initial(context, training, labels.classes)


def fitted(
    training: Training,
    context: Context,
    network: Network,
    faces: Faces,
    labels: Labels,
    saves: Saves,
    until: int | None = None,
) -> Recognizer:
    """Trains a network, from the checkpoint that ``saves`` takes over if there is one.

    Args:
        until: epochs after which it ends, if that is before the recipe ends
    """
    from datamodules.datamodule import FaceDataModule  # these import Lightning, which other stages do not need
    from grid.stages.few_steps import FewSteps
    from grid.stages.measured_loader import loader_callbacks
    from modules.training.checkpointing import Checkpointing
    from modules.training.recognizer import Recognizer

    train_rows, validation_rows = rows_of(faces, training)
    recipe = training.recipe.model_copy(update={"epochs": 1}) if context.fast else training.recipe
    batch = max(1, recipe.batch_size // recipe.accumulate)
    data = FaceDataModule(
        crops=faces.crops,
        labels=labels.values,
        identities=labels.identities,
        train_rows=train_rows,
        validation_rows=validation_rows,
        augmentation=training.augmentation.build(),
        batch_size=training.batches.at_most(batch, len(set(faces.identities))) if context.fast else batch,
        seed=training.seed,
        workers=context.workers,
        batches=training.batches,
    )
    if isinstance(network.loss, PreparedLoss):
        known = torch.from_numpy(labels.values[train_rows])
        network.loss.prepare(known if isinstance(labels.classes, dict) else torch.bincount(known, minlength=labels.classes))
    devices = 1 if context.fast else context.devices
    if as_rank(context, devices) and training.compute.classes == "shared":
        network.loss.share(context.helper.rank if context.helper is not None else 0, devices)
    if devices > 1 and training.compute.batch_norm == "synchronized":
        synchronize(network)
    parts = min(recipe.accumulate, data.steps_per_epoch)  # an epoch with fewer images than a batch has fewer parts
    recognizer = Recognizer(
        network,
        recipe.model_copy(update={"accumulate": parts}),
        training.seed,
        steps_per_epoch=data.steps_per_epoch // parts,
        decoder=_decoder(training),
        open_set=training.split.by == "identities",
    )
    if training.compute.compile:
        network.backbone.compile()
    checkpoint = _checkpoint(context, saves)
    with all_ranks(context, devices, checkpoint) as rank:
        fit(
            recognizer,
            data,
            accelerator=context.accelerator,
            rank=rank,
            precision=training.compute.precision,
            threads=training.compute.threads,
            deterministic=training.compute.deterministic,
            tf32=training.compute.tf32,
            checkpoint=context.ledger.store.materialize(checkpoint) if checkpoint else None,
            callbacks=[
                *loader_callbacks(context, training.compute, devices),
                FewSteps(context.memory_probe)
                if context.memory_probe is not None
                else Checkpointing(
                    saves.save,
                    minutes=context.checkpoint_minutes,
                    leaving=context.leaving,
                    progress=lambda epoch, step, steps, metrics: context.report(
                        {"epoch": epoch, "epochs": until or recipe.epochs, "step": step, "steps": steps, **metrics}
                    ),
                ),
            ],
            limit_batches=1 if context.fast else None,
            until=until,
        )
    return recognizer


def _checkpoint(context: Context, saves: Saves) -> str | None:
    """The key of the checkpoint to resume from; a helper has that of rank 0."""
    if context.fast or context.memory_probe is not None:
        return None
    if context.helper is not None:
        return context.helper.resume
    origin = saves.take_over()
    return origin.key if origin else None


def initial_network(context: Context, training: Training, classes: int | Mapping[str, int]) -> Network:
    """The network before training: randomly initialized, then loaded if there is pretraining."""
    network = new_network(training, classes)
    made = context.inputs.get("pretrain")
    training.pretraining.load(
        network.backbone, training.backbone, context.ledger.path(made, "model.safetensors") if made else None
    )
    training.pretraining.load_head(network.head, training.backbone, training.head)
    return network


def _as_loaded(context: Context, network: Network, faces: Faces, labels: Labels) -> Result:
    """The result of a run with no training."""
    path = context.attempt.path
    _save(network.state_dict(), path)
    write_json(path / "history.json", [])
    facts: dict[str, Any] = {"parameters": parameters(network), "classes": labels.classes, "images": 0, "epochs": 0}
    facts |= {"skipped_images": len(faces.manifest.skipped), "missing_faces": faces.crops.missing, "kept_epoch": None}
    return Result(facts, ("model.safetensors", "history.json"))


def _save(weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    save_file({key: value.contiguous() for key, value in sorted(weights.items())}, folder / "model.safetensors")


def parameters(network: Network) -> int:
    """The number of parameters of backbone and head."""
    return sum(parameter.numel() for part in (network.backbone, network.head) for parameter in part.parameters())


def new_network(training: Training, classes: int | Mapping[str, int]) -> Network:
    """The network with weights initialized from torch's global generator."""
    made = training.reconstruction
    network = Network(
        training.backbone,
        training.head,
        objective(training),
        classes,
        training.input.pixels,
        decoder=made.decoder if made else None,
        reconstruction=made.weight if made else 0.0,
    )
    network.classifies = network.classifies and training.classifies
    return network


def _decoder(training: Training) -> Callable[[Any], torch.optim.Optimizer] | None:
    made = training.reconstruction
    if training.recipe.decodes_only:
        return None
    return None if made is None else lambda parameters: torch.optim.Adam(parameters, lr=made.lr, betas=made.betas)


def load_network(context: Context, training: Training, classes: int | Mapping[str, int], kind: str = "train") -> Network:
    """The network trained by the upstream stage ``kind``, in evaluation mode, on the context's device.

    With the head that a search chose, if there was one.
    """
    from safetensors.torch import load_file

    network = new_network(searched(training, context.inputs[kind].facts), classes)
    network.load_state_dict(load_file(context.ledger.path(context.inputs[kind], "model.safetensors")), strict=True)
    return network.eval().to(context.device)


@dataclass(frozen=True)
class Saved:
    """A checkpoint: its object in the store, its local file, and its digest."""

    key: str
    path: Path
    sha256: str


class Saves:
    """Manages checkpoints: the last and the best one are kept, each named by an immutable event with its digest.

    Args:
        earlier: a finished stage whose training this one continues, if it has no checkpoint yet
    """

    def __init__(self, context: Context, earlier: Marker | None = None) -> None:
        self.context, self.attempt, self.store = context, context.attempt, context.ledger.store
        self.earlier = earlier
        self.best: Saved | None = None
        self.last: Saved | None = None

    def take_over(self) -> Resume | None:
        """The checkpoint to resume from, if an earlier attempt with the same code and inputs left one (and its best) intact."""
        origin = self.attempt.resumable()
        if origin is None:
            return self._of_earlier()
        self.last = Saved(origin.key, origin.path, origin.row["sha256"])
        if origin.row.get("best"):
            self.best = self.last
        elif best := origin.row.get("best_checkpoint"):
            self.best = Saved(best, self.store.materialize(best), origin.row["best_sha256"])
        self.attempt.resumed(origin)
        return origin

    def _of_earlier(self) -> Resume | None:
        """The last checkpoint of the earlier stage, if the same code wrote it; it stays when this training progresses."""
        one = self.earlier
        return self.context.ledger.checkpoint(one.kind, one.id, self.attempt.source, one.inputs) if one else None

    def save(self, epoch: int, batch: int | None, write: Callable[[Path], None], row: dict[str, Any] | None) -> None:
        name = f"checkpoints/{epoch:05d}{'' if batch is None else f'-{batch:07d}'}.ckpt"
        path = self.attempt.path / name
        path.parent.mkdir(exist_ok=True)
        try:
            write(path)
        except BaseException:
            path.unlink(missing_ok=True)  # for example, half a file on a full disk
            raise
        own = row is not None and bool(row["best"])
        position = [epoch + 1, 0] if batch is None else [epoch, batch]
        whole = {"epoch": epoch, "position": position, "whole": batch is None}
        best = {} if own or self.best is None else {"best_checkpoint": self.best.key, "best_sha256": self.best.sha256}
        written = self.attempt.event({**(row or {}), **whole, **best}, name)
        before = [self.last, self.best]
        self.last = Saved(f"{self.attempt.prefix}/{name}", path, written["sha256"])
        if own:
            self.best = self.last
        if row is not None:
            self.context.report({"finished_epoch": epoch, **row})
        kept = {one.key for one in (self.last, self.best) if one}
        for old in before:
            if old and old.key not in kept:
                self.store.delete(old.key)  # also of an earlier attempt: this one has progressed further
                if old.path.parent == path.parent:
                    old.path.unlink(missing_ok=True)


def _loss(row: Mapping[str, Any]) -> float:
    return float("inf") if row["validation_loss"] is None else float(row["validation_loss"])
