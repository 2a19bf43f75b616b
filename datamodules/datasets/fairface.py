"""FairFace: 97,698 images labelled with age band, gender and one of seven race groups.

Karkkainen, Joo: FairFace: face attribute dataset for balanced race, gender, and age for bias measurement and mitigation.
WACV 2021. 86,744 images are its training split, 10,954 its validation split. It has no subject labels: every image is its own
identity, so it is for attributes, not for verification. Debreczeni et al. test on a fifth of the training split, 17,349
images, and not on the validation split: ``part: held_out`` is such a fifth.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from configs.component import LOCATION, Missing
from configs.interfaces import Manifest
from datamodules.ages import AGES, GENDERS, classes
from datamodules.columns import Column
from datamodules.formats.files import FilesConfig, Images
from datamodules.list_readers.fairface import RACES, Table, read_table
from datamodules.split import draw


class FairFaceDatasetConfig(FilesConfig):
    name: Literal["fairface"] = "fairface"
    namespace: ClassVar[str] = "fairface"
    identified: ClassVar[bool] = False
    needs: ClassVar[str] = (
        "root: the folder with train/, val/, fairface_label_train.csv and fairface_label_val.csv; images with a "
        "margin of 0.25 or 1.25"
    )
    terms: ClassVar[str] = "CC BY 4.0"
    origin: ClassVar[str] = "the authors' public repository (Joo and Karkkainen)"
    root: Annotated[Path, LOCATION]
    split: Literal["train", "val"] = "train"
    part: Literal["all", "fit", "held_out"] = "all"  # of the split; fit and held_out are complements
    held_share: Annotated[float, Field(gt=0, lt=1)] = 0.2  # fraction of the split in ``held_out``
    held_seed: int = 0  # seed of that choice
    on_damaged_age: Literal["refuse", "repair"] = "refuse"  # ages such as "9-Mar", where a spreadsheet turned 3-9 into a date

    def missing(self) -> Missing | None:
        if not self.file().is_file():
            return Missing(f"no table {self.file()}", self.how())
        if not (self.root / self.split).is_dir():
            return Missing(f"no folder {self.root / self.split} with images", self.how())
        return None

    def file(self) -> Path:
        """The split's table."""
        return self.root / f"fairface_label_{self.split}.csv"

    def images(self) -> Images:
        return [(key, key) for key in self._chosen()]

    def columns(self, manifest: Manifest) -> dict[str, Column]:
        """Age (nine bands), gender and race (seven groups) of each image of the manifest."""
        table = self.table()
        place = {key: row for row, key in enumerate(table.keys)}
        rows = [place[key] for key in manifest.keys]
        return {
            "age": classes([table.age[row] for row in rows], AGES),
            "gender": classes([table.gender[row] for row in rows], GENDERS),
            "race": classes([table.race[row] for row in rows], RACES),
        }

    def repairs(self) -> str:
        count = self.table().repaired
        return f"{count} ages that a spreadsheet had made dates" if count else ""

    def table(self) -> Table:
        """The table of the whole split; ``table().repaired`` is the number of repaired ages."""
        return read_table(self.file(), self.on_damaged_age)

    def _chosen(self) -> list[str]:
        keys = list(self.table().keys)
        if self.part == "all":
            return keys
        order = sorted(keys, key=partial(draw, self.held_seed))
        held = set(order[: math.ceil(self.held_share * len(keys))])
        return [key for key in keys if (key in held) == (self.part == "held_out")]
