"""One line for a component that breaks its interface: who, what was found, what is expected, where it is documented."""

import re
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
        raise broken("forward returned", None, "a scalar", "a-loss")
    said = "loss 'mylab.inner': forward returned None; expected a scalar; see docs/extending.md#a-loss"
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
        built(Config, ("score", "name"), "a-section")
    assert isinstance(built(Config, (), "a-section"), Opaque)


def test_every_section_that_messages_name_is_a_heading_of_the_page() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/extending.md").read_text(encoding="utf-8"), re.MULTILINE)
    known = {heading.lower().replace(" ", "-") for heading in headings}
    named: set[str] = set()
    for package in ("grid", "modules", "datamodules"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if "configs.contract" in text:
                named |= set(re.findall(r'"((?:an?|the)-[a-z]+(?:-[a-z]+)*)"', text))
    assert {"a-loss", "an-explainer", "an-explanation-metric", "a-dataset", "a-detector", "a-protocol"} <= named
    assert named <= known
