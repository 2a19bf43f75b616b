"""One line for a component that breaks its interface: who, what was found, what is expected, where it is documented."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.contract import ContractError, broken, built, described, naming

ROOT = Path(__file__).resolve().parents[3]


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (3, "3"),
        (np.zeros((2, 3), np.float32), "ndarray float32 (2, 3)"),
        (torch.zeros(4), "Tensor float32 (4,)"),
        ({"a": 1, "b": 2}, "a dict with the keys a, b"),
        (dict.fromkeys(range(10)), "a dict with the keys 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"),
        ({}, "an empty dict"),
        ([1, 2], "a list of length 2"),
        ("x" * 80, repr("x" * 57 + "...")),
        (Opaque(), "an Opaque"),
    ],
)
def test_a_value_is_described_by_type_and_shape(value: object, text: str) -> None:
    assert described(value) == text


def test_the_component_is_named_once_by_the_innermost_name() -> None:
    with pytest.raises(ContractError) as refused, naming("explainer", "outer"), naming("loss", "mylab.inner"):
        raise broken("forward returned", None, "a scalar", "loss")
    said = "loss 'mylab.inner': forward returned None; expected a scalar; see docs/extending/loss.md"
    assert str(refused.value) == said


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(KeyError, match="'x'"), naming("loss", "a"):
        raise KeyError("x")


def test_an_object_without_a_method_is_refused() -> None:
    class Config:
        @staticmethod
        def build() -> object:
            return Opaque()

    with pytest.raises(
        ContractError, match="build returned an Opaque; expected an object with the method score and the method name"
    ):
        built(Config, ("score", "name"), "a_page")
    assert isinstance(built(Config, (), "a_page"), Opaque)


def pages_named(file: Path) -> set[str]:
    """The pages of docs/extending that the messages of a file name: the last argument of each call, or its constant."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    last = [node.args[-1] for node in calls if node.func.id in ("broken", "built", "check_files", "check_values", "see")]
    texts = [constants.get(arg.id) if isinstance(arg, ast.Name) else getattr(arg, "value", None) for arg in last]
    return {text for text in texts if isinstance(text, str)}


def test_every_page_that_messages_name_exists() -> None:
    files = [file for package in ("grid", "modules", "datamodules") for file in (ROOT / package).rglob("*.py")]
    named = set().union(*(pages_named(file) for file in files if "configs.contract" in file.read_text(encoding="utf-8")))
    assert {"loss", "head", "explainer", "explanation_metric", "dataset", "target", "detector", "augmentation"} <= named
    assert {"protocol", "evaluation_task", "stage"} <= named
    assert named <= {page.stem for page in (ROOT / "docs/extending").glob("*.md")}
