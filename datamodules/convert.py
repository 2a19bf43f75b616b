"""Writes any dataset as shards: tar archives for sequential reading on a cluster.

Image i of the dataset becomes the members ``000000i.jpg`` (its original bytes, whatever the format) and ``000000i.json``
(key, identity, class number). If a dataset has no image files, such as drawn faces, the image is encoded as PNG (lossless).
The output is byte-identical on every machine.

The archives are written to a folder beside the target, which is renamed to the target at the end, so that the target is either
complete or absent. An interrupted conversion resumes after the last finished archive.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from configs.component import canonical, digest
from configs.data_interfaces import Dataset, DatasetConfig, Progress
from datamodules.formats.shard_manifest import VERSION, Shard, ShardManifest
from datamodules.formats.shards import BLOCK
from datamodules.manifest import Manifest

MIB = 1 << 20
END = bytes(2 * BLOCK)
STATE = "state.json"
SIGNS = {b"\xff\xd8": "jpg", b"\x89PNG": "png", b"BM": "bmp", b"RIFF": "webp", b"P6": "ppm"}


@runtime_checkable
class Originals(Protocol):
    """A dataset that can return the original bytes of its images."""

    def data(self, index: int) -> bytes: ...


def convert(
    data: DatasetConfig,
    cache: Path,
    target: Path,
    images_per_shard: int = 10_000,
    mebibytes_per_shard: int = 1024,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Writes ``data`` to the folder ``target``, to be read as the dataset ``{name: shards, root: <target>}``.

    Args:
        data: any dataset; it is scanned first if necessary
        cache: the folder of cached scans
        target: a folder that does not exist or is empty
        images_per_shard: maximum number of images per archive
        mebibytes_per_shard: maximum size of an archive in MiB; it has at least one image
        progress: called with (done, total) while images are read, by a scan and by the conversion

    Returns:
        target, images, subjects, shards, bytes; ``digest`` of the manifest of the converted dataset; ``original``: whether the
        images kept their bytes, in which case the digest equals that of ``data``; ``skipped``: bad images that were left out;
        ``columns_left_out``: labels of ``data`` that shards do not keep, such as ages.

    Raises:
        ValueError: the target exists or is being written by another process, the dataset is missing or has no subjects, or an
            image is bad and ``on_bad_image`` is "fail".
    """
    if images_per_shard < 1 or mebibytes_per_shard < 1:
        raise ValueError(f"shards of {images_per_shard} images or {mebibytes_per_shard} MiB; both must be 1 at least")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target}: is there already; remove it or name another folder")
    if not data.identified:
        raise ValueError(f"the dataset {data.name} has labels but no subjects, and shards keep only subjects; read it as it is")
    if missing := data.missing():
        raise ValueError(str(missing))
    manifest = data.manifest(cache)
    if manifest is None:
        manifest = data.scan(cache, progress)
    if not manifest.keys:
        raise ValueError(f"the dataset {data.name} has no images that fit its settings")
    dataset = data.build(manifest)
    plan = digest([VERSION, manifest.digest, images_per_shard, mebibytes_per_shard, isinstance(dataset, Originals)])
    with _workplace(target) as folder:
        shards, digests = _shards(dataset, folder, plan, images_per_shard, mebibytes_per_shard * MIB, progress)
        columns = (tuple(manifest.keys), tuple(manifest.identities), tuple(manifest.widths), tuple(manifest.heights))
        whole = manifest.digest if isinstance(dataset, Originals) else Manifest(*columns, tuple(digests)).digest
        found = ShardManifest(
            dataset=data.name,
            namespace=data.namespace,
            images=len(manifest.keys),
            digest=whole,
            original=isinstance(dataset, Originals),
            identities=dict(Counter(manifest.identities)),
            names=dict(sorted(data.names(set(manifest.identities)).items())),
            skipped=dict(manifest.skipped),
            shards=tuple(shards),
        )
        found.write(folder)
    return {
        "target": str(target),
        "images": found.images,
        "subjects": len(found.identities),
        "shards": len(found.shards),
        "bytes": sum(shard.bytes for shard in found.shards),
        "digest": found.digest,
        "original": found.original,
        "skipped": found.skipped,
        "columns_left_out": sorted(data.columns(manifest)),
    }


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` that is renamed to it if the block succeeds, and kept for another attempt otherwise."""
    folder = target.with_name(f".{target.name}.partial")
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system when the process dies
        except OSError as error:
            raise ValueError(f"{target}: another process is converting to it") from error
        if not folder.exists() or os.fstat(handle).st_ino != folder.stat().st_ino:
            raise ValueError(f"{target}: another process has just converted to it")
        yield folder
        (folder / STATE).unlink(missing_ok=True)
        os.fsync(handle)
        try:
            os.rename(folder, target)  # the target is absent or an empty folder
        except OSError as error:
            raise ValueError(f"{target}: cannot be made from {folder}: {error.strerror}") from error
    finally:
        os.close(handle)


def _shards(
    dataset: Dataset, folder: Path, plan: str, images: int, size: int, progress: Progress | None
) -> tuple[list[Shard], list[str]]:
    """Writes the missing archives; returns all archives, and the digests of the images that were encoded."""
    original = isinstance(dataset, Originals)
    shards = _finished(folder, plan) if original else []  # digests of encoded images are not on disk
    for path in folder.iterdir():
        if path.name not in {STATE, *(shard.file for shard in shards)}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    digests: list[str] = []
    row = sum(shard.images for shard in shards)
    samples = _samples(dataset, row, digests, progress)
    while row < len(dataset):
        shards.append(_shard(folder / f"shard-{len(shards):06d}.tar", samples, images, size))
        row += shards[-1].images
        state = {"plan": plan, "shards": [shard.model_dump() for shard in shards]}
        temporary = folder / f"{STATE}.tmp"
        temporary.write_text(json.dumps(state), encoding="ascii")
        os.replace(temporary, folder / STATE)
    return shards, digests


def _finished(folder: Path, plan: str) -> list[Shard]:
    """The archives finished by an earlier, identical attempt."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="ascii"))
        shards = [Shard(**shard) for shard in state["shards"]] if state["plan"] == plan else []
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # none, or lost in a power failure: write all again
        return []
    for place, shard in enumerate(shards):
        file = folder / shard.file
        if not file.is_file() or file.stat().st_size != shard.bytes:
            return shards[:place]
    return shards


def _samples(dataset: Dataset, first: int, digests: list[str], progress: Progress | None) -> Iterator[bytes]:
    """The two members of each image, from image ``first`` on; ``digests`` gets those of images that are encoded."""
    manifest, total = dataset.manifest, len(dataset)
    classes = {who: place for place, who in enumerate(dict.fromkeys(manifest.identities))}
    for row in range(first, total):
        if isinstance(dataset, Originals):
            data = dataset.data(row)
        else:
            packed = io.BytesIO()
            Image.fromarray(dataset.image(row)).save(packed, "PNG")
            data = packed.getvalue()
            digests.append(hashlib.sha256(data).hexdigest())
        who = manifest.identities[row]
        label = canonical({"identity": who, "key": manifest.keys[row], "label": classes[who]}).encode("ascii")
        if progress is not None:
            progress(row + 1, total)
        yield _member(f"{row:09d}.{_suffix(data)}", data) + _member(f"{row:09d}.json", label)


def _shard(path: Path, samples: Iterator[bytes], images: int, size: int) -> Shard:
    """Writes one archive with the next samples, up to so many images and bytes."""
    sha, count = hashlib.sha256(), 0
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        while count < images and (not count or file.tell() < size) and (sample := next(samples, None)):
            file.write(sample)
            sha.update(sample)
            count += 1
        file.write(END)
        sha.update(END)
        file.flush()
        os.fsync(file.fileno())
        written = file.tell()
    os.replace(temporary, path)
    return Shard(file=path.name, images=count, bytes=written, sha256=sha.hexdigest())


def _member(name: str, data: bytes) -> bytes:
    """Header, bytes and padding of a tar member, without owner and time."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def _suffix(data: bytes) -> str:
    return next((suffix for sign, suffix in SIGNS.items() if data.startswith(sign)), "img")
