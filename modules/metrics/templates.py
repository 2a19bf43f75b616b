"""Templates of several images and videos: aggregates their embeddings and scores pairs of templates.

Maze et al.: IARPA Janus Benchmark - C. ICB, 2018. A template's images are grouped by media (a still, or the frames of one
video): mean within media, sum over media, then normalization. Two switches of public evaluators are arguments:

- N ``norm``: True keeps the norm of each image's embedding, which then acts as a weight; False normalizes it first.
- D ``detector``: the image's embedding is multiplied by its detector score.

The third, F, adds the embedding of the mirrored image before, where images are embedded.
"""

from __future__ import annotations

import numpy as np

IMAGES = 32_768  # images per block; the last bits of an aggregate depend on it
TILE = 512  # embeddings per group; pairs between two groups are scored together
CHUNK = 1 << 23  # pairs sorted at a time
PAIRS = 256  # pairs per block: two blocks of 512-D float32 fit into a core's cache


def aggregate(
    features: np.ndarray, templates: np.ndarray, media: np.ndarray, *, norm: bool = False, detector: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (template numbers, increasing; their embeddings (T, D), of unit length, in the features' dtype).

    One row per image and template it belongs to. Each block of images is one product with a sparse weight matrix, so features
    may be a memory map; apart from the result only one block is in memory.

    Args:
        features: (n, D) float32 or float64.
        templates: (n,) int.
        media: (n,) int; equal numbers in different templates are different media.
        norm: see above.
        detector: (n,) float, see above.

    Raises:
        ValueError: lengths differ; an image's embedding or a template's sum has norm 0 or is not finite (reports which).
    """
    from scipy.sparse import csr_matrix

    count, size = features.shape
    for name, column in (("templates", templates), ("media", media), ("detector scores", detector)):
        if column is not None and len(column) != count:
            raise ValueError(f"{count} features and {len(column)} {name}; each row of one belongs to a row of the other")
    kind = np.float32 if features.dtype == np.float32 else np.float64
    numbers, rows = np.unique(templates, return_inverse=True)
    weights = 1 / media_sizes(rows, media)
    if detector is not None:
        weights = weights * np.asarray(detector, np.float64)
    sums = np.zeros((len(numbers), size), kind)
    for start in range(0, count, IMAGES):
        part = slice(start, start + IMAGES)
        images = np.asarray(features[part], kind)
        weight = weights[part]
        if not norm:
            weight = weight / _lengths(images, start, "the image of row")
        seen, place = np.unique(rows[part], return_inverse=True)
        matrix = csr_matrix((weight.astype(kind), (place, np.arange(len(images)))), shape=(len(seen), len(images)))
        sums[seen] += matrix @ images
    sums /= _lengths(sums, numbers, "the template")[:, None]
    return numbers, sums


def media_sizes(rows: np.ndarray, media: np.ndarray) -> np.ndarray:
    """Number of images of the same media in the same template, (n,) int."""
    _, media = np.unique(media, return_inverse=True)
    pairs = rows.astype(np.int64) * (int(media.max(initial=0)) + 1) + media
    _, place, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return counts[place]


def score_pairs(embeddings: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Dot products (n,) of rows ``left`` and ``right``, in the embeddings' dtype; cosines if these have unit length.

    A pair's score does not depend on the other pairs. Memory: the result, and about 300 MB.

    Args:
        embeddings: (T, D) float32 or float64.
        left: (n,) int, rows of ``embeddings``.
        right: (n,) int.

    Raises:
        ValueError: the lengths differ, or a row does not exist.
    """
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"left rows have shape {left.shape} and right rows {right.shape}; both must be one list of one length")
    for name, rows in (("left", left), ("right", right)):
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(embeddings):
            raise ValueError(f"{name} rows go from {rows.min()} to {rows.max()}; there are {len(embeddings)} embeddings")
    scores = np.empty(len(left), embeddings.dtype)
    one, other = (np.empty((PAIRS, embeddings.shape[1]), embeddings.dtype) for _ in range(2))
    for start in range(0, len(left), CHUNK):
        chunk = slice(start, start + CHUNK)
        order = _near(left[chunk], right[chunk], len(embeddings))
        ones, others = left[chunk][order], right[chunk][order]
        found = np.empty(len(order), embeddings.dtype)
        for first in range(0, len(order), PAIRS):
            last = min(first + PAIRS, len(order))
            a, b = one[: last - first], other[: last - first]
            # mode "clip" writes directly into the block; the rows were checked above.
            np.take(embeddings, ones[first:last], axis=0, out=a, mode="clip")
            np.take(embeddings, others[first:last], axis=0, out=b, mode="clip")
            np.einsum("nd,nd->n", a, b, out=found[first:last])
        scores[chunk][order] = found
    return scores


def _near(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """An order of the pairs in which those between the same two groups of rows are adjacent.

    In arbitrary order each embedding is read from main memory; a group of rows stays in a core's cache.
    """
    tile = max(TILE, -(-count // 255))  # both group numbers together fit into 16 bits, which are sorted in linear time
    groups = left // tile * 255 + right // tile
    return np.argsort(groups.astype(np.uint16), kind="stable")


def _lengths(vectors: np.ndarray, names: int | np.ndarray, what: str) -> np.ndarray:
    """Norms (n,) of the rows; ``names`` are the rows' names, or the number of the first row, for messages."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        name = names[bad[0]] if isinstance(names, np.ndarray) else names + bad[0]
        raise ValueError(f"{what} {name} has an embedding of length {lengths[bad[0]]}, which has no direction")
    return lengths
