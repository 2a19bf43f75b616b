"""What can be judged: an ONNX file, a TorchScript file, an exported folder, embeddings or scores, as settings of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from grid.export.package import WEIGHTS, is_package, read_package
from grid.judge.preprocessing import FACES, Preprocessing
from grid.spec.grid_file import BadInput
from modules.backbones.external import ExternalConfig
from modules.backbones.scored import read_scores
from modules.backbones.stored import read_embeddings
from modules.weights.onnx_files import inspect
from modules.weights.onnx_trial import trial

SIZE = (112, 112)  # height and width where a file leaves them open
SCRIPTS = (".pt", ".pth", ".ts", ".torchscript")
EMBEDDINGS, SCORES = ".npz", ".csv"
KNOWN = (
    f"a file .onnx, TorchScript ({', '.join(SCRIPTS)}), embeddings (.npz), scores of pairs (.csv), or a folder made by "
    "`facegrid export`"
)


@dataclass(frozen=True)
class Judged:
    """A network to judge.

    Attributes:
        title: the level's name
        path: the file or folder
        fixed: settings of the cell that are known, such as backbone and head
        size: (height, width) of its images in pixels
        preprocessing: None for an exported folder, which has its own, and for embeddings and scores
        said: what was read from the file or assumed, in words
    """

    title: str
    path: Path
    fixed: dict[str, Any]
    size: tuple[int, int]
    preprocessing: Preprocessing | None
    said: str

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
    size: tuple[int, int] | None = None,
    output: str | None = None,
    trust: bool = False,
) -> Judged:
    """Reads what a file says about its network.

    Args:
        path: see ``KNOWN``
        start: the preprocessing to begin with
        size: (height, width); None: the file's, else 112 x 112
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
            return _of_script(path, start, size or SIZE, trust)
    except ValueError as error:
        raise error if isinstance(error, BadInput) else BadInput(str(error)) from error
    if path.name == WEIGHTS and is_package(path.parent):
        return _of_package(path.parent)
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
    parts = {kind: getattr(package, kind).model_dump(mode="json") for kind in ("backbone", "head", "detector")}
    pretraining = {"name": "checkpoint", "path": str(package.weights), "head": True}
    return Judged(folder.name, folder, {**parts, "pretraining": pretraining}, package.size, None, "as it was exported")


def _of_embeddings(path: Path) -> Judged:
    keys, vectors = read_embeddings(path)
    backbone = {"name": "stored", "path": str(path), "dimension": vectors.shape[1]}
    fixed = {**_external(backbone), "detector": "none"}
    return Judged(path.name, path, fixed, SIZE, None, f"{len(keys)} embeddings of {vectors.shape[1]} numbers")


def _of_scores(path: Path) -> Judged:
    found = read_scores(path)
    fixed = {**_external({"name": "scored", "path": str(path), "dimension": 1}), "detector": "none"}
    ignored = f"; columns that are not read: {', '.join(found.ignored)}" if found.ignored else ""
    return Judged(path.name, path, fixed, SIZE, None, f"{len(found.score)} scores of pairs{ignored}")


def _of_onnx(path: Path, start: Preprocessing, size: tuple[int, int] | None, output: str | None) -> Judged:
    file = inspect(path)
    given = file.size
    if size is not None and any(side not in (None, ours) for side, ours in zip(given, size, strict=True)):
        raise BadInput(f"{path}: its images are {given[0]} x {given[1]} pixels; --size {size[0]}x{size[1]} does not fit")
    height, width = size or (given[0] or SIZE[0], given[1] or SIZE[1])
    batch = file.shape[0] or 1
    shapes = trial(path, file.input, (batch, height, width, 3) if file.nhwc else (batch, 3, height, width))
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
    said = f"ONNX, {height} x {width} pixels{' (assumed)' if size is None and None in given else ''}, {dimension} numbers"
    return Judged(path.name, path, _external(backbone), (height, width), start, said)


def _of_script(path: Path, start: Preprocessing, size: tuple[int, int], trust: bool) -> Judged:
    config = ExternalConfig(path=path, trusted=trust)
    network: Any = config.build().eval().embedding
    with torch.no_grad():
        found = network._run(torch.zeros(1, 3, *size))
    dimension = int(found[0].numel())
    backbone = {"name": "external", "path": str(path), "dimension": dimension, "trusted": True}
    said = f"TorchScript, {size[0]} x {size[1]} pixels, {dimension} numbers"
    return Judged(path.name, path, _external(backbone), size, start, said)


def _external(backbone: dict[str, Any]) -> dict[str, Any]:
    head = {"name": "gmp", "dimension": backbone["dimension"]}  # hands the map of one pixel on
    return {"backbone": backbone, "head": head, "pretraining": "external"}
