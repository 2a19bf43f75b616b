"""Labeled Faces in the Wild: 13,233 news photographs of 5,749 subjects.

Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild. University of Massachusetts, Amherst, Report 07-49, 2007.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from datamodules.download import Source
from datamodules.formats.files import FilesConfig, Images, choose, subject_folders
from datamodules.list_readers.lfw import FILES, ListName, read_list

# A copy kept by the authors of scikit-learn; the dataset's home page no longer exists.
FUNNELED = (
    Source("pairs.txt", "5976006", "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592", 155_335),
    Source("pairsDevTest.txt", "5976009", "7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c", 26_002),
    Source("pairsDevTrain.txt", "5976012", "1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa", 56_579),
    Source(
        "lfw-funneled.tgz",
        "5976015",
        "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
        243_346_528,
        unpack="lfw_funneled",
    ),
)


class LFWDatasetConfig(FilesConfig):
    name: Literal["lfw"] = "lfw"
    namespace: ClassVar[str] = "lfw"
    depth: ClassVar[int | None] = 2
    needs: ClassVar[str] = "root: the folder with images/ (or the subjects' folders) and the lists, such as pairs.txt"
    terms: ClassVar[str] = "news photographs, for research only"
    origin: ClassVar[str] = (
        "`facegrid data get lfw root=...` takes a public copy of the funneled images; a deep-funneled copy works too"
    )
    server: ClassVar[str | None] = "https://ndownloader.figshare.com/files"
    sources: ClassVar[tuple[Source, ...]] = FUNNELED
    root: Annotated[Path, LOCATION]
    exclude: tuple[ListName, ...] = ()  # leave out the subjects named in these lists
    only: ListName | None = None  # use only the images named in this list

    def missing(self) -> Missing | None:
        if not self.root.is_dir():
            return Missing(f"no folder {self.root} with LFW", self.how())
        if not any(entry.is_dir() for entry in self.folder().iterdir()):
            return Missing(f"no folders of subjects in {self.folder()}", self.how())
        for name in self._lists():
            if not (self.root / FILES[name]).is_file():
                return Missing(f"no list {self.root / FILES[name]}", self.how())
        return None

    def folder(self) -> Path:
        inside = self.root / "images"
        return inside if inside.is_dir() else self.root

    def images(self) -> Images:
        found = self._named(self.only) if self.only else subject_folders(self.folder())
        excluded = {subject for name in self.exclude for subject in read_list(self.root, name).subjects()}
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
                f"({len(absent)} of {len(places)} images are absent); {self.how()}"
            )
        return [(key, key.split("/")[0]) for key in sorted(places)]
