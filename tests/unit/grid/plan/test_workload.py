"""What stages are expected to compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from searched import BASE, SEARCH
from small import SMALL, stages

from configs.lookup import resolve
from grid.plan.cost import cost
from grid.plan.plan import make_plan
from grid.plan.workload import Workload, shard_workload, workloads
from grid.spec.cell import DetectionShard
from grid.spec.grid_file import Grid

DATA = SMALL["base"]["data"]
START = {"pretraining": {"name": "source", "data": {**DATA, "subjects": 8}, "epochs": 3}}


def test_a_training_has_the_operations_that_its_cost_tells(make: Callable[..., Grid]) -> None:
    plan = make_plan(make(axes={"size": {"s": {"input.size": 64}, "m": {"input.size": 96}}}))
    works, costs = workloads(plan), cost(plan, plan.resolver)["cells"]
    for cell in plan.cells:
        work = works[cell.stages["train"]]  # type: ignore[index]
        assert work.amount == pytest.approx(costs[cell.id]["training_flops"], rel=1e-6)
        assert work.group == "train"
    assert len({works[stage.id].network for stage in stages(plan, "train")}) == 2


def test_devices_share_the_work_and_more_epochs_are_more(make: Callable[..., Grid]) -> None:
    def amount(**base: object) -> float:
        plan = make_plan(make(axes={}, base=base))
        return float(workloads(plan)[stages(plan, "train")[0].id].amount or 0)

    recipe = SMALL["base"]["recipe"]
    assert amount() == 2 * amount(compute={"devices": 2})
    assert amount(recipe={**recipe, "epochs": 6}) == pytest.approx(3 * amount())


def test_other_stages_have_their_components_and_their_images(make: Callable[..., Grid]) -> None:
    plan = make_plan(make(axes={"start": {"x": START}}, base={"detector": "mtcnn"}))
    works = {stage.label: workloads(plan)[stage.id] for stage in plan.stages}
    flops = cost(plan, plan.resolver)["cells"][plan.cells[0].id]["flops"]
    assert works["detect:data"] == Workload("detect mtcnn", "", 16.0)
    assert works["detect:drawn"] == Workload("detect mtcnn", "", 160.0)
    assert (works["evaluate:drawn"].group, works["evaluate:drawn"].amount) == ("evaluate drawn", flops * 160)
    assert (works["explain:gradcam"].group, works["explain:gradcam"].amount) == ("explain gradcam", flops * 2)
    assert works["pretrain"].amount == pytest.approx(3 * flops * 32 * 0.9 * 3, rel=0.01)


def test_fggb_passes_the_network_once_for_each_component_of_the_embedding(make: Callable[..., Grid]) -> None:
    explainers = [{"name": name, "pairs": 3, "scores": ["pointing"]} for name in ("fggb", "xssab")]
    plan = make_plan(make(axes={}, base={"head": {"name": "gap_bn", "dimension": 96}}, explainers=explainers))
    works = {stage.label: workloads(plan)[stage.id].amount for stage in plan.stages}
    flops = cost(plan, plan.resolver)["cells"][plan.cells[0].id]["flops"]
    assert works["explain:xssab"] == 6 * flops
    assert works["explain:fggb"] == 96 * 6 * flops
    assert works["score:fggb:pointing"] == works["score:xssab:pointing"] == 6 * flops


@pytest.mark.parametrize(
    ("explainer", "times"),
    [
        ({"name": "rise", "masks": 50}, 2 * 50),
        ({"name": "lime", "samples": 30}, 2 * 30),
        ({"name": "smoothgrad", "samples": 20}, 2 * 20),
        ({"name": "integrated_gradients", "steps": 20}, 2 * 22),
        ({"name": "fame", "steps": 20}, 2 * 21),
        ({"name": "activation_maximization", "steps": 20}, 2 * 40),
        ({"name": "corr_rise", "masks": 40, "pairs": 3}, 6 * 41),
        ({"name": "pair_occlusion", "patch": 16, "stride": 10, "pairs": 3}, 6 * (6 * 6 + 1)),
        ({"name": "minplus", "stride": 10, "pairs": 3}, 6 * (2 * 8 * 8 + 2)),
        ({"name": "gradcam"}, 2),
    ],
    ids=lambda one: one["name"] if isinstance(one, dict) else "",
)
def test_masks_samples_steps_and_patches_are_counted(
    make: Callable[..., Grid], explainer: dict[str, Any], times: float
) -> None:
    """Of two images or three pairs of 64 x 64 pixels; the patches of these are at 0, 10, ..., 48 or 0, 10, ..., 63."""
    plan = make_plan(make(axes={}, explainers=[{"images": 2, **explainer} if "pairs" not in explainer else explainer]))
    flops = cost(plan, plan.resolver)["cells"][plan.cells[0].id]["flops"]
    (stage,) = (stage for stage in plan.stages if stage.stage == "explain")
    assert workloads(plan)[stage.id].amount == times * flops


def test_mirror_images_and_corner_crops_are_passes(make: Callable[..., Grid]) -> None:
    views = {
        "plain": {},
        "flip": {"flip_test": True},
        "crops": {"multi_crop": 0.875},
        "both": {"flip_test": True, "multi_crop": 0.875},
    }
    plan = make_plan(make(axes={}, protocols=[{"name": "drawn", "label": label, **more} for label, more in views.items()]))
    works = {stage.label: float(workloads(plan)[stage.id].amount or 0) for stage in plan.stages}
    assert [works[f"evaluate:{label}"] / works["evaluate:plain"] for label in views] == [1, 2, 5, 10]


def test_a_network_that_is_not_trained_is_no_training(make: Callable[..., Grid], tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    save_file(resolve("backbone", "alexnet").build().state_dict(), weights)
    plan = make_plan(make(axes={}, base={"recipe": "none", "pretraining": {"name": "checkpoint", "path": str(weights)}}))
    assert workloads(plan)[stages(plan, "train")[0].id].group == "train:weights"


def test_later_rungs_of_a_search_train_the_epochs_that_are_left(make: Callable[..., Grid]) -> None:
    """Rungs after 1 and 3 epochs train for 1 and for 2."""
    plan = make_plan(make(axes={"dense_layers": {"searched": {"search": SEARCH}}}, base=BASE, explainers=[]))
    works = workloads(plan)
    rungs = {stage.node.config["slot"].rung: works[stage.id].amount for stage in plan.stages if stage.stage == "trial"}
    assert rungs[1] == pytest.approx(2 * float(rungs[0] or 0))


def test_a_shard_has_its_own_images() -> None:
    whole = Workload("detect mtcnn", "", 10_000.0)
    assert shard_workload(whole, DetectionShard(start=4096, stop=8192)) == Workload("detect_shard mtcnn", "", 4096.0)
