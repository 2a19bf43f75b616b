"""The rule of sequential replication in a grid file."""

from collections.abc import Callable

import pytest
from small import SMALL

from grid.spec.grid_file import BadInput, Grid
from grid.spec.replication import Granted, Replication

Make = Callable[..., Grid]
RULE = {"at_most": 8, "until": {"metric": "auc", "half_width": 0.005}}
CELLS = [{"a": a, "b": b} for a in "xy" for b in "pqr"]


def rule(**until: object) -> Replication:
    return Replication.model_validate({**RULE, "until": {**RULE["until"], **until}})  # type: ignore[dict-item]


def test_a_number_is_as_before_and_a_rule_starts_with_its_first_replicates(make: Make) -> None:
    fixed, grid = make(replicates=8), make(replicates=RULE)
    assert (fixed.spec.sequential, fixed.spec.most_replicates, fixed.size) == (None, 8, 32)
    assert (grid.spec.most_replicates, grid.size, grid.largest) == (8, 12, 32)
    assert grid.axes == fixed.axes
    first = [point for point in fixed.combinations() if int(point.levels["replicate"]) < 3]
    assert list(grid.combinations()) == first


def test_a_combination_has_the_replicates_that_it_was_granted(make: Make) -> None:
    from dataclasses import replace

    grid = replace(make(replicates=RULE), granted={("mtcnn", "low"): Granted(5, False)})
    numbers = [(*point.levels.values(),) for point in grid.combinations() if point.levels["detection"] == "mtcnn"]
    assert numbers == [("mtcnn", "low", str(n)) for n in range(5)] + [("mtcnn", "high", str(n)) for n in range(3)]
    assert grid.size == 14


def test_looks_are_after_every_replicate() -> None:
    assert rule().looks == (3, 4, 5, 6, 7, 8)


def test_what_is_compared() -> None:
    assert len(rule().contrasts(CELLS)) == 15
    neighbors = rule(of="neighbors").contrasts(CELLS)
    assert neighbors == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (3, 5), (4, 5))
    assert rule(of="means").contrasts(CELLS) == tuple((number, None) for number in range(6))


REFUSED = [
    ({"replicates": {**RULE, "at_most": 3}}, "replicates: at_most is 3, not above at_least, 3; or write `replicates: 3`"),
    ({"replicates": {**RULE, "at_least": 1}}, "replicates.at_least: input should be greater than or equal to 2; found 1"),
    ({"replicates": {"at_most": 8}}, "key 'replicates.until' is needed"),
    ({"replicates": {**RULE, "untill": 3}}, "unknown key 'replicates.untill'; did you mean 'replicates.until'?"),
    ({"replicates": {**RULE, "until": {"metric": "auc", "half_width": 0}}}, "replicates.until.half_width: input should be gr"),
    ({"replicates": RULE, "protocols": []}, "replicates: `until` reads a metric of a protocol, and there are no protocols"),
    ({"replicates": RULE, "skip": [{"when": {"replicate": "1"}, "because": "x"}]}, "skip.0: the results decide how many"),
    ({"replicates": RULE, "ensembles": [{"over": "replicate"}]}, "ensembles.0: the results decide how many levels 'replicate'"),
    ({"replicates": "many"}, "replicates: input should be a valid integer"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "complaint"), REFUSED)
def test_mistakes_are_named(make: Make, parts: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        make(**parts)
    assert complaint in str(error.value)
    assert "grid.yaml:" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_override_changes_one_number_of_the_rule(make: Make) -> None:
    found = make("replicates.at_most=5", replicates=RULE).spec.sequential
    assert found is not None
    assert (found.at_most, found.until.metric) == (5, "auc")
    assert "replicates" not in SMALL
