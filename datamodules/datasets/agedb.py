"""AgeDB: 16,488 images of 568 famous subjects, aged 1 to 101 years.

Moschoglou, Papaioannou, Sagonas, Deng, Kotsia, Zafeiriou: AgeDB: the first manually collected, in-the-wild age database. CVPR
workshops 2017. File names are ``number_name_age_sex.jpg``, such as ``0_MariaCallas_35_f.jpg``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from configs.data_interfaces import Manifest
from datamodules.ages import GENDERS, OLDEST, age_columns, classes
from datamodules.columns import Column
from datamodules.formats.files import FilesConfig, Images, choose, is_image

NAME = re.compile(r"(\d+)_(.+)_(\d{1,3})_([mf])\.[A-Za-z]+")


class AgeDBDatasetConfig(FilesConfig):
    name: Literal["agedb"] = "agedb"
    namespace: ClassVar[str] = "agedb"
    needs: ClassVar[str] = "root: the folder with the images, or with folders of them"
    terms: ClassVar[str] = "non-commercial research only"
    origin: ClassVar[str] = "the authors (iBUG group, Imperial College London) send the archive's password on request"
    root: Annotated[Path, LOCATION]  # contains the images, directly or in subfolders

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root} with AgeDB", self.how())
        if not any(is_image(name) for _, names in self._places() for name in names):
            return Missing(f"no images in {self.root}", self.how())
        return None

    def images(self) -> Images:
        files = (Path(place) / name for place, names in self._places() for name in names if is_image(name))
        keys = [file.relative_to(self.root).as_posix() for file in files]
        found = [(key, _parts(key, self.root)[0]) for key in keys]
        return choose(sorted(found, key=lambda item: (item[1], item[0])), self.min_images)

    def _places(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder below the root, following links but visiting none twice, and its file names."""
        seen: set[str] = set()
        for place, folders, names in os.walk(self.root, followlinks=True):
            if (real := os.path.realpath(place)) in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield place, names

    def columns(self, manifest: Manifest) -> dict[str, Column]:
        """Age (in bands and in years) and gender of each image of the manifest."""
        parts = [_parts(key, self.root) for key in manifest.keys]
        genders = [GENDERS.index("Male" if gender == "m" else "Female") for _, _, gender in parts]
        return {**age_columns([age for _, age, _ in parts]), "gender": classes(genders, GENDERS)}


def _parts(key: str, root: Path) -> tuple[str, int, str]:
    match = NAME.fullmatch(key.rpartition("/")[2])
    if match is None or int(match[3]) > OLDEST:
        raise ValueError(f"{root / key}: expected a name such as 0_MariaCallas_35_f.jpg (number, name, age, sex)")
    return match[2], int(match[3]), match[4]
