"""Ensembles of cells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from configs.component import Config


class Ensemble(Config):
    """Cells that differ along one axis and are evaluated as one: the report adds a row for each combination of the other axes.

    The score of a pair is the negative sum of its distances in all of them (Taigman et al., DeepFace, 2014, Section 5.3), or
    that of a linear classifier of these distances which is fitted, for each fold, on the pairs of the other folds. With
    ``pairs: formed``, these are also pairs formed from the identities of their images (LFW's unrestricted setting).
    """

    over: str
    levels: tuple[str, ...] | None = None  # levels of that axis; None: all
    fit: Literal["svm", "logistic"] | None = None  # the classifier; None: the plain sum
    c: float = Field(1.0, gt=0)  # weight of the losses against the squared weights of the classifier
    pairs: Literal["given", "formed"] = "given"  # that are fitted: those of the list, or also pairs formed from identities

    @model_validator(mode="after")
    def _only_fits_have_settings(self) -> Ensemble:
        if self.fit is None and self.c != 1.0:
            raise ValueError(f"c is {self.c:g}, but nothing is fitted; set fit: svm or fit: logistic")
        if self.fit is None and self.pairs != "given":
            raise ValueError(f"pairs is {self.pairs}, but nothing is fitted; set fit: svm or fit: logistic")
        return self
