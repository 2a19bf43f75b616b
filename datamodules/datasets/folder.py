"""Any folder of images with one folder per subject: ``root/<subject>/<image>``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from configs.component import LOCATION, Missing
from datamodules.formats.files import SUFFIXES, FilesConfig, Images, choose, share_of, subject_folders


class FolderDatasetConfig(FilesConfig):
    name: Literal["folder"] = "folder"
    depth: ClassVar[int | None] = 2
    needs: ClassVar[str] = "root: a folder with one folder of images per subject"
    terms: ClassVar[str] = "your own"
    origin: ClassVar[str] = "your own images"
    root: Annotated[Path, LOCATION]
    space: str = "folder"  # datasets with the same space share subjects: equal folder names are the same subject
    subjects: PositiveInt | None = None  # maximum number of subjects, in order of name
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # fraction of each subject's images, for data-size ablations

    @property
    def namespace(self) -> str:
        return self.space

    def least_images(self) -> int:
        return share_of(self.min_images, self.share)

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root}", self.how())
        if not any(entry.is_dir() for entry in self.root.iterdir()):
            return Missing(f"no folders of subjects in {self.root}", self.how())
        return None

    def images(self) -> Images:
        found = choose(subject_folders(self.root), self.min_images, self.subjects, share=self.share)
        if not found:
            kinds = ", ".join(suffix.lstrip(".") for suffix in SUFFIXES)
            raise ValueError(f"{self.root}: no subject has {self.min_images} images or more (counted: {kinds})")
        return found
