"""For each loss, three steps on two and on three ranks leave the weights and the state that one process has after them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import together

IDENTITY = torch.tensor([0, 0, 1, 1, 1, 2, 2, 3, 3, 0, 2])  # 11 images: unequal parts
LOSSES: list[Any] = [
    "softmax",
    {"name": "softmax", "class_weights": "balanced"},
    {"name": "softmax", "label_smoothing": 0.1},
    "arcface",
    {"name": "arcface", "sample": 0.5},
    "cosface",
    "adaface",
    "magface",
    "curricularface",
    "mv_softmax",
    "elasticface",
    {"name": "elasticface", "form": "cos", "plus": True},
    "subcenter_arcface",
    "triplet",
    {"name": "triplet", "negatives": "random"},
    {"name": "triplet", "mining": "batch_hard", "mean_over": "active"},
    {"name": "triplet", "mining": "all"},
    {"name": "triplet", "mining": "offline", "every": 2, "subset": 16},
    "softmax + 0.5 center",
]
SMALL = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}
TARGETS = {"identity": {}, "gender": {"loss": "binary"}, "age": {"loss": "regression"}}
NAN = float("nan")
COLUMNS = torch.stack(  # in the order of the targets' names: age, gender, identity; some are not known
    [
        torch.tensor([20.0, 30, NAN, 50, 60, NAN, 25, 35, 45, 55, 65]),
        torch.tensor([0, 1, 1, NAN, 0, 1, 0, NAN, 1, 0, 1]),
        IDENTITY.float(),
    ],
    1,
)
CASES: list[tuple[dict[str, Any], torch.Tensor]] = [
    *(({"loss": loss}, IDENTITY) for loss in LOSSES),
    ({"loss": "softmax", "backbone": {"name": "abn", "backbone": SMALL, "maps": 8}}, IDENTITY),
    ({"loss": "softmax", "reconstruction": {"decoder": {"name": "unet", "width": 4}, "weight": 2.0}}, IDENTITY),
    ({"targets": TARGETS}, COLUMNS),
    ({"targets": TARGETS, "target_weighting": "uncertainty"}, COLUMNS),
]
PROGRAM = """
import torch
from grid.spec.training import Training
from grid.stages.train import new_network
from modules.layers.margin_softmax import keep_unsampled
from modules.training.recognizer import step_seed

def steps(settings, labels):
    settings = {"data": "drawn", "input": {"size": 32}, "recipe": {"name": "one_cycle", "lr": 0.1},
                "head": {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"},
                "backbone": SMALL, "batches": {"name": "pk", "images": 2}, **settings}
    training = Training.model_validate(settings)
    torch.manual_seed(0)
    network = new_network(training, {"age": 0, "gender": 2, "identity": 4} if training.targets else 4).train()
    for module in network.modules():
        if isinstance(module, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)):
            module.eval()
    if hasattr(network.loss, "prepare"):
        network.loss.prepare(labels if training.targets else torch.bincount(labels, minlength=4))
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, weight_decay=1e-3)
    keep_unsampled(network, optimizer)
    start = {key: value.clone() for key, value in network.state_dict().items()}
    number, world = (rank.number, rank.world) if rank else (0, 1)
    losses = []
    for step in range(3):
        images = torch.randn(11, 3, 32, 32, generator=torch.Generator().manual_seed(step)).clamp(-1, 1)
        torch.manual_seed(step_seed(5, 0, step, number))
        optimizer.zero_grad()
        seed = None if world == 1 else step_seed(5, 0, step, 0)
        loss = network.loss_of(images[number::world], labels, seed)
        loss.backward()
        if world > 1:
            for parameter in network.parameters():
                if parameter.grad is not None:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad /= world
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, start, network.state_dict()

result = [steps(*case) for case in cases]
"""


@pytest.fixture(scope="module")
def alone() -> list[Any]:
    names: dict[str, Any] = {"rank": None, "cases": CASES, "SMALL": SMALL}
    with torch.random.fork_rng():
        exec(compile(PROGRAM, "<program>", "exec"), names)
    return list(names["result"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_step_as_one_process_does(alone: list[Any], tmp_path: Path, world: int) -> None:
    for found in together(tmp_path, world, PROGRAM, cases=CASES, SMALL=SMALL):
        for (settings, _), (losses, start, state), (others, _, other) in zip(CASES, alone, found, strict=True):
            assert others == pytest.approx(losses, rel=1e-5), settings
            assert state.keys() == other.keys()
            for key, value in state.items():
                assert torch.allclose(value.float(), other[key].float(), rtol=1e-4, atol=1e-5), (settings, key)
            assert any(not torch.allclose(start[key].float(), state[key].float(), atol=1e-4) for key in state), settings
