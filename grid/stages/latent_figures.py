"""The pictures of a latent-space study: gallery, interpolations, traversals, maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grid.stages.held_out import of_different_subjects
from grid.stages.latent_numbers import Numbers
from grid.stages.latent_pictures import COLORS, Scatter, TileRow, animation_gif, scatter_png, tiles_png
from grid.stages.latent_space import Encoder
from modules.latent.codes import linear, spherical, traversal
from modules.latent.image_quality import psnr, ssim
from modules.latent.projections import neighbors, principal

PATHS = {"linear": linear, "spherical": spherical}
LONGEST = 18  # characters of a class name in a legend


@dataclass(frozen=True, eq=False)
class Shown:
    """Attributes:
    files: pictures by file name
    points: rows of ``points.csv``, the first one its header
    gallery: rows of the dataset
    channels: that were traversed
    explained: shares of the variance of the two principal components
    """

    files: dict[str, bytes]
    points: list[tuple[Any, ...]]
    gallery: list[int]
    channels: Sequence[int]
    explained: tuple[float, float]


def drawn(encoder: Encoder, settings: Any, numbers: Numbers) -> Shown:
    """All pictures of the study."""
    gallery = of_different_subjects(encoder.studied.rows, encoder.faces.identities, max(settings.images, 2 * settings.pairs))
    files = {"gallery.png": gallery_png(encoder, gallery[: settings.images])}
    files |= interpolations(encoder, gallery, settings)
    channels = [(one, "") for one in settings.channels] or strongest_channels(encoder, settings, numbers)
    files["traversal.png"] = traversal_png(encoder, gallery[0], channels, settings)
    maps, points, explained = maps_of(encoder, settings)
    files["maps.png"] = maps
    return Shown(files, points, gallery[: settings.images], [channel for channel, _ in channels], explained)


def gallery_png(encoder: Encoder, rows: Sequence[int]) -> bytes:
    """Images above their reconstructions."""
    crops, rebuilt = encoder.crops(rows), encoder.images(encoder.codes(rows))
    captions = [f"{a:.1f} dB, {b:.2f}" for a, b in zip(psnr(crops, rebuilt), ssim(crops, rebuilt), strict=True)]
    return tiles_png([TileRow("input", crops), TileRow("reconstruction\nPSNR, SSIM", rebuilt, captions)], "Reconstructions")


def path_images(encoder: Encoder, start: int, end: int, steps: int, path: Callable[..., torch.Tensor]) -> np.ndarray:
    """uint8 (steps, H, W, 3): decoded codes on the path between two rows; the ends are the plain reconstructions."""
    first, last = encoder.codes([start, end])
    return encoder.images(path(first, last, steps))


def interpolations(encoder: Encoder, gallery: Sequence[int], settings: Any) -> dict[str, bytes]:
    """A strip and an animation for each kind of path."""
    pairs = [(gallery[2 * number], gallery[2 * number + 1]) for number in range(min(settings.pairs, len(gallery) // 2))]
    files: dict[str, bytes] = {}
    for name, path in PATHS.items():
        rows, frames = [], []
        for number, (start, end) in enumerate(pairs):
            inside = path_images(encoder, start, end, settings.steps, path)
            ends = encoder.crops([start, end])
            tiles = np.concatenate([ends[:1], inside, ends[1:]])
            captions = ["input", *(f"{place / (settings.steps - 1):.2f}" for place in range(settings.steps)), "input"]
            rows.append(TileRow(f"pair {number + 1}", tiles, captions))
            frames.append(path_images(encoder, start, end, settings.frames, path))
        files[f"interpolation-{name}.png"] = tiles_png(rows, f"{name.capitalize()} interpolation of codes")
        files[f"interpolation-{name}.gif"] = animation_gif(np.concatenate(frames, axis=2))
    return files


def strongest_channels(encoder: Encoder, settings: Any, numbers: Numbers) -> list[tuple[int, str]]:
    """For each attribute the channel that carries most of it or, without probes of channels, the most variable channels."""
    if settings.vectors == "pooled" and numbers.singles:
        return [(one["strongest"][0]["dimension"], f"most of {name}") for name, one in numbers.singles.items()]
    order = np.argsort(-encoder.pooled.var(axis=0), kind="stable")[:3]
    return [(int(channel), "largest variance") for channel in order]


def traversal_png(encoder: Encoder, row: int, channels: Sequence[tuple[int, str]], settings: Any) -> bytes:
    """One row of tiles per channel and why it was chosen: the face with it moved by multiples of its standard deviation.

    Raises:
        ValueError: the code has no such channel.
    """
    code = encoder.codes([row])[0]
    spread = encoder.pooled.std(axis=0)
    steps = np.linspace(-settings.reach, settings.reach, settings.steps)
    captions = [f"{step:+.1f} sd" for step in steps]
    rows = []
    for channel, why in channels:
        if not 0 <= channel < len(code):
            raise ValueError(
                f"stage {settings.title}: channels names {channel}, and the code has channels 0 to {len(code) - 1}"
            )
        tiles = encoder.images(traversal(code, channel, torch.from_numpy(steps * spread[channel])))
        rows.append(TileRow(f"channel {channel}\n{why}".rstrip(), tiles, captions))
    return tiles_png(rows, "One channel of the code moved at all locations")


def maps_of(encoder: Encoder, settings: Any) -> tuple[bytes, list[tuple[Any, ...]], tuple[float, float]]:
    """(scatter plots, rows of ``points.csv``, variance explained by the principal components)."""
    vectors, names = encoder.vectors(settings.vectors), tuple(settings.attributes or encoder.columns)
    first, explained = principal(vectors)
    second = neighbors(vectors, settings.perplexity, settings.seed)
    rows = encoder.studied.rows
    colored = {name: (encoder.columns[name].values[rows], encoder.columns[name].classes) for name in names}
    if len(set(encoder.subjects.tolist())) < len(rows):
        colored["identity"] = _frequent(encoder.subjects)
    colored = colored or {"": (np.full(len(rows), -1), ())}
    axes = tuple(f"component {place + 1} ({share:.0%} of the variance)" for place, share in enumerate(explained))
    plots = [
        [
            Scatter(f"{title}: {name}".removesuffix(": "), points, labels, values, _shortened(classes))  # type: ignore[arg-type]
            for name, (values, classes) in colored.items()
        ]
        for title, points, labels in (("PCA", first, axes), ("t-SNE", second, ("", "")))
    ]
    keys = encoder.faces.manifest.keys
    listed: list[tuple[Any, ...]] = [("key", "identity", *names, "pca_1", "pca_2", "tsne_1", "tsne_2")]
    for place, row in enumerate(rows.tolist()):
        values = (_written(encoder.columns[name], row) for name in names)
        numbers = (f"{value:.6g}" for value in (*first[place], *second[place]))
        listed.append((keys[row], encoder.subjects[place], *values, *numbers))
    return scatter_png(plots), listed, explained


def _written(column: Any, row: int) -> Any:
    """The value of an image as text or number; empty if unknown."""
    if not column.known[row]:
        return ""
    return column.values[row] if column.classes is None else column.classes[column.values[row]]


def _frequent(subjects: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The subjects with the most images as classes; others are -1."""
    names = [name for name, _ in sorted(Counter(subjects.tolist()).items(), key=lambda item: (-item[1], item[0]))[:COLORS]]
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(name, -1) for name in subjects.tolist()]), tuple(names)


def _shortened(classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if classes is None else tuple(name[:LONGEST] for name in classes)
