"""Any timm network with a spatial feature map: ``{name: timm, model: convnext_tiny}``.

A tag selects published weights ("resnet50.a1_in1k"), which ``imagenet`` pretraining then loads. Without a tag, or with a tag
that is not of ImageNet-1k, ``imagenet`` pretraining does not apply.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import TimmBackbone, create, remove
from modules.weights.published import PinnedWeights, on_hugging_face


class TimmConfig(BackboneConfig):
    """Channels and stages are the model's; stages whose output is not (N, C, h, w) are omitted."""

    name: Literal["timm"] = "timm"
    model: str

    def build(self) -> TimmFeatures:
        """The network up to its feature map, without the parts that the feature map does not use.

        Raises:
            ValueError: timm has no such model or tag, or the model has no spatial feature map.
        """
        found = _look(self.model)
        body = create(self.model)
        remove(body, found.unused)
        return TimmFeatures(body, found)

    def weights_of(self, source: str) -> PinnedWeights | None:
        if source != "imagenet" or not self.model.partition(".")[2].endswith("in1k"):
            return None
        return on_hugging_face(f"timm/{self.model}", dropped=_look(self.model).unused_tops)


@dataclass(frozen=True)
class _Look:
    """Structure of a model, found by one forward pass.

    Attributes:
        channels: of the feature map
        stages: names of timm's own stages with spatial outputs
        last: whether the last stage's output is the feature map itself
        turned: whether the model's output is (N, h, w, C)
        unused: the largest modules whose parameters do not affect the feature map
        unused_tops: first name components that only occur in the classifier or in unused modules
    """

    channels: int
    stages: tuple[str, ...]
    last: bool
    turned: bool
    unused: tuple[str, ...]
    unused_tops: tuple[str, ...]


class TimmFeatures(TimmBackbone):
    """A timm network with its feature map as (N, C, h, w), available as stage ``map`` if no timm stage outputs it."""

    def __init__(self, body: nn.Module, found: _Look) -> None:
        super().__init__(body, found.channels, found.stages)
        self.map: nn.Module | None = None if found.last else (_ChannelsFirst() if found.turned else nn.Identity())

    def stages(self) -> dict[str, nn.Module]:
        """timm's stages, and ``map`` if the feature map comes after them."""
        return super().stages() | ({} if self.map is None else {"map": self.map})

    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        return features if self.map is None else self.map(features)


class _ChannelsFirst(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.permute(0, 3, 1, 2).contiguous()


@cache
def _look(model: str) -> _Look:
    _check_name(model)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        body = create(model)
        if not hasattr(body, "forward_features"):
            raise ValueError(f"timm model {model!r}: no spatial feature map (it has no forward_features)")
        names = [stage["module"] for stage in _stages_of(body)]
        outputs: dict[str, Any] = {}
        for name in names:
            body.get_submodule(name).register_forward_hook(lambda *call, name=name: outputs.__setitem__(name, call[2]))
        body.eval()
        features = body.forward_features(torch.empty(1, *body.pretrained_cfg["input_size"]))
        if not isinstance(features, Tensor) or features.ndim != 4:
            form = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(f"timm model {model!r}: no spatial feature map (forward_features gives {form}, not (N, C, h, w))")
        features.sum().backward()
    turned = features.shape[2] != features.shape[3] and features.shape[1] == features.shape[2]  # the image is square
    spatial = () if turned else tuple(name for name, output in outputs.items() if _is_map(output))
    unused = tuple(_unused(body))
    return _Look(
        channels=features.shape[3 if turned else 1],
        stages=spatial,
        last=bool(spatial) and outputs[spatial[-1]] is features,
        turned=turned,
        unused=unused,
        unused_tops=tuple(sorted({name.split(".")[0] for name in unused} | {body.pretrained_cfg["classifier"].split(".")[0]})),
    )


def _check_name(model: str) -> None:
    import timm

    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=5, cutoff=0.4)
        raise ValueError(f"backbone timm: unknown model {architecture!r}; nearest: {', '.join(near) or 'none'}")
    if tag and model not in (known := timm.list_pretrained(f"{architecture}.*")):
        raise ValueError(f"backbone timm: {architecture} has no tag {tag!r}; known: {', '.join(known) or 'none'}")


def _stages_of(body: Any) -> list[dict[str, Any]]:
    found = getattr(body, "feature_info", [])
    return found if isinstance(found, list) else found.get_dicts()


def _is_map(output: Any) -> bool:
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3]


def _unused(module: nn.Module, prefix: str = "") -> list[str]:
    found = []
    for name, child in module.named_children():
        parameters = list(child.parameters())
        if parameters and all(parameter.grad is None for parameter in parameters):
            found.append(prefix + name)
        else:
            found += _unused(child, f"{prefix}{name}.")
    return found
