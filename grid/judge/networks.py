"""What can be judged: an ONNX or TorchScript file, an exported folder, a trained network, embeddings or scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from grid.export.package import WEIGHTS, Package, is_package, read_package
from grid.judge.preprocessing import FACES, SIZES, Preprocessing
from grid.results.model_loader import find
from grid.spec.grid_file import BadInput
from grid.spec.training import Training
from modules.backbones.external import ExternalConfig
from modules.backbones.scored import read_scores
from modules.backbones.stored import read_embeddings
from modules.targets import head_of, objective
from modules.weights.onnx_files import inspect
from modules.weights.onnx_trial import trial

Size = tuple[int, int]  # height and width
SCRIPTS = (".pt", ".pth", ".ts", ".torchscript")
EMBEDDINGS, SCORES = ".npz", ".csv"
KNOWN = (
    f"a file .onnx, TorchScript ({', '.join(SCRIPTS)}), embeddings (.npz), scores of pairs (.csv), a folder made by "
    f"`facegrid export`, or the {WEIGHTS} of a study's store"
)


@dataclass(frozen=True)
class Judged:
    """A network to judge.

    Attributes:
        title: the level's name
        path: the file or folder
        fixed: settings of the cell that are known, such as backbone and head
        size: (height, width) of its images in pixels; that of ``preprocessing``, if there is one
        preprocessing: None for networks of facegrid, which have their own, and for embeddings and scores
        said: what was read from the file or assumed, in words
        sizes: that can be tried: ``size`` alone, or with those of ``SIZES`` that a network of open size takes
    """

    title: str
    path: Path
    fixed: dict[str, Any]
    size: Size
    preprocessing: Preprocessing | None
    said: str
    sizes: tuple[Size, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The level: every setting in which the networks differ."""
        found = {**self.fixed, "input": {"size": self.size[0], "width": self.size[1]}}
        if self.preprocessing is None:
            return found
        backbone = {**found["backbone"], **self.preprocessing.of_network()}
        return {**found, "backbone": backbone, "detector": FACES[self.preprocessing.faces]}


def judged(
    path: Path,
    start: Preprocessing,
    size: Size | None = None,
    output: str | None = None,
    trust: bool = False,
) -> Judged:
    """Reads what a file says about its network.

    Args:
        path: see ``KNOWN``
        start: the preprocessing to begin with
        size: (height, width); None: the file's, else the first of ``SIZES`` that the network takes
        output: name of the ONNX output that is the embedding
        trust: run TorchScript files

    Raises:
        BadInput: the file is none of these, is rejected (see ``onnx_files``), or its size differs from ``size``.
    """
    path = path.absolute()
    try:
        if path.is_dir():
            return _of_package(path)
        if path.suffix.lower() == ".onnx":
            return _of_onnx(path, start, size, output)
        if path.suffix.lower() == EMBEDDINGS:
            return _of_embeddings(path)
        if path.suffix.lower() == SCORES:
            return _of_scores(path)
        if path.suffix.lower() in SCRIPTS:
            return _of_script(path, start, size, trust)
    except ValueError as error:
        raise error if isinstance(error, BadInput) else BadInput(str(error)) from error
    if path.name == WEIGHTS and is_package(path.parent):
        return _of_package(path.parent)
    if path.suffix == Path(WEIGHTS).suffix and path.is_file():
        return _of_training(path)
    what = "no such file or folder" if not path.exists() else "no network that can be judged"
    raise BadInput(f"{path}: {what}; give {KNOWN}")


def titled(networks: Sequence[Judged]) -> list[Judged]:
    """The networks with titles that differ: with the folder's name, then with a number, where file names are equal."""
    found: list[Judged] = []
    for number, one in enumerate(networks, 1):
        title = one.title
        if sum(other.title == title for other in networks) > 1:
            title = f"{one.path.parent.name}/{title}"
        if any(other.title == title for other in found):
            title = f"{title} {number}"
        found.append(replace(one, title=title))
    return found


def _of_package(folder: Path) -> Judged:
    package = read_package(folder)
    return Judged(folder.name, folder, _own(package, package.weights), package.size, None, "as it was exported")


def _of_training(path: Path) -> Judged:
    """The network of a finished training, as its study records it."""
    try:
        found = find(path, {})
    except BadInput as error:
        export = "`facegrid export STUDY --where AXIS=LEVEL --to model`"
        raise BadInput(f"{error}; or export the network ({export}) and judge that folder") from error
    training = found.training
    if isinstance(training.backbone, ExternalConfig) or training.backbone.stored:
        raise BadInput(f"{path}: its network is the file {training.backbone.path}; judge that file")
    pixels = training.input.pixels
    size = (pixels, pixels) if isinstance(pixels, int) else pixels
    return Judged(found.title, path, _own(training, found.path), size, None, "as its study trained it")


def _own(parts: Package | Training, weights: Path) -> dict[str, Any]:
    """The settings of a network of facegrid."""
    head = parts.head if isinstance(parts, Package) else head_of(parts.head, objective(parts))
    configs = {"backbone": parts.backbone, "head": head, "detector": parts.detector}
    found = {kind: config.model_dump(mode="json") for kind, config in configs.items()}
    return {**found, "pretraining": {"name": "checkpoint", "path": str(weights), "head": True}}


def _of_embeddings(path: Path) -> Judged:
    keys, vectors = read_embeddings(path)
    backbone = {"name": "stored", "path": str(path), "dimension": vectors.shape[1]}
    fixed = {**_external(backbone), "detector": "none"}
    return Judged(path.name, path, fixed, SIZES[0], None, f"{len(keys)} embeddings of {vectors.shape[1]} numbers")


def _of_scores(path: Path) -> Judged:
    found = read_scores(path)
    fixed = {**_external({"name": "scored", "path": str(path), "dimension": 1}), "detector": "none"}
    ignored = f"; columns that are not read: {', '.join(found.ignored)}" if found.ignored else ""
    return Judged(path.name, path, fixed, SIZES[0], None, f"{len(found.score)} scores of pairs{ignored}")


def _of_onnx(path: Path, start: Preprocessing, size: Size | None, output: str | None) -> Judged:
    file = inspect(path)
    given = file.size
    if size is not None and not _fits(size, given):
        raise BadInput(f"{path}: its images are {given[0]} x {given[1]} pixels; --size {size[0]}x{size[1]} does not fit")
    batch = file.shape[0] or 1

    def outputs(one: Size) -> dict[str, Any]:
        return trial(path, file.input, (batch, *one, 3) if file.nhwc else (batch, 3, *one))

    found = _at_sizes(outputs, [one for one in SIZES if _fits(one, given)], size, given)
    used, shapes = next(iter(found.items()))
    name = output or file.outputs[0]
    if name not in shapes:
        raise BadInput(f"{path}: no output {name!r} (known: {', '.join(shapes)}); set --output")
    shape = shapes[name]
    if shape[:1] != [batch] or len(shape) < 2:
        raise BadInput(
            f"{path}: output {name} is {shape} for {batch} image; expected ({batch}, dimension); name another with --output "
            f"(known: {', '.join(shapes)})"
        )
    dimension = int(torch.Size(shape[1:]).numel())
    backbone = {"name": "external", "path": str(path), "dimension": dimension, "layout": "nhwc" if file.nhwc else "nchw"}
    backbone |= {"output": output} if output else {}
    sizes = tuple(one for one, theirs in found.items() if theirs[name] == shape)
    said = f"ONNX, {_pixels(used, size is None and None in given)}, {dimension} numbers"
    return Judged(path.name, path, _external(backbone), used, replace(start, size=used), said, sizes)


def _of_script(path: Path, start: Preprocessing, size: Size | None, trust: bool) -> Judged:
    config = ExternalConfig(path=path, trusted=trust)
    network: Any = config.build().eval().embedding

    def dimension_at(one: Size) -> int:
        with torch.no_grad():
            return int(network._run(torch.zeros(1, 3, *one))[0].numel())

    found = _at_sizes(dimension_at, SIZES, size, (None, None))
    used, dimension = next(iter(found.items()))
    sizes = tuple(one for one, theirs in found.items() if theirs == dimension)
    backbone = {"name": "external", "path": str(path), "dimension": dimension, "trusted": True}
    said = f"TorchScript, {_pixels(used, size is None)}, {dimension} numbers"
    return Judged(path.name, path, _external(backbone), used, replace(start, size=used), said, sizes)


def _fits(size: Size, given: tuple[int | None, int | None]) -> bool:
    return all(side in (None, ours) for side, ours in zip(given, size, strict=True))


def _at_sizes(
    outputs: Callable[[Size], Any], usual: Sequence[Size], stated: Size | None, given: tuple[int | None, int | None]
) -> dict[Size, Any]:
    """Size -> outputs, of the size to use, then of the others at which the network runs.

    Args:
        outputs: what describes the network's outputs at a size; raises ValueError if it cannot run
        usual: sizes that are tried where the file leaves one open
        stated: is used and must run
        given: the file's own height and width; None where it leaves one open

    Raises:
        ValueError: that of the first size, if the network runs at none.
    """
    first = stated or (given[0] or SIZES[0][0], given[1] or SIZES[0][1])
    found: dict[Size, Any] = {}
    errors: list[ValueError] = []
    for one in dict.fromkeys([first, *usual] if None in given else [first]):
        try:
            found[one] = outputs(one)
        except ValueError as error:
            errors.append(error)
            if one == stated:
                raise
    if not found:
        raise errors[0]
    return found


def _pixels(size: Size, assumed: bool) -> str:
    return f"{size[0]} x {size[1]} pixels{' (assumed)' if assumed else ''}"


def _external(backbone: dict[str, Any]) -> dict[str, Any]:
    head = {"name": "gmp", "dimension": backbone["dimension"]}  # hands the map of one pixel on
    return {"backbone": backbone, "head": head, "pretraining": "external"}
