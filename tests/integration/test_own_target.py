"""A dataset of a user's own with two columns, and a launch that trains on them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from launching import here, runs
from PIL import Image
from small import write

DATASET = """
import csv
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION
from datamodules.columns import Column
from datamodules.formats.files import FilesConfig


class StripesConfig(FilesConfig):
    name: Literal["striped.stripes"] = "striped.stripes"
    identified: ClassVar[bool] = False
    root: Annotated[Path, LOCATION]

    @property
    def namespace(self):
        return "stripes"

    def folder(self):
        return self.root

    def images(self):
        return [(file.name, file.name) for file in sorted(self.root.glob("*.png"))]

    def columns(self, manifest):
        with open(self.root / "labels.csv", encoding="utf-8") as file:
            rows = {row["file"]: row for row in csv.DictReader(file)}
        chosen = [rows[key] for key in manifest.keys]
        return {
            "stripes": Column.categorical([row["stripes"] or None for row in chosen]),
            "brightness": Column.number([float(row["brightness"]) for row in chosen], "gray levels"),
        }
"""
COUNT, UNKNOWN = 80, 4
EPOCHS = 12


def draw(folder: Path) -> None:
    """Images with stripes across or down, and a table; of some the direction is not known."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = []
    for number in range(COUNT):
        level, kind = int(random.integers(60, 200)), ("across", "down")[number % 2]
        wave = 40 * np.sign(np.sin(np.arange(64) * random.uniform(0.3, 0.6) + random.uniform(0, 6)))
        image = level + (wave[:, None] if kind == "across" else wave[None, :]) + random.normal(0, 8, (64, 64))
        Image.fromarray(np.repeat(np.clip(image, 0, 255)[..., None], 3, 2).astype(np.uint8)).save(folder / f"{number:03d}.png")
        rows.append((f"{number:03d}.png", "" if number % 20 == 7 else kind, level))
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "stripes", "brightness"), *rows])


def test_a_launch_trains_on_the_columns_of_a_dataset_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "images")
    (tmp_path / "striped").mkdir()
    (tmp_path / "striped/stripes.py").write_text(DATASET, encoding="utf-8")
    base = {
        "data": {"name": "striped.stripes", "root": "images"},
        "targets": {"stripes": None, "brightness": {"loss": "regression", "weight": 0.5}},
        "split": {"fraction": 0.2},
        "recipe": {"name": "one_cycle", "lr": 0.005, "epochs": EPOCHS, "batch_size": 8, "select": "last"},
    }
    explainers = [{"name": "gradcam", "images": 2}]
    write(tmp_path / "mine.yaml", base, axes={"seed": {"a": {"seed": 1}}}, protocols=[], explainers=explainers)
    monkeypatch.syspath_prepend(str(tmp_path))
    here(tmp_path, "launch", "mine.yaml", "launch.executor=local")
    (marker,) = (tmp_path / "studies/small/store/train").glob("*/done-000.json")
    facts = json.loads(marker.read_text(encoding="utf-8"))["facts"]
    assert facts["classes"] == {"brightness": 0, "stripes": 2}
    assert (facts["images"], facts["validation_images"]) == (COUNT * 0.8, COUNT * 0.2)
    assert facts["validation_accuracy"] == facts["validation_accuracy_stripes"] > 0.85
    assert facts["validation_mae_brightness"] < 20  # 35 for a guess of the mean; 4 to 10 for four seeds
    assert COUNT * 0.8 - UNKNOWN <= facts["labeled_stripes"] < facts["labeled_brightness"] == COUNT * 0.8
    with open(tmp_path / "studies/small/report/table.csv", newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    ((run,),) = runs(tmp_path / "studies/small").values()
    assert run.data.params["targets"] == "brightness, stripes"
    for target, quantity in (("stripes", "accuracy"), ("brightness", "mae")):
        value = facts[f"validation_{quantity}_{target}"]
        assert float(line[f"{target}:{quantity}"]) == value
        assert run.data.metrics[f"targets/{target} {quantity}"] == value
        assert f"Learning curves/validation_{quantity}_{target}" in run.data.metrics
        assert f"Learning curves/validation_loss_{target}" in run.data.metrics
    page = (tmp_path / "studies/small/report/index.html").read_text(encoding="utf-8")
    assert "brightness, mean absolute error" in page
    (history,) = marker.parent.glob("*/history.json")
    rows = json.loads(history.read_text(encoding="utf-8"))
    assert len(rows) == EPOCHS
    for row in rows:
        total = row["validation_loss_stripes"] + 0.5 * row["validation_loss_brightness"]
        assert abs(row["validation_loss"] - total) < 1e-9
    (explained,) = (tmp_path / "studies/small/store/explain").glob("*/0*/manifest.json")
    images = json.loads(explained.read_text(encoding="utf-8"))["images"]
    assert {image["predicted"] for image in images} <= {"across", "down"}
    said = here(tmp_path, "plan", "mine.yaml", "targets.stripes.loss.name=regression", code=2)
    assert "target stripes is a column of classes, and loss regression is not for them" in said
    table = tmp_path / "images/labels.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("across", "over"), encoding="utf-8")
    assert "1 cell: 1 to run" in here(tmp_path, "plan", "mine.yaml")  # the labels are part of the identity
