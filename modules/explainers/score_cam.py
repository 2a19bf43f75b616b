"""Score-CAM (Wang et al., "Score-CAM: Score-Weighted Visual Explanations for CNNs", CVPRW 2020; Ito et al., 2021).

Each channel A_k of a layer, scaled to [0, 1] and upsampled, masks the image; the score of the masked image is the channel's
weight w_k, and the map is ReLU(sum_k w_k A_k). No gradients are needed. Publications and public code differ in every step, so
each variant is a mode, named after its source:

=================  ===================  ==========================  ====================================================
mode               scaled to [0, 1]     upsampled with              w_k
=================  ===================  ==========================  ====================================================
wang2020           after upsampling     half-pixel centers          softmax over the channels of score - score(baseline)
wang_code          after upsampling     half-pixel centers          softmax probability of the class; the map is upsampled
pytorch_grad_cam   after, eps 1e-8      corners aligned             softmax over the channels of score
torch_cam          before, eps 1e-8     half-pixel centers          softmax over the channels of score - score(image)
raw_logits         before upsampling    half-pixel centers          score (Ito et al.)
pairs              before upsampling    half-pixel centers          score minus its mean over the channels (ours)
=================  ===================  ==========================  ====================================================

``wang2020`` is Algorithm 1 of the paper, ``wang_code`` the authors' code, which differs. The choice of the baseline in the
paper has no effect: a softmax is invariant to constants. Softmax weights are positive, so the map of a layer that ends in a
ReLU is zero only where the layer is zero. ``raw_logits`` are often negative, which can make the whole map negative.

Cosines of masked images differ only by hundredths, so a softmax over the channels gives nearly equal weights, and maps for
unrelated references look the same. Therefore ``pairs`` centers the scores instead. Raw maps are returned, without the final
scaling of the other implementations.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modules.attribution.batch_size import batch_of
from modules.attribution.checks import check_images, finite_scores, stacked
from modules.attribution.explainer import Attribution, Explainer
from modules.attribution.hooks import evaluating, hooked
from modules.attribution.layer_maps import LayerConfig
from modules.attribution.perturbation import AlteredScores, check_probability
from modules.attribution.progress import announced
from modules.attribution.target_layer import choose_stage
from modules.attribution.targets import Target
from modules.shape_inference import Size

Mode = Literal["wang2020", "wang_code", "pytorch_grad_cam", "torch_cam", "raw_logits", "pairs"]
SOFTMAX: tuple[Mode, ...] = ("wang2020", "pytorch_grad_cam", "torch_cam")  # over the channels
AFTER: tuple[Mode, ...] = ("wang2020", "wang_code", "pytorch_grad_cam")  # scaled to [0, 1] after upsampling, the others before
PADDED: tuple[Mode, ...] = ("pytorch_grad_cam", "torch_cam")  # these add EPSILON to a channel's range
EPSILON = 1e-8


class ScoreCAMConfig(LayerConfig):
    """Masking multiplies the image in [-1, 1], so hidden pixels become mid-gray. A constant channel masks everything.

    Fields:
        mode: see above; None: ``wang2020`` for a class, ``pairs`` for a cosine
        layer: a stage of the backbone; None: the deepest one whose output is at least ``min_side`` x ``min_side``
        batch: masked images per forward pass; on a GPU, the default stands for as many as fit
    """

    name: Literal["score_cam"] = "score_cam"
    version: ClassVar[int] = 2  # in version 1 the default was raw_logits, called paper
    mode: Mode | None = None
    batch: int = Field(default=16, ge=1)

    def build(self) -> ScoreCAM:
        return ScoreCAM(self)


class ScoreCAM(Explainer[ScoreCAMConfig]):
    """Costs one forward pass per non-constant channel, plus one of the image; images are processed one by one."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``.

        Raises:
            Refused: ``layer_too_coarse``: no stage's output is large enough; ``no_probability``: mode ``wang_code`` and the
                target is not a class; ``not_finite``: the score of a masked image is not finite.
            Refused: ``no_such_layer``: ``layer`` is not a stage of this backbone; lists the stages.
        """
        check_images(images, target, size)
        mode = self.config.mode or ("wang2020" if target.classes else "pairs")
        check_probability(target, mode == "wang_code")
        stages: dict[str, nn.Module] = network.backbone.stages()
        found: list[Tensor] = []
        constant: list[int] = []
        with torch.no_grad(), evaluating(network):
            layer, shape = choose_stage("score_cam", network, images[:1], self.config.layer, self.config.min_side)
            batch = batch_of(self.config, images, shape[0])
            for number, image in announced(list(enumerate(images))):
                maps, dead = score_cam(network, stages[layer], image[None], target.take([number]), mode, batch)
                found.append(maps[0])
                constant.append(dead)
        raw, empty = stacked(found)
        notes = {"mode": mode, "constant_channels": constant, "empty_maps": empty}
        return Attribution(raw, layer, shape, target.words, notes)


def score_cam(network: Any, layer: nn.Module, image: Tensor, targets: Target, mode: Mode, batch: int) -> tuple[Tensor, int]:
    """Raw maps of one image (1, 3, H, W), one for each of the K rows of ``targets``, and the number of constant channels.

    The maps are float64 (K, h, w), in mode ``wang_code`` (K, H, W); the network is in evaluation mode.
    """
    seen: list[Tensor] = []
    # Copied, because later operations may change the layer's output in place.
    with torch.no_grad(), hooked({"": layer}, lambda name, output: seen.append(output.detach().clone())):
        embedding = network.embed(image)
        finite_scores(network, embedding.expand(len(targets), -1), targets)  # the only check if all channels are constant
    assert len(seen) == 1, f"the layer ran {len(seen)} times in one forward pass"
    activation = seen[0][0]
    weights = channel_weights(network, activation, image, targets, mode, batch)
    # Target by target, so that a map's last bit does not depend on the number of targets.
    maps = torch.stack([(row[:, None, None] * activation.double()).sum(0) for row in weights])
    if mode == "wang_code":
        size = (image.shape[2], image.shape[3])
        maps = functional.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    return torch.relu(maps), len(activation) - len(live_channels(activation))


def masks_of(channels: Tensor, size: tuple[int, int], mode: Mode) -> Tensor:
    """Masks (B, 1, H, W) in [0, 1] of channels (B, h, w), as defined by ``mode``; no channel may be constant."""
    masks = channels[:, None]
    if mode not in AFTER:
        masks = unit_range(masks, mode)
    masks = functional.interpolate(masks, size=size, mode="bilinear", align_corners=mode == "pytorch_grad_cam")
    return unit_range(masks, mode) if mode in AFTER else masks


def unit_range(maps: Tensor, mode: Mode) -> Tensor:
    """Scales each map of (B, 1, h, w) to [0, 1]."""
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - low) / (high - low + (EPSILON if mode in PADDED else 0.0))


def live_channels(activation: Tensor) -> Tensor:
    """Indices, int64, of the channels of (C, h, w) that are not constant."""
    return (activation.amax((1, 2)) > activation.amin((1, 2))).nonzero()[:, 0]


def channel_weights(network: Any, activation: Tensor, image: Tensor, targets: Target, mode: Mode, batch: int) -> Tensor:
    """Weights (K, C), float64, of the channels (C, h, w) of one image (1, 3, H, W), for the K rows of ``targets``.

    At most ``batch`` masked images are in memory at a time; all K targets share them. A constant channel does not locate
    anything, and its range is 0, so it cannot be normalized: its mask is 0 everywhere, and ``raw_logits``, ``wang_code`` and
    ``pairs`` give it the weight 0.
    """
    live = live_channels(activation)
    weights = torch.zeros(len(targets), len(activation), dtype=torch.float64, device=image.device)
    scores_of = AlteredScores(network, targets, batch, image.device, probability=mode == "wang_code")
    if len(live):
        size = (image.shape[2], image.shape[3])
        scores = [scores_of(image * masks_of(activation[some], size, mode)) for some in live.split(batch)]
        weights[:, live] = torch.cat(scores).T.double()
    if mode in SOFTMAX:
        if len(live) < len(activation):  # constant channels share the same (all-zero) mask, so one forward pass scores them all
            dead = torch.ones(len(activation), dtype=torch.bool, device=image.device)
            dead[live] = False
            weights[:, dead] = scores_of(torch.zeros_like(image)).T.double()
        scores_of.check()
        # wang2020 subtracts the score of a baseline image before the softmax, torch_cam that of the whole image. Either is
        # constant over the channels, so the softmax is unchanged and we skip it.
        return weights.softmax(1)
    scores_of.check()
    if mode == "pairs" and len(live):
        weights[:, live] -= weights[:, live].mean(1, keepdim=True)
    return weights
