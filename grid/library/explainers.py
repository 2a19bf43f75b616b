"""Explainers for any torch module: ``GradCAM(layer="layer4").explain(module, images, target=3)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from configs.contract import described
from configs.explainers import ExplainerConfig
from datamodules.images import is_rgb
from grid.results.heatmap import Scale, overlaid
from modules.attribution import returned
from modules.attribution.explainer import Attribution, PairAttribution, Reference, Refused
from modules.attribution.hooks import evaluating, hooked
from modules.attribution.targets import PREDICTED, ClassLogit, Cosine, Target
from modules.metrics.validation import labels
from modules.network import Network

TARGETS = "a class, one class per image, an embedding, or None for the top class of each image"
PARTS = {  # parts of facegrid's networks that some methods need
    "features": "the feature map below the head",
    "head": "the head, from feature map to embedding",
    "decoder": "the decoder that was trained beside the network",
}

HIDDEN = "the layers of scripted and traced modules cannot be observed: pass the module that was scripted or traced"


class ForeignNetwork(nn.Module):
    """Adapts a module to the network interface of explainers: its output serves as embedding and logits, its layers as stages.

    Args:
        module: images (N, 3, H, W) to (N, D)
        layers: names of submodules that may be explained, shallow to deep
    """

    classifies = True

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self.layers = tuple(layers)

    def __getattr__(self, name: str) -> Any:
        if name in PARTS:
            raise Refused(
                "no_such_part",
                f"the method needs {PARTS[name]}, which only facegrid's networks have; use one from fg.Study(...).load(...)",
            )
        return super().__getattr__(name)

    def embed(self, images: Tensor) -> Tensor:
        found = self.module(images)
        if not isinstance(found, Tensor) or found.ndim != 2:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"explainers need a module that gives a tensor (N, D), and it gives {shape}; wrap it in a module that does"
            )
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.embed(images)

    @property
    def backbone(self) -> ForeignNetwork:
        return self

    @property
    def loss(self) -> ForeignNetwork:
        return self

    def logits(self, embeddings: Tensor) -> Tensor:
        return embeddings

    def stages(self) -> dict[str, nn.Module]:
        if not self.layers:
            hidden = any(isinstance(one, torch.jit.ScriptModule) for one in self.module.modules())
            raise Refused(
                "no_layers",
                "the method needs a layer that gives a map (N, channels, h, w), and no submodule of "
                f"{type(self.module).__name__} that runs once does{f'; {HIDDEN}' if hidden else ''}",
            )
        return {name: self.module.get_submodule(name) for name in self.layers}


def spatial_layers(module: nn.Module, image: Tensor) -> list[str]:
    """Submodules that run exactly once for ``image`` (1, 3, H, W) and output a map (1, channels, h, w), in execution order."""
    layers = {name: one for name, one in module.named_modules() if name and not isinstance(one, torch.jit.ScriptModule)}
    return [name for name, outputs in outputs_of(module, image, layers).items() if not no_map(outputs)]


def outputs_of(module: nn.Module, image: Tensor, layers: Mapping[str, nn.Module]) -> dict[str, list[tuple[int, ...] | str]]:
    """The outputs of each of ``layers`` for ``image`` (1, 3, H, W), one per run: the shape, or the type if it is no tensor."""
    found: dict[str, list[tuple[int, ...] | str]] = {}

    def see(name: str, output: Any) -> None:
        found.setdefault(name, []).append(tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__)

    with torch.no_grad(), evaluating(module), hooked(layers, see):
        module(image.clone())
    return found


def no_map(outputs: Sequence[tuple[int, ...] | str]) -> str:
    """Why outputs, as of ``outputs_of``, are not those of a layer that can be explained; "" if they are."""
    if len(outputs) != 1:
        return f"runs {len(outputs)} times in one forward pass, not once"
    return "" if len(outputs[0]) == 4 and not isinstance(outputs[0], str) else f"gives {outputs[0]}, not (N, channels, h, w)"


class ModuleExplainer:
    """Explains single images under any torch module, or under a network returned by ``Study.load``.

    Attributes:
        config: the method's settings, as in a grid file
    """

    def __init__(self, config: ExplainerConfig) -> None:
        self.config = config

    def explain(self, module: nn.Module, images: Tensor, target: Any = None) -> Attribution:
        """Attribution maps of ``images``. The module's state is restored: mode, gradients, hooks.

        Args:
            module: images (N, 3, H, W) to logits or embeddings (N, D)
            images: float (N, 3, H, W), in the module's input format
            target: what to explain: a class, or one class for each image; an embedding (D,) or (N, D), to explain the cosine
                with it; None: each image's top class

        Returns:
            ``maps`` is float32 (N, h, w), raw; ``layer`` is the explained layer.

        Raises:
            ValueError: the module's output is not (N, D), or there is no such layer, or it gives no map.
            Refused: a ``ValueError`` with a reason, if the method does not apply to this module.
        """
        images, network = _checked(images), _network(module, self.config, images)
        wanted = target_of(network, images, target)
        return returned.explain(self.config, network, images, wanted, _size(images))

    def __repr__(self) -> str:
        return f"<{self.config!r}>"


class ModulePairExplainer(ModuleExplainer):
    """Explains what makes two images alike or different, under any module that outputs embeddings."""

    def explain(  # type: ignore[override]
        self, module: nn.Module, left: Tensor, right: Tensor, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps of N pairs of images.

        Args:
            module: images (N, 3, H, W) to embeddings (N, D)
            left: float (N, 3, H, W), in the module's input format
            right: the same; row i of both is pair i
            reference: ``fg.Reference``: other pairs, for methods that need a decision threshold or a mean color

        Returns:
            ``maps[name]`` is float32 (N, 2, h, w), for the left and the right image; ``cosines`` is float32 (N,).

        Raises:
            ValueError: as ``ModuleExplainer.explain``; or the two tensors differ in shape, or the reference is none.
        """
        left, right = _checked(left), _checked(right)
        if left.shape != right.shape or left.shape[1] != 3:
            raise ValueError(
                f"left and right images are two tensors of one shape (N, 3, height, width), one row per pair; found "
                f"{tuple(left.shape)} and {tuple(right.shape)}"
            )
        check_reference(reference, left)
        network = _network(module, self.config, left)
        return returned.explain_pairs(self.config, network, left, right, _size(left), reference)


def check_reference(reference: Any, images: Tensor) -> None:
    """Raises ValueError unless it is None, or a Reference with pairs of the size of ``images`` (N, 3, height, width)."""
    if reference is None:
        return
    if not isinstance(reference, Reference):
        raise ValueError(f"reference is fg.Reference(left, right, same, mean); found {described(reference)}")
    left, right = _checked(reference.left), _checked(reference.right)
    if left.shape != right.shape or left.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"reference.left and reference.right are two tensors (M, {', '.join(map(str, images.shape[1:]))}); found "
            f"{tuple(left.shape)} and {tuple(right.shape)}"
        )
    for name, shape in (("same", (len(left),)), ("mean", (3,))):
        if tuple(np.shape(getattr(reference, name))) != shape:
            raise ValueError(f"reference.{name} has the shape {shape}; found {described(getattr(reference, name))}")
    labels(torch.as_tensor(reference.same).cpu().numpy())


def overlay(image: Any, values: Any, signed: bool = False, high: float | None = None) -> np.ndarray:
    """One map over its image, as in reports: uint8 (H, W, 3), ready to be saved or shown.

    Args:
        image: RGB, uint8 (H, W, 3)
        values: (h, w), a map of any size
        signed: whether values below 0 mean the opposite; ``Attribution.signed`` says so
        high: the value at the end of the color map, so that several maps share a scale; None: the map's largest

    Raises:
        ValueError: the image or the map has another type or shape, the map holds NaN or infinity, or ``high`` is not above 0.
    """
    image, found = np.asarray(image), np.asarray(values)
    if not is_rgb(image):
        raise ValueError(f"image is an RGB array uint8 (H, W, 3); found {described(image)}")
    if found.ndim != 2 or found.size == 0 or found.dtype.kind not in "fiub":
        raise ValueError(f"values are one map, numbers (h, w); found {described(values)}")
    found = found.astype(np.float32)
    if bad := int((~np.isfinite(found)).sum()):
        raise ValueError(f"values: {bad} of {found.size} are NaN or infinite")
    if high is not None and not (np.isfinite(high) and high > 0):
        raise ValueError(f"high is the value at the end of the color map, above 0; found {high!r}")
    scale = Scale.of(found if high is None else np.array([high]), signed)
    return overlaid(image, found, scale.low, scale.high)


def target_of(network: Any, images: Tensor, target: Any) -> Target:
    """The ``target`` argument of ``explain`` as a Target with one row per image."""
    count = len(images)
    if isinstance(target, Target):
        return target
    if target is None:
        if not network.classifies:
            raise Refused("no_classifier", "this network has no classes, so no top class either; pass an embedding as target")
        with torch.no_grad(), evaluating(network):
            return ClassLogit(network(images).argmax(1).cpu(), PREDICTED)
    try:
        found = torch.as_tensor(target)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"target is {TARGETS}; found {described(target)}") from error
    if found.is_floating_point():
        with torch.no_grad(), evaluating(network):
            dimension = network.embed(images[:1]).shape[1]
        if tuple(found.shape) not in ((dimension,), (count, dimension)):
            raise ValueError(
                f"target: an embedding to explain the cosine with is ({dimension},), or ({count}, {dimension}), one row "
                f"per image; found {tuple(found.shape)}"
            )
        return Cosine(found.expand(count, -1) if found.ndim == 1 else found)
    if found.ndim > 1:
        raise ValueError(f"target is {TARGETS}; found {described(target)}")
    if not network.classifies:
        raise Refused("no_classifier", "this network has no classes to explain; pass an embedding as target")
    labels = found.long().expand(count) if found.ndim == 0 else found.long()
    if labels.shape != (count,):
        raise ValueError(
            f"target has {len(labels)} classes, and there are {count} images; give one class, or one for each image"
        )
    with torch.no_grad(), evaluating(network):
        classes = network(images[:1]).shape[1]
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        wrong = int(labels.min()) if int(labels.min()) < 0 else int(labels.max())
        raise ValueError(f"target: class {wrong} is not among the module's {classes} outputs, 0 to {classes - 1}")
    return ClassLogit(labels, f"logit of class {int(found)}") if found.ndim == 0 else ClassLogit(labels)


def _network(module: nn.Module, config: ExplainerConfig, image: Tensor) -> Any:
    inner = getattr(module, "network", module)  # a network from Study.load
    if isinstance(inner, Network):
        return inner
    layer = getattr(config, "layer", None)
    if layer is None:
        return ForeignNetwork(module, spatial_layers(module, image[:1]))
    known = dict(module.named_modules())
    if layer not in known or not layer:
        near = [name for name in known if name and "." not in name]
        raise ValueError(
            f"layer {layer!r} is no submodule of {type(module).__name__} (known: {', '.join(near)}, and those inside)"
        )
    if isinstance(known[layer], torch.jit.ScriptModule):
        raise Refused("no_such_layer", f"layer {layer!r}: {HIDDEN}")
    if reason := no_map(outputs_of(module, image[:1], {layer: known[layer]}).get(layer, ())):
        raise Refused("no_such_layer", f"layer {layer!r} {reason}; choose another one")
    return ForeignNetwork(module, [layer])


def _checked(images: Tensor) -> Tensor:
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point() or len(images) == 0:
        found = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, Tensor) else described(images)
        raise ValueError(
            f"images are a float tensor (N, 3, height, width); found {found} (network.prepare(photographs) of a network from "
            "Study.load makes one)"
        )
    return images


def _size(images: Tensor) -> tuple[int, int]:
    return int(images.shape[2]), int(images.shape[3])
