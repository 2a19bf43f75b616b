"""Labeled Faces in the Wild: 13,233 news photographs of 5,749 persons.

Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild. University of Massachusetts, Amherst, Report 07-49, 2007.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from configs.component import LOCATION, Missing
from datamodules.files import FilesConfig, Images, choose, person_folders
from datamodules.lfw_lists import FILES, ListName, read_list

SOURCE = (
    "get Labeled Faces in the Wild (images, deep-funneled, and the lists of pairs) from its home page at the University of "
    "Massachusetts, Amherst, and set root to the folder that holds images/ (or the persons' folders) and the lists"
)


class Config(FilesConfig):
    name: Literal["lfw"] = "lfw"
    root: Annotated[Path, LOCATION]
    exclude: tuple[ListName, ...] = ()  # persons named in these lists are left out
    only: ListName | None = None  # the images that this list names, and no others

    @property
    def namespace(self) -> str:
        return "lfw"

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root} with LFW", SOURCE)
        if not any(entry.is_dir() for entry in self.folder().iterdir()):
            return Missing(f"no folders of persons in {self.folder()}", SOURCE)
        for name in self._lists():
            if not (self.root / FILES[name]).is_file():
                return Missing(f"no list {self.root / FILES[name]}", SOURCE)
        return None

    def folder(self) -> Path:
        inside = self.root / "images"
        return inside if inside.is_dir() else self.root

    def images(self) -> Images:
        if missing := self.missing():
            raise ValueError(str(missing))
        found = self._named(self.only) if self.only else person_folders(self.folder())
        excluded = {person for name in self.exclude for person in read_list(self.root, name).persons()}
        return choose(found, self.min_images, exclude=excluded)

    def _lists(self) -> tuple[ListName, ...]:
        return (*self.exclude, *((self.only,) if self.only else ()))

    def _named(self, name: ListName) -> Images:
        pairs = read_list(self.root, name)
        places = pairs.places()
        absent = [key for key in places if not (self.folder() / key).is_file()]
        if absent:
            first = absent[0]
            raise ValueError(
                f"{pairs.file}, line {places[first]}: names the image {first}, which is not in {self.folder()} "
                f"({len(absent)} of {len(places)} images are absent); {SOURCE}"
            )
        return [(key, key.split("/")[0]) for key in sorted(places)]
