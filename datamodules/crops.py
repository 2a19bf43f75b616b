"""Face crops of a dataset: computed once, cached on disk and memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from configs.component import digest
from configs.contract import broken, naming
from configs.data_interfaces import Dataset, Detector, DetectorConfig, Progress
from datamodules.array_cache import ArrayCache
from datamodules.detection import Detections
from datamodules.geometry.cutting import Size, sides
from datamodules.prefetching import readers

BLOCK = 256  # images held in memory at a time
FORMAT = 2  # version of the cache format; files of other versions are not read


class CropTable:
    """Random access to crops; row i is row i of the manifest.

    Attributes:
        size: side in pixels, or height and width
        kept: int64, the remaining rows, without undetected faces if the policy is ``drop``
        missing: number of undetected faces
    """

    def __init__(self, source: FlyingCrops | np.ndarray, size: Size, kept: np.ndarray, missing: int) -> None:
        self.source = source
        self.size = size
        self.kept = kept
        self.missing = missing

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3); a copy."""
        return np.array(self.source[index])

    def take(self, rows: Sequence[int]) -> np.ndarray:
        """uint8 (n, height, width, 3); a copy. Crops computed on access are computed by several threads."""
        if isinstance(self.source, FlyingCrops):
            return self.source.take(rows)
        return np.asarray(self.source[np.asarray(rows, np.int64)])  # selecting rows has copied them

    def __getstate__(self) -> dict[str, Any]:
        # Pickling a memmap would copy the whole table; a worker process reopens the file instead.
        state = dict(self.__dict__)
        if isinstance(self.source, np.memmap):
            state["source"] = Path(str(self.source.filename))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = dict(state)
        if isinstance(state["source"], Path):
            self.source = np.load(state["source"], mmap_mode="r")


class FlyingCrops:
    """Crops computed on each access; ``name`` is that of the detector, for messages."""

    def __init__(self, dataset: Dataset, detections: Detections, detector: Detector, size: Size, name: str) -> None:
        self.dataset = dataset
        self.detections = detections
        self.detector = detector
        self.size = size
        self.name = name

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3).

        Raises:
            ContractError: the detector returned something else.
        """
        face = self.detections.row(self.dataset.manifest.keys[index])
        crop = self.detector.crop(self.dataset.image(index), face, self.size)
        shape = (*sides(self.size), 3)
        if not isinstance(crop, np.ndarray) or crop.dtype != np.uint8 or crop.shape != shape:
            with naming("detector", self.name):
                raise broken("crop returned", crop, f"a numpy array uint8 {shape}", "detector")
        return crop

    def take(self, rows: Sequence[int]) -> np.ndarray:
        """uint8 (n, height, width, 3), read and cut by several threads."""
        with ThreadPoolExecutor(readers()) as pool:
            return np.stack(list(pool.map(self.__getitem__, rows)))

    def in_order(self, progress: Progress | None) -> Iterator[np.ndarray]:
        """All crops in order, read and cut by several threads, one block at a time."""
        count = len(self)
        with ThreadPoolExecutor(readers()) as pool:
            for start in range(0, count, BLOCK):
                for place, crop in enumerate(pool.map(self.__getitem__, range(start, min(start + BLOCK, count))), start + 1):
                    yield crop
                    if progress is not None:
                        progress(place, count)


def crops(
    dataset: Dataset,
    detections: Detections,
    detector: DetectorConfig,
    size: Size,
    cache: Path,
    limit_bytes: int,
    progress: Progress | None = None,
    code: str = "",
) -> CropTable:
    """Face crops of ``dataset``: squares of ``size`` pixels, or of that height and width.

    They are cached in the folder ``cache``, which never exceeds ``limit_bytes``: the least recently used tables are removed.
    A table larger than the limit is not cached; its crops are computed on access. Several processes may build the same table
    concurrently; none of them sees a partial one.

    Args:
        detections: a row for each image of the dataset, in any order
        code: digest of the code of ``dataset`` and ``detector``; a table that other code has made is not used

    Raises:
        ValueError: an image has no row; or a face was not found and the policy is ``fail``: names the first, counts all.
    """
    manifest = dataset.manifest
    rows = [detections.row(key) for key in manifest.keys]
    lost = [index for index, row in enumerate(rows) if not row.found]
    if lost and detector.on_missing_face == "fail":
        raise ValueError(
            f"detector {detector.name}: no face found in {manifest.keys[lost[0]]}; {len(lost)} of {len(rows)} images have none"
            "; on_missing_face: center_crop takes their center, drop leaves them out"
        )
    every = np.arange(len(rows), dtype=np.int64)
    kept = np.delete(every, lost) if detector.on_missing_face == "drop" else every
    flying = FlyingCrops(dataset, detections, detector.build(), size, detector.name)
    height, width = sides(size)
    if len(rows) * height * width * 3 > limit_bytes:
        return CropTable(flying, size, kept, len(lost))
    name = _key(manifest.digest, Detections.of(manifest.keys, rows).digest, detector, size, code)
    shape = (len(rows), height, width, 3)
    return CropTable(ArrayCache(cache, limit_bytes).get(name, shape, lambda: flying.in_order(progress)), size, kept, len(lost))


def _key(manifest: str, detections: str, detector: DetectorConfig, size: Size, code: str) -> str:
    # The policy selects rows and does not affect pixels, so policies share a table. The versions of image libraries affect
    # pixels.
    settings = {key: value for key, value in detector.identity().items() if key != "on_missing_face"}
    libraries = {name: version(name) for name in ("pillow", "opencv-python-headless")}
    parts = {"manifest": manifest, "detections": detections, "detector": settings, "size": size, "libraries": libraries}
    return digest({**parts, "format": FORMAT, "code": code})[:32]
