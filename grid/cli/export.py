"""The commands ``export``, ``embed`` and ``verify``: a trained network outside its study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from grid.terminal import AsJson, FalseMatchRate, WhereText, answer, out

Model = Annotated[Path, typer.Argument(metavar="MODEL", readable=False, help="an exported folder")]


def export(
    study: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY|CHECKPOINT", readable=False, help="a study's folder, or a model.safetensors in its store"
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="new folder to write to")],
    where: WhereText = None,
    fmr: FalseMatchRate = 0.001,
    protocol: Annotated[
        str | None,
        typer.Option(metavar="TITLE", help="protocol whose scores set the threshold [default: the first with pairs]"),
    ] = None,
    tracking: Annotated[
        str | None, typer.Option(metavar="URI", help="also log the model to this MLflow server and register it")
    ] = None,
    register: Annotated[str, typer.Option(metavar="NAME", help="name of the registered model")] = "facegrid",
    as_json: AsJson = False,
) -> None:
    """Export a trained network as a folder.

    Weights, ONNX, preprocessing, threshold, origin and licenses.
    """
    from grid.export.export import export as run
    from grid.results.model_loader import find
    from grid.spec.cell_filter import parse_cell_filter

    package = run(find(study, parse_cell_filter(where)), to, fmr, protocol)
    facts: dict[str, Any] = {
        "folder": str(to),
        **{key: package.record[key] for key in ("title", "targets", "threshold", "onnx", "licenses")},
    }
    if tracking:
        from grid.export.mlflow_model import log_model

        facts["mlflow"] = log_model(package, tracking, register)
    lines = [
        f"exported {facts['title']} to {to}",
        f"ONNX: embeddings differ from PyTorch's by {facts['onnx']['largest_difference']:.1g} at most",
        *_left_out(facts["targets"]),
        _threshold(facts["threshold"]),
        *(f"license of {one['what']}: {one['terms']}" for one in facts["licenses"]),
    ]
    if tracking:
        lines.append(f"MLflow: {facts['mlflow']['registered']} ({facts['mlflow']['uri']})")
    answer(facts, as_json, lines)


def embed(
    model: Model,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", readable=False, help="photographs, in any format")],
    to: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="file to write keys and embeddings to")] = None,
    as_json: AsJson = False,
) -> None:
    """Embed photographs with an exported network."""
    import numpy as np

    from grid.export.embedder import Embedder
    from grid.export.package import read_package
    from grid.spec.grid_file import BadInput

    if to is not None and (to.suffix != ".npz" or not to.absolute().parent.is_dir()):
        raise BadInput(f"--to {to}: give a file .npz in a folder that exists")
    embedder = Embedder(read_package(model))
    crops, found = embedder.crops(images)
    vectors = embedder.embed(crops)
    if to is not None:
        np.savez(to, keys=np.array([str(image) for image in images]), embeddings=vectors)
    if as_json:
        rows = zip(images, found, vectors, strict=True)
        print(json.dumps([{"image": str(file), "found": face, "embedding": vector.tolist()} for file, face, vector in rows]))
        return
    for file, face in zip(images, found, strict=True):
        out.print(f"{file}: {'face found' if face else 'no face found, its center'}", soft_wrap=True)
    out.print(f"{len(vectors)} x {vectors.shape[1]} embeddings{f' in {to}' if to else '; --to FILE.npz keeps them'}")


def verify(
    model: Model,
    one: Annotated[Path, typer.Argument(metavar="A.jpg", readable=False)],
    other: Annotated[Path, typer.Argument(metavar="B.jpg", readable=False)],
    threshold: Annotated[float | None, typer.Option(help="lowest cosine at which two images count as one subject")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two photographs with an exported network."""
    from grid.export.embedder import Embedder
    from grid.export.package import read_package

    facts = Embedder(read_package(model)).verify(one, other, threshold)
    lines = [f"{face['file']}: no face found, its center is compared" for face in facts["faces"] if not face["found"]]
    words = "same subject" if facts["same"] else "different subjects"
    lines.append(f"{words}: similarity {facts['similarity']:.4f}, threshold {facts['threshold']:.4f}")
    answer(facts, as_json, [*lines, _rates(facts)] if facts["fmr"] else lines)


def _left_out(targets: dict[str, Any] | None) -> list[str]:
    if targets is None:
        return []
    return [
        f"the embedding is that of target {targets['embedding']}; heads and classifiers are left out, so the exported network "
        f"does not predict {', '.join(targets['left_out'])}"
    ]


def _threshold(found: dict[str, Any]) -> str:
    if found["threshold"] is None:
        return f"no threshold: {found['reason']}"
    return f"threshold {found['threshold']:.4f}, for a false match rate of {found['wished']:g}: {_rates(found)}"


def _rates(found: dict[str, Any]) -> str:
    fmr, tmr = found["fmr"], found["tmr"]
    return (
        f"false match rate {fmr['value']:.2g} [{fmr['low']:.2g}, {fmr['high']:.2g}], true match rate {tmr['value']:.3f} "
        f"[{tmr['low']:.3f}, {tmr['high']:.3f}], on other subjects of {found['protocol']} than those that chose the threshold"
    )
