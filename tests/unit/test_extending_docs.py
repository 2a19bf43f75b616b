"""The pages of docs/extending, run as they are: the files, their tests, the grid of all examples; and the errors they name."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.lookup import lookup
from datamodules.augmentations.pipeline import PipelineConfig
from datamodules.augmented import applied, prepared
from grid.plan.plan import make_plan
from grid.spec.grid_file import read

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs/extending").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(?:# (mylab/\S+)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
GENERAL = {"changes", "other_kinds", "rules"}  # pages without a component of their own
NAMES = re.compile(r"`((?:configs|datamodules|grid|modules)(?:\.\w+)+)`")


def page(name: str) -> str:
    return (ROOT / f"docs/extending/{name}.md").read_text(encoding="utf-8")


def files(name: str) -> dict[str, str]:
    """The files that a page shows, by their path in its first line."""
    return {path: text for _, path, text in BLOCK.findall(page(name)) if path}


EXAMPLES = {path: text for one in PAGES for path, text in files(one.stem).items()}
TESTS = [path for path in EXAMPLES if "/test_" in path]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all files of all pages, on the path."""
    folder = tmp_path_factory.mktemp("lab")
    for path, text in EXAMPLES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("FACEGRID_CACHE", str(folder / "cache"))
        yield folder
    for module in [module for module in sys.modules if module.split(".")[0] == "mylab"]:
        del sys.modules[module]
    lookup.cache_clear()


def test_every_page_shows_a_file_and_its_test() -> None:
    assert len(EXAMPLES) == sum(len(files(one.stem)) for one in PAGES), "two pages show a file of the same name"
    without = {one.stem for one in PAGES if not any("/test_" in path for path in files(one.stem))}
    assert without == GENERAL
    assert {path for path in EXAMPLES if path.endswith(".py")} - set(TESTS) == {path.replace("test_", "") for path in TESTS}


def test_the_index_links_to_every_page() -> None:
    linked = re.findall(r"\(extending/(\w+)\.md\)", (ROOT / "docs/extending.md").read_text(encoding="utf-8"))
    assert sorted(linked) == [one.stem for one in PAGES]


@pytest.mark.parametrize("path", TESTS)
def test_the_test_of_an_example_passes(path: str, lab: Path, tmp_path: Path) -> None:
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert tests
    for number, test in enumerate(tests):
        (tmp_path / str(number)).mkdir()
        test(*[tmp_path / str(number)] * len(inspect.signature(test).parameters))


@pytest.mark.parametrize("name", [one.stem for one in PAGES])
def test_the_command_of_a_page_runs_its_tests(name: str) -> None:
    shown = set(re.findall(r"^PYTHONPATH=\. pytest (\S+)$", page(name), re.MULTILINE))
    own = [path for path in files(name) if path in TESTS]
    assert shown == set(own[:1]), "the first example has its command"


def test_the_code_about_existing_results_runs() -> None:
    (code,) = [text for language, _, text in BLOCK.findall(page("changes")) if language == "python"]
    found: dict[str, Any] = {"__name__": "mylab.changed"}
    exec(code, found)
    assert found["Config"].version == 2


def test_the_grid_of_all_examples_gives_cells_with_their_stages(lab: Path) -> None:
    (grid_file,) = [text for language, _, text in BLOCK.findall(page("rules")) if language == "yaml"]
    (lab / "mine.yaml").write_text(grid_file, encoding="utf-8")
    grid = read(lab / "mine.yaml", [f"launch.study={lab / 'study'}"])
    cells = [point.cell for point in grid.combinations()]
    assert len(cells) == 4
    assert all(cell is not None and cell.backbone.build().channels in (32, 64) for cell in cells)
    labels = {label for cell in make_plan(grid).cells for label in cell.stages}
    assert {
        "evaluate:mylab.nearest",
        "evaluate:mylab.margin",
        "evaluate:mylab.neighbors",
        "mylab.norms",
        "score:mylab.saliency:sanity",
    } <= labels
    assert all(cell is not None and cell.loss.name == "mylab.normface" for cell in cells)
    assert {cell.detector.name for cell in cells if cell is not None} == {"none", "mylab.foreground"}
    cell = cells[-1]
    assert cell is not None
    manifest = cell.data.scan(lab / "cache")
    images = cell.data.build(manifest)
    boxes = [cell.detector.build().detect([images.image(row)])[0].box for row in range(len(manifest))]
    shares = [(x1 - x0) * (y1 - y0) / images.image(0)[..., 0].size for x0, y0, x1, y1 in boxes]
    assert len(shares) == 36
    assert 0.1 < min(shares) < max(shares) < 0.8  # otherwise the factor ``detection`` would change nothing


@pytest.mark.parametrize("name", ["loss", "stage"])
def test_the_grid_of_a_page_has_no_refused_cell(name: str, lab: Path, tmp_path: Path) -> None:
    (text,) = [text for language, _, text in BLOCK.findall(page(name)) if language == "yaml" and "\naxes:" in text]
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    grid = read(tmp_path / "own.yaml", [f"launch.study={tmp_path / 'study'}"])
    cells = make_plan(grid).cells
    assert len(cells) == 2
    assert all(cell.stages for cell in cells)


def test_the_augmentations_keep_their_interface(lab: Path) -> None:
    inverted: Any = lookup("augmentation", "mylab.inverted").model_validate({"probability": 0.5})
    batch, faces = inverted.build(), [np.full((8, 8, 3), value, np.uint8) for value in range(8)]
    parts = [prepared(batch, face, seed) for seed, face in enumerate(faces)]
    changed = applied(batch, *(torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True)))
    assert [np.array_equal(changed[seed], batch(face, seed)) for seed, face in enumerate(faces)] == [True] * 8
    assert 0 < sum(np.array_equal(changed[seed], 255 - face) for seed, face in enumerate(faces)) < 8
    assert PipelineConfig(steps=("flip", "mylab.dimmed", inverted)).batched


@pytest.mark.parametrize("name", [one.stem for one in PAGES])
def test_the_names_on_a_page_exist(name: str) -> None:
    for dotted in NAMES.findall(page(name)):
        parent, _, last = dotted.rpartition(".")
        try:
            importlib.import_module(dotted)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(parent), last), f"{name}: {dotted}"


def errors(name: str) -> list[str]:
    """The parts of error messages in the table "What is checked" of a page."""
    _, _, checked = page(name).partition("## What is checked\n")
    rows = re.findall(r"^\| (.+?) \| .*\|$", checked.partition("\n## ")[0], re.MULTILINE)
    return [part for row in rows for part in re.findall(r"`([^`]+)`", row)]


def test_the_errors_on_the_pages_are_those_of_the_code() -> None:
    packages = ("configs", "datamodules", "grid", "modules")
    source = "\n".join(file.read_text(encoding="utf-8") for one in packages for file in (ROOT / one).rglob("*.py"))
    absent = [(one.stem, part) for one in PAGES for part in errors(one.stem) if part not in source]
    assert not absent
    assert sum(len(errors(one.stem)) for one in PAGES) > 80
