"""FairFace: 97,698 images labeled with age band, gender and one of seven race groups.

Karkkainen, Joo: FairFace: face attribute dataset for balanced race, gender, and age for bias measurement and mitigation.
WACV 2021. 86,744 images are its training split, 10,954 its validation split. It has no subject labels: every image is its own
identity, so it is for attributes, not for verification. Debreczeni et al. test on a fifth of the training split, 17,349
images, and not on the validation split: ``part: held_out`` is such a fifth. ``split: both`` has the images of both splits; a
training with ``split: {by: official}`` then validates on those of the validation split.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from configs.component import LOCATION, Missing
from configs.data_interfaces import Manifest
from datamodules.ages import classes
from datamodules.columns import Column
from datamodules.formats.attribute_files import AttributeFilesConfig
from datamodules.formats.files import Images
from datamodules.list_readers.fairface import KNOWN, Table, joined, read_table

SPLITS = ("train", "val")


class FairFaceDatasetConfig(AttributeFilesConfig):
    name: Literal["fairface"] = "fairface"
    namespace: ClassVar[str] = "fairface"
    needs: ClassVar[str] = (
        "root: the folder with train/, val/, fairface_label_train.csv and fairface_label_val.csv; images with a "
        "margin of 0.25 or 1.25"
    )
    terms: ClassVar[str] = "CC BY 4.0"
    origin: ClassVar[str] = "the authors' public repository (Joo and Karkkainen)"
    root: Annotated[Path, LOCATION]
    split: Literal["train", "val", "both"] = "train"
    on_damaged_age: Literal["refuse", "repair"] = "refuse"  # ages such as "9-Mar", where a spreadsheet turned 3-9 into a date
    on_missing_label: Literal["refuse", "unknown"] = "refuse"  # empty fields; unknown: the image is used for its other labels

    def missing(self) -> Missing | None:
        for split, file in self.files().items():
            if not file.is_file():
                return Missing(f"no table {file}", self.how())
            if not (self.root / split).is_dir():
                return Missing(f"no folder {self.root / split} with images", self.how())
        return None

    def files(self) -> dict[str, Path]:
        """The table of each of its splits."""
        splits = SPLITS if self.split == "both" else (self.split,)
        return {split: self.root / f"fairface_label_{split}.csv" for split in splits}

    def images(self) -> Images:
        table = self.table()
        return [(key, key) for key in self.chosen(table.keys, table.labels())]

    def columns(self, manifest: Manifest) -> dict[str, Column]:
        """Age (nine bands), gender and race (seven groups) of each image of the manifest."""
        table = self.table()
        place = {key: row for row, key in enumerate(table.keys)}
        rows = [place[key] for key in manifest.keys]
        return {
            name: classes([table.columns[name][row] for row in rows], known, ordered=name == "age")
            for name, known in KNOWN.items()
        }

    def official_validation(self, manifest: Manifest) -> np.ndarray | None:
        """Marks the images of the validation split; None unless the dataset has both splits."""
        if self.split != "both":
            return None
        held = set(read_table(self.files()["val"], self.on_damaged_age, self.on_missing_label).keys)
        return np.array([key in held for key in manifest.keys], bool)

    def repairs(self) -> str:
        table = self.table()
        found = [f"{table.repaired} ages that a spreadsheet had made dates"] if table.repaired else []
        found += [f"{count} images without {name}" for name, count in table.unlabeled().items() if count]
        return "; ".join(found)

    def table(self) -> Table:
        """The table of all images; ``table().repaired`` is the number of repaired ages."""
        return joined([read_table(file, self.on_damaged_age, self.on_missing_label) for file in self.files().values()])
