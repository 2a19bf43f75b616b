"""What a plan meets before anything runs: absent data, impossible combinations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small import SMALL, folder

from configs.lookup import resolve
from grid.plan.cost import cost
from grid.plan.inputs import InputResolver
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]
Refused = Callable[..., str]


# -- what is absent, and what was never read


def test_images_that_were_never_read_make_a_cell_pending(make: Make, tmp_path: Path) -> None:
    grid = make(axes={}, base={"data": {"name": "folder", "root": folder(tmp_path / "data", 1)}})
    resolver = InputResolver(store_of(grid))
    plan = make_plan(grid, None, resolver)
    (cell,) = plan.cells
    assert (cell.id, cell.state, dict(cell.stages)) == (None, "pending", {})
    assert "the images of folder were never read: ids are pending; launch reads them once" in str(cell.reason)
    assert plan.counts() == {"pending": 1}
    assert [data.name for data in resolver.unread.values()] == ["folder"]


def test_a_blocked_cell_names_all_that_is_absent(make: Make, tmp_path: Path) -> None:
    base = {
        **SMALL["base"],
        "data": {"name": "folder", "root": str(tmp_path / "train")},
        "pretraining": {"name": "checkpoint", "path": str(tmp_path / "model.pth")},
    }
    protocols = [
        {"name": "lfw", "root": str(tmp_path / "lfw")},
        {"name": "lfw", "view": 1, "label": "b", "root": str(tmp_path / "lfw")},
    ]
    plan = make_plan(make(axes={}, base=base, protocols=protocols))
    (cell,) = plan.cells
    assert cell.state == "blocked"
    parts = str(cell.reason).split("; also: ")
    assert len(parts) == 3  # both protocols miss the same folder
    for part, wanted in zip(parts, ("checkpoint", "no folder", "with LFW"), strict=True):
        assert wanted in part
    assert plan.counts() == {"blocked": 1}


def test_what_is_absent_outweighs_what_was_never_read(make: Make, tmp_path: Path) -> None:
    base = {"data": {"name": "folder", "root": folder(tmp_path / "data", 1)}}
    plan = make_plan(make(axes={}, base=base, protocols=[{"name": "lfw", "root": str(tmp_path / "lfw")}]))
    assert plan.cells[0].state == "blocked"
    assert "never read" not in str(plan.cells[0].reason)


def test_the_rest_of_a_grid_is_planned_around_a_blocked_cell(make: Make, tmp_path: Path) -> None:
    axes = {"data": {"drawn": {}, "absent": {"data": {"name": "folder", "root": str(tmp_path / "no")}}}}
    plan = make_plan(make(axes=axes))
    assert [cell.state for cell in plan.cells] == ["run", "blocked"]
    assert plan.counts() == {"run": 1, "blocked": 1}


def test_a_pretraining_whose_data_is_absent_blocks(make: Make, tmp_path: Path) -> None:
    source = {"name": "source", "data": {"name": "folder", "root": str(tmp_path / "no")}}
    plan = make_plan(make(axes={}, base={"pretraining": source}))
    assert (plan.cells[0].state, "no folder" in str(plan.cells[0].reason)) == ("blocked", True)


# -- impossible combinations


def test_weights_that_nobody_published_are_refused(refused: Refused) -> None:
    said = refused(axes={"start": {"imagenet": {"backbone": "mobilenetv3_small", "pretraining.name": "imagenet"}}})
    assert "grid.yaml: cell start=imagenet: no pinned ImageNet weights for " in said
    assert said.endswith("add a skip rule with that reason")


def test_a_checkpoint_of_another_architecture_is_refused(refused: Refused, tmp_path: Path) -> None:
    import torch

    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    base = {"pretraining": {"name": "checkpoint", "path": str(tmp_path / "other.pth")}}
    said = refused(axes={}, base=base)
    assert "cell the only cell: backbone alexnet: " in said
    assert str(tmp_path / "other.pth") in said


def test_one_subject_cannot_be_trained_on(refused: Refused) -> None:
    said = refused("data.subjects=1", axes={})
    assert said.endswith("training needs two subjects at least; drawn has 1")


def test_two_protocols_of_one_name_are_refused(refused: Refused) -> None:
    assert "two protocols are called 'drawn'; give one a `label`" in refused(protocols=[SMALL["protocols"][0]] * 2)


def single_images(place: Path, count: int = 5) -> dict[str, Any]:
    """A dataset with one image of each identity."""
    for number in range(count):
        (place / f"p{number}").mkdir(parents=True)
        Image.fromarray(np.full((40, 40, 3), 40 * number, np.uint8)).save(place / f"p{number}" / "a.png")
    return {"name": "folder", "root": str(place)}


SELECT_LAST = {"name": "one_cycle", "epochs": 1, "select": "last"}
PLATEAU = {"name": "plateau", "epochs": 1, "select": "last"}
BEST = {**SELECT_LAST, "select": "best"}
STOPPING = {**SELECT_LAST, "stop_after": 3}


@pytest.mark.parametrize("recipe", [PLATEAU, BEST, STOPPING])
def test_a_recipe_that_needs_validation_images_is_refused_where_none_is_held_out(
    refused: Refused, tmp_path: Path, recipe
) -> None:
    said = elsewhere_of_training(refused, single_images(tmp_path / "one"), tmp_path, recipe=recipe)
    assert f"recipe {recipe['name']} needs a validation loss" in said
    assert "no identity of folder has two images; use a recipe without, such as {name: one_cycle, select: last}" in said
    said = refused("split.fraction=0", axes={}, base={"recipe": recipe})
    assert "nothing to validate on: split.fraction is 0" in said
    pretraining = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 4, "shots": 1}, "recipe": recipe}
    assert "no identity of drawn has two images" in refused(axes={}, base={"recipe": SELECT_LAST, "pretraining": pretraining})


def elsewhere_of_training(refused: Refused, data: dict[str, Any], place: Path, **base: Any) -> str:
    InputResolver(place / "store").scan(resolve("data", data))
    return refused(axes={}, base={"data": data, **base}, launch={"study": str(place), "store": str(place / "store")})


def test_a_loss_without_classes_needs_two_held_out_images_of_an_identity(make: Make, refused: Refused) -> None:
    triplets = {"loss": "triplet", "batches": {"name": "pk", "images": 2}, "recipe": {**BEST, "batch_size": 8}}
    said = refused(axes={}, base={**triplets, "data": {"name": "drawn", "subjects": 4, "shots": 4}})  # one held out of each
    assert "no identity of drawn has two images that are held out" in said
    for more in ({"split": {"fraction": 0.5}}, {"split": {"by": "identities"}}):
        grid = make(axes={}, base={**triplets, **more, "data": {"name": "drawn", "subjects": 4, "shots": 4}})
        assert make_plan(grid).cells[0].state == "run"
    as_target = {**triplets, "targets": {"identity": {"loss": "triplet"}}}
    said = refused(axes={}, base={**as_target, "data": {"name": "drawn", "subjects": 4, "shots": 4}})
    assert "no identity of drawn has two images that are held out" in said
    said = refused("split.by=identities", axes={}, base={**as_target, "data": {"name": "drawn", "subjects": 6, "shots": 4}})
    assert "held-out identities have no class, so the target identity has no validation loss" in said


def test_a_loss_without_classes_needs_held_out_images_of_two_identities(refused: Refused, tmp_path: Path) -> None:
    for who, count in (("a", 20), ("b", 1), ("c", 1)):
        (tmp_path / "faces" / who).mkdir(parents=True)
        for number in range(count):
            level = np.full((40, 40, 3), 10 * number + ord(who) % 3, np.uint8)
            Image.fromarray(level).save(tmp_path / "faces" / who / f"{number}.png")
    triplets = {"loss": "triplet", "batches": {"name": "pk", "images": 2}, "recipe": {**BEST, "batch_size": 4}}
    data = {"name": "folder", "root": str(tmp_path / "faces")}
    said = elsewhere_of_training(refused, data, tmp_path, **triplets, split={"fraction": 0.1})
    assert "images of only one identity of folder are held out" in said


def test_every_image_may_be_trained_on_and_identities_may_be_held_out(make: Make, refused: Refused) -> None:
    assert make_plan(make("split.fraction=0", axes={}, base={"recipe": SELECT_LAST})).cells[0].state == "run"
    assert make_plan(make("split.by=identities", axes={})).cells[0].state == "run"
    said = refused("split.by=identities", axes={}, base={"data": {"name": "drawn", "subjects": 3, "shots": 4}})
    assert "split.by: identities holds out 2 identities at least and leaves 2, and there are 3; use split.by: images" in said
    said = refused("split.by=identities", axes={}, base={"data": {"name": "drawn", "subjects": 9, "shots": 1}, "recipe": BEST})
    assert "no identity of drawn has two images that are held out" in said


def test_the_way_a_split_is_made_is_part_of_the_identity_only_where_it_is_new(make: Make) -> None:
    ids = [make_plan(make(*changes, axes={})).cells[0].id for changes in ((), ("split.by=images",), ("split.by=identities",))]
    assert ids[0] == ids[1] != ids[2]


# -- networks that are not trained here


def test_a_finished_network_is_not_trained(refused: Refused) -> None:
    file = {"backbone": {"name": "external", "path": "/a.onnx"}, "head": "gmp", "pretraining": "external"}
    said = refused(axes={}, base={**SMALL["base"], **file})
    assert "backbone external is evaluated and cannot be trained; set recipe: none" in said


def test_a_recipe_that_trains_nothing_needs_weights(refused: Refused) -> None:
    said = refused(axes={}, base={**SMALL["base"], "recipe": "none"})
    assert "the network must come from somewhere: set pretraining" in said


ALONE = {"name": "one_cycle", "epochs": 2, "trainable": "decoder"}
IMAGENET = {"name": "imagenet"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"pretraining": IMAGENET},
            "recipe.trainable is decoder, and there is none; add reconstruction: {decoder: transposed}",
        ),
        ({"reconstruction": {}}, "recipe.trainable is decoder, so the network must come from somewhere: set pretraining"),
        (
            {"reconstruction": {"weight": 2.0}, "pretraining": IMAGENET},
            "reconstruction.weight belongs to a decoder that learns",
        ),
        ({"reconstruction": {"lr": 2e-3}, "pretraining": IMAGENET}, "reconstruction.lr belongs to a decoder that learns"),
        (
            {"reconstruction": {}, "pretraining": {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 3}}},
            "recipe.trainable is decoder, so pretraining source needs a recipe of its own: set pretraining.recipe",
        ),
    ],
)
def test_a_decoder_that_learns_alone_needs_a_network_and_no_second_optimizer(
    refused: Refused, changes: dict[str, Any], complaint: str
) -> None:
    assert complaint in refused(axes={}, base={**SMALL["base"], "recipe": ALONE, **changes})


# -- scores


def explainer(**changes: Any) -> dict[str, Any]:
    return {"explainers": [{"name": "gradcam", "images": 2, **changes}]}


def test_two_scores_of_one_name_are_refused(refused: Refused) -> None:
    said = refused(**explainer(scores=["sanity", {"name": "sanity", "seed": 1}]))
    assert "explainer gradcam: two scores are called 'sanity'; give one a `label`" in said


def test_an_unknown_score_and_an_unknown_key_of_one_are_named_with_what_is_known(refused: Refused) -> None:
    assert "unknown score 'sanitty'; did you mean 'sanity'? (known: deletion, hiding_game" in refused(
        **explainer(scores=["sanitty"])
    )
    said = refused(**explainer(scores=["sanity", {"name": "pointing", "tolerence": 1}]))
    assert "unknown key" in said
    assert "tolerance" in said
    assert "scores" in refused(**explainer(scores=[{"name": "sanity", "label": "a:b"}]))


def test_what_has_no_target_cannot_be_asked_for_a_distance(refused: Refused) -> None:
    for name in ("abn_attention", "corr_rise", "minplus"):
        assert "pair_target" in refused(explainers=[{"name": name, "pairs": 4, "pair_target": "distance"}])


@pytest.mark.parametrize("steps", [False, True])
def test_parts_that_would_be_hidden_in_other_places_are_refused(make: Make, steps: bool) -> None:
    def grid(geometry: str, alignment: str) -> Grid:
        erase: Any = {"name": "erase_parts", "geometry": geometry}
        augmentation = {"name": "pipeline", "steps": ["flip", erase]} if steps else erase
        base = {**SMALL["base"], "detector": {"name": "mtcnn", "alignment": alignment}, "augmentation": augmentation}
        return make(axes={}, base=base)

    for geometry, alignment in (("box", "box"), ("aligned", "similarity"), ("deepface", "align2d")):
        assert make_plan(grid(geometry, alignment)).cells
    for alignment in ("box", "align2d", "frontal3d"):
        said = f"erase_parts: its geometry is 'aligned', and detector mtcnn with alignment {alignment} cuts faces as"
        with pytest.raises(BadInput, match=said):
            make_plan(grid("aligned", alignment))


OWN_RECIPE = """
from typing import Any, Literal

from configs.network_interfaces import RecipeConfig


class StepsConfig(RecipeConfig):
    name: Literal["{module}"] = "{module}"
    epochs: int = 1
    batch_size: int = 8

    def build(self, parameters: Any, steps_per_epoch: int) -> Any:
        raise NotImplementedError
"""


@pytest.mark.parametrize("place", ["base", "pretraining"])
def test_a_recipe_without_the_fields_of_a_recipe_is_refused(
    make: Callable[..., Grid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It would break in the middle of a training."""
    module = f"my_{place}.steps"
    (tmp_path / f"my_{place}").mkdir()
    (tmp_path / f"my_{place}" / "steps.py").write_text(OWN_RECIPE.replace("{module}", module))
    monkeypatch.syspath_prepend(str(tmp_path))
    source = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 4, "shots": 2}, "recipe": module}
    grid = make(axes={}, base={"recipe": module} if place == "base" else {"pretraining": source})
    plan = make_plan(grid)
    with pytest.raises(BadInput, match=f"recipe {module}: StepsConfig must derive from modules.training.recipe.Recipe"):
        cost(plan, InputResolver(store_of(grid)))
