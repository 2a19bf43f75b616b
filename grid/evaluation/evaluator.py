"""Input and output of an evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from configs.interfaces import Manifest, ProtocolConfig


@dataclass(frozen=True, eq=False)
class Embedded:
    """The embedded images of a protocol; U rows.

    Attributes:
        manifest: of the protocol's dataset
        rows: int64 (U,), ascending: the requested rows of the manifest whose face may be used
        vectors: float64 (U, D), not normalised; the sum over all views of an image
        folder: where the evaluator may write files
        face: the crop, uint8 (H, W, 3), of the image at a place in ``rows``; None if the caller has no crops
    """

    manifest: Manifest
    rows: np.ndarray
    vectors: np.ndarray
    folder: Path
    face: Callable[[int], np.ndarray] | None = None

    @cached_property
    def units(self) -> np.ndarray:
        """float64 (U, D), unit length.

        Raises:
            ValueError: an embedding has length zero or is not finite.
        """
        norms = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
        if len(bad):
            key = self.manifest.keys[int(self.rows[bad[0]])]
            raise ValueError(
                f"the embedding of image {key} has no direction (norm {norms[bad[0], 0]}; {len(bad)} of {len(norms)} images): "
                "the network did not train"
            )
        return np.asarray(self.vectors / norms)

    def has(self, rows: np.ndarray) -> np.ndarray:
        """bool: which of these rows of the manifest are included."""
        return np.isin(rows, self.rows)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """int64: the positions in ``rows`` of these rows of the manifest, all of which must be included."""
        found: np.ndarray = np.searchsorted(self.rows, rows)
        return found

    def keys(self, places: np.ndarray) -> list[str]:
        return [self.manifest.keys[row] for row in self.rows[places]]


@dataclass(frozen=True)
class EvaluationResult:
    """The results of a protocol.

    Attributes:
        metrics: a JSON value; tasks other than verification include their ``task``
        facts: the headline numbers
        outputs: files in the folder to keep
    """

    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]
    outputs: tuple[str, ...] = ()


def setting(protocol: ProtocolConfig, name: str, default: Any) -> Any:
    """A field that only some protocols have."""
    return getattr(protocol, name, default)
