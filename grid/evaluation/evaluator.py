"""What a evaluator gets and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from configs.interfaces import Manifest, ProtocolConfig


@dataclass(frozen=True, eq=False)
class Embedded:
    """The images of a protocol as a network sees them; U rows.

    Attributes:
        manifest: of the protocol's dataset
        rows: int64 (U,), rising: the manifest's rows that are asked for and whose face may be used
        vectors: float64 (U, D), not normalised; of all views of an image the sum
        folder: where the evaluator may leave files
    """

    manifest: Manifest
    rows: np.ndarray
    vectors: np.ndarray
    folder: Path

    @cached_property
    def units(self) -> np.ndarray:
        """float64 (U, D) of length 1.

        Raises:
            ValueError: an embedding has no direction.
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
        """bool: which of these rows of the manifest are here."""
        return np.isin(rows, self.rows)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """int64: where these rows of the manifest, all of which are here, stand in ``rows``."""
        found: np.ndarray = np.searchsorted(self.rows, rows)
        return found

    def keys(self, places: np.ndarray) -> list[str]:
        return [self.manifest.keys[row] for row in self.rows[places]]


@dataclass(frozen=True)
class EvaluationResult:
    """The numbers of a protocol.

    Attributes:
        metrics: a JSON value; other tasks than verification state their ``task``
        facts: the headline numbers
        outputs: files in the folder that count
    """

    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]
    outputs: tuple[str, ...] = ()


def setting(protocol: ProtocolConfig, name: str, default: Any) -> Any:
    """A field that some protocols have."""
    return getattr(protocol, name, default)
