"""xSSAB, similarity score argument backpropagation (Huber, Luu, Terhörst and Damer, "Efficient Explainable Face Verification
based on Similarity Score Argument Backpropagation", WACV 2024).

The cosine is a sum over the components of the two normalized embeddings. A component is an argument for a match if its product
is at least T / D, its part of the decision threshold T, and against it otherwise. Each group's part of the cosine is propagated
back to the pixels of one image, through the normalization; the other embedding is constant. A map is the mean over the colors
of the gradient's absolute value.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modules.attribution.explainer import PairAttribution, PairExplainer, Reference
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import ThresholdConfig, check_pairs, cosine_shares, embed_rows, threshold_of
from modules.attribution.progress import announced
from modules.shape_inference import Size


class XSSABConfig(ThresholdConfig):
    """See ``ThresholdConfig``."""

    name: Literal["xssab"] = "xssab"

    def build(self) -> XSSAB:
        return XSSAB(self)


class XSSAB(PairExplainer[XSSABConfig]):
    """Costs two forward passes and two backward passes per image."""

    def explain(
        self, network: Any, left: Tensor, right: Tensor, size: Size, reference: Reference | None = None
    ) -> PairAttribution:
        """Maps ``S+`` of the arguments for a match, ``S-`` of those against it, and ``S`` = S+ - S-, signed; (H, W).

        ``notes.arguments``: per pair, how many components are arguments for a match; with none, S+ is zero.

        Raises:
            Refused: codes ``no_reference``: no T is given and there are no suitable reference pairs; ``zero_norm``,
                ``not_finite``.
        """
        check_pairs(left, right, size)
        maps, cosines, arguments = [], [], []
        with torch.inference_mode(False), torch.no_grad(), evaluating(network):
            threshold = threshold_of(self.config.threshold, network, reference, left)
            for pair in announced(list(zip(left, right, strict=True))):
                shares = cosine_shares(network, *pair)
                match = shares >= threshold / len(shares)
                sides = [_arguments(network, one, other, match) for one, other in (pair, pair[::-1])]
                maps.append(torch.stack(sides).cpu().numpy())
                arguments.append(int(match.sum()))
                cosines.append(float(shares.sum()))
        both = np.stack(maps)  # (N, 2, 2, H, W): pair, side, for and against
        supporting, opposing = both[:, :, 0], both[:, :, 1]
        found = {"S+": supporting, "S-": opposing, "S": supporting - opposing}
        return PairAttribution(
            {name: one.astype(np.float32) for name, one in found.items()},
            np.array(cosines, np.float32),
            notes={"threshold": threshold, "arguments": arguments},
            signed=frozenset({"S"}),
        )


def _arguments(network: Any, image: Tensor, other: Tensor, match: Tensor) -> Tensor:
    """Maps (2, H, W) float64 of an image (3, H, W): of the components in ``match``, bool (D,), and of the others."""
    reference = functional.normalize(embed_rows(network, other[None], 1), dim=1)[0]
    with torch.enable_grad():
        leaf = image[None].detach().clone().requires_grad_()
        unit = functional.normalize(network.embed(leaf.clone()).double(), dim=1)[0]  # a leaf must not be modified in place
        parts = [(unit * reference)[group].sum() for group in (match, ~match)]
        found = [torch.autograd.grad(part, leaf, retain_graph=True)[0][0] for part in parts]
    return torch.stack([one.abs().mean(0).double() for one in found])
