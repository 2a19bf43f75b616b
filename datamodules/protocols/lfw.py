"""Verification on Labeled Faces in the Wild.

Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild. University of Massachusetts, Amherst, Report 07-49, 2007.
View 1 is for model selection, View 2 (ten folds of 300 genuine and 300 impostor pairs) for reporting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import model_validator

from configs.component import LOCATION, Born
from configs.data_interfaces import Manifest, ProtocolConfig
from datamodules.datasets.lfw import LFWDatasetConfig as Lfw
from datamodules.evaluation_sets.pair_lists import rows_of
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.list_readers.lfw import ListName, read_list


class LFWProtocolConfig(ProtocolConfig):
    name: Literal["lfw"] = "lfw"
    root: Annotated[Path, LOCATION]
    view: Literal[1, 2] = 2
    part: Literal["test", "train"] = "test"  # of View 1
    # What a verifier may learn from the other nine folds: nothing, their pairs, or also the identities in them.
    setting: Literal["unsupervised", "restricted", "unrestricted"] = "unsupervised"
    # How the restricted setting compares two embeddings a and b: a linear verifier on |a - b| and a * b (``both``), on a * b,
    # the last layer of a Siamese network on |a - b|, or a weighted chi-square distance; see ``metrics.linear_verifier``.
    verifier: Annotated[Literal["both", "product", "siamese", "chi_square"], Born("both")] = "both"

    @model_validator(mode="after")
    def _view_2_has_no_parts(self) -> LFWProtocolConfig:
        if self.view == 2 and self.part != "test":
            raise ValueError("view 2 has no train part (only view 1 has: pairsDevTrain.txt)")
        if self.view == 1 and self.setting != "unsupervised":
            raise ValueError(f"setting {self.setting} needs folds without common subjects, which only view 2 has")
        if self.setting != "restricted" and self.verifier != "both":
            raise ValueError(f"verifier {self.verifier} is fitted in the restricted setting only; set setting: restricted")
        return self

    def evaluation_identity(self) -> dict[str, Any]:
        fitted = {} if self.setting == "unsupervised" else {"setting": self.setting}
        return super().evaluation_identity() | fitted | ({} if self.verifier == "both" else {"verifier": self.verifier})

    def dataset(self) -> Lfw:
        return Lfw(root=self.root, only=self._list())

    def pairs(self, manifest: Manifest) -> Pairs:
        return rows_of([read_list(self.root, self._list())], manifest, "refuse")

    def _list(self) -> ListName:
        if self.view == 2:
            return "view2"
        return "view1_test" if self.part == "test" else "view1_train"
