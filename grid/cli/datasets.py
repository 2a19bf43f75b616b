"""Implements the `data` commands: which datasets there are, and whether one on disk is complete."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import DownloadColumn, Progress

from configs.lookup import known, lookup
from grid.cli.data_settings import component, dataset, protocol_of
from grid.spec.grid_file import BadInput


def describe() -> list[dict[str, str]]:
    """Every dataset, and every protocol with its own images or lists: description, requirements, terms, and source.

    ``about`` is the first paragraph of its file's documentation; ``kind`` is ``data`` or ``protocol``.
    """
    found = []
    for kind in ("data", "protocol"):
        for name in known(kind):
            config: Any = lookup(kind, name)
            if not config.origin:
                continue  # it applies to any dataset, or to one of the same name
            about = (inspect.getdoc(sys.modules[config.__module__]) or "").partition("\n\n")[0]
            row = {"kind": kind, "name": name, "about": " ".join(about.replace("``", "").split())}
            found.append({**row, "needs": config.needs, "terms": config.terms, "origin": config.origin})
    return found


def get(name: str, settings: Sequence[str], base: str | None, console: Console) -> dict[str, Any]:
    """Downloads the public files of a dataset into its ``root``; existing files are kept.

    Raises:
        BadInput: the dataset has no public source (says how to request it), the server does not answer, or its files differ.
    """
    if name not in known("data") and name in known("protocol"):
        described: Any = lookup("protocol", name)
        raise BadInput(f"the list {name} has no public source that this command could take it from: {described.how()}")
    data = dataset(name, settings)
    if base is not None and not base.startswith(("http://", "https://")):
        raise BadInput(f"--base {base!r}: an address begins with http:// or https://")
    if not data.sources:
        raise BadInput(f"dataset {name} has no public source that this command could take it from: {data.how()}")
    from datamodules.download import fetch

    fresh = []
    with Progress(
        *Progress.get_default_columns(), DownloadColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        for source in data.sources:
            task = progress.add_task(source.name, total=source.size)

            def show(done: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=done, total=total)

            try:
                if fetch(source, base or data.server, data.root, show):
                    fresh.append(source.name)
            except (ValueError, OSError) as error:
                raise _refused(error) from error
    there = len(data.sources) - len(fresh)
    return {"dataset": name, "folder": str(data.root), "fetched": fresh, "there already": there}


def check(name: str, settings: Sequence[str], console: Console) -> dict[str, Any]:
    """Reads every image of a dataset: counts, digest, images of unsupported types, and what is bad or absent.

    For a pair list with that name (``sllfw``), reads the images that it lists, and the list itself.

    Raises:
        BadInput: no such dataset, wrong settings, the data is absent, or a list is wrong.
    """
    from datamodules.conflicts import conflicts, described
    from datamodules.reference_sizes import absent

    if name not in known("data") and name in known("protocol"):
        return _check_list(name, settings, console)
    data = dataset(name, settings, on_bad_image="skip")
    if missing := data.missing():
        raise BadInput(str(missing))
    with work(console, f"reading {name}") as (cache, progress):
        manifest = data.scan(cache, progress)
        notes = data.left_out()
        columns = data.columns(manifest)
    lost = absent(data, manifest)
    if found := conflicts(manifest) if data.identified else []:
        notes["conflicts"] = described(manifest, found)
    return {
        "dataset": name,
        "whole": not manifest.skipped and not lost and not notes,
        "images": len(manifest.keys),
        "subjects": len(set(manifest.identities)),
        "digest": manifest.digest,
        **({"columns": {name: _described(column) for name, column in columns.items()}} if columns else {}),
        **notes,
        **({"repaired": repairs} if (repairs := data.repairs()) else {}),
        **({"absent": lost} if lost else {}),
        "bad": dict(manifest.skipped),
    }


def _described(column: Any) -> str:
    """The type of a column, and the number of images without a value."""
    numbers = f"numbers ({column.unit})" if column.unit else "numbers"
    kind = numbers if column.classes is None else f"{len(column.classes)} classes"
    unknown = len(column.known) - int(column.known.sum())
    return f"{kind}, {unknown} unknown" if unknown else kind


def _check_list(name: str, settings: Sequence[str], console: Console) -> dict[str, Any]:
    """Reads the existing images of a protocol's dataset, and looks up every image in its lists."""
    from grid.plan.returned import checked_input

    protocol = protocol_of(name, settings)
    if missing := protocol.missing():
        raise BadInput(str(missing))
    with work(console, f"reading {name}") as (cache, progress):
        manifest = protocol.dataset().scan(cache, progress)
        facts: dict[str, Any] = {"protocol": name, "whole": True, "images": len(manifest.keys)}
        if protocol.task == "verification":
            pairs = protocol.pairs(manifest)
            counts = {"pairs": len(pairs.same), "genuine": int(pairs.same.sum()), "folds": len(set(pairs.fold.tolist()))}
        else:
            counts = {"digest": checked_input(protocol, manifest).digest}
    return facts | counts | {"bad": {}}


def show(
    name: str,
    settings: Sequence[str],
    detector: str | None,
    augment: str | None,
    images: int,
    size: int | tuple[int, int],
    seed: int,
    to: Path,
    console: Console,
) -> dict[str, Any]:
    """Writes a contact sheet as an image; see ``datamodules.preview.show``. ``detector`` and ``augment`` are YAML."""
    from PIL import Image

    from datamodules import preview

    if Image.registered_extensions().get(to.suffix.lower()) not in Image.SAVE or not to.absolute().parent.is_dir():
        raise BadInput(f"--to {to}: name an image, such as show.png, in a folder that is there")
    data = dataset(name, settings)
    cutter = None if detector is None else component("detector", detector)
    changer = None if augment is None else component("augmentation", augment)
    if cutter is not None and changer is not None:
        try:
            changer.check(cutter)
        except ValueError as error:
            raise BadInput(str(error)) from error
    with work(console, f"reading {name}") as (cache, progress):
        canvas = preview.show(data, cutter, changer, images, size, seed, cache=cache, progress=progress)
        Image.fromarray(canvas).save(to)
    return {"dataset": name, "image": str(to), "width": canvas.shape[1], "height": canvas.shape[0]}


def convert(name: str, settings: Sequence[str], to: Path, images: int, mebibytes: int, console: Console) -> dict[str, Any]:
    """Writes a dataset as shards; see ``datamodules.convert.convert``."""
    from datamodules import convert as converting

    data = dataset(name, settings)
    with work(console, f"converting {name}") as (cache, progress):
        return converting.convert(data, cache, to.absolute(), images, mebibytes, progress)


def audit(train: str, evaluation: str, near: bool, bits: int, console: Console) -> dict[str, Any]:
    """What two datasets share; see ``datamodules.overlap_audit``. Both are YAML."""
    from datamodules.near_duplicates import prints
    from datamodules.overlap_audit import audit as compare
    from datamodules.shared_subjects import shared_subjects

    # A transformed file is the same file, as in a plan.
    sides = [component("data", text).untransformed() for text in (train, evaluation)]
    manifests, hashes = [], []
    for data in sides:
        if missing := data.missing():
            raise BadInput(str(missing))
        with work(console, f"reading {data.name}") as (cache, progress):
            manifests.append(data.scan(cache, progress))
        with work(console, f"comparing images of {data.name}") as (_, progress):
            hashes.append(prints(data.build(manifests[-1]), progress) if near else None)
    with work(console, "comparing subjects and files"):
        subjects = shared_subjects(sides[0], manifests[0].identities, sides[1], manifests[1].identities)
        found = compare(manifests[0], manifests[1], subjects, hashes[0], hashes[1], bits)
    return {"clean": found.clean, **found.facts()}


@contextmanager
def work(console: Console, title: str) -> Iterator[tuple[Path, Callable[[int, int], None]]]:
    """Context manager: a folder for scans, and progress on a terminal; a ValueError becomes BadInput."""
    with (
        tempfile.TemporaryDirectory(prefix="facegrid-data-", ignore_cleanup_errors=True) as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task(title)
        try:
            yield Path(folder), lambda done, total: progress.update(task, completed=done, total=total)
        except (ValueError, OSError) as error:  # OSError: a full disk, or a folder without write permission
            raise _refused(error) from error


def _refused(error: ValueError | OSError) -> BadInput:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return BadInput(f"{error.filename}: {error.strerror}")
    return error if isinstance(error, BadInput) else BadInput(str(error))
