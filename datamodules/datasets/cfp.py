"""Celebrities in Frontal-Profile: 500 subjects with ten frontal and four profile images each.

Sengupta, Chen, Castillo, Patel, Chellappa, Jacobs: Frontal to profile face verification in the wild. WACV 2016. The key of an
image is its path below ``Data/Images``, such as "001/frontal/01.jpg"; its first folder is the subject.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from datamodules.formats.files import FilesConfig, Images, choose, is_image, subjects_in

VIEWS = ("frontal", "profile")


class CFPDatasetConfig(FilesConfig):
    name: Literal["cfp"] = "cfp"
    namespace: ClassVar[str] = "cfp"
    needs: ClassVar[str] = "root: the folder with Data/Images and Protocol"
    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = "the authors (Sengupta and others, University of Maryland) give out the archive"
    root: Annotated[Path, LOCATION]

    def missing(self) -> Missing | None:
        folder = self.folder()
        if not folder.is_dir() or not any(entry.is_dir() for entry in folder.iterdir()):
            return Missing(f"no CFP subjects in {folder} (looked for {folder}/001/frontal/01.jpg and its like)", self.how())
        return None

    def folder(self) -> Path:
        return self.root / "Data" / "Images"

    def images(self) -> Images:
        found: Images = []
        for subject in subjects_in(self.folder()):
            for view in VIEWS:
                place = self.folder() / subject / view
                names = sorted(os.listdir(place)) if place.is_dir() else []
                found += [(f"{subject}/{view}/{name}", subject) for name in names if is_image(name)]
        if not found:
            raise ValueError(f"{self.folder()}: no images in folders such as 001/frontal")
        return choose(found, self.min_images)
