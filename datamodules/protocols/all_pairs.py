"""All-to-all verification on any dataset: each image is compared with every other one.

Images are selected as in the protocol ``clustering``; subjects with one image count, because they give impostor pairs.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveInt

from datamodules.protocols.clustering import ClusteringProtocolConfig


class AllPairsProtocolConfig(ClusteringProtocolConfig):
    name: Literal["all_pairs"] = "all_pairs"  # type: ignore[assignment]
    task: ClassVar[str] = "all_pairs"
    at_least: PositiveInt = 1
