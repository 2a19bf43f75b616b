"""What a plan says of targets: which columns there are, whether a loss fits, and what they are to identity."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grid.plan.cost import cost
from grid.plan.inputs import InputResolver
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]
Refused = Callable[..., str]
LAST = {"name": "one_cycle", "epochs": 1}


def id_of(make: Make, *overrides: str, **base: Any) -> str | None:
    return make_plan(make(*overrides, axes={}, base=base)).cells[0].id


def test_the_identity_alone_is_what_a_training_without_targets_learns(make: Make) -> None:
    plain = id_of(make)
    for targets in ("identity", ["identity"], {"identity": None}, {"identity": {}}, {}):
        assert id_of(make, targets=targets) == plain
    assert id_of(make, targets={"identity": {"weight": 2.0}}) != plain


def test_targets_their_losses_and_weights_are_part_of_the_identity_and_their_order_is_not(make: Make) -> None:
    ids = [
        id_of(make, targets=["age", "gender"]),
        id_of(make, targets=["gender"]),
        id_of(make, targets={"age": {"weight": 0.5}, "gender": {}}),
        id_of(make, targets={"age": {"loss": "cosface"}, "gender": {}}),
        id_of(make, targets={"age": {"head": "l2"}, "gender": {}}),
        id_of(make, targets=["age", "gender"], loss="cosface"),
    ]
    assert len(set(ids)) == len(ids)
    assert id_of(make, targets=["gender", "age"]) == ids[0]
    same = id_of(make, targets={"age": {"loss": "softmax"}, "gender": {"loss": "softmax"}}, loss="cosface")
    assert same != id_of(make, targets={"age": {"loss": "cosface"}, "gender": {"loss": "softmax"}}, loss="cosface")


def test_the_labels_of_a_target_are_part_of_the_identity(make: Make) -> None:
    plan = make_plan(make(axes={}, base={"targets": ["gender", "identity"]}))
    (train,) = (stage for stage in plan.stages if stage.node.kind == "train")
    cell = plan.cells[0].cell
    assert cell is not None
    wanted = cell.data.columns(cell.data.manifest(Path()))["gender"].digest
    assert train.node.identity["columns"] == {"gender": wanted}


def test_a_loss_that_no_target_uses_is_no_part_of_the_identity(make: Make) -> None:
    targets = {"age": {"loss": "softmax"}}
    assert id_of(make, targets=targets, loss="cosface") == id_of(make, targets=targets, loss="arcface")


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            {"targets": ["agee"]},
            "target 'agee' is no column of dataset drawn; did you mean 'age'? (known: age, age_years, gender, id",
        ),
        ({"targets": ["age_years"]}, "target age_years is a column of numbers, and loss softmax is not for them"),
        (
            {"targets": {"age": {"loss": "regression"}}},
            "target age is a column of classes, and loss regression is not for them",
        ),
        ({"targets": {"identity": {"loss": "regression"}}}, "target identity is a column of classes"),
    ],
)
def test_a_target_that_the_dataset_does_not_offer_is_refused(refused: Refused, base: dict[str, Any], said: str) -> None:
    assert said in refused(axes={}, base=base)


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            {"loss": "regression"},
            "loss regression predicts numbers, and an identity is none; set targets to a column of numbers",
        ),
        ({"targets": ["age", "age"]}, "target 'age' stands twice"),
        ({"targets": {"skin color": {}}}, "target 'skin color': the name of a column is letters, digits and underscores"),
        ({"targets": {"age": {"wieght": 2}}}, "wieght"),
        ({"targets": {"age": {"loss": "triplet"}}}, "loss triplet needs two images of an identity in every batch"),
        ({"targets": 3}, "targets"),
    ],
)
def test_targets_that_cannot_be_read_are_refused_in_one_line(make: Make, base: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as error:
        make_plan(make(axes={}, base=base))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_cost_counts_the_network_and_its_own_classes(make: Make) -> None:
    for targets in (["age", "gender"], {"age_years": {"loss": "regression"}, "identity": {}}):
        grid = make(axes={}, base={"targets": targets})
        resolver = InputResolver(store_of(grid))
        plan = make_plan(grid, None, resolver)
        (counted,) = cost(plan, resolver)["cells"].values()
        assert counted["parameters"] > 0


def test_an_attention_branch_without_a_class_to_learn_is_refused_before_anything_runs(make: Make) -> None:
    abn = {"name": "abn", "backbone": "resnet34"}
    years = {"age_years": {"loss": "regression"}}
    grid = make(axes={}, base={"targets": years, "backbone": abn})
    resolver = InputResolver(store_of(grid))
    with pytest.raises(BadInput, match=r"backbone\.weight: .*no target has classes \(age_years\)"):
        cost(make_plan(grid, None, resolver), resolver)
    for more in ({"targets": {**years, "age": {}}, "backbone": abn}, {"targets": years, "backbone": {**abn, "weight": 0}}):
        grid = make(axes={}, base=more)
        resolver = InputResolver(store_of(grid))
        cost(make_plan(grid, None, resolver), resolver)


def test_validation_images_exist_though_every_identity_has_one_image(make: Make, refused: Refused) -> None:
    base = {"data": {"name": "drawn", "subjects": 12, "shots": 1}, "recipe": {**LAST, "select": "best"}}
    assert "no identity of drawn has two images" in refused(axes={}, base=base)
    assert make_plan(make(axes={}, base={**base, "targets": ["gender"]})).cells[0].state == "run"
    assert "split.fraction is 0" in refused("split.fraction=0", axes={}, base={**base, "targets": ["gender"]})


def test_a_source_training_learns_identities(make: Make) -> None:
    pretraining = {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 4, "shots": 4}}
    (one,) = make(axes={}, base={"targets": ["gender"], "pretraining": pretraining}).combinations()
    assert one.cell is not None
    source = one.cell.source()
    assert source is not None
    assert (source.targets, list(one.cell.targets)) == ({}, ["gender"])
