"""Identities: what changes what, and what changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.stage_kind import Stage, cell_id, stages_of

BASE: dict[str, Any] = {
    "data": {"name": "drawn", "subjects": 4, "shots": 4},
    "input": {"size": 64},
    "backbone": "alexnet",
    "detector": "mtcnn",
    "pretraining": {"name": "source", "data": {"name": "drawn", "first": 500, "subjects": 3, "shots": 4}, "epochs": 1},
    "recipe": {"name": "one_cycle", "epochs": 2},
    "protocols": [{"name": "drawn", "subjects": 20, "shots": 8, "folds": 5}],
    "explainers": [{"name": "gradcam", "images": 2}],
}


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> InputResolver:
    return InputResolver(tmp_path_factory.mktemp("store"))


def cell(**changes: Any) -> Cell:
    return Cell.model_validate({**BASE, **changes})


def ids(resolver: InputResolver, **changes: Any) -> dict[str, str]:
    return {stage.label: stage.id for stage in stages_of(cell(**changes), resolver)}


def changed(resolver: InputResolver, **changes: Any) -> set[str]:
    """Labels of stages that are not what they were."""
    before, after = ids(resolver), ids(resolver, **changes)
    return {label for label in before | after if before.get(label) != after.get(label)}


ALL = {"detect:source", "pretrain", "detect:data", "train", "detect:drawn", "evaluate:drawn", "explain:gradcam"}
TRAINED = {"train", "evaluate:drawn", "explain:gradcam"}
BOTH = {"pretrain", *TRAINED}
SOURCE = BASE["pretraining"]
PROTOCOL, EXPLAINER = BASE["protocols"][0], BASE["explainers"][0]


def test_a_cell_has_its_stages_in_an_order_in_which_they_can_run(resolver: InputResolver) -> None:
    stages = stages_of(cell(pretraining={**SOURCE, "detector": "mtcnn"}), resolver)
    assert {stage.label for stage in stages} == ALL
    for number, stage in enumerate(stages):
        assert set(stage.needs) <= {other.id for other in stages[:number]}
    needs = {stage.label: {other.label for other in stages if other.id in stage.needs} for stage in stages}
    assert needs["pretrain"] == {"detect:source"}
    assert needs["train"] == {"detect:data", "pretrain"}
    assert needs["evaluate:drawn"] == {"train", "detect:drawn"}
    assert needs["explain:gradcam"] == {"train", "detect:data"}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, set()),
        ({"backbone": "resnet34"}, BOTH),
        ({"head": {"name": "gap_bn", "dropout": 0.25}}, BOTH),
        ({"input": {"size": 80}}, BOTH),
        ({"augmentation": "flip"}, BOTH),
        ({"recipe": {"name": "one_cycle", "epochs": 2, "lr": 0.5}}, BOTH),
        ({"recipe": {"name": "one_cycle", "epochs": 3}}, TRAINED),  # the pretraining has epochs of its own
        ({"split": {"fraction": 0.2}}, BOTH),
        ({"compute": {"threads": 2}}, BOTH),
        ({"seed": 1}, TRAINED),
        ({"pretrain_seed": 1}, BOTH),
        ({"data": {"name": "drawn", "subjects": 5, "shots": 4}}, {"detect:data", *TRAINED}),
        ({"detector": {"name": "mtcnn", "margin": 0}}, TRAINED),  # crops differ, boxes do not
        ({"detector": {"name": "mtcnn", "min_face_size": 30}}, {"detect:data", "detect:drawn", *TRAINED}),
        ({"detector": "none"}, {"detect:data", "detect:drawn", *TRAINED}),
        ({"pretraining": "none"}, {"pretrain", *TRAINED}),
        ({"protocols": []}, {"detect:drawn", "evaluate:drawn"}),
        ({"protocols": [PROTOCOL, {**PROTOCOL, "label": "b", "seed": 7}]}, {"detect:b", "evaluate:b"}),
        ({"protocols": [{**PROTOCOL, "flip_test": True}]}, {"evaluate:drawn"}),
        ({"protocols": [{**PROTOCOL, "pairs_per_fold": 30}]}, {"evaluate:drawn"}),
        ({"explainers": [EXPLAINER, {**EXPLAINER, "label": "b", "min_side": 2}]}, {"explain:b"}),
        ({"explainers": []}, {"explain:gradcam"}),
    ],
)
def test_a_change_reaches_the_stages_that_depend_on_it_and_no_others(
    resolver: InputResolver, changes: dict[str, Any], wanted: set[str]
) -> None:
    assert changed(resolver, **changes) == wanted


def test_a_protocol_or_explainer_that_is_only_renamed_keeps_its_id(resolver: InputResolver) -> None:
    before, after = (
        ids(resolver),
        ids(resolver, explainers=[{**EXPLAINER, "label": "b"}], protocols=[{**PROTOCOL, "label": "c"}]),
    )
    assert before["explain:gradcam"] == after["explain:b"]
    assert before["evaluate:drawn"] == after["evaluate:c"]


TWO = [{**PROTOCOL, "label": "one"}, {**PROTOCOL, "label": "two", "first": 2000}]


def test_an_explainer_takes_its_pairs_from_the_protocol_that_it_names(resolver: InputResolver) -> None:
    def explained(**explainer: Any) -> Stage:
        stages = stages_of(cell(protocols=TWO, explainers=[{"name": "gradcam", "pairs": 4, **explainer}]), resolver)
        return next(stage for stage in stages if stage.kind == "explain")

    first, one, two = explained(), explained(protocol="one"), explained(protocol="two")
    assert [stage.config["protocol"].title for stage in (first, one, two)] == ["one", "one", "two"]
    assert first.id == one.id != two.id


def test_the_name_of_the_pairs_protocol_is_outside_identity(resolver: InputResolver) -> None:
    def explained(label: str) -> str:
        protocols = [TWO[0], {**TWO[1], "label": label}]
        return ids(resolver, protocols=protocols, explainers=[{"name": "gradcam", "pairs": 4, "protocol": label}])[
            "explain:gradcam"
        ]

    assert explained("two") == explained("renamed")


@pytest.mark.parametrize(
    ("explainer", "complaint"),
    [
        ({"pairs": 4, "protocol": "tow"}, "from protocol 'tow', .*; did you mean 'two'. .known: one, two."),
        ({"protocol": "two"}, "names protocol 'two' but explains no pairs; set pairs"),
    ],
)
def test_a_protocol_that_an_explainer_cannot_have_is_refused(
    resolver: InputResolver, explainer: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        ids(resolver, protocols=TWO, explainers=[{"name": "gradcam", **explainer}])


def test_cells_share_detection_and_pretraining(resolver: InputResolver) -> None:
    one, other = ids(resolver), ids(resolver, seed=1, detector={"name": "mtcnn", "margin": 0})
    assert {label for label in one if one[label] == other[label]} == {"detect:data", "detect:drawn", "pretrain"}


def test_a_trivial_detector_needs_no_stage(resolver: InputResolver) -> None:
    assert not any(label.startswith("detect:") for label in ids(resolver, detector="none"))


def test_the_pretraining_is_a_training_of_its_own(resolver: InputResolver) -> None:
    made = cell(pretrain_seed=3, seed=4).source()
    assert made is not None
    assert (made.seed, made.recipe.epochs, made.data.first, made.pretraining.name) == (3, 1, 500, "none")
    assert made.detector.name == "none"
    assert cell(pretraining="none").source() is None


def test_a_pretraining_by_the_cells_recipe_trains_the_whole_backbone(resolver: InputResolver) -> None:
    for part in ("none", 5):
        made = cell(recipe={**BASE["recipe"], "trainable": part}).source()
        assert made is not None
        assert made.recipe.learning_part == "all"
    assert changed(resolver, recipe={**BASE["recipe"], "trainable": "none"}) == TRAINED  # it shares the pretraining
    made = cell(pretraining={**SOURCE, "recipe": {"name": "one_cycle", "trainable": 5}}).source()
    assert made is not None
    assert made.recipe.learning_part == 5


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"recipe": "none"}, "recipe none trains nothing; set pretraining.recipe"),
        ({"pretraining": {**SOURCE, "epochs": None, "recipe": "none"}}, "recipe none trains nothing"),
        (
            {"pretraining": {**SOURCE, "recipe": {"name": "one_cycle", "trainable": "none"}}},
            "trainable is none, so the backbone",
        ),
        ({"pretraining": {**SOURCE, "recipe": {"name": "one_cycle", "trainable": "decoder"}}}, "trainable is decoder, so the"),
        ({"targets": {"age_years": {}}, "loss": "regression"}, "regression predicts numbers"),
        ({"compute": {"devices": 2}, "pretraining": {**SOURCE, "recipe": {"name": "one_cycle", "batch_size": 1}}}, "2 devices"),
    ],
)
def test_a_pretraining_that_cannot_learn_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=f"pretraining source: .*{why}"):
        cell(**changes)


# -- places and content


def folder(place: Path, level: int = 128) -> dict[str, Any]:
    """Three subjects with three images each."""
    import cv2
    import numpy as np

    for subject in "abc":
        (place / subject).mkdir(parents=True)
        for number in range(3):
            image = np.full((40, 40, 3), level + 20 * number + ord(subject), np.uint8)
            assert cv2.imwrite(str(place / subject / f"{number}.png"), image)
    return {"name": "folder", "root": str(place)}


def test_places_are_outside_identity_and_content_is_inside(tmp_path: Path) -> None:
    resolver = InputResolver(tmp_path / "store")
    found = []
    for name, level in (("a", 10), ("b", 10), ("c", 11)):
        data = folder(tmp_path / name, level)
        cell_here = cell(data=data, protocols=[], pretraining="none", detector="none")
        resolver.scan(cell_here.data)
        found.append(stages_of(cell_here, resolver)[0].id)
    assert found[0] == found[1] != found[2]


def test_the_weights_of_a_checkpoint_count_and_its_place_does_not(tmp_path: Path, resolver: InputResolver) -> None:
    from configs.lookup import resolve

    resolve("backbone", "alexnet")
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = resolve("backbone", "alexnet").build().state_dict()  # type: ignore[attr-defined]
    save_file(state, tmp_path / "a.safetensors")
    save_file(state, tmp_path / "b.safetensors")
    first = next(iter(state))
    save_file({**state, first: state[first] + 1}, tmp_path / "c.safetensors")
    found = [
        ids(resolver, pretraining={"name": "checkpoint", "path": str(tmp_path / f"{name}.safetensors")})["train"]
        for name in "abc"
    ]
    assert found[0] == found[1] != found[2]


# -- the cell's own id


def train(resolver: InputResolver, **changes: Any) -> Stage:
    return next(stage for stage in stages_of(cell(**changes), resolver) if stage.kind == "train")


def test_a_cell_is_its_training_and_its_factors(resolver: InputResolver) -> None:
    one = cell_id(train(resolver), {"a": "x", "b": "y"})
    assert one == cell_id(train(resolver), {"b": "y", "a": "x"})
    assert one == cell_id(train(resolver, protocols=[], explainers=[]), {"a": "x", "b": "y"})
    assert one != cell_id(train(resolver), {"a": "x", "b": "z"})
    assert one != cell_id(train(resolver), {"a": "x"})
    assert one != cell_id(train(resolver, seed=1), {"a": "x", "b": "y"})
    assert len(one) == 32


# -- scores


def scored(*scores: Any, **changes: Any) -> list[dict[str, Any]]:
    return [{**EXPLAINER, "scores": list(scores), **changes}]


def test_a_score_is_a_stage_of_its_own_and_moves_no_other(resolver: InputResolver) -> None:
    assert changed(resolver, explainers=scored("hiding_game", "sanity")) == {
        "score:gradcam:hiding_game",
        "score:gradcam:sanity",
    }
    one, both = ids(resolver, explainers=scored("hiding_game")), ids(resolver, explainers=scored("sanity", "hiding_game"))
    assert one.items() <= both.items()


def test_a_score_depends_on_its_settings_and_on_the_explanation_and_not_on_names(resolver: InputResolver) -> None:
    label = "score:gradcam:hiding_game"
    plain = ids(resolver, explainers=scored("hiding_game"))[label]
    assert ids(resolver, explainers=scored({"name": "hiding_game", "blur": 0.1}))[label] == plain
    assert ids(resolver, explainers=scored({"name": "hiding_game", "blur": 0.2}))[label] != plain
    assert ids(resolver, explainers=scored("hiding_game", min_side=8))[label] != plain
    assert ids(resolver, explainers=scored({"name": "hiding_game", "label": "x"}, label="b"))["score:b:x"] == plain


def test_a_score_needs_what_its_explanation_needs_and_the_explanation_knows_nothing_of_it(resolver: InputResolver) -> None:
    stages = {stage.label: stage for stage in stages_of(cell(explainers=scored("pointing", pairs=4)), resolver)}
    made, score = stages["explain:gradcam"], stages["score:gradcam:pointing"]
    assert set(score.needs) == {made.id, *made.needs}
    assert stages["detect:drawn"].id in score.needs
    assert made.config["explainer"].scores == ()
    assert set(score.config) == {*made.config, "score"}
