"""The `data` commands: which datasets there are, and whether one on disk is whole."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from configs.lookup import known, lookup, nearest, resolve
from grid.origins import complaint
from grid.spec import BadInput


def describe() -> list[dict[str, str]]:
    """Every dataset, and every protocol that is more than a dataset: what it is, needs, its terms, and where it comes from.

    ``about`` is the first line of its file's documentation; ``kind`` is ``data`` or ``protocol``.
    """
    found = []
    for kind in ("data", "protocol"):
        for name in known(kind):
            config: Any = lookup(kind, name)
            if not config.origin:
                continue  # it asks something of any dataset, or of one of the same name
            about = (inspect.getdoc(sys.modules[config.__module__]) or "").partition("\n\n")[0]
            row = {"kind": kind, "name": name, "about": " ".join(about.split())}
            found.append({**row, "needs": config.needs, "terms": config.terms, "origin": config.origin})
    return found


def dataset(name: str, settings: Sequence[str], **values: Any) -> Any:
    """The config of a dataset from ``key=value`` texts; ``values`` are defaults.

    Raises:
        BadInput: no such dataset, or wrong settings.
    """
    if name not in known("data"):
        raise BadInput(f"no dataset {name!r}{nearest(name, known('data'))}")
    values = {"name": name, **values}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            raise BadInput(f"{setting!r}: write key=value, such as root=data/{name}")
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BadInput(f"{setting!r}: the value is no YAML ({_problem(error)}); quote it") from error
    kind = lookup("data", name)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"dataset {name}: {_complaint(error, kind)}") from error


def get(name: str, settings: Sequence[str], base: str | None, console: Console) -> dict[str, Any]:
    """Downloads what a public server has of a dataset into its ``root``; what is there already is left alone.

    Raises:
        BadInput: the dataset has no public source (says how to ask for it), the server does not answer, or gives other files.
    """
    data = dataset(name, settings)
    if not data.sources:
        raise BadInput(f"dataset {name} has no public source that this command could take it from: {data.how()}")
    from datamodules.fetching import fetch

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
            except ValueError as error:
                raise BadInput(str(error)) from error
    there = len(data.sources) - len(fresh)
    return {"dataset": name, "folder": str(data.root), "fetched": fresh, "there already": there}


def check(name: str, settings: Sequence[str], console: Console) -> dict[str, Any]:
    """Reads every image of a dataset: counts, digest, and what is bad.

    Raises:
        BadInput: no such dataset, wrong settings, or the data is absent.
    """
    data = dataset(name, settings, on_bad_image="skip")
    if missing := data.missing():
        raise BadInput(str(missing))
    with work(console, f"reading {name}") as (cache, progress):
        manifest = data.scan(cache, progress)
    return {
        "dataset": name,
        "whole": not manifest.skipped,
        "images": len(manifest.keys),
        "persons": len(set(manifest.identities)),
        "digest": manifest.digest,
        "bad": dict(manifest.skipped),
    }


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
    """Writes a contact sheet as a picture; see ``datamodules.showing.show``. ``detector`` and ``augment`` are YAML."""
    from PIL import Image

    from datamodules import showing

    data = dataset(name, settings)
    cutter = None if detector is None else component("detector", detector)
    changer = None if augment is None else component("augmentation", augment)
    with work(console, f"reading {name}") as (cache, progress):
        picture = showing.show(data, cutter, changer, images, size, seed, cache=cache, progress=progress)
    Image.fromarray(picture).save(to)
    return {"dataset": name, "picture": str(to), "width": picture.shape[1], "height": picture.shape[0]}


def convert(name: str, settings: Sequence[str], to: Path, images: int, mebibytes: int, console: Console) -> dict[str, Any]:
    """Writes a dataset as shards; see ``datamodules.convert.convert``."""
    from datamodules import convert as converting

    data = dataset(name, settings)
    with work(console, f"converting {name}") as (cache, progress):
        return converting.convert(data, cache, to.absolute(), images, mebibytes, progress)


def audit(train: str, evaluation: str, near: bool, bits: int, console: Console) -> dict[str, Any]:
    """What two datasets share; see ``datamodules.audit``. Both are YAML."""
    from datamodules.audit import audit as compare
    from datamodules.near_images import prints

    sides = [component("data", text) for text in (train, evaluation)]
    manifests, hashes = [], []
    for data in sides:
        if missing := data.missing():
            raise BadInput(str(missing))
        with work(console, f"reading {data.name}") as (cache, progress):
            manifests.append(data.scan(cache, progress))
        with work(console, f"comparing pictures of {data.name}") as (_, progress):
            hashes.append(prints(data.build(manifests[-1]), progress) if near else None)
    names = [data.names(set(manifest.identities)) for data, manifest in zip(sides, manifests, strict=True)]
    found = compare(manifests[0], manifests[1], names[0], names[1], hashes[0], hashes[1], bits)
    return {"clean": found.clean, **found.facts()}


def component(kind: str, text: str) -> Any:
    """A component from YAML: a name, or a mapping with a name.

    Raises:
        BadInput: it is no YAML, or no such component, or its fields are wrong.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{kind} {text!r}: no YAML ({_problem(error)})") from error
    try:
        return resolve(kind, value)
    except ValidationError as error:
        name = value if isinstance(value, str) else value["name"]
        raise BadInput(f"{kind} {text!r}: {_complaint(error, lookup(kind, name))}") from error
    except ValueError as error:
        raise BadInput(f"{kind} {text!r}: {' '.join(str(error).split())}") from error


def _problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def _complaint(error: ValidationError, config: Any) -> str:
    """The first complaint in one line; where ``root`` is absent, what it means for this dataset."""
    words = complaint(error, config)
    needs = getattr(config, "needs", "")
    return f"{words}; it needs {needs}" if needs and "root" in needs and words == "key 'root' is needed" else words


@contextmanager
def work(console: Console, title: str) -> Iterator[tuple[Path, Callable[[int, int], None]]]:
    """A folder for scans, and progress on a terminal; a ValueError becomes BadInput."""
    with (
        tempfile.TemporaryDirectory(prefix="facegrid-data-") as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task(title)
        try:
            yield Path(folder), lambda done, total: progress.update(task, completed=done, total=total)
        except ValueError as error:
            raise error if isinstance(error, BadInput) else BadInput(str(error)) from error
