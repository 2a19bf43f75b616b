"""Training of one network: from crops to ``model.safetensors``, resumable after every epoch and within one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from configs.interfaces import PreparedLoss
from datamodules.datamodule import FaceDataModule
from datamodules.split import held_identities, split
from grid.ledger.ledger import Resume
from grid.spec.training import Training
from grid.stages.context import Context, Faces, Result, faces_of
from modules.network import Network, embedding_digest
from modules.training.checkpointing import Checkpointing
from modules.training.recognizer import Recognizer
from modules.training.trainer import fit, network_weights


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``model.safetensors`` (the kept epoch), ``history.json`` and ``timing.json``."""
    training: Training = config["training"]
    faces = faces_of(context, training.data, training.detector, training.input.pixels)
    labels, subjects = labels_of(faces, training)
    torch.manual_seed(training.seed)
    network = _initial(context, training, len(subjects))
    if not training.recipe.trains:
        return _as_loaded(context, network, faces, len(subjects))
    train_rows, validation_rows = rows_of(faces, training)
    recipe = training.recipe.model_copy(update={"epochs": 1}) if context.fast else training.recipe
    batch = max(1, recipe.batch_size // recipe.accumulate // training.compute.devices)
    data = FaceDataModule(
        crops=faces.crops,
        labels=labels,
        train_rows=train_rows,
        validation_rows=validation_rows,
        augmentation=training.augmentation.build(),
        batch_size=training.batches.at_most(batch, len(subjects)) if context.fast else batch,
        seed=training.seed,
        workers=context.workers,
        batches=training.batches,
    )
    if isinstance(network.loss, PreparedLoss):
        network.loss.prepare(torch.bincount(torch.from_numpy(labels[train_rows]), minlength=len(subjects)))
    steps = max(1, data.steps_per_epoch // recipe.accumulate)
    recognizer = Recognizer(
        network,
        recipe,
        training.seed,
        steps_per_epoch=steps,
        decoder=_decoder(training),
        open_set=training.split.by == "identities",
    )
    if training.compute.compile:
        network.backbone.compile()
    saves = Saves(context)
    origin = None if context.fast else saves.take_over()
    fit(
        recognizer,
        data,
        accelerator=context.accelerator,
        precision=training.compute.precision,
        threads=training.compute.threads,
        checkpoint=origin.path if origin else None,
        callbacks=[
            Checkpointing(
                saves.save,
                minutes=context.checkpoint_minutes,
                stop_requested=context.stop_requested,
                progress=lambda epoch, step, steps, metrics: context.report(
                    {"epoch": epoch, "epochs": recipe.epochs, "step": step, "steps": steps, **metrics}
                ),
            )
        ],
        limit_batches=1 if context.fast else None,
    )
    best = min(recognizer.history, key=lambda row: (_loss(row), row["epoch"]))
    kept = best if recipe.select == "best" else recognizer.history[-1]
    weights = network_weights(saves.best if recipe.select == "best" else saves.last)
    path = context.attempt.path
    save_file({key: value.contiguous() for key, value in sorted(weights.items())}, path / "model.safetensors")
    (path / "history.json").write_text(json.dumps(recognizer.history, indent=1), encoding="utf-8")
    (path / "timing.json").write_text(json.dumps(recognizer.timing, indent=1), encoding="utf-8")
    facts = {
        "parameters": _parameters(network),
        "network": embedding_digest(weights),
        "classes": len(subjects),
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
    return Result(facts, ("model.safetensors", "history.json", "timing.json"))


def _initial(context: Context, training: Training, classes: int) -> Network:
    """The network before training: drawn, and where there is pretraining, loaded."""
    network = new_network(training, classes)
    made = context.inputs.get("pretrain")
    training.pretraining.load(
        network.backbone, training.backbone, context.ledger.path(made, "model.safetensors") if made else None
    )
    training.pretraining.load_head(network.head, training.backbone, training.head)
    return network


def _as_loaded(context: Context, network: Network, faces: Faces, classes: int) -> Result:
    """The result of a training without training."""
    path = context.attempt.path
    save_file({key: value.contiguous() for key, value in sorted(network.state_dict().items())}, path / "model.safetensors")
    (path / "history.json").write_text("[]", encoding="utf-8")
    facts: dict[str, Any] = {
        "parameters": _parameters(network),
        "classes": classes,
        "images": 0,
        "epochs": 0,
    }
    facts |= {"skipped_images": len(faces.manifest.skipped), "missing_faces": faces.crops.missing, "kept_epoch": None}
    return Result(facts, ("model.safetensors", "history.json"))


def _parameters(network: Network) -> int:
    """Of backbone and head."""
    return sum(parameter.numel() for part in (network.backbone, network.head) for parameter in part.parameters())


def labels_of(faces: Faces, training: Training) -> tuple[np.ndarray, list[str]]:
    """The class of each row, int64, and the identities in the order of the classes.

    Identities that ``split.by: identities`` holds out have no class: their labels follow on those of the classes.
    """
    held = _held(faces, training)
    classes = sorted(set(faces.identities) - held)
    number = {who: index for index, who in enumerate([*classes, *sorted(held)])}
    return np.array([number[who] for who in faces.identities], dtype=np.int64), classes


def rows_of(faces: Faces, training: Training) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows. The split sees all images, so it is the same whatever faces a detector missed."""
    made = training.split
    train, validation = split(faces.manifest.keys, faces.identities, made.fraction, made.seed, made.by)
    kept = set(faces.crops.kept.tolist())
    return tuple(np.array([row for row in rows if row in kept], dtype=np.int64) for rows in (train, validation))  # type: ignore[return-value]


def explained_rows(faces: Faces, training: Training) -> tuple[np.ndarray, bool]:
    """Rows of the images that may be explained, and whether they were held out.

    They are validation images, or where none of these has a class, training images.
    """
    train, validation = rows_of(faces, training)
    held_out = len(validation) > 0 and training.split.by == "images"
    return (validation if held_out else train), held_out


def _held(faces: Faces, training: Training) -> set[str]:
    made = training.split
    return set(held_identities(faces.identities, made.fraction, made.seed)) if made.by == "identities" else set()


def new_network(training: Training, classes: int) -> Network:
    """Weights are drawn from torch's global generator."""
    made = training.reconstruction
    network = Network(
        training.backbone,
        training.head,
        training.loss,
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


def load_network(context: Context, training: Training, classes: int) -> Network:
    """The trained network, in evaluation mode, on the context's device."""
    from safetensors.torch import load_file

    network = new_network(training, classes)
    network.load_state_dict(load_file(context.ledger.path(context.inputs["train"], "model.safetensors")), strict=True)
    return network.eval().to(context.device)


class Saves:
    """Where checkpoints go: the last one and the best one are kept, each named by an immutable event with its digest."""

    def __init__(self, context: Context) -> None:
        self.context, self.attempt = context, context.attempt
        self.best: Path = Path()
        self.last: Path = Path()
        self._best: dict[str, str | None] = {"best_checkpoint": None, "best_sha256": None}  # as events name it

    def take_over(self) -> Resume | None:
        """The checkpoint to go on from, where an earlier attempt of the same code and inputs left one (and its best) whole."""
        origin = self.attempt.resumable()
        if origin is None:
            return None
        self.last = origin.path
        if origin.row.get("best"):
            key = f"{self.attempt.kind}/{self.attempt.id}/{origin.attempt}/{origin.row['checkpoint']}"
            self._best = {"best_checkpoint": key, "best_sha256": origin.row["sha256"]}
        else:
            self._best = {key: origin.row.get(key) for key in self._best}
        if best := self._best["best_checkpoint"]:
            self.best = self.context.ledger.store.local(best)
        self.attempt.resumed(origin)
        return origin

    def save(self, epoch: int, batch: int | None, write: Callable[[Path], None], row: dict[str, Any] | None) -> None:
        name = f"checkpoints/{epoch:05d}{'' if batch is None else f'-{batch:07d}'}.ckpt"
        path = self.attempt.path / name
        path.parent.mkdir(exist_ok=True)
        try:
            write(path)
        except BaseException:
            path.unlink(missing_ok=True)  # such as half a file on a full disk
            raise
        own = row is not None and bool(row["best"])
        before, self.last = self.last, path
        position = [epoch + 1, 0] if batch is None else [epoch, batch]
        whole = {"epoch": epoch, "position": position, "whole": batch is None}
        written = self.attempt.event({**(row or {}), **whole, **({} if own else self._best)}, name)
        if own:
            self.best = path
            self._best = {"best_checkpoint": f"{self.attempt.prefix}/{name}", "best_sha256": written["sha256"]}
        if row is not None:
            self.context.report({"finished_epoch": epoch, **row})
        for old in path.parent.glob("*.ckpt"):
            if old not in (self.best, self.last):
                old.unlink()
        if before.name and before.parent != path.parent and before != self.best:
            before.unlink(missing_ok=True)  # of an earlier attempt; this one has gone further


def _loss(row: Mapping[str, Any]) -> float:
    return float("inf") if row["validation_loss"] is None else float(row["validation_loss"])
