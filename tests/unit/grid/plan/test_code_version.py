"""What makes a result stale: code that it runs, and nothing else."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grid.plan import code_version
from grid.plan.code_version import source_digest
from grid.spec.cell import Cell

CELL = {"data": "drawn", "backbone": "alexnet", "augmentation": "flip", "pretraining": {"name": "source", "data": "drawn"}}
Edit = Callable[[str, str, str], None]


def digest(kind: str = "train", **changes: Any) -> str:
    return source_digest(kind, [Cell.model_validate({**CELL, **changes}).training()])


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """``edit("modules.losses.softmax", old, new)``: what the digest reads of a module is changed."""
    real = code_version._file.__wrapped__
    edited: dict[str, Path] = {}

    def file(module: str) -> Path | None:
        return edited.get(module) or real(module)

    def edit(module: str, old: str, new: str) -> None:
        text = (edited.get(module) or real(module)).read_text()
        assert old in text
        edited[module] = tmp_path / f"{module}{len(list(tmp_path.iterdir()))}.py"  # a new one: the syntax of files is cached
        edited[module].write_text(text.replace(old, new, 1))
        code_version._digest.cache_clear()

    monkeypatch.setattr(code_version, "_file", file)
    code_version._digest.cache_clear()
    yield edit  # type: ignore[misc]
    code_version._digest.cache_clear()


def test_a_digest_is_one_for_equal_code() -> None:
    assert digest() == digest(recipe={"name": "plateau", "lr": 0.5})


@pytest.mark.parametrize(
    ("module", "old", "new", "counts"),
    [
        ("modules.losses.softmax", "\nclass Softmax", "\n# a comment\n\n\nclass Softmax", False),
        ("modules.losses.softmax", '"""', '"""Other words: ', False),
        ("modules.losses.softmax", "from __future__", '"""Another text."""\nfrom __future__', False),
        ("modules.losses.softmax", "self.linear(embeddings)", "self.linear(embeddings) * 2", True),
        ("modules.backbones.alexnet", "class AlexNet(", "class AlexNetwork(", True),
        ("modules.backbones.resnet34", "body, 512", "body, 513", False),  # a backbone that the cell does not use
        ("modules.recipes.plateau", "default=0.1", "default=0.2", True),
        ("modules.recipes.one_cycle", "default=0.3", "default=0.4", False),
        ("modules.training.recipe", "default=0.9", "default=0.8", True),  # what a component imports
        ("datamodules.datasets.drawn", "WORD = 2**32 - 1", "WORD = 2**31 - 1", True),
        ("datamodules.synthetic_faces.drawing", "import", "import sys\nimport", True),
        ("datamodules.datasets.folder", "class Folder", "class Other:\n    pass\n\n\nclass Folder", False),
        ("datamodules.augmentations.flip", "= 0.5", "= 0.4", True),
        ("datamodules.augmentations.basic", "import cv2", "import sys, cv2", False),
        ("grid.stages.train", "import", "import sys\nimport", True),
        ("grid.stages.explain", "import", "import sys\nimport", False),
        ("modules.attribution.layer_maps", "default=4", "default=5", False),
    ],
)
def test_code_counts_where_it_is_run(edit: Edit, module: str, old: str, new: str, counts: bool) -> None:
    before = digest()
    edit(module, old, new)
    assert (digest() != before) == counts


def test_the_ledger_and_the_launcher_do_not_count(edit: Edit) -> None:
    before = {kind: digest(kind) for kind in ("detect", "pretrain", "train", "evaluate", "explain")}
    assert before.pop("pretrain") == before["train"], "it is a training"
    assert len(set(before.values())) == 4
    for module in ("grid.ledger.ledger", "grid.execution.launch", "grid.plan.plan", "configs.component"):
        edit(module, "import", "import sys\nimport")
    assert before == {kind: digest(kind) for kind in before}


def test_a_users_own_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit) -> None:
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers.py").write_text("STRENGTH = 1.0\n")
    (package / "unused.py").write_text("X = 1.0\n")
    (package / "sharp.py").write_text(
        "from typing import Literal\nfrom configs.data_interfaces import AugmentationConfig\n"
        "from own_package.numbers import STRENGTH\n"
        "class Config(AugmentationConfig):\n    name: Literal['own_package.sharp'] = 'own_package.sharp'\n\n"
        "    def build(self):\n        return lambda image, seed: image * STRENGTH\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    before = digest(augmentation={"name": "own_package.sharp"})
    edit("own_package.unused", "1.0", "2.0")
    assert digest(augmentation={"name": "own_package.sharp"}) == before
    edit("own_package.numbers", "1.0", "2.0")
    changed = digest(augmentation={"name": "own_package.sharp"})
    assert changed != before
    edit("own_package.sharp", "* STRENGTH", "+ STRENGTH")
    assert digest(augmentation={"name": "own_package.sharp"}) not in (before, changed)


def evaluation(name: str = "drawn", **settings: Any) -> str:
    cell = Cell.model_validate({**CELL, "protocols": [{"name": name, **settings}]})
    return source_digest("evaluate", [cell.training(), *cell.protocols])


@pytest.mark.parametrize(
    ("module", "old", "new", "counts"),
    [
        ("grid.evaluation.verification", "def rows(", "def other():\n    pass\n\n\ndef rows(", True),
        ("grid.evaluation.verification", "def sample(", "def spread(", False),  # of the class that describes the task
        ("grid.evaluation.clustering", "def rows(", "def other():\n    pass\n\n\ndef rows(", False),  # another task
        ("grid.stages.kinds.evaluate", "order = 30", "order = 31", False),  # planning computes nothing
    ],
)
def test_an_evaluation_depends_on_the_code_of_its_own_task(edit: Edit, module: str, old: str, new: str, counts: bool) -> None:
    before = evaluation()
    edit(module, old, new)
    assert (evaluation() != before) == counts
