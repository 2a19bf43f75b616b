"""VGGFace2: 3.31 million images of 9,131 subjects, 500 of them in its test part.

Cao, Shen, Xie, Parkhi, Zisserman: VGGFace2: A dataset for recognizing faces across pose and age. FG 2018.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import PositiveInt

from configs.component import LOCATION, Missing
from datamodules.formats.files import FilesConfig, Images, choose, subject_folders
from datamodules.list_readers.subject_names import normalized, read_identity_meta


class VGGFace2DatasetConfig(FilesConfig):
    name: Literal["vggface2"] = "vggface2"
    namespace: ClassVar[str] = "vggface2"
    depth: ClassVar[int | None] = 2
    needs: ClassVar[str] = (
        "root: the folder with train/ and test/, each with one folder per subject, such as n000001/; names_file: "
        "identity_meta.csv, for the audit"
    )
    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = "the authors (Visual Geometry Group, Oxford) give it out on request, and so do academic mirrors"
    root: Annotated[Path, LOCATION]
    split: Literal["train", "test"] = "test"
    subjects: PositiveInt | None = None  # maximum number of subjects, in numerical order
    names_file: Annotated[Path | None, LOCATION] = None  # identity_meta.csv, the subjects' names, for the overlap audit

    def missing(self) -> Missing | None:
        folder = self.folder()
        if not folder.is_dir() or not any(entry.is_dir() for entry in folder.iterdir()):
            return Missing(
                f"no VGGFace2 subjects in {folder} (looked for {folder}/n000001/0001_01.jpg and its like)", self.how()
            )
        if self.names_file is not None and not self.names_file.is_file():
            return Missing(f"no list of names {self.names_file}", "set names_file to identity_meta.csv, or leave it out")
        return None

    def folder(self) -> Path:
        return self.root / self.split

    def images(self) -> Images:
        return choose(subject_folders(self.folder()), self.min_images, self.subjects)

    def names(self, identities: Iterable[str]) -> dict[str, str]:
        """The names from ``names_file``; empty without one."""
        if self.names_file is None:
            return {}
        known = read_identity_meta(self.names_file)
        return {who: normalized(known[who]) for who in identities if who in known}
