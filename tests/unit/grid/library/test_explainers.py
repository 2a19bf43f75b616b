"""Explainers work on any torch module with a chosen layer, and leave it as it was."""

# ruff: noqa: E501 - calls and whole messages stand side by side

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import facegrid as fg
from grid.results.heatmap import overlaid
from modules.attribution.explainer import Refused


class Foreign(nn.Module):
    """A module that knows nothing of facegrid."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
        self.second = nn.Conv2d(4, 8, 3, stride=2)
        self.top = nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.top(self.second(self.first(images)).relu().mean((2, 3)))


@pytest.fixture
def module() -> Foreign:
    return Foreign().train()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def by_hand(module: Foreign, image: torch.Tensor, target: int) -> np.ndarray:
    """Grad-CAM at ``second`` without hooks: the layers one by one."""
    activation = module.second(module.first(image[None])).detach().requires_grad_()
    module.top(activation.relu().mean((2, 3)))[0, target].backward()
    assert activation.grad is not None
    weights = activation.grad.mean((2, 3), keepdim=True)
    return (weights * activation).sum(1).relu()[0].detach().numpy()


def test_gradcam_on_a_foreign_module_equals_the_formula(module: Foreign, images: torch.Tensor) -> None:
    found = fg.explainers.GradCAM(layer="second").explain(module, images, target=3)
    assert found.maps.shape == (3, 7, 7)
    assert found.layer == "second"
    for number, image in enumerate(images):
        np.testing.assert_allclose(found.maps[number], by_hand(module, image, 3), atol=1e-7)


def test_the_module_is_left_as_it_was(module: Foreign, images: torch.Tensor) -> None:
    before = {key: value.clone() for key, value in module.state_dict().items()}
    fg.explainers.GradCAM(layer="first").explain(module, images, target=[0, 1, 2])
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(one._forward_hooks for one in module.modules())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_targets_are_one_class_several_or_the_top_ones(module: Foreign, images: torch.Tensor) -> None:
    explainer = fg.explainers.GradCAM(layer="second")
    top = module(images).argmax(1)
    alone = [explainer.explain(module, images[row : row + 1], target=int(top[row])).maps[0] for row in range(3)]
    np.testing.assert_array_equal(explainer.explain(module, images).maps, alone)
    np.testing.assert_array_equal(explainer.explain(module, images, target=top).maps, alone)


def test_an_embedding_as_target_explains_the_cosine_with_it(module: Foreign, images: torch.Tensor) -> None:
    found = fg.explainers.GradCAM(layer="second").explain(module, images, target=module(images[:1])[0].detach())
    assert found.target == "cosine with the other image"


def test_without_a_layer_the_deepest_large_enough_one_is_taken(module: Foreign, images: torch.Tensor) -> None:
    assert fg.explainers.GradCAM(min_side=4).explain(module, images, target=0).layer == "second"
    assert fg.explainers.GradCAM(min_side=10).explain(module, images, target=0).layer in ("first", "first.1")


@pytest.mark.parametrize(
    "name", ["Gradient", "GradientXInput", "SmoothGrad", "IntegratedGradients", "RISE", "LIME", "ScoreCAM"]
)
def test_other_methods_work_too(module: Foreign, images: torch.Tensor, name: str) -> None:
    constructor = getattr(fg.explainers, name)
    few = {"masks": 8, "samples": 8, "steps": 4, "batch": 4, "layer": "second"}
    explainer = constructor(**{key: value for key, value in few.items() if key in constructor.__signature__.parameters})
    assert len(explainer.explain(module, images, target=1).maps) == 3


def test_pairs_are_explained_by_their_embeddings(module: Foreign, images: torch.Tensor) -> None:
    found = fg.explainers.CorrRISE(masks=8).explain(module, images, images.flip(0))
    assert {maps.shape for maps in found.maps.values()} == {(3, 2, 32, 32)}


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda m, x: fg.explainers.GradCAM(layer="third").explain(m, x, 0), r"layer 'third' is no submodule of Foreign \(known: first, "),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x, 5), r"class 5 is not among the module's 5 outputs, 0 to 4"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x, [0, 1]), "target has 2 classes, and there are 3 images"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x[0], 0), r"images are a float tensor .*; found torch.float32 \(3, 32, 32\)"),
        (lambda m, x: fg.explainers.GradCAM().explain(m.first, x, 0), r"a module that gives a tensor \(N, D\), and it gives \(1, 4, 15, 15\)"),
        (lambda m, x: fg.explainers.Stylianou().explain(m, x, x), "the method needs the head, .* which only facegrid's networks have"),
        (lambda m, x: fg.explainers.CorrRISE().explain(m, x, x[:2]), r"left and right images are two tensors of one shape .*\(3, 3, 32, 32\) and \(2, 3, 32, 32\)"),
        (lambda m, x: fg.explainers.CorrRISE().explain(m, x[:, :1], x[:, :1]), r"of one shape \(N, 3, height, width\), .*; found \(3, 1, 32, 32\) and"),
        (lambda m, x: fg.explainers.CorrRISE().explain(m, "a.jpg", x), r"images are a float tensor .*; found 'a.jpg' \(network.prepare"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x[:0], 0), r"images are a float tensor .*\(0, 3, 32, 32\)"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x, "cat"), "target is a class, one class per image, an embedding, .*; found 'cat'"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x, [[1], [2], [3]]), "target is a class, .*; found a list of length 3"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x, -1), r"class -1 is not among the module's 5 outputs"),
        (lambda m, x: fg.explainers.GradCAM(layer="second").explain(m, x, torch.zeros(4)), r"is \(5,\), or \(3, 5\), one row per image; found \(4,\)"),
        (lambda m, x: fg.explainers.Reconstruction().explain(m, x, x), "the method needs the decoder"),
        (lambda m, x: fg.explainers.CAM().explain(m, x, 0), "the method needs the feature map"),
    ],
)  # fmt: skip
def test_what_does_not_apply_says_why(module: Foreign, images: torch.Tensor, call: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        call(module, images)  # type: ignore[operator]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (None, "logit of the predicted class"),
        (3, "logit of class 3"),
        ([3, 0, 3], "logit of the given class"),
    ],
)  # fmt: skip
def test_the_target_says_which_class_was_explained(module: Foreign, images: torch.Tensor, target: object, words: str) -> None:
    assert fg.explainers.GradCAM(layer="second").explain(module, images, target).target == words
    assert fg.explainers.RISE(masks=4).explain(module, images, target).target == words


def test_an_explainer_of_the_users_own_that_returns_something_else_is_named(
    module: Foreign, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own_explainers"
    folder.mkdir()
    (folder / "flat.py").write_text(FLAT, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ValueError, match=r"^explainer 'own_explainers.flat': explain returned ndarray float32 \(3, 1, 8, 8\); "
    ) as refused:
        fg.explainers.get("own_explainers.flat")().explain(module, images, 0)
    assert "\n" not in str(refused.value)


FLAT = """
from typing import Literal
import numpy as np
from configs.explainers import ExplainerConfig

class FlatConfig(ExplainerConfig):
    name: Literal["own_explainers.flat"] = "own_explainers.flat"

    def build(self):
        return Flat()

class Flat:
    def explain(self, network, images, target, size):
        return np.zeros((len(images), 1, 8, 8), np.float32)
"""


def test_methods_without_a_layer_explain_scripted_and_traced_modules_and_the_others_say_why_not(
    module: Foreign, images: torch.Tensor
) -> None:
    module.eval()
    for hidden in (torch.jit.script(module), torch.jit.trace(module, images[:1])):
        for explainer in (fg.explainers.RISE(masks=8), fg.explainers.Gradient()):
            wanted = explainer.explain(module, images, 1).maps
            np.testing.assert_allclose(explainer.explain(hidden, images, 1).maps, wanted, atol=1e-6)
        assert fg.explainers.CorrRISE(masks=8).explain(hidden, images, images.flip(0)).cosines.shape == (3,)
        with pytest.raises(
            ValueError, match=r"needs a layer .*; the layers of scripted and traced modules cannot be observed: "
        ):
            fg.explainers.GradCAM().explain(hidden, images, 1)
        with pytest.raises(ValueError, match="layer 'second': the layers of scripted and traced modules cannot be observed: "):
            fg.explainers.GradCAM(layer="second").explain(hidden, images, 1)
    whole = nn.Sequential(torch.jit.script(module.first), nn.Conv2d(4, 8, 3, stride=2), nn.Flatten())
    assert fg.explainers.GradCAM().explain(whole, images, 1).layer == "1"  # only the parts that are scripted are hidden


def test_methods_that_need_a_threshold_take_it_from_a_reference(module: Foreign, images: torch.Tensor) -> None:
    reference = fg.Reference(images, images.flip(0), [False, True, False], images.mean((0, 2, 3)))
    for name in ("FGGB", "XSSAB"):
        with pytest.raises(Refused, match="in the library, pass reference; or set threshold to a cosine"):
            getattr(fg.explainers, name)().explain(module, images, images.flip(0))
        found = getattr(fg.explainers, name)().explain(module, images, images.flip(0), reference)
        assert all(len(maps) == 3 for maps in found.maps.values())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (None, r"reference is fg.Reference\(left, right, same, mean\); found 'all'"),
        ({"left": torch.zeros(3, 3, 8, 8)}, r"are two tensors \(M, 3, 32, 32\); found \(3, 3, 8, 8\) and \(3, 3, 32, 32\)"),
        ({"same": [True]}, r"reference.same has the shape \(3,\); found a list of length 1"),
        ({"same": [1, -1, -1]}, "the label of row 1 is -1"),
        ({"mean": 0.5}, r"reference.mean has the shape \(3,\); found 0.5"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(
    module: Foreign, images: torch.Tensor, changed: dict[str, object] | None, said: str
) -> None:
    parts = {"left": images, "right": images, "same": [True, False, True], "mean": (0, 0, 0)}
    with pytest.raises(ValueError, match=said):
        fg.explainers.CorrRISE(masks=4).explain(
            module, images, images, "all" if changed is None else fg.Reference(**{**parts, **changed})
        )


class Odd(nn.Module):
    """Layers that cannot be explained: ``twice`` runs two times, ``never`` does not, and ``top`` gives no map."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.never, self.top = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.Linear(3, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.top(self.twice(self.twice(images)).mean((2, 3)))


@pytest.mark.parametrize("name", ["GradCAM", "ScoreCAM", "ExcitationBackprop"])
@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("twice", "runs 2 times in one forward pass, not once"),
        ("never", "runs 0 times in one forward pass, not once"),
        ("top", r"gives \(1, 5\), not \(N, channels, h, w\)"),
    ],
)
def test_a_layer_that_does_not_give_one_map_is_refused(name: str, layer: str, reason: str, images: torch.Tensor) -> None:
    with pytest.raises(Refused, match=f"^layer '{layer}' {reason}; choose another one$"):
        getattr(fg.explainers, name)(layer=layer).explain(Odd(), images, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"values": np.array([[0.0, np.nan]])}, "values: 1 of 2 are NaN or infinite"),
        ({"values": np.zeros((1, 4, 4))}, r"values are one map, numbers \(h, w\); found ndarray float64 \(1, 4, 4\)"),
        ({"values": np.zeros((0, 4))}, r"values are one map, .*; found ndarray float64 \(0, 4\)"),
        ({"high": float("nan")}, "high is the value at the end of the color map, above 0; found nan"),
        ({"high": 0}, "high is .*; found 0"),
        ({"image": np.zeros((8, 8, 4), np.uint8)}, r"image is an RGB array uint8 \(H, W, 3\); found ndarray uint8 \(8, 8, 4\)"),
        ({"image": np.zeros((8, 8, 3))}, "image is an RGB array .*; found ndarray float64"),
        ({"image": np.zeros((8, 8), np.uint8)}, "image is an RGB array "),
        ({"image": np.zeros((3, 8, 8), np.uint8)}, "image is an RGB array "),
    ],
)
def test_an_overlay_of_a_wrong_image_or_map_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fg.overlay(**{"image": np.zeros((8, 8, 3), np.uint8), "values": np.eye(4), **given})


def test_a_map_is_drawn_over_its_image_as_in_reports() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    values = np.array([[-1.0, 0.0], [0.0, 2.0]])
    assert np.array_equal(fg.overlay(image, values), overlaid(image, values, 0, 2))
    assert np.array_equal(fg.overlay(image, values, signed=True), overlaid(image, values, -2, 2))
    assert np.array_equal(fg.overlay(image, values, high=4), overlaid(image, values, 0, 4))
