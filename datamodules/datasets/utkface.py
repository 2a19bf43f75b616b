"""UTKFace: photographs with age, sex and race in their file names.

Zhang, Song, Qi: Age progression/regression by conditional adversarial autoencoder. CVPR 2017. File names are
``age_sex_race_time.jpg`` (also ``.jpg.chip.jpg``): sex 0 male, 1 female; race 0 White, 1 Black, 2 Asian, 3 Indian, 4
others. It has no subject labels: every image is its own identity, so it is for attributes, not for verification. Some
published names lack a part. The dataset has no published split: ``part`` is one (see ``datamodules.formats.attribute_files``).
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from configs.data_interfaces import Manifest, Progress
from datamodules.ages import AGES, GENDERS, OLDEST, age_band, age_columns, classes
from datamodules.columns import Column
from datamodules.datasets.flat import image_names
from datamodules.formats.attribute_files import AttributeFilesConfig
from datamodules.formats.files import Images
from datamodules.manifest import Manifest as Table

RACES = ("White", "Black", "Asian", "Indian", "Others")
NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d{8,20})(?:\.[A-Za-z]+)+")
WRONG = "the name is not age_sex_race_time"


class UTKFaceDatasetConfig(AttributeFilesConfig):
    name: Literal["utkface"] = "utkface"
    namespace: ClassVar[str] = "utkface"
    depth: ClassVar[int | None] = 1
    needs: ClassVar[str] = "root: the folder of the aligned and cropped images"
    terms: ClassVar[str] = "non-commercial research only"
    origin: ClassVar[str] = "public, at the authors' home page (University of Tennessee, Knoxville)"
    root: Annotated[Path, LOCATION]  # contains the images, directly or in a folder images/
    on_bad_name: Literal["fail", "skip"] = "fail"

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root} with UTKFace", self.how())
        return None if image_names(self.folder()) else Missing(f"no images in {self.folder()}", self.how())

    def folder(self) -> Path:
        inside = self.root / "images"
        return inside if inside.is_dir() else self.root

    def images(self) -> Images:
        names = image_names(self.folder())
        bad = [name for name in names if parts(name) is None]
        if bad and (self.on_bad_name == "fail" or len(bad) == len(names)):
            raise ValueError(
                f"{self.folder() / bad[0]}: {WRONG}; {len(bad)} of {len(names)} names are wrong; on_bad_name: skip "
                "leaves them out"
            )
        found = {name: values for name in names if (values := parts(name)) is not None}
        labels = {
            "age": [AGES[age_band(years)] for years, _, _ in found.values()],
            "gender": [GENDERS[gender] for _, gender, _ in found.values()],
            "race": [RACES[race] for _, _, race in found.values()],
        }
        return [(name, name) for name in self.chosen(list(found), labels)]

    def manifest(self, cache: Path) -> Table | None:
        found = super().manifest(cache)
        return None if found is None else self._told(found)

    def scan(self, cache: Path, progress: Progress | None = None) -> Table:
        return self._told(super().scan(cache, progress))

    def columns(self, manifest: Manifest) -> dict[str, Column]:
        """Age (FairFace's bands, and years), gender and race (five groups) of each image of the manifest."""
        found = [parts(key) for key in manifest.keys]
        rows = [row for row in found if row is not None]
        assert len(rows) == len(found), "a manifest of another dataset"
        return {
            **age_columns([row[0] for row in rows]),
            "gender": classes([row[1] for row in rows], GENDERS),
            "race": classes([row[2] for row in rows], RACES),
        }

    def _told(self, manifest: Table) -> Table:
        """The manifest with malformed names added to the skipped images."""
        bad = {name: WRONG for name in image_names(self.folder()) if parts(name) is None}
        return dataclasses.replace(manifest, skipped={**bad, **manifest.skipped}) if bad else manifest


def parts(name: str) -> tuple[int, int, int] | None:
    """(years, gender, race) from a file name; None if it is malformed."""
    match = NAME.fullmatch(name)
    if match is None or int(match[1]) > OLDEST:
        return None
    return int(match[1]), int(match[2]), int(match[3])
