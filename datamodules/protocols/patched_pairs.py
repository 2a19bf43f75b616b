"""The pairs of another protocol with patches in the first image, as in Patch-LFW: where two faces agree or differ is known.

Huber, Luu, Terhörst, Damer: Efficient Explainable Face Verification based on Similarity Score Argument Backpropagation. WACV
2024. Their public code patches aligned faces of 112 x 112 pixels; here the patches are scaled to any image size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from configs.data_interfaces import Dataset, Manifest, ProtocolConfig
from datamodules.datasets.patched import PatchedDatasetConfig as Patched
from datamodules.datasets.patched import PatchedImages, PatchedManifest, patched_key
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.patches import PatchesConfig


class PatchedPairsProtocolConfig(PatchesConfig, ProtocolConfig):
    """Order, kinds and folds of the pairs are those of ``protocol``."""

    name: Literal["patched_pairs"] = "patched_pairs"

    @property
    def miner(self) -> Callable[[], str] | None:
        """As that of ``protocol``, if it has one."""
        return getattr(self.protocol, "miner", None)

    def dataset(self) -> Patched:
        data = self.protocol.dataset()
        policies = {key: getattr(data, key) for key in ("on_bad_image", "on_identity_conflict")}
        return Patched(**{key: getattr(self, key) for key in PatchesConfig.model_fields}, **policies)

    def pairs(self, manifest: Manifest) -> Pairs:
        whole: Any = manifest
        while not isinstance(whole, PatchedManifest):  # the dataset has transforms
            whole = whole.original
        original, pairs = whole.original, whole.original_pairs
        rows = {key: row for row, key in enumerate(manifest.keys)}
        left = [patched_key(pair, original.keys[row]) for pair, row in enumerate(pairs.left.tolist())]
        right = [original.keys[row] for row in pairs.right.tolist()]
        for key in (*left, *right):
            if key not in rows:
                raise ValueError(f"protocol {self.title}: compares the image {key}, which was left out of the dataset")
        return Pairs(
            np.array([rows[key] for key in left], np.int64),
            np.array([rows[key] for key in right], np.int64),
            pairs.same,
            pairs.fold,
        )

    def region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """The patches in the first image of a genuine pair; None for second images, impostor pairs and other pairs."""
        images = _patched(dataset)
        return images.mask(row) if _is_pair(images, row, other, same=True) else None

    def common_region(self, dataset: Dataset, row: int, other: int) -> np.ndarray | None:
        """The patches in either image of an impostor pair: in the first image, and where they are from in the second one.

        None for genuine pairs and other pairs of images.
        """
        images = _patched(dataset)
        if _is_pair(images, row, other, same=False):
            return images.mask(row)
        return images.mask(other, on=row) if _is_pair(images, other, row, same=False) else None


def _patched(dataset: Dataset) -> PatchedImages:
    assert isinstance(dataset, PatchedImages), f"protocol patched_pairs has no images of {type(dataset).__name__}"
    return dataset


def _is_pair(images: PatchedImages, first: int, second: int, same: bool) -> bool:
    """Whether two images are a pair of that kind, and the first one has patches."""
    rows, patches = images.manifest.rows, images.manifest.patches
    if (one := patches[first]) is None or one.same != same or not one.places:
        return False
    return patches[second] is None and rows[second] == one.partner
