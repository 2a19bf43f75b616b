"""What explainers and their scores must be able to say, before any of them is built: see ``configs.interfaces``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from configs.component import NAMING, Born, Component, Outside
from configs.lookup import component


class ScoreConfig(Component, ABC):
    """How good the maps of an explainer are: a stage of its own after the explanation."""

    kind: ClassVar[str] = "score"
    label: Annotated[str | None, NAMING, Field(pattern=r"^[^:]+$")] = None  # how reports call it; one each under an explainer

    @property
    def title(self) -> str:
        return self.label or self.name

    @abstractmethod
    def build(self) -> Any:
        """A scorer: see ``modules.attribution.explanation.Scorer``."""


OWN_STAGES = Outside("stages of their own, after the explanation")
_BY_PAIRS = Outside("which protocol the pairs are from; its images and pairs count instead")


class ExplainerConfig(Component, ABC):
    """What makes attribution maps of single images; with ``pairs``, of the two images of each pair, by their cosine.

    ``pair_target``: what is explained of each image of a pair: ``cosine`` with the other image, what makes them alike;
    ``distance``, 1 - cosine, what makes them differ; or ``top_class``, the network's own first choice.
    """

    kind: ClassVar[str] = "explainer"
    of: ClassVar[Literal["image", "pair"]] = "image"
    label: Annotated[str | None, NAMING] = None
    images: int = 8  # how many probe images
    pairs: Annotated[int, Born(0), Field(ge=0)] = 0  # how many probe pairs instead, half of them genuine
    pair_target: Annotated[Literal["cosine", "distance", "top_class"], Born("cosine")] = "cosine"  # of each image of a pair
    scores: Annotated[tuple[component("score"), ...], OWN_STAGES] = ()  # type: ignore[valid-type]  # how good its maps are
    protocol: Annotated[str | None, _BY_PAIRS] = None  # title of the one that has the pairs; None: the first that has any
    # Keys of the images themselves, in place of some by number; of pairs, left and right one after the other.
    chosen: Annotated[tuple[str, ...], Born(())] = ()

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        """As many as are chosen, where no number is given."""
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
    def title(self) -> str:
        return self.label or self.name

    @abstractmethod
    def build(self) -> Any:
        """An explainer: see ``modules.attribution.explainer``."""


class PairExplainerConfig(ExplainerConfig, ABC):
    """What looks at two images at a time."""

    of: ClassVar[Literal["image", "pair"]] = "pair"
    images: Literal[0] = 0
    pairs: Annotated[int, Field(ge=1)] = 8
    pair_target: Literal["cosine"] = "cosine"

    @abstractmethod
    def build(self) -> Any:
        """A pair explainer: see ``modules.attribution.explainer.PairExplainer``."""
