"""The public MobileFaceNet on a few subjects of LFW: its study, its export, and the network as its checkpoint gives it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from configs.lookup import resolve
from grid.export.export import export
from grid.export.package import Package
from grid.judge.judge import Request, judge
from grid.judge.networks import Judged
from grid.results.model_loader import find
from modules.shape_inference import feature_shape

SIZE = (112, 96)
SUBJECTS, EACH = 20, 4  # images
FMR = 0.05


def settings(shared: Path) -> dict[str, Any]:
    """Backbone, head, pretraining and detector of a cell."""
    checkpoint = {"path": str(shared / "weights" / "mobilefacenet_xiaoccer_068.ckpt"), "layout": "mobilefacenet_xiaoccer"}
    return {
        "backbone": "mobilefacenet",
        "head": {"name": "gdc", "dimension": 128},
        "pretraining": {"name": "checkpoint", "head": True, **checkpoint},
        "detector": {"name": "mtcnn", "alignment": "similarity"},
    }


def network(shared: Path) -> torch.nn.Module:
    """Images (N, 3, 112, 96) in [-1, 1] to embeddings (N, 128), with the weights of the checkpoint."""
    parts: dict[str, Any] = {kind: resolve(kind, one) for kind, one in settings(shared).items()}
    backbone = parts["backbone"].build()
    head = parts["head"].build(*feature_shape(parts["backbone"], SIZE))
    parts["pretraining"].load(backbone, parts["backbone"], None)
    parts["pretraining"].load_head(head, parts["backbone"], parts["head"])
    return torch.nn.Sequential(backbone, head).eval()


def photographs(shared: Path, folder: Path) -> Path:
    """A folder with ``EACH`` photographs of each of ``SUBJECTS`` subjects of LFW, the first by name that have as many."""
    several = (who for who in sorted((shared / "data" / "lfw" / "images").iterdir()) if len(list(who.iterdir())) >= EACH)
    for who, _ in zip(several, range(SUBJECTS), strict=False):
        (folder / who.name).mkdir(parents=True)
        for file in sorted(who.iterdir())[:EACH]:
            shutil.copyfile(file, folder / who.name / file.name)
    return folder


def protocol(images: Path) -> dict[str, Any]:
    """All genuine and as many impostor pairs of ``photographs``."""
    return {"name": "pairs_of", "data": {"name": "folder", "root": str(images)}, "folds": 4, "flip_test": True}


def exported(shared: Path, folder: Path) -> Package:
    """The export in ``folder/model``, of a study in ``folder/study``, of the photographs in ``folder/images``."""
    images = photographs(shared, folder / "images")
    one = Judged("mobilefacenet", folder, settings(shared), SIZE, None, "")
    request = Request((one,), [protocol(images)], folder / "study", frozenset())
    study, _, done = judge(request, Console(file=io.StringIO()))
    assert done
    return export(find(study.path, {}), folder / "model", FMR, None)
