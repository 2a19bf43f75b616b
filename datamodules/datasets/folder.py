"""Any folder of images with one folder per person: ``root/<person>/<image>``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from configs.component import LOCATION, Missing
from datamodules.formats.files import SUFFIXES, FilesConfig, Images, choose, person_folders


class Config(FilesConfig):
    name: Literal["folder"] = "folder"
    depth: ClassVar[int | None] = 2
    needs: ClassVar[str] = "root: a folder with one folder of images per person"
    terms: ClassVar[str] = "your own"
    origin: ClassVar[str] = "your own images"
    root: Annotated[Path, LOCATION]
    space: str = "folder"  # datasets with one space have one set of persons: equal folder names are the same person
    persons: PositiveInt | None = None  # at most so many persons, by name
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of each person's images, by name, for ablations of the data's size

    @property
    def namespace(self) -> str:
        return self.space

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root}", self.how())
        if not any(entry.is_dir() for entry in self.root.iterdir()):
            return Missing(f"no folders of persons in {self.root}", self.how())
        return None

    def folder(self) -> Path:
        return self.root

    def images(self) -> Images:
        if missing := self.missing():
            raise ValueError(str(missing))
        found = choose(person_folders(self.root), self.min_images, self.persons, share=self.share)
        if not found:
            kinds = ", ".join(suffix.lstrip(".") for suffix in SUFFIXES)
            raise ValueError(f"{self.root}: no person has {self.min_images} images or more (counted: {kinds})")
        return found
