"""CASIA-WebFace: 494,414 images of 10,575 subjects, in numbered folders.

Yi, Lei, Liao, Li: Learning face representation from scratch. 2014 (arXiv:1411.7923).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import PositiveInt

from configs.component import LOCATION, Missing
from datamodules.formats.files import FilesConfig, Images, choose, subject_folders
from datamodules.list_readers.subject_names import normalized, read_numbered_names


class CasiaDatasetConfig(FilesConfig):
    name: Literal["casia"] = "casia"
    namespace: ClassVar[str] = "casia"
    depth: ClassVar[int | None] = 2
    needs: ClassVar[str] = (
        "root: the folder with one folder per subject, such as 0000045/; names_file: the list of numbers and names, "
        "for the audit"
    )
    terms: ClassVar[str] = "research only"
    origin: ClassVar[str] = (
        "the authors (Institute of Automation, Chinese Academy of Sciences) no longer give it out; academic mirrors do"
    )
    root: Annotated[Path, LOCATION]
    subjects: PositiveInt | None = None  # maximum number of subjects, in numerical order
    names_file: Annotated[Path | None, LOCATION] = None  # numbers and names of the subjects, for the overlap audit

    def missing(self) -> Missing | None:
        if not self.root.is_dir() or not any(entry.is_dir() for entry in self.root.iterdir()):
            return Missing(
                f"no CASIA-WebFace subjects in {self.root} (looked for {self.root}/0000045/001.jpg and its like)", self.how()
            )
        if self.names_file is not None and not self.names_file.is_file():
            return Missing(
                f"no list of names {self.names_file}", "set names_file to a list of numbers and names, or leave it out"
            )
        return None

    def images(self) -> Images:
        return choose(subject_folders(self.root), self.min_images, self.subjects)

    def names(self, identities: Iterable[str]) -> dict[str, str]:
        """The names from ``names_file``; empty without one."""
        if self.names_file is None:
            return {}
        known = read_numbered_names(self.names_file)
        return {who: normalized(known[who]) for who in identities if who in known}
