"""Explainers for any torch module: ``GradCAM(layer="layer4").explain(module, images, target=3)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from configs.explainers import ExplainerConfig
from modules.attribution.explainer import Attribution, PairAttribution, Reference, Refused
from modules.attribution.hooks import evaluating, hooked
from modules.attribution.targets import ClassLogit, Cosine, Target
from modules.network import Network

PARTS = {  # parts of facegrid's networks that some methods need
    "features": "the feature map below the head",
    "head": "the head, from feature map to embedding",
    "decoder": "the decoder that was trained beside the network",
}


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
                "no_such_part", f"the method needs {PARTS[name]}, and a module from elsewhere does not say what that is"
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
        return {name: self.module.get_submodule(name) for name in self.layers}


def spatial_layers(module: nn.Module, image: Tensor) -> list[str]:
    """Submodules that run exactly once for ``image`` (1, 3, H, W) and output a map (1, channels, h, w), in execution order."""
    runs: dict[str, int] = {}
    spatial: list[str] = []

    def see(name: str, output: Any) -> None:
        runs[name] = runs.get(name, 0) + 1
        if isinstance(output, Tensor) and output.ndim == 4:
            spatial.append(name)

    named = {name: one for name, one in module.named_modules() if name}
    with torch.no_grad(), evaluating(module), hooked(named, see):
        module(image.clone())
    return [name for name in spatial if runs[name] == 1]


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
            ValueError: the module's output is not (N, D), or there is no such layer.
            Refused: a ``ValueError`` with a reason, if the method does not apply to this module.
        """
        images, network = _checked(images), _network(module, self.config, images)
        wanted = target_of(network, images, target)
        found: Attribution = self.config.build().explain(network, images, wanted, _size(images))
        return found

    def __repr__(self) -> str:
        return f"<{self.config!r}>"


class ModulePairExplainer(ModuleExplainer):
    """Explains what makes two images alike or different, under any module that outputs embeddings."""

    def explain(  # type: ignore[override]
        self, module: nn.Module, left: Tensor, right: Tensor, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps of N pairs of images, each (N, 3, H, W); ``maps[name]`` is float32 (N, 2, h, w)."""
        left, right = _checked(left), _checked(right)
        network = _network(module, self.config, left)
        found: PairAttribution = self.config.build().explain(network, left, right, _size(left), reference)
        return found


def target_of(network: Any, images: Tensor, target: Any) -> Target:
    """The ``target`` argument of ``explain`` as a Target with one row per image."""
    count = len(images)
    if isinstance(target, Target):
        return target
    if target is None:
        with torch.no_grad(), evaluating(network):
            return ClassLogit(network(images).argmax(1).cpu())
    found = torch.as_tensor(target)
    if found.is_floating_point():
        return Cosine(found.expand(count, -1) if found.ndim == 1 else found)
    labels = found.long().expand(count) if found.ndim == 0 else found.long()
    if labels.shape != (count,):
        raise ValueError(
            f"target has {len(labels)} classes, and there are {count} images; give one class, or one for each image"
        )
    with torch.no_grad(), evaluating(network):
        classes = network(images[:1]).shape[1]
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(f"target: class {int(labels.max())} is not among the module's {classes} outputs, 0 to {classes - 1}")
    return ClassLogit(labels)


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
    return ForeignNetwork(module, [layer])


def _checked(images: Tensor) -> Tensor:
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point():
        found = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"images are a float tensor (N, 3, height, width); found {found}")
    return images


def _size(images: Tensor) -> tuple[int, int]:
    return int(images.shape[2]), int(images.shape[3])
