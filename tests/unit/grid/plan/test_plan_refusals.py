"""What a plan meets before anything runs: absent data, impossible combinations, people who were trained on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small import SMALL, folder

from configs.interfaces import ProtocolConfig
from configs.lookup import resolve
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
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


# -- people in training set and protocol


def test_people_who_were_trained_on_are_refused_with_counts(make: Make, refused: Refused) -> None:
    protocol = {"name": "drawn", "subjects": 20, "first": 2, "shots": 8, "folds": 5}  # subjects 2 and 3 are trained on
    said = refused(axes={}, protocols=[protocol])
    pairs = Overlap(make, protocol)
    assert (
        f"protocol drawn: 2 of its subjects are in the training set, so {pairs.of - pairs.free} of its {pairs.of} pairs" in said
    )
    assert f"`overlap: drop` evaluates the {pairs.free} pairs that are free of them" in said


class Overlap:
    """The pairs of a drawn protocol that are free of subjects 0 to 3, counted one by one."""

    def __init__(self, make: Make, protocol: dict[str, Any]) -> None:
        (one,) = make(axes={}, protocols=[protocol]).combinations()
        assert one.cell is not None
        self.protocol: ProtocolConfig = one.cell.protocols[0]
        manifest = Drawn.manifest(self.protocol.dataset(), Path())
        found = self.protocol.pairs(manifest)
        trained = {f"person-{number:05d}" for number in range(4)}
        rows = zip(found.left, found.right, found.same, strict=True)
        keep = [
            (manifest.keys[left], manifest.keys[right], bool(same))
            for left, right, same in rows
            if not {manifest.identities[left], manifest.identities[right]} & trained
        ]
        self.of, self.free, self.kept = len(found.left), len(keep), keep


def test_people_who_were_trained_on_can_be_dropped(make: Make, tmp_path: Path) -> None:
    protocol = {"name": "drawn", "subjects": 20, "first": 2, "shots": 8, "folds": 5, "overlap": "drop"}
    grid = make(axes={}, protocols=[protocol])
    (one,) = grid.combinations()
    assert one.cell is not None
    resolver = InputResolver(tmp_path)
    left = resolver.kept_pairs(one.cell.protocols[0], one.cell)
    keys = resolver.manifest(resolver.dataset(one.cell.protocols[0])).keys
    wanted = Overlap(make, protocol)
    assert 0 < wanted.free < wanted.of
    found = [(keys[a], keys[b], bool(same)) for a, b, same in zip(left.left, left.right, left.same, strict=True)]
    assert found == wanted.kept
    assert make_plan(grid).cells[0].state == "run"


def test_people_of_the_pretraining_count_as_trained_on(refused: Refused) -> None:
    source = {"name": "source", "data": {"name": "drawn", "first": 1000, "subjects": 2, "shots": 4}}
    said = refused(axes={}, base={"pretraining": source})
    assert "2 of its subjects are in the training set" in said


def test_a_protocol_that_loses_every_genuine_or_impostor_pair_is_refused(refused: Refused) -> None:
    protocol = {"name": "drawn", "subjects": 4, "first": 1, "shots": 8, "folds": 1, "overlap": "drop", "pairs_per_fold": 40}
    said = refused(axes={}, protocols=[protocol])
    assert said.endswith("without them no impostor pair remains: train on others, or choose another protocol")


def test_no_advice_is_given_that_cannot_work(refused: Refused, tmp_path: Path) -> None:
    own = {"name": "drawn", "subjects": 4, "first": 0, "shots": 8, "folds": 1, "pairs_per_fold": 40}  # all are trained on
    said = refused(axes={}, protocols=[own])
    assert "4 of its subjects are in the training set" in said
    assert said.endswith("without them no pair remains: train on others, or choose another protocol")
    data = {"name": "folder", "root": folder(tmp_path / "one", 6)}
    for protocol in ({"name": "identification", "data": data}, {"name": "clustering", "data": data}):
        said = elsewhere_of(refused, data, protocol, tmp_path)
        assert "3 of its subjects are in the training set, and it cannot be evaluated without them" in said
        assert "overlap" not in said


def elsewhere_of(refused: Refused, data: dict[str, Any], protocol: dict[str, Any], place: Path) -> str:
    """The refusal of a plan whose images were read."""
    InputResolver(place / "store").scan(resolve("data", data))
    return refused(
        axes={}, base={"data": data}, protocols=[protocol], launch={"study": str(place), "store": str(place / "store")}
    )


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


def test_other_populations_have_other_people(make: Make) -> None:
    protocol = {"name": "drawn", "subjects": 20, "first": 0, "shots": 8, "folds": 5, "seed": 5}
    assert make_plan(make(axes={}, protocols=[protocol])).cells[0].state == "run"


# -- networks that are not trained here


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
            "pretraining source would train a decoder alone too; give it a recipe of its own",
        ),
    ],
)
def test_a_decoder_that_learns_alone_needs_a_network_and_no_second_optimiser(
    refused: Refused, changes: dict[str, Any], complaint: str
) -> None:
    assert complaint in refused(axes={}, base={**SMALL["base"], "recipe": ALONE, **changes})


def test_who_a_decoder_alone_has_seen_was_trained_on(make: Make, tmp_path: Path) -> None:
    weights = {"name": "checkpoint", "path": str(tmp_path / "model.pth")}
    base = {**SMALL["base"], "data": {"name": "drawn", "subjects": 4, "first": 0}, "recipe": ALONE, "reconstruction": {}}
    protocols = [{"name": "drawn", "subjects": 4, "first": 0, "folds": 2, "pairs_per_fold": 4}]
    grid = make(axes={}, base={**base, "pretraining": weights}, protocols=protocols)
    (cell,) = make_plan(grid).cells
    with pytest.raises(ValueError, match="are in the training set"):
        InputResolver(store_of(grid)).kept_pairs(cell.cell.protocols[0], cell.cell)


def test_who_is_looked_at_only_was_not_trained_on(make: Make, refused: Refused, tmp_path: Path) -> None:
    """Data and protocol share their subjects: refused where they are trained on, and only there."""
    base = {**SMALL["base"], "data": {"name": "drawn", "subjects": 4, "first": 0}}
    protocols = [{"name": "drawn", "subjects": 4, "first": 0, "folds": 2, "pairs_per_fold": 4}]
    assert "are in the training set" in refused(axes={}, base=base, protocols=protocols)
    weights = {"name": "checkpoint", "path": str(tmp_path / "model.pth")}
    grid = make(axes={}, base={**base, "recipe": "none", "pretraining": weights}, protocols=protocols)
    (cell,) = make_plan(grid).cells
    assert "checkpoint" in str(cell.reason)  # the file is absent, and nothing else is wrong
    assert InputResolver(store_of(grid)).kept_pairs(cell.cell.protocols[0], cell.cell).same.size == 8


# -- who was trained on, under another name or number


def elsewhere(make: Make, refused: Refused, data: dict[str, Any], protocol: dict[str, Any]) -> str:
    """The complaint about a protocol on another dataset than the training data; every dataset is read before."""
    parts = {"axes": {}, "base": {**SMALL["base"], "data": data}, "protocols": [protocol]}
    plan = make_plan(make(**parts))
    cell = plan.cells[0].cell
    resolver = InputResolver(store_of(plan.grid))
    resolver.scan(cell.data)
    resolver.scan(cell.protocols[0].data)
    return refused(**parts)


def test_a_subject_of_another_dataset_is_known_by_name(make: Make, refused: Refused, tmp_path: Path) -> None:
    folder(tmp_path / "vgg" / "test", 6)
    meta = tmp_path / "identity_meta.csv"
    meta.write_text('Class_ID, Name\na, "Ann Ärt"\nb, "Bea"\nc, "Cleo"\n', encoding="utf-8")
    folder(tmp_path / "lfw" / "images", 100)
    for old, new in (("a", "Ann_Art"), ("b", "Dora"), ("c", "Eve")):
        (tmp_path / "lfw" / "images" / old).rename(tmp_path / "lfw" / "images" / new)
    data = {"name": "vggface2", "root": str(tmp_path / "vgg"), "names_file": str(meta)}
    protocol = {"name": "clustering", "data": {"name": "lfw", "root": str(tmp_path / "lfw")}}
    assert "clustering: 1 of its subjects are in the training set" in elsewhere(make, refused, data, protocol)


def test_a_file_that_was_trained_on_is_known_by_its_bytes(make: Make, refused: Refused, tmp_path: Path) -> None:
    data = {"name": "folder", "root": folder(tmp_path / "one", 6), "space": "one"}
    protocol = {"name": "clustering", "data": {"name": "folder", "root": folder(tmp_path / "two", 6), "space": "two"}}
    assert "clustering: 3 of its subjects are in the training set" in elsewhere(make, refused, data, protocol)


def test_who_was_trained_on_can_be_left_out_of_groups_and_searches(make: Make, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    folder(tmp_path / "one", 6)
    folder(tmp_path / "two" / "images", 100)
    (tmp_path / "one" / "a").rename(tmp_path / "one" / "z")
    data = {"name": "folder", "root": str(tmp_path / "one"), "space": "same"}
    inner = {"name": "folder", "root": str(tmp_path / "two" / "images"), "space": "same"}
    (tmp_path / "two" / "images" / "b").rename(tmp_path / "two" / "images" / "x")
    protocols = [
        {"name": "clustering", "data": inner, "overlap": "drop"},
        {"name": "identification", "data": inner, "overlap": "drop"},
    ]
    grid = make(axes={}, base={**SMALL["base"], "data": data}, protocols=protocols)
    cell = make_plan(grid).cells[0].cell
    resolver = InputResolver(store_of(grid))
    resolver.scan(cell.data)
    resolver.scan(cell.protocols[0].data)
    for protocol in cell.protocols:
        asked = resolver.asked(protocol, cell)
        rows = asked.rows if protocol.task == "clustering" else asked.templates.rows
        keys = resolver.manifest(resolver.dataset(protocol)).keys
        assert {keys[row][0] for row in rows} == {"a", "x"}, "c was trained on"


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

    for geometry, alignment in (("box", "box"), ("aligned", "similarity"), ("box", "align2d")):  # of align2d nothing is known
        assert make_plan(grid(geometry, alignment)).cells
    with pytest.raises(
        BadInput, match="erase_parts: its geometry is 'aligned', and detector mtcnn with alignment box cuts faces as"
    ):
        make_plan(grid("aligned", "box"))


OWN_RECIPE = """
from typing import Any, Literal

from configs.interfaces import RecipeConfig


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
