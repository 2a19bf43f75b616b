"""One folder of images whose file names contain the subject: ``Ann_Veneman_0003.jpg`` shows Ann_Veneman."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import PositiveInt, field_validator

from configs.component import LOCATION, Missing
from datamodules.formats.files import FilesConfig, Images, choose, is_image
from datamodules.list_readers.lines import shown


class FlatDatasetConfig(FilesConfig):
    name: Literal["flat"] = "flat"
    depth: ClassVar[int | None] = 1
    needs: ClassVar[str] = "root: a folder of images whose names tell the subject"
    terms: ClassVar[str] = "your own"
    origin: ClassVar[str] = "your own images"
    root: Annotated[Path, LOCATION]
    space: str = "flat"  # namespace of the subjects; datasets with the same space share their subjects
    subject: str = r"(.+)_\d+"  # regular expression for the file name without suffix; its first group is the subject
    subjects: PositiveInt | None = None  # maximum number of subjects, in order of name

    @field_validator("subject")
    @classmethod
    def _has_a_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"subject: {value!r} is no regular expression ({error})") from error
        if groups < 1:
            raise ValueError(f"subject: {value!r} has no group, such as (.+)_[0-9]+")
        return value

    @property
    def namespace(self) -> str:
        return self.space

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root}", self.how())
        if not image_names(self.root):
            return Missing(f"no images in {self.root}", self.how())
        return None

    def images(self) -> Images:
        pattern = re.compile(self.subject)
        found: Images = []
        for name in image_names(self.root):
            match = pattern.fullmatch(name.rpartition(".")[0])
            if match is None or not match[1]:
                raise ValueError(f"{self.root / name}: the name does not tell the subject (expected {shown(self.subject)})")
            found.append((name, match[1]))
        chosen = choose(sorted(found, key=lambda item: (item[1], item[0])), self.min_images, self.subjects)
        if not chosen:
            raise ValueError(f"{self.root}: no subject has {self.min_images} images or more")
        return chosen


def image_names(folder: Path) -> list[str]:
    """The image files directly in ``folder``, sorted; hidden files are ignored."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and is_image(entry.name))
