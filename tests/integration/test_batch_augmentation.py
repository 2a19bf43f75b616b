"""Every stage that trains has the same bits whether a batch is augmented on the device or each image in the loader."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from small import write

from datamodules.augmentations.batch import Batch, BatchConfig
from grid.execution.job import RunOptions, jobs_of, run
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read

DRAWN = {"name": "drawn", "size": 64}
BATCH = {"name": "batch", "gray": 0.3, "erase": 0.5}
RECIPE = {"name": "one_cycle", "lr": 0.01, "epochs": 1, "batch_size": 8}
BASE: dict[str, Any] = {
    "data": {**DRAWN, "subjects": 6, "shots": 5},
    "split": {"fraction": 0.2},
    "input": {"size": 32},
    "augmentation": BATCH,
    "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
    "head": {"name": "gap_bn", "dimension": 8},
    "targets": ["gender", "identity"],
    "pretraining": {"name": "source", "data": {**DRAWN, "first": 500, "subjects": 4, "shots": 5}},
    "recipe": RECIPE,
}
DECODE = {"name": "decode", "decoder": {"name": "unet", "width": 4}, "augmentation": BATCH, "recipe": RECIPE}
TRAINED = {"pretrain", "train", "decode"}


def stages(folder: Path) -> dict[str, tuple[Any, Any]]:
    """Weights and history of each stage that trains."""
    folder.mkdir()
    parts: dict[str, Any] = {"protocols": [], "explainers": [], "stages": [DECODE]}
    grid = read(write(folder / "grid.yaml", BASE, axes={}, launch={"study": str(folder / "study")}, **parts), ())
    planned = [stage for stage in make_plan(grid).stages if stage.stage in TRAINED]
    store = store_of(grid)
    found = {}
    for stage, job in zip(planned, jobs_of(planned, store).values(), strict=True):
        assert run(job, RunOptions(raises=True)).ended == "done"
        ledger = Ledger(store)
        marker = ledger.marker(stage.stage, stage.id)
        assert marker is not None
        found[stage.stage] = load_file(ledger.path(marker, "model.safetensors")), ledger.json(marker, "history.json")
    return found


def test_stages_are_those_of_images_augmented_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = 0
    apply = Batch.apply

    def counted(self: Batch, batch: Any, parameters: Any) -> Any:
        nonlocal images
        images += len(batch)
        return apply(self, batch, parameters)

    monkeypatch.setattr(Batch, "apply", counted)
    whole = stages(tmp_path / "whole")
    assert whole.keys() == TRAINED
    assert images == 16 + 24 + 24, "whole batches of 8 of 16, 24 and 24 images, once each"
    build = BatchConfig.build

    def alone(self: BatchConfig) -> Any:
        built = build(self)
        return lambda image, seed: built(image, seed)

    monkeypatch.setattr(BatchConfig, "build", alone)
    each = stages(tmp_path / "each")
    for stage, (weights, history) in whole.items():
        assert history == each[stage][1], stage
        assert [name for name, value in weights.items() if not value.equal(each[stage][0][name])] == [], stage
    monkeypatch.undo()
    monkeypatch.setattr(BatchConfig, "build", lambda self: lambda image, seed: image)
    plain = stages(tmp_path / "plain")
    assert [stage for stage, (_, history) in whole.items() if history == plain[stage][1]] == [], "the augmentation matters"
