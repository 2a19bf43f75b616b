"""Datasets and protocols that return something else than documented: one line at the plan."""

# ruff: noqa: E501 - calls and whole messages stand side by side

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configs.contract import ContractError
from datamodules.columns import Column
from datamodules.evaluation_sets.pairs import Pairs
from grid.plan.returned import calling, checked_columns, checked_input, checked_pairs

MANIFEST: Any = SimpleNamespace(keys=tuple("abcd"))
ROWS, SAME = np.array([0, 1]), np.array([True, False])


def protocol(**methods: Any) -> Any:
    return SimpleNamespace(name="mylab.pairs", task="attributes", **methods)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "pairs returned None; expected Pairs"),
        ((ROWS, ROWS, SAME, ROWS), "pairs returned a tuple of length 4; expected Pairs"),
        (Pairs(ROWS.astype(float), ROWS, SAME, ROWS), r"pairs returned left as ndarray float64 \(2,\)"),
        (Pairs(ROWS, ROWS, ROWS, ROWS), r"pairs returned same as ndarray int64 \(2,\)"),
        (SimpleNamespace(left=ROWS, right=ROWS[:1], same=SAME, fold=ROWS), "expected four arrays of one length"),
        (Pairs(ROWS, ROWS + 3, SAME, ROWS), "pairs returned row 4; expected rows of the manifest, 0 to 3"),
        (Pairs(ROWS - 1, ROWS, SAME, ROWS), "pairs returned row -1; expected rows of the manifest, 0 to 3"),
    ],
)
def test_wrong_pairs_name_the_protocol(found: Any, said: str) -> None:
    with pytest.raises(ContractError, match=f"^protocol 'mylab.pairs': .*{said}.*docs/extending/protocol.md$"):
        checked_pairs(found, protocol(), MANIFEST)


def test_right_pairs_are_returned() -> None:
    right = Pairs(ROWS, ROWS + 2, SAME, ROWS)
    assert checked_pairs(right, protocol(), MANIFEST) is right


def test_the_input_of_a_task_has_a_digest() -> None:
    right = SimpleNamespace(digest="d")
    assert checked_input(protocol(asked=lambda manifest: right), MANIFEST) is right
    with pytest.raises(
        ContractError, match=r"^protocol 'mylab.pairs': its config has no method asked\(manifest\), which its task"
    ):
        checked_input(protocol(), MANIFEST)
    with pytest.raises(ContractError, match=r"^protocol 'mylab.pairs': asked returned None; expected an object with a digest"):
        checked_input(protocol(asked=lambda manifest: None), MANIFEST)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "columns returned None; expected a dict"),
        ({"age": [20, 30, 40, 50]}, "columns returned 'age' as a list of length 4; expected a datamodules.columns.Column"),
        ({"age": Column.number([20, 30])}, r"columns returned 'age' with ndarray float64 \(2,\); expected 4 values, one per image"),
    ],
)  # fmt: skip
def test_wrong_columns_name_the_dataset(found: Any, said: str) -> None:
    data: Any = SimpleNamespace(name="mylab.faces", columns=lambda manifest: found)
    with pytest.raises(ContractError, match=f"^dataset 'mylab.faces': {said}.*docs/extending/target.md$"):
        checked_columns(data, MANIFEST)


def test_right_columns_are_returned() -> None:
    right = {"age": Column.number([20, 30, None, 50])}
    data: Any = SimpleNamespace(name="mylab.faces", columns=lambda manifest: right)
    assert checked_columns(data, MANIFEST) is right


def fails(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        (
            "mylab.table",
            KeyError("file"),
            r"dataset 'mylab.table': KeyError: 'file' \(.*test_returned.py:\d+\); see docs/extending/dataset.md",
        ),
        ("folder", IndexError("no row"), r"dataset 'folder': IndexError: no row \(.*; see docs/extending/dataset.md"),
        (
            "mylab.table",
            ValueError("list.csv:3: no subject"),
            r"dataset 'mylab.table': list.csv:3: no subject \(.*test_returned.py:\d+\)",
        ),
        (
            "mylab.table",
            FileNotFoundError(2, "No such file", "list.csv"),
            r"dataset 'mylab.table': FileNotFoundError: .*list.csv'.*",
        ),
        ("folder", ValueError("a.jpg: damaged"), "a.jpg: damaged"),
    ],
)
def test_errors_in_a_component_are_one_line_that_names_it(name: str, error: Exception, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"), calling("dataset", name):
        fails(error)


def test_components_are_named_wherever_a_plan_calls_them() -> None:
    with pytest.raises(ContractError, match=r"^protocol 'mylab\.pairs': KeyError: 'rows'"):
        checked_input(protocol(asked=lambda manifest: fails(KeyError("rows"))), MANIFEST)
    dataset: Any = SimpleNamespace(name="mylab.table", columns=lambda manifest: fails(KeyError("age")))
    with pytest.raises(ContractError, match=r"^dataset 'mylab\.table': KeyError: 'age'"):
        checked_columns(dataset, MANIFEST)
