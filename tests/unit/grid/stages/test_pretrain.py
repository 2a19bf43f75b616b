"""Source pretraining: a training of its own, whose backbone the cell starts from."""

from typing import Any

import torch
from safetensors.torch import load_file


def test_it_leaves_what_a_training_leaves_of_its_own_dataset(ran: Any) -> None:
    marker = ran.marker("pretrain")
    assert set(marker.outputs) == {"model.safetensors", "history.json", "timing.json"}
    assert (marker.facts["classes"], marker.facts["epochs"]) == (3, 1)


def test_the_training_begins_with_its_backbone(ran: Any) -> None:
    from types import SimpleNamespace

    from grid.stages.train import initial_network

    stage = ran.stages["train"]
    made = load_file(ran.path("pretrain", "model.safetensors"))
    context: Any = SimpleNamespace(ledger=ran.ledger, inputs={"pretrain": ran.marker("pretrain")})
    begun = initial_network(context, stage.node.config["training"], 4).state_dict()
    backbone = [key for key in made if key.startswith("backbone.")]
    assert backbone
    assert all(torch.equal(made[key], begun[key]) for key in backbone)
    assert begun["loss.linear.weight"].shape[0] == 4 if "loss.linear.weight" in begun else True
