"""Interfaces of explainer and score configs; ``data_interfaces`` and ``network_interfaces`` have the other kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from configs.component import NAMING, Born, Labeled, Outside
from configs.lookup import component


class ScoreConfig(Labeled, ABC):
    """A quality measure of an explainer's maps; runs as a separate stage after the explanation."""

    kind: ClassVar[str] = "score"
    label: Annotated[str | None, NAMING, Field(pattern=r"^[^:]+$")] = None  # title in reports; unique within an explainer

    @abstractmethod
    def build(self) -> Any:
        """A scorer: see ``modules.attribution.explanation.Scorer``."""


OWN_STAGES = Outside("stages of their own, after the explanation")
_BY_PAIRS = Outside("which protocol the pairs are from; its images and pairs count instead")


class ExplainerConfig(Labeled, ABC):
    """A method that makes attribution maps of single images or, with ``pairs``, of both images of each pair.

    ``pair_target`` is the scalar that is explained for each image of a pair: ``cosine`` with the other image (similarity),
    ``distance`` = 1 - cosine (dissimilarity), or ``top_class``, the class that the network predicts.
    """

    kind: ClassVar[str] = "explainer"
    of: ClassVar[Literal["image", "pair"]] = "image"
    images: int = 8  # number of probe images
    pairs: Annotated[int, Born(0), Field(ge=0)] = 0  # number of probe pairs, used instead of images; half of them genuine
    pair_target: Annotated[Literal["cosine", "distance", "top_class"], Born("cosine")] = "cosine"  # for each image of a pair
    scores: Annotated[tuple[component("score"), ...], OWN_STAGES] = ()  # type: ignore[valid-type]  # how good its maps are
    protocol: Annotated[str | None, _BY_PAIRS] = None  # title of the pairs' protocol; None: the first one with pairs
    # Keys of the images to explain, instead of sampled ones; for pairs: left, right, left, right, ...
    chosen: Annotated[tuple[str, ...], Born(())] = ()

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        """Derives ``images`` or ``pairs`` from ``chosen`` where no number is given."""
        if not isinstance(value, dict) or not isinstance(value.get("chosen"), (list, tuple)) or not value["chosen"]:
            return value
        count = len(value["chosen"])
        if cls.of == "pair" or value.get("pairs"):
            return {"pairs": count // 2, **value}
        return {"images": count, **value}

    @model_validator(mode="after")
    def _chosen_so_many(self) -> Self:
        wanted = 2 * self.pairs if self.pairs else self.images
        if self.chosen and len(self.chosen) != wanted:
            said = f"pairs {self.pairs}, which are {wanted} images" if self.pairs else f"images {self.images}"
            raise ValueError(
                f"chosen has {len(self.chosen)} keys, and {said}; of pairs name left and right, one after the other"
            )
        return self

    @property
    def difference_maps(self) -> frozenset[str]:
        """Names of the maps that are large where the two images of a pair differ; "" is a method's only map."""
        return frozenset({""}) if self.pair_target == "distance" else frozenset()

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        """Forward passes for one image, for estimates of time; 1 where their number depends on the network alone.

        Args:
            dimension: of the embedding
            size: height and width of the image
        """
        return 1.0

    @abstractmethod
    def build(self) -> Any:
        """An explainer: see ``modules.attribution.explainer``."""


class PairExplainerConfig(ExplainerConfig, ABC):
    """An explainer that takes both images of a pair at once."""

    of: ClassVar[Literal["image", "pair"]] = "pair"
    images: Literal[0] = 0
    pairs: Annotated[int, Field(ge=1)] = 8
    pair_target: Literal["cosine"] = "cosine"

    @abstractmethod
    def build(self) -> Any:
        """A pair explainer: see ``modules.attribution.explainer.PairExplainer``."""
