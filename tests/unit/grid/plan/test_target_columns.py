"""Labels of targets against what a plan accepts."""

from typing import Any

import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.columns import Column
from grid.plan.target_columns import check_evaluated, check_official, learned_columns
from grid.spec.training import Training

RACE = Column(np.array([0, 1, 2, -1]), ("White", "East", "Southeast"))
YEARS = Column.number([1, 20, 40, None], "years")
KNOWN = {"race": RACE, "age_years": YEARS, "gender": Column(np.array([0, 1, 1, 0]), ("Male", "Female"))}


def training(**targets: Any) -> Training:
    return Training(data="drawn", backbone="alexnet", recipe="one_cycle", targets=targets)


def protocol(**settings: Any) -> Any:
    return resolve("protocol", {"name": "attributes", "data": {"name": "drawn"}, **settings})


def test_a_column_may_have_several_targets_as_numbers_and_as_bins() -> None:
    found = learned_columns(
        training(
            years={"column": "age_years", "loss": "regression"},
            decade={"column": "age_years", "edges": [0, 18, 30]},
            race={"merge": {"Asian": ["East", "Southeast"]}},
        ),
        KNOWN,
    )
    assert found["years"] is YEARS
    assert (found["decade"].classes, found["decade"].values.tolist()) == (("0-17", "18-29", "30+"), [0, 1, 2, -1])
    assert found["race"].classes == ("White", "Asian")


@pytest.mark.parametrize(
    ("targets", "error"),
    [
        ({"glasses": {}}, r"target 'glasses' is no column of dataset drawn \(known: age_years, gender, identity, race\)"),
        ({"age_years": {}}, "target age_years is a column of numbers, and loss softmax is not for them"),
        ({"race": {"loss": "binary"}}, r"target race has 3 classes \(White, East, Southeast\), and loss binary is for 2"),
        ({"age_years": {"edges": [5, 30]}}, "targets.age_years: 1 of 4 values are below the first edge 5"),
        ({"race": {"merge": {"Asian": ["North"]}}}, "targets.race: merge names the class 'North'"),
        ({"identity": {"loss": "regression"}}, "target identity is a column of classes"),
    ],
)
def test_a_target_that_does_not_fit_is_named(targets: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        learned_columns(training(**targets), KNOWN)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"edges": [3]}, "edges are two or more numbers in ascending order"),
        ({"edges": [3, 3]}, "ascending order"),
        ({"merge": {"a": []}}, "merge.a lists no class"),
    ],
)
def test_settings_of_a_target_are_checked(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        training(race=settings)


def test_weights_are_learned_for_several_targets_that_have_none() -> None:
    base: dict[str, Any] = {"data": "drawn", "backbone": "alexnet", "recipe": "one_cycle", "target_weighting": "uncertainty"}
    with pytest.raises(ValueError, match="set two targets or more"):
        Training(**base, targets=["gender"])
    with pytest.raises(ValueError, match=r"targets.gender.weight is 0.5, and target_weighting: uncertainty learns the weights"):
        Training(**base, targets={"gender": {"weight": 0.5}, "age": {}})
    with pytest.raises(ValueError, match="the identity is no column"):
        Training(**base, targets={"identity": {"column": "race"}, "age": {}})
    learned, fixed = Training(**base, targets=["gender", "age"]), training(gender={}, age={})
    assert learned.by_value() == {**fixed.by_value(), "target_weighting": "uncertainty"}


def test_a_protocol_evaluates_targets_that_the_network_learned() -> None:
    learned = training(race={"merge": {"Asian": ["East", "Southeast"]}}, gender={})
    columns = learned_columns(learned, KNOWN)
    check_evaluated(protocol(), learned, columns, KNOWN)
    merged = {**KNOWN, "race": Column(np.array([1, 0]), ("White", "Asian"))}
    check_evaluated(protocol(targets=["race"]), learned, columns, merged)
    with pytest.raises(ValueError, match=r"does not learn the target 'age'.* \(known: gender, race\)"):
        check_evaluated(protocol(targets=["age"]), learned, columns, KNOWN)
    with pytest.raises(ValueError, match="the cell learns the identity only; set targets"):
        check_evaluated(protocol(), training(identity={"weight": 2.0}), {}, KNOWN)


def test_classes_that_the_network_does_not_predict_are_counted_and_named() -> None:
    learned = training(race={})
    columns = learned_columns(learned, KNOWN)
    other = {"race": Column(np.array([0, 3, 3]), ("White", "East", "Southeast", "Indian"))}
    with pytest.raises(
        ValueError, match=r"targets\.race: 2 images of dataset drawn have the class 'Indian', which the network"
    ):
        check_evaluated(protocol(), learned, columns, other)
    unused = {"race": Column(np.array([0, 1]), ("White", "East", "Southeast", "Indian"))}
    check_evaluated(protocol(), learned, columns, unused)
    with pytest.raises(ValueError, match=r"targets\.race on dataset drawn: there is no column 'race'"):
        check_evaluated(protocol(), learned, columns, {"gender": KNOWN["gender"]})
    with pytest.raises(ValueError, match=r"targets\.race: no image of dataset drawn has a known value"):
        check_evaluated(protocol(), learned, columns, {"race": Column(np.array([-1, -1]), ("White",))})


def test_an_official_split_needs_images_on_both_sides() -> None:
    data = resolve("data", "drawn")
    check_official(data, np.array([True, False]))
    with pytest.raises(ValueError, match=r"dataset drawn has none with these settings \(fairface has one"):
        check_official(data, None)
    with pytest.raises(ValueError, match="holds out 2 of the 2 images"):
        check_official(data, np.array([True, True]))
