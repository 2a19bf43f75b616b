"""Preview of a dataset's augmentation as a contact sheet, to check it before training."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from configs.data_interfaces import Augmentation, AugmentationConfig, DatasetConfig, DetectorConfig, Manifest, Progress
from datamodules.augmentations._base import augmentation_seed
from datamodules.augmentations.pipeline import Pipeline
from datamodules.contact_sheet import contact_sheet
from datamodules.detectors import none as no_detector
from datamodules.geometry.cutting import Size

CELL = 200  # pixels up to which an image is enlarged, to make room for labels
LETTER = 6.2  # pixels per character of a label


def show(
    data: DatasetConfig,
    detector: DetectorConfig | None = None,
    augmentation: AugmentationConfig | None = None,
    count: int = 6,
    size: Size = 112,
    seed: int = 0,
    *,
    epochs: int = 7,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Shows up to ``count`` randomly chosen images of different subjects, one per row.

    A row has the crop and its augmented versions in the first ``epochs`` of a training with that ``seed``. Labels give the
    image and the augmentation steps that changed it. The same arguments give the same sheet.

    Args:
        detector: crops the shown images, and runs on no others; None: the whole image
        augmentation: None: only the crops are shown
        size: of the crops in pixels, a side or height and width
        cache: the folder of cached scans, see ``DatasetConfig.manifest``; None: nothing is cached
        progress: progress of the scan, if one is needed

    Returns:
        RGB uint8; small crops are enlarged by integer factors.

    Raises:
        ValueError: the dataset has no images, or bad ones that its policy refuses; or a face was not found and the detector's
            policy is ``fail``.
    """
    if count < 1 or epochs < 1:
        raise ValueError(f"a sheet shows at least 1 image in 1 epoch; asked for {count} in {epochs}")
    manifest = _manifest(data, cache, progress)
    rows = _choose(manifest.identities, count, seed)
    crops, found = _crops(data, detector or no_detector.NoDetectorConfig(), manifest.subset(rows), size)
    enlarge = max(1, round(CELL / crops[0].shape[1]))
    width = enlarge * crops[0].shape[1]
    augment = augmentation.build() if augmentation else None
    rendered, labels = [], []
    for row, crop, face in zip(rows, crops, found, strict=True):
        rendered.append(crop)
        labels.append(_short(manifest.keys[row] + ("" if face else " (no face found)"), width))
        if augmentation is None or augment is None:
            continue
        for epoch in range(epochs):
            changed, what = _augmented(augment, augmentation.name, crop, augmentation_seed(seed, epoch, row))
            rendered.append(changed)
            labels.append(textwrap.fill(f"{epoch}: {what}", int(width / LETTER), break_long_words=False))
    large = [canvas.repeat(enlarge, axis=0).repeat(enlarge, axis=1) for canvas in rendered]
    return contact_sheet(large, columns=len(rendered) // len(rows), labels=labels)


def _manifest(data: DatasetConfig, cache: Path | None, progress: Progress | None) -> Manifest:
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="facegrid-show-", ignore_cleanup_errors=True) as folder:
            return _manifest(data, Path(folder), progress)
    manifest = data.manifest(cache)
    if manifest is None:
        manifest = data.scan(cache, progress)
    if not len(manifest.keys):
        raise ValueError(f"dataset {data.name} has no images to show")
    return manifest


def _choose(identities: Sequence[str], count: int, seed: int) -> list[int]:
    """Rows in order: one per chosen subject; if there are too few subjects, further images of them."""
    order = np.random.default_rng(seed).permutation(len(identities)).tolist()
    _, first = np.unique(np.array([identities[row] for row in order]), return_index=True)
    firsts = {order[place] for place in first.tolist()}
    chosen = [row for row in order if row in firsts] + [row for row in order if row not in firsts]
    return sorted(chosen[:count])


def _crops(
    data: DatasetConfig, detector: DetectorConfig, manifest: Manifest, size: Size
) -> tuple[list[np.ndarray], list[bool]]:
    images = data.build(manifest)
    whole = [images.image(place) for place in range(len(manifest.keys))]
    built = detector.build()
    faces = built.detect(whole)
    lost = [key for key, face in zip(manifest.keys, faces, strict=True) if not face.found]
    if lost and detector.on_missing_face == "fail":
        raise ValueError(f"detector {detector.name}: no face found in {lost[0]}; {len(lost)} of {len(faces)} images shown")
    crops = [built.crop(image, face, size) for image, face in zip(whole, faces, strict=True)]
    return crops, [face.found for face in faces]


def _augmented(augment: Augmentation, name: str, crop: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """The image, and the names of the steps that changed it."""
    done, image = [], crop
    for step, after in augment.after_each(crop, seed) if isinstance(augment, Pipeline) else ((name, augment(crop, seed)),):
        if not np.array_equal(after, image):
            done.append(step)
        image = after
    return image, ", ".join(done) or "as it is"


def _short(text: str, width: int) -> str:
    """The end of a text that is too long for the width in pixels; the end is more informative."""
    letters = int(width / LETTER)
    return text if len(text) <= letters else ".." + text[2 - letters :]
