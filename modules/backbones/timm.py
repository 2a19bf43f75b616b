"""timm's networks with a spatial feature map or with one token per patch: ``{name: timm, model: convnext_tiny}``.

A transformer's tokens become a map with one location per patch, for any head; or, with ``tokens: class``, a map of one place,
the class token. The mean of the tokens is head ``gap_bn`` or ``tokens`` with ``pool: average``, all of them flattened are
``tokens``. Explainers see the last map only, stage ``map``.

A tag selects published weights ("resnet50.a1_in1k"), which ``imagenet`` pretraining then loads. Without a tag, or with a tag
that is not of ImageNet-1k, ``imagenet`` pretraining does not apply.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from configs.component import Born
from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import TimmBackbone, create, remove
from modules.layers.vit import map_of
from modules.shape_inference import first_line
from modules.weights.position_embeddings import resampled
from modules.weights.published import PinnedWeights, on_hugging_face


class TimmConfig(BackboneConfig):
    """Channels and stages are the model's; stages whose output is not (N, C, h, w) are omitted.

    Fields:
        model: timm's name, with or without a tag
        size: height and width of the images in pixels, for models that are built for one size, such as transformers; must be
            the cell's input size. None: the size that timm builds the model for. Position embeddings of published weights are
            resampled to it
        tokens: of a transformer, what the feature map holds: ``patches``, or the ``class`` token alone
    """

    name: Literal["timm"] = "timm"
    model: str
    size: Annotated[int | None, Born(None), Field(ge=1)] = None
    tokens: Annotated[Literal["patches", "class"], Born("patches")] = "patches"

    def build(self) -> TimmFeatures:
        """The network up to its feature map, without the parts that the feature map does not use.

        Raises:
            ValueError: timm has no such model or tag, the model has neither a spatial feature map nor a token per patch, it
                cannot be built for ``size``, or it has no class token.
        """
        found = _look(self.model, self.size, self.tokens)
        body = create(self.model, **_options(self.size))
        remove(body, found.unused)
        return TimmFeatures(body, found)

    def weights_of(self, source: str) -> PinnedWeights | None:
        if source != "imagenet" or not self.model.partition(".")[2].endswith("in1k"):
            return None
        found = _look(self.model, self.size, self.tokens)
        pinned = on_hugging_face(f"timm/{self.model}", dropped=found.unused_tops)
        return (
            pinned
            if found.grid is None
            else replace(pinned, convert=partial(resampled, grid=found.grid, others=found.embedded))
        )


@dataclass(frozen=True)
class _Look:
    """Structure of a model, found by one forward pass.

    Attributes:
        channels: of the feature map
        stages: names of timm's own stages with spatial outputs
        last: whether the last stage's output is the feature map itself
        turned: whether the model's output is (N, h, w, C)
        pixels: for an output of tokens (N, L, C), the only height and width of the images
        grid: for tokens, the height and width of the patches
        first: for tokens, the number of those before the patches, such as the class token
        embedded: for tokens, the number of those before the patches that have position embeddings
        token: for tokens, whether the feature map is the class token
        unused: the largest modules whose parameters do not affect the feature map
        unused_tops: first name components that only occur in the classifier or in unused modules
    """

    channels: int
    stages: tuple[str, ...]
    last: bool
    turned: bool
    unused: tuple[str, ...]
    unused_tops: tuple[str, ...]
    pixels: tuple[int, int] | None = None
    grid: tuple[int, int] | None = None
    first: int = 0
    embedded: int = 0
    token: bool = False

    def to_map(self) -> nn.Module:
        """The module from the model's output to the feature map."""
        if self.grid is not None:
            return _ClassToken() if self.token else _Patches(self.grid, self.first)
        return _ChannelsFirst() if self.turned else nn.Identity()


class TimmFeatures(TimmBackbone):
    """A timm network with its feature map as (N, C, h, w), available as stage ``map`` if no timm stage outputs it."""

    def __init__(self, body: nn.Module, found: _Look) -> None:
        super().__init__(body, found.channels, found.stages)
        self.pixels = found.pixels
        self.map: nn.Module | None = None if found.last else found.to_map()

    def stages(self) -> dict[str, nn.Module]:
        """timm's stages, and ``map`` if the feature map comes after them."""
        return super().stages() | ({} if self.map is None else {"map": self.map})

    def forward(self, images: Tensor) -> Tensor:
        """See ``TimmBackbone.forward``; raises ValueError if a transformer is built for another size than the images'."""
        if self.pixels is not None and tuple(images.shape[2:]) != self.pixels:
            built, found = (f"{height} x {width}" for height, width in (self.pixels, images.shape[2:]))
            raise ValueError(f"it has positions for {built} pixels only, found {found}; set backbone.size")
        features = super().forward(images)
        return features if self.map is None else self.map(features)


class _ChannelsFirst(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.permute(0, 3, 1, 2).contiguous()


class _Patches(nn.Module):
    """Tokens (N, L, C) to the map (N, C, h, w) of the patches, without the ``first`` tokens before them."""

    def __init__(self, grid: tuple[int, int], first: int) -> None:
        super().__init__()
        self.grid, self.first = grid, first

    def forward(self, tokens: Tensor) -> Tensor:
        return map_of(tokens[:, self.first :], *self.grid)


class _ClassToken(nn.Module):
    """Tokens (N, L, C) to the first of them, (N, C, 1, 1)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0, :, None, None]


def _options(size: int | None) -> dict[str, Any]:
    return {} if size is None else {"img_size": size}


def _created(model: str, size: int | None) -> Any:
    """The model; raises ValueError if it cannot be built for images of ``size``."""
    try:
        return create(model, **_options(size))
    except TypeError as error:
        if size is None or "img_size" not in str(error):
            raise
        raise ValueError(f"timm model {model!r} is built for no size: it takes any; leave backbone.size out") from error
    except AssertionError as error:
        raise ValueError(f"timm model {model!r} cannot be built for {size} x {size} pixels ({error})") from error


@cache
def _look(model: str, size: int | None = None, tokens: str = "patches") -> _Look:
    _check_name(model)
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]), torch.device("meta"):
        body = _created(model, size)
        if not hasattr(body, "forward_features"):
            raise ValueError(f"timm model {model!r}: no spatial feature map (it has no forward_features)")
        names = [stage["module"] for stage in _stages_of(body)]
        outputs: dict[str, Any] = {}
        for name in names:
            body.get_submodule(name).register_forward_hook(lambda *call, name=name: outputs.__setitem__(name, call[2]))
        body.eval()
        pixels = tuple(body.pretrained_cfg["input_size"][1:]) if size is None else (size, size)
        try:
            features = body.forward_features(torch.empty(1, 3, *pixels))
        except RuntimeError as error:
            if size is None:
                raise
            raise ValueError(
                f"timm model {model!r} cannot be built for {size} x {size} pixels ({first_line(error)})"
            ) from error
        grid = _grid(body, features)
        if grid is None and (not isinstance(features, Tensor) or features.ndim != 4):
            form = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(
                f"timm model {model!r}: no spatial feature map (forward_features gives {form}, neither (N, C, h, w) nor one "
                "token for each patch)"
            )
        features.sum().backward()
    first = 0 if grid is None else features.shape[1] - grid[0] * grid[1]
    if tokens == "class" and (grid is None or first == 0 or getattr(body, "cls_token", None) is None):
        raise ValueError(f"timm model {model!r} has no class token; leave backbone.tokens out")
    if grid is not None:
        places = getattr(body, "pos_embed", None)
        embedded = places.shape[1] - grid[0] * grid[1] if isinstance(places, Tensor) and places.ndim == 3 else 0
        return _Look(features.shape[2], (), False, False, *_left_out(body), pixels, grid, first, embedded, tokens == "class")
    turned = features.shape[2] != features.shape[3] and features.shape[1] == features.shape[2]  # the image is square
    spatial = () if turned else tuple(name for name, output in outputs.items() if _is_map(output))
    last = bool(spatial) and outputs[spatial[-1]] is features
    return _Look(features.shape[3 if turned else 1], spatial, last, turned, *_left_out(body))


def _grid(body: Any, features: Any) -> tuple[int, int] | None:
    """(height, width) of the patches, if the output is tokens (N, L, C) of all patches, after a few others at most."""
    grid = getattr(getattr(body, "patch_embed", None), "grid_size", None)
    if grid is None or not isinstance(features, Tensor) or features.ndim != 3:
        return None
    others = features.shape[1] - grid[0] * grid[1]
    known = getattr(body, "num_prefix_tokens", int(getattr(body, "cls_token", None) is not None))
    return (grid[0], grid[1]) if others == known else None


def _left_out(body: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``unused`` and ``unused_tops`` of a model whose gradients were computed."""
    unused = tuple(_unused(body))
    classifiers = body.pretrained_cfg["classifier"]  # several for distilled networks
    first = [classifiers] if isinstance(classifiers, str) else [*(classifiers or ())]
    return unused, tuple(sorted({name.split(".")[0] for name in [*unused, *first]}))


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
