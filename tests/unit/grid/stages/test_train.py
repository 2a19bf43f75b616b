"""The files and facts of a training, and what of its weights later stages load."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from grid.spec.training import Training
from grid.stages.train import initial_network, load_network, new_network, rows_of
from modules.network import embedding_digest


def test_a_training_leaves_weights_history_and_timing(ran: Any) -> None:
    marker = ran.marker("train")
    assert set(marker.outputs) == {"model.safetensors", "history.json", "timing.json"}
    history = ran.json("train", "history.json")
    assert [row["epoch"] for row in history] == [0, 1] == list(range(marker.facts["epochs"]))
    assert (marker.facts["classes"], marker.facts["images"], marker.facts["validation_images"]) == (4, 16, 4)
    kept = history[marker.facts["kept_epoch"]]
    assert marker.facts["validation_loss"] == kept["validation_loss"]
    assert marker.facts["best_epoch"] == min(history, key=lambda row: row["validation_loss"])["epoch"]


def test_the_weights_are_those_of_the_network_that_the_facts_name(ran: Any) -> None:
    weights = load_file(ran.path("train", "model.safetensors"))
    assert embedding_digest(weights) == ran.marker("train").facts["network"]
    training = ran.stages["train"].node.config["training"]
    context: Any = SimpleNamespace(ledger=ran.ledger, inputs={"train": ran.marker("train")}, device="cpu")
    network = load_network(context, training, 4)
    assert not network.training
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_network(context, training, 5)  # another number of classes


def test_a_network_is_drawn_from_the_generator_that_the_seed_sets() -> None:
    training = Training.model_validate({"data": "drawn", "backbone": "alexnet", "head": {"name": "gap_bn", "dimension": 8}})
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(embedding_digest(new_network(training, 3).state_dict()))
    assert found[0] == found[1] != found[2]


def faces(*identities: str, kept: Any = None) -> Any:
    rows = np.arange(len(identities)) if kept is None else np.array(kept)
    manifest = SimpleNamespace(keys=[f"{who}/{number}" for number, who in enumerate(identities)], identities=identities)
    return SimpleNamespace(manifest=manifest, identities=identities, crops=SimpleNamespace(kept=rows))


def training(**split: Any) -> Training:
    return Training.model_validate({"data": "drawn", "backbone": "alexnet", "split": split})


def test_a_missed_face_leaves_the_split_of_the_others_as_it_was() -> None:
    many = ["a"] * 10 + ["b"] * 10
    whole = rows_of(faces(*many), training(fraction=0.3))
    missed = int(whole[1][0])
    some = rows_of(faces(*many, kept=[row for row in range(20) if row != missed]), training(fraction=0.3))
    assert sorted([*whole[0], *whole[1]]) == list(range(20))
    assert some[0].tolist() == whole[0].tolist()
    assert some[1].tolist() == [row for row in whole[1].tolist() if row != missed]


def test_the_marker_names_device_and_libraries(ran):
    found = ran.marker("train").environment
    assert (found["device"], found["tf32"], found["torch"]) == ("cpu", False, torch.__version__)
    assert found == ran.marker("pretrain").environment


def test_a_pretraining_leaves_what_a_training_leaves_of_its_own_dataset(ran: Any) -> None:
    marker = ran.marker("pretrain")
    assert set(marker.outputs) == {"model.safetensors", "history.json", "timing.json"}
    assert (marker.facts["classes"], marker.facts["epochs"]) == (3, 1)


def test_the_training_begins_with_the_backbone_of_its_pretraining(ran: Any) -> None:
    stage = ran.stages["train"]
    made = load_file(ran.path("pretrain", "model.safetensors"))
    context: Any = SimpleNamespace(ledger=ran.ledger, inputs={"pretrain": ran.marker("pretrain")})
    begun = initial_network(context, stage.node.config["training"], 4).state_dict()
    backbone = [key for key in made if key.startswith("backbone.")]
    assert backbone
    assert all(torch.equal(made[key], begun[key]) for key in backbone)
    assert begun["loss.linear.weight"].shape[0] == 4 if "loss.linear.weight" in begun else True


def test_fewer_images_than_a_batch_give_the_gradient_of_all_of_them_also_in_parts(tmp_path: Any, run_cell: Any) -> None:
    """In four parts of 8 images, the epoch has two parts: their sum is not divided by four."""
    recipe = {"name": "plateau", "optimizer": "sgd", "momentum": 0, "lr": 0.5, "epochs": 1, "batch_size": 32}
    base = {
        "data": {"name": "drawn", "size": 64, "subjects": 4, "shots": 5},
        "augmentation": "none",
        "input": {"size": 64},
        "backbone": "alexnet",
        "head": {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"},
    }
    losses = []
    for parts in (1, 4):
        (folder := tmp_path / str(parts)).mkdir()
        cell = run_cell(folder, {**base, "recipe": {**recipe, "accumulate": parts}}, protocols=[], explainers=[])
        losses.append(cell.json("train", "history.json")[0]["validation_loss"])
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
