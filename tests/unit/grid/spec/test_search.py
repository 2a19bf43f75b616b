"""Which stacks a search tries: Table II is among those it may try, and every one that it tries is from its space."""

from itertools import permutations, product
from typing import Any

import pytest

from configs.lookup import resolve
from grid.spec.cell import Cell
from grid.spec.search import Search, Space, layers_of, searched, with_layers, words

TABLE_II = layers_of(resolve("head", "dense").model_dump(mode="json"))
BASE: dict[str, Any] = {"data": "drawn", "backbone": "alexnet", "head": "dense", "targets": {"gender": {"loss": "binary"}}}


def cell(search: Any = None, **base: Any) -> Cell:
    return Cell.model_validate({**BASE, **base, "search": {} if search is None else search})


def test_the_default_space_contains_table_two() -> None:
    assert [layer["width"] for layer in TABLE_II] == [640, 896, 2176, 640, 1664]  # of the paper
    assert TABLE_II in Space()
    for place, change in product(range(5), ({"width": 641}, {"width": 0}, {"activation": "gelu"}, {"dropout": 0.25})):
        changed = [{**layer, **change} if number == place else layer for number, layer in enumerate(TABLE_II)]
        assert changed not in Space()
    assert TABLE_II not in Space(layers=(1, 4))
    assert TABLE_II not in Space(layers=(6, 7))
    assert [] not in Space()


def test_every_trial_is_from_the_space_and_tries_another_stack() -> None:
    search = Search(trials=300, seed=5)
    stacks = search.stacks()
    assert all(stack in search.space for stack in stacks)
    assert len({words(stack) for stack in stacks}) == 300
    counts = [sum(len(stack) == number for stack in stacks) for number in range(1, 7)]
    assert min(counts) > 25, counts  # 50 are expected; the standard deviation is 6.5
    for key, choices in (("activation", search.space.activations), ("dropout", search.space.dropouts)):
        assert {layer[key] for stack in stacks for layer in stack} == set(choices)
    assert {layer["width"] for stack in stacks for layer in stack} == set(range(128, 2561, 128))


def test_the_largest_stack_is_one_of_the_space_and_none_takes_more() -> None:
    for space in (Space(), Space(layers=(2, 3), widths=(10, 29), step=8, activations=("linear", "relu"), dropouts=(0.5, 0.0))):
        largest = space.largest
        assert largest in space
        for stack in Search(trials=100, space=space).stacks():
            assert len(stack) <= len(largest)
            assert all(layer["width"] <= most["width"] for layer, most in zip(stack, largest, strict=False))
        assert {(layer["activation"] == "linear", layer["dropout"] > 0) for layer in largest} == {(False, True)}
    assert Space(activations=("linear",)).largest[0]["activation"] == "linear"


def test_as_many_trials_as_there_are_stacks_try_every_one() -> None:
    space = Space(layers=(1, 2), widths=(8, 16), step=8, activations=("relu",), dropouts=(0.0, 0.5))
    layers = [{"width": w, "activation": "relu", "dropout": d} for w, d in product((8, 16), (0.0, 0.5))]
    every = [[one] for one in layers] + [list(two) for two in product(layers, layers)]
    assert space.size == len(every) == 20
    assert sorted(map(words, Search(trials=20, space=space).stacks())) == sorted(map(words, every))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the space has 20 stacks, fewer than the 21 trials"):
        Search(trials=21, space=space)


def test_more_trials_leave_the_first_ones_as_they_are_and_another_seed_does_not() -> None:
    few, many = Search(trials=4).stacks(), Search(trials=40).stacks()
    assert many[:4] == few
    assert Search(trials=4, seed=1).stacks() != few


def test_the_stacks_of_a_seed_never_change() -> None:
    """Else a finished search would run again after an update of a library."""
    one, two = map(words, Search(seed=0).stacks()[:2])
    assert (one, two) == ("1408 leaky_relu 0.5", "128 relu 0.4 | 512 tanh 0.4")


def test_a_share_of_the_trials_goes_on_at_each_rung() -> None:
    assert Search(trials=27, rungs=(1, 3, 9, 27)).trainings == (27, 9, 3, 1)
    assert Search(trials=16, rungs=(1, 2, 4), reduction=4).trainings == (16, 4, 1)
    assert Search(trials=10, rungs=(1, 2, 3, 4)).trainings == (10, 3, 1, 1)


def test_at_most_all_but_the_worst_go_on_asynchronously() -> None:
    """Whatever the order of the results; every trial has a stage in every rung."""
    search = Search(trials=6, rungs=(1, 2), reduction=3, scheduler="asha")
    most = 0
    for values in permutations(range(6)):
        went = {trial for count in range(1, 7) for trial in sorted(range(count), key=lambda one: values[one])[: count // 3]}
        most = max(most, len(went))
    assert search.trainings == (6, most)
    assert search.stages == 12
    assert (search.asynchronous, Search().asynchronous, Search().stages) == (True, False, sum(Search().trainings))


def test_a_head_has_the_layers_of_its_stack_and_the_other_settings_of_the_cell() -> None:
    template: Any = resolve("head", {"name": "dense", "pool": "max", "slope": 0.1, "batch_norm": True})
    stack = [{"width": 8, "activation": "tanh", "dropout": 0.0}, {"width": 4, "activation": "elu", "dropout": 0.5}]
    head: Any = with_layers(template, stack)  # type: ignore[arg-type]
    assert layers_of(head.model_dump(mode="json")) == stack
    assert (head.pool, head.slope, head.batch_norm) == ("max", 0.1, True)
    assert with_layers(resolve("head", "dense"), TABLE_II) == resolve("head", "dense")


def test_trials_share_the_seed_and_the_length_of_the_search() -> None:
    made = cell({"rungs": [1, 5], "seed": 7}, recipe={"name": "one_cycle", "epochs": 3}, seed=2)
    assert made.search is not None
    training = made.search.training(made.training())
    assert (training.seed, training.recipe.epochs, training.recipe.name) == (7, 5, "one_cycle")
    assert (made.seed, made.recipe.epochs) == (2, 3)


def test_a_finished_training_says_which_head_it_has() -> None:
    training = cell().training()
    head = with_layers(training.head, [{"width": 4, "activation": "elu", "dropout": 0.5}])
    assert searched(training, {"head": head.model_dump(mode="json")}).head == head
    assert searched(training, {}) is training


@pytest.mark.parametrize(
    ("search", "base", "message"),
    [
        ({}, {"head": "gap_bn"}, "it searches the layers of head dense, and head is gap_bn"),
        ({}, {"head": {"name": "dense", "every_dropout": 0.5}}, "head.every_dropout replaces them"),
        ({}, {"split": {"fraction": 0}}, "split.fraction is 0"),
        ({}, {"compute": {"devices": 2}}, "trials train on one device, and compute.devices is 2"),
        ({}, {"recipe": "none", "pretraining": "imagenet", "targets": {}}, "the recipe trains none"),
        ({}, {"targets": {"gender": {"loss": "binary", "head": "gap_bn"}}}, "every target has a head of its own"),
        (
            {"metric": "validation_accuracy_age"},
            {},
            "no validation_accuracy_age .known: validation_accuracy, validation_accuracy_",
        ),
        ({"metric": "validation_mae_gender"}, {}, "the validation of this training has no validation_mae_gender"),
        ({"metric": "validation_accuracy_age"}, {"targets": {"age": {"loss": "regression"}}}, "known: validation_loss, "),
        ({"metric": "validation_accuracy"}, {"targets": {}, "loss": "triplet", "batches": "pk"}, "known: validation_loss."),
        ({"metric": "accuracy"}, {}, "is no number of the validation; known: validation_loss"),
        ({"rungs": [3, 3]}, {}, "in ascending order"),
        (
            {"scheduler": "asha", "trials": 8, "rungs": [1, 3, 9]},
            {},
            "none of 8 trials reaches the last one; set 9 trials or more",
        ),
        ({"scheduler": "hyperband"}, {}, "'halving' or 'asha'"),
        ({"rungs": []}, {}, "in ascending order"),
        ({"space": {"activations": ["relu", "swish"]}}, {}, "swish"),
        ({"space": {"dropouts": [0.0, 1.0]}}, {}, "less than 1"),
        ({"space": {"layers": [3, 2]}}, {}, "the smallest and the largest number"),
        ({"space": {"dropouts": []}}, {}, "one choice or more"),
        ({"rungs": [1, 2]}, {"recipe": {"name": "multi_step", "milestones": [5], "epochs": 9}}, "milestones"),
    ],
)
def test_a_search_that_cannot_run_is_refused(search: Any, base: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cell(search, **base)
