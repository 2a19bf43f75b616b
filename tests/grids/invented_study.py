"""A finished-looking study without any training: real ledger, real metrics, invented scores."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from configs.component import digest
from grid.ledger.ledger import Ledger, Marker
from grid.ledger.study import Study

AXES = {
    "backbone": ["alexnet", "resnet34", "efficientnet_b1"],
    "detection": ["none", "mtcnn"],
    "pretraining": ["none", "imagenet"],
}
PROTOCOL, GRADCAM, GBP = "lfw view 2", "gradcam", "gbp"
PAINTED = "activation_maximization"  # makes images of its own
PAIRED = {"reconstruction": {"S": False, "S+": False, "S-": False}, "pair_occlusion": {"delta": True, "normalized": False}}
LAUNCHED = 1_700_000_000.0
Levels = Mapping[str, str]


def build_study(
    folder: Path,
    *,
    axes: Mapping[str, Sequence[str]] = AXES,
    failed: Iterable[Levels] = (),
    skipped: Iterable[Levels] = (),
    blocked: Iterable[Levels] = (),
    hidden: Iterable[Levels] = (),
    unfinished: Iterable[Levels] = (),
    pairs: int = 600,
    protocols: Sequence[str] = (PROTOCOL,),
    explainers: Sequence[str] = (GRADCAM, GBP),
    images: int = 4,
    epochs: int = 4,
    tracking: str | None = None,
    error: str = "RuntimeError: the loss of batch 17 is NaN",
    because: str = "nobody published such weights",
    ensembles: Sequence[Mapping[str, Any]] = (),
    design: Sequence[str] = (),
    explained: Iterable[Levels] = ({},),
    sources: Sequence[Mapping[str, Any]] = (),
    named: bool = False,
) -> Study:
    """A study on disk.

    Args:
        folder: of the study; its name is the grid's.
        failed, skipped, blocked, hidden, unfinished: a cell is meant where any of the mappings agrees with its levels.
            A failed cell fails in ``train``, at its second attempt; an unfinished one has half of its epochs.
        pairs: per protocol, half of them genuine.
        explained: the cells with explanations, meant in the same way; default: all.
        design: what the plan says about the design; see ``design_lines``.
        named: an image's folder is its subject, as in a real protocol; by default the keys of a pair tell nothing.
    """
    make = _Maker(folder, protocols, explainers, pairs, images, epochs, named)
    cells: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    for levels in (dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())):
        if _meant(levels, skipped) or _meant(levels, blocked):
            state = "skipped" if _meant(levels, skipped) else "blocked"
            cells.append({"id": None, "levels": levels, "state": state, "reason": because, "stages": {}, "config": {}})
            continue
        state = "failed" if _meant(levels, failed) else "run" if _meant(levels, unfinished) else "done"
        cell = make.cell(levels, state, error, _meant(levels, explained))
        (left if _meant(levels, hidden) else cells).append(cell)
    record = {
        "grid": folder.name,
        "axes": {axis: list(levels) for axis, levels in axes.items()},
        "replicates": len(axes.get("replicate", [0])),
        "replicate_scope": ["train"],
        "ensembles": [{"levels": None, **ensemble} for ensemble in ensembles],
        "design": list(design),
        "sources": list(sources),
        "cells": cells,
        "stages": [{**stage, "cells": sorted(stage["cells"])} for stage in make.stages.values()],
        "hidden": left,
        "study_id": digest({"study": folder.name})[:32],
        "store": str(folder / "store"),
        "tracking": tracking,
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "version": "0.1.0",
        "launched": LAUNCHED,
    }
    (folder / "store").mkdir(parents=True, exist_ok=True)  # as a launch does
    (folder / "plan.json").write_text(json.dumps(record, indent=1))
    return Study(folder)


def _meant(levels: Levels, chosen: Iterable[Levels]) -> bool:
    return any(all(levels.get(axis) == level for axis, level in some.items()) for some in chosen)


class _Maker:
    """Runs the stages of cells by invention."""

    def __init__(
        self,
        folder: Path,
        protocols: Sequence[str],
        explainers: Sequence[str],
        pairs: int,
        images: int,
        epochs: int,
        named: bool,
    ) -> None:
        self.ledger = Ledger(folder / "store")
        self.protocols, self.explainers = protocols, explainers
        self.pairs, self.images, self.epochs, self.named = pairs, images, epochs, named
        self.stages: dict[str, dict[str, Any]] = {}

    def cell(self, levels: Levels, state: str, error: str, explained: bool = True) -> dict[str, Any]:
        seed = zlib.crc32(digest(dict(levels)).encode())
        generator = np.random.default_rng(seed)
        id = digest({"cell": dict(levels)})[:32]
        stages: dict[str, str] = {}

        def stage(kind: str, label: str, identity: Any, *needs: str) -> str:
            stages[label] = digest({"stage": kind, "identity": identity})[:32]
            entry = {"id": stages[label], "stage": kind, "label": label, "state": "run", "reason": None, "needs": list(needs)}
            self.stages.setdefault(stages[label], {**entry, "cells": []})["cells"].append(id)
            return stages[label]

        detected: list[str] = []
        detector = levels.get("detection", levels.get("detector", "none"))
        if detector != "none":
            detected = [stage("detect", "detect:data", [detector, "data"])]
            detected += [stage("detect", f"detect:{title}", [detector, title]) for title in self.protocols]
        train = stage("train", "train", dict(levels), *detected[:1])
        for title in self.protocols:
            stage("evaluate", f"evaluate:{title}", [title, dict(levels)], train)
        explainers = self.explainers if explained else ()
        for title in explainers:
            stage("explain", f"explain:{title}", [title, dict(levels)], train)

        for label in ("detect:data", *(f"detect:{title}" for title in self.protocols)):
            if label in stages:
                self.detect(stages[label])
        if state == "failed":
            self.ledger.begin("train", train, {"stage": "train"})  # it died without a word
            attempt = self.ledger.begin("train", train, {"stage": "train"})
            attempt.fail(error, f'Traceback (most recent call last):\n  File "fitting.py", line 7, in fit\n{error}\n', True)
        else:
            trained = self.train(train, levels, generator, self.epochs if state == "done" else self.epochs // 2)
            if state == "done":
                assert trained
                for title in self.protocols:
                    self.evaluate(stages[f"evaluate:{title}"], levels, generator, trained)
                for title in explainers:
                    self.explain(stages[f"explain:{title}"], title, levels, generator, trained)
        return {
            "id": id,
            "levels": dict(levels),
            "state": "run",
            "reason": None,
            "stages": stages,
            "config": self.config(levels),
        }

    def config(self, levels: Levels) -> dict[str, Any]:
        return {
            "data": {"name": "vggface2", "root": "/data/vggface2", "split": "test"},
            "split": {"fraction": 0.1, "seed": 0},
            "detector": {"name": levels.get("detection", "none")},
            "input": {"size": 96},
            "augmentation": {"name": "none"},
            "backbone": {"name": levels.get("backbone", "resnet34")},
            "head": {"name": "gap_bn", "dimension": 512},
            "loss": {"name": "softmax"},
            "pretraining": {"name": levels.get("pretraining", "none")},
            "recipe": {"name": "plateau", "epochs": self.epochs, "batch_size": 256, "lr": 0.05},
            "compute": {"threads": 1, "precision": "32-true", "devices": 1},
            "seed": int(levels.get("replicate", 0)),
            "pretrain_seed": 0,
            "protocols": [{"name": "lfw", "label": title} for title in self.protocols],
            "explainers": [{"name": title, "label": None, "images": self.images} for title in self.explainers],
        }

    def detect(self, id: str) -> None:
        if self.ledger.marker("detect", id):
            return
        attempt = self.ledger.begin("detect", id, {"stage": "detect"})
        _table(attempt.path / "detections.parquet", {"key": ["a/a_0001.jpg"], "found": [True], "score": [0.99]})
        attempt.finish({"images": 1000, "found": 996, "missing": 4}, {}, "s" * 64, ["detections.parquet"])

    def train(self, id: str, levels: Levels, generator: np.random.Generator, epochs: int) -> Marker | None:
        import safetensors.numpy

        attempt = self.ledger.begin("train", id, {"stage": "train"})
        weights = {"backbone.weight": generator.normal(size=(4, 4)).astype(np.float32)}
        safetensors.numpy.save_file(weights, attempt.path / "model.safetensors")
        rows, skill = [], _skill(levels)
        for epoch in range(epochs):
            left = np.exp(-(epoch + 1) * (0.3 + 0.2 * skill))
            row = {
                "epoch": epoch,
                "train_loss": float(6.2 * left + 0.2 + generator.normal() * 0.02),
                "validation_loss": float(5.9 * left + 1.1 - 0.25 * skill + generator.normal() * 0.04),
                "validation_accuracy": float(np.clip((0.5 + 0.15 * skill) * (1 - left) + generator.normal() * 0.01, 0, 1)),
                "lr": 0.05,
                "step": 100 * (epoch + 1),
            }
            rows.append(row)
            time = LAUNCHED + 60.0 * (epoch + 1)
            attempt.event({**row, "position": [epoch + 1, 0], "whole": True, "time": time}, None)
        if epochs < self.epochs:
            return None
        timing = {"seconds": [60.0] * epochs, "time": [LAUNCHED + 60.0 * (epoch + 1) for epoch in range(epochs)]}
        (attempt.path / "history.json").write_text(json.dumps(rows))
        (attempt.path / "timing.json").write_text(json.dumps(timing))
        best = min(rows, key=lambda row: row["validation_loss"])
        facts = {
            "parameters": 21_300_000,
            "classes": 500,
            "images": 41_000,
            "validation_images": 4_100,
            "epochs": epochs,
            "best_epoch": best["epoch"],
            "kept_epoch": best["epoch"],
            "validation_loss": best["validation_loss"],
            "validation_accuracy": best["validation_accuracy"],
            "skipped_images": 3,
            "missing_faces": 17,
            "checkpoint": digest(id),
        }
        keep = ["model.safetensors", "history.json", "timing.json"]
        return attempt.finish(facts, {}, "s" * 64, keep, {"device": "NVIDIA H100", "torch": "2.11.0"})

    def evaluate(self, id: str, levels: Levels, generator: np.random.Generator, trained: Marker) -> None:
        from modules.metrics.accuracy_modes import all_modes
        from modules.metrics.operating_points import failure_to_enroll, operating_points
        from modules.metrics.verification import verification

        attempt = self.ledger.begin("evaluate", id, {"stage": "evaluate"})
        half = self.pairs // 2
        same = np.arange(self.pairs) < half
        fold = np.arange(self.pairs) % 10
        scores = np.where(same, 0.22 + 0.07 * _skill(levels), 0.0) + generator.normal(size=self.pairs) * 0.12
        who = np.arange(self.pairs) % (self.pairs // 4)
        other = np.where(same, who, (who + 1) % (self.pairs // 4))
        left = [f"subject_{row}/subject_{row}_0001.jpg" for row in range(self.pairs)]
        right = left[::-1]
        if self.named:
            left, right = (
                [f"subject_{one}/{row}_{side}.jpg" for row, one in enumerate(sides)] for side, sides in enumerate((who, other))
            )
        _table(attempt.path / "scores.parquet", {"left": left, "right": right, "same": same, "fold": fold, "score": scores})
        found = verification(scores, same, fold, resamples=100)
        found["modes"] = all_modes(scores, same, fold)
        found["operating_points"] = operating_points(scores, same, who, other, (0.1, 0.01, 0.001))
        found["failure_to_enroll"] = failure_to_enroll(who[: self.pairs // 4] < 3, who[: self.pairs // 4])
        (attempt.path / "metrics.json").write_text(json.dumps(found))
        facts = {
            "best_threshold": found["best_threshold"]["value"],
            "ten_fold": found["ten_fold"]["value"],
            "ten_fold_se": found["ten_fold"]["se"],
            "eer": found["eer"]["value"],
            "auc": found["auc"]["value"],
            "pairs": self.pairs,
            "dropped_pairs": 0,
        }
        attempt.finish(facts, {trained.id: trained.content}, "s" * 64, ["scores.parquet", "metrics.json"])

    def explain(self, id: str, title: str, levels: Levels, generator: np.random.Generator, trained: Marker) -> None:
        attempt = self.ledger.begin("explain", id, {"stage": "explain"})
        if title in PAIRED:
            attempt.finish({}, {trained.id: trained.content}, "s" * 64, self.pair_maps(attempt.path, title, generator))
            return
        keep = ["manifest.json"]
        manifest: dict[str, Any] = {"method": title, "label": title}
        if title == GBP and levels.get("backbone", "").startswith("efficientnet"):
            reason = "guided backpropagation is defined for ReLU; this network has 69 SiLU"
            manifest["refused"] = {"code": "not_relu", "reason": reason}
        else:
            size, closer = 96, levels.get("detection", "none") != "none"
            rows = [
                {
                    "key": f"subject_{n}/subject_{n}_0001.jpg",
                    "identity": f"subject_{n}",
                    "class": n,
                    "logit": 9.5,
                    "predicted": n,
                }
                for n in range(self.images)
            ]
            manifest |= {"target": "logit of the given class", "layer": "stage4", "layer_shape": [512, 3, 3], "images": rows}
            manifest |= {"checkpoint": trained.facts["checkpoint"], "size": size}
            faces = np.stack([_face(np.random.default_rng(n), size, closer) for n in range(self.images)])
            np.save(attempt.path / "images.npy", faces)
            np.save(attempt.path / "maps.npy", _maps(generator, self.images, 6 if title == GRADCAM else 48, 1 + _skill(levels)))
            keep += ["maps.npy", "images.npy"]
            if title == PAINTED:
                np.save(attempt.path / "generated.npy", np.tanh(generator.normal(size=(self.images, 3, size, size))))
                keep += ["generated.npy"]
        (attempt.path / "manifest.json").write_text(json.dumps(manifest))
        attempt.finish({"refused": "refused" in manifest}, {trained.id: trained.content}, "s" * 64, keep)

    def pair_maps(self, folder: Path, title: str, generator: np.random.Generator) -> list[str]:
        """Writes what a method of pairs leaves on ``images`` pairs, the genuine half first; the names of the files."""
        rows: list[dict[str, Any]] = []
        for n in range(2 * self.images):
            pair, same = n // 2, n // 2 < self.images - self.images // 2
            who = f"subject_{n if not same else pair}"
            row = {"key": f"{who}/{who}_000{n}.jpg", "identity": who, "pair": pair, "side": ("left", "right")[n % 2]}
            rows.append(row | {"same": same, "cosine": 0.9 - 0.1 * pair, "predicted": None})
        maps: list[dict[str, Any]] = []
        for name, signed in PAIRED[title].items():
            file = f"maps-{len(maps)}.npy" if maps else "maps.npy"
            found = _maps(generator, len(rows), 24, 0.5)
            np.save(folder / file, found - 0.2 if signed else found.clip(0, 1))
            maps.append({"name": name, "file": file, "signed": signed})
        np.save(folder / "images.npy", np.stack([_face(np.random.default_rng(n), 64, True) for n in range(len(rows))]))
        theta = {"value": 0.02, "youden": 0.8, "auc": 0.9, "overlap": 0.25, "bin": 0.001}
        theta |= {"maxima": {"genuine": [0.005, 0.012, 0.03], "impostor": [0.018, 0.05, 0.06]}}
        theta |= {"histogram": {"genuine": [900, 40, 3, 0, 1], "impostor": [800, 90, 30, 12, 9, 4, 1]}}
        manifest = {
            "method": title,
            "label": title,
            "config": {"name": title, "sign": "difference"},
            "images": rows,
            "maps": maps,
        }
        manifest |= {"target": "cosine of the two images", "layer": "", "layer_shape": [0, 24, 24], "size": 64}
        manifest |= {"notes": {"theta": theta}} if title == "pair_occlusion" else {"notes": {}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return ["manifest.json", "images.npy", *(one["file"] for one in maps)]


def _skill(levels: Levels) -> float:
    """How good a cell is: later levels of every axis are better."""
    backbone = {"alexnet": 0.0, "resnet34": 0.4, "efficientnet_b1": 0.9}
    found = backbone.get(levels.get("backbone", ""), 0.3)
    found += 1.0 * (levels.get("detection", "none") != "none") + 0.5 * (levels.get("pretraining", "none") != "none")
    others = [f"{axis}={level}" for axis, level in levels.items() if axis in ("loss", "batch")]
    found += sum(zlib.crc32(other.encode(errors="surrogatepass")) % 100 / 250 for other in others)
    return found + 0.05 * int(levels.get("replicate", 0))


def _table(path: Path, columns: Mapping[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), path)


def _face(generator: np.random.Generator, size: int, closer: bool) -> np.ndarray:
    """(size, size, 3) uint8: an oval with eyes and a mouth, larger where a detector cut it out."""
    import cv2

    scale = size / 96 * (1.3 if closer else 0.9)
    skin = tuple(int(value) for value in generator.integers((150, 110, 80), (240, 200, 170)))
    image = np.full((size, size, 3), generator.integers(60, 200, size=3), np.uint8)
    middle = size // 2

    def oval(x: float, y: float, width: float, height: float, color: tuple[int, ...]) -> None:
        center = (round(middle + x * scale), round(middle + y * scale))
        cv2.ellipse(image, center, (round(width * scale), round(height * scale)), 0, 0, 360, color, -1, cv2.LINE_AA)

    oval(0, -6, 29, 38, (50, 35, 25))
    oval(0, 2, 25, 33, skin)
    for x in (-10, 10):
        oval(x, -5, 5, 3, (250, 250, 250))
        oval(x, -5, 2.4, 2.6, (40, 30, 30))
    oval(0, 6, 3, 6, tuple(int(0.85 * value) for value in skin))
    oval(0, 20, 10, 3, (150, 60, 60))
    blurred: np.ndarray = cv2.GaussianBlur(image, (0, 0), 0.8)
    return blurred


def _maps(generator: np.random.Generator, count: int, size: int, peak: float) -> np.ndarray:
    """(count, size, size) float32: two blobs each, about the eyes and about the mouth."""
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    found = np.zeros((count, size, size))
    for one in found:
        for at_x, at_y in ((0.5, 0.45), (0.5, 0.7)):
            shift = generator.normal(size=2) * 0.08
            one += generator.uniform(0.3, 1) * np.exp(-((x - at_x - shift[0]) ** 2 + (y - at_y - shift[1]) ** 2) / 0.03)
    return (found * peak).astype(np.float32)
