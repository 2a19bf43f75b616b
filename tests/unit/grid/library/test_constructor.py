"""A component's keyword arguments are the keys of its Config, checked in the same way."""

import inspect
import pickle
import pydoc
from typing import Any

import pytest
import torch

import facegrid as fg
from configs.lookup import resolve
from configs.network_interfaces import LossConfig


def test_a_loss_is_built_from_plain_keywords_and_works_alone() -> None:
    torch.manual_seed(0)
    loss = fg.losses.ArcFace(classes=7, dimension=16, margin=0.3)
    torch.manual_seed(0)
    same = resolve("loss", {"name": "arcface", "margin": 0.3}).build(dimension=16, classes=7)  # type: ignore[attr-defined]
    embeddings, labels = torch.randn(5, 16), torch.tensor([0, 1, 2, 3, 6])
    assert torch.equal(loss(embeddings, labels), same(embeddings, labels))
    assert isinstance(loss, torch.nn.Module)
    assert isinstance(loss, fg.losses.ArcFace)
    assert not isinstance(loss, fg.losses.CosFace)
    assert torch.equal(pickle.loads(pickle.dumps(loss)).weight, loss.weight)


def test_positional_arguments_go_to_what_build_takes() -> None:
    assert fg.losses.ArcFace(16, 7).weight.shape == (7, 16)
    assert fg.heads.GapBN(8, 2, 2, dimension=4)(torch.randn(3, 8, 2, 2)).shape == (3, 4)


def test_a_name_that_build_and_the_config_share_is_told_apart() -> None:
    parameters = fg.decoders.Transposed.__signature__.parameters
    assert {"input_width", "width"} <= set(parameters)
    assert len(set(parameters)) == len(parameters)


@pytest.mark.parametrize(
    ("arguments", "kind", "complaint"),
    [
        ({"classes": 3, "dimension": 2, "margn": 1}, ValueError, r"ArcFace: unknown key 'margn'; did you mean 'margin'\?"),
        (
            {"classes": 3, "dimension": 2, "margin": 9},
            ValueError,
            "ArcFace: margin: input should be less than or equal to 1.57",
        ),
        ({"classes": 3}, TypeError, "ArcFace: missing dimension; it takes "),
        ({}, TypeError, "ArcFace: missing dimension, classes; it takes "),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: dict[str, object], kind: type[Exception], complaint: str) -> None:
    with pytest.raises(kind, match=complaint) as refused:
        fg.losses.ArcFace(**arguments)
    assert "\n" not in str(refused.value)


def test_too_many_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="too many positional arguments"):
        fg.losses.ArcFace(1, 2, 3)


@pytest.mark.parametrize(
    "namespace", ["losses", "heads", "backbones", "datasets", "detectors", "explainers", "recipes", "decoders"]
)
def test_every_component_has_a_signature_and_documentation(namespace: str) -> None:
    found = getattr(fg, namespace)
    for name in dir(found):
        constructor = getattr(found, name)
        assert isinstance(inspect.signature(constructor), inspect.Signature)
        assert constructor.__doc__, name
        assert "name" not in inspect.signature(constructor).parameters


def test_help_shows_every_option_with_default_and_meaning() -> None:
    text = pydoc.render_doc(fg.losses.ArcFace, renderer=pydoc.plaintext)
    assert "..." not in text
    for part in (
        "    dimension,", "    classes,", "scale=64.0", "margin=0.5",
        "variant='exact'", "easy_margin=False", "epsilon=0.001", "sample=1.0",
        "margin: float, >= 0, <= 1.5707963267948966 [default: 0.5]: radians",
        "variant: 'exact' | 'straight_through' | 'clipped' [default: 'exact']",
        "Deng et al., CVPR 2019",
        "``easy_margin`` applies the margin only where",
    ):  # fmt: skip
        assert part in text, part


def test_components_and_unions_are_shown_as_in_a_grid_file() -> None:
    assert "loss='softmax'" not in str(fg.losses.Sum.__doc__)
    text = str(fg.protocols.PairsOf.__doc__)
    assert "    data: component" in text
    assert "    multi_crop: float | None" in text
    assert "Add the embeddings of the four corner crops" in text  # a comment on the lines above the field


def test_a_field_of_a_class_without_a_source_has_no_comment() -> None:
    from typing import Literal

    from grid.library.constructor import _comments

    space: dict[str, Any] = {"Literal": Literal, "LossConfig": LossConfig}
    exec('class Own(LossConfig):\n    name: Literal["own"] = "own"\n    rate: float = 1.0  # of it', space)
    assert "rate" not in _comments(space["Own"])
