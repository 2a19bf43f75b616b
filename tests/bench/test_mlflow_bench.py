"""The pages of MLflow for 300 combinations x 3 seeds: every path of docs/mlflow.md leads to its answer.

With ``FACEGRID_PICTURES=FOLDER`` the pages are stored as WebP there, from a smaller study (``make mlflow``).
"""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from chrome import running
from invented_study import build_study
from mlflow_questions import QUESTIONS, ask, facts_of, shown_by_the_command, start

from grid.report.build import build
from grid.tracking.sync import sync_pass

pytestmark = pytest.mark.timeout(7200)
PAPERS = [
    {"title": "A Comprehensive Study of Face Recognition Using Deep Learning", "authors": "Ito, Kawai, Aoki", "url": None},
    {
        "title": "FaceNet: A Unified Embedding for Face Recognition and Clustering",
        "authors": "Schroff, Kalenichenko, Philbin",
        "url": "https://arxiv.org/abs/1503.03832",
    },
]  # fmt: skip
SEEDS = ["0", "1", "2"]
LARGE: dict[str, Any] = {
    "axes": {
        "backbone": ["alexnet", "resnet34", "efficientnet_b1", "mobilenetv3_small", "iresnet50"],
        "detection": ["none", "mtcnn"], "pretraining": ["none", "imagenet"], 
        "loss": ["softmax", "arcface", "cosface", "adaface", "center"],
        "batch": ["128", "256", "512"], "replicate": SEEDS,
    },
    "failed": [dict.fromkeys(("detection", "pretraining"), "none") | {"backbone": "alexnet", "loss": "center", "batch": "512"}],
    "pairs": 200, "explainers": (), "sources": PAPERS,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "axes": {
        "backbone": ["alexnet", "resnet34", "efficientnet_b1"], "detection": ["none", "mtcnn"], "loss": ["softmax", "arcface"],
        "replicate": SEEDS,
    },
    "failed": [{"backbone": "alexnet", "loss": "arcface", "detection": "none", "replicate": "1"}],
    "pairs": 400, "protocols": ("lfw view 2", "cplfw"), "explainers": (), "sources": PAPERS,
}  # fmt: skip


def test_every_answer_of_300_combinations_with_3_seeds(tmp_path: Path) -> None:
    """Ratios to the page of a study of 4 combinations, so that the speed of the machine does not count."""
    small = {**SMALL, "axes": {"detection": ["none", "mtcnn"], "loss": ["softmax", "arcface"], "replicate": SEEDS}}
    small["failed"] = [{"loss": "arcface", "detection": "none", "replicate": "1"}]
    took = {}
    for name, options in {"small": small, "large": LARGE}.items():
        study = build_study(tmp_path / name / "faces", **options)
        build(study)
        assert sync_pass(study.path, report=True).problems == []
        facts = facts_of(study)
        with shown_by_the_command(study) as address, running(tmp_path / name) as browser:
            tab = browser.tab()
            tab.size(1440, 900)
            start(tab, address)  # loads MLflow's scripts
            for question in QUESTIONS:
                began = time.monotonic()
                assert ask(tab, address, question, facts) == [], question.name
                took[name, question.name] = time.monotonic() - began
    ratios = {question.name: took["large", question.name] / took["small", question.name] for question in QUESTIONS}
    print({name: f"{ratio:.1f}" for name, ratio in ratios.items()})
    assert max(ratios.values()) < 10


def test_pictures(tmp_path: Path) -> None:
    folder = os.environ.get("FACEGRID_PICTURES")
    if folder is None:
        pytest.skip("FACEGRID_PICTURES names no folder")
    study = build_study(tmp_path / "faces", **SMALL)
    build(study)
    assert sync_pass(study.path, report=True).problems == []
    facts = facts_of(study)
    with shown_by_the_command(study) as address, running(tmp_path) as browser:
        tab = browser.tab()
        for question in QUESTIONS:
            tab.size(1440, 900)
            assert ask(tab, address, question, facts, tmp_path / "page.png") == [], question.name
            _store(tmp_path / "page.png", Path(folder, f"{question.name}.webp"))


def _store(picture: Path, target: Path) -> None:
    from PIL import Image

    Image.open(picture).convert("RGB").save(target, quality=70, method=6)
    assert target.stat().st_size < 150_000
