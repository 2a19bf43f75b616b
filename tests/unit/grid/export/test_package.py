"""The folder of an exported network."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from grid.export.package import RECORD, read_package
from grid.spec.grid_file import BadInput


@pytest.fixture
def copy(package: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(package.folder, tmp_path / "model"))


def test_a_folder_is_read_as_it_was_written(package: Any, copy: Path) -> None:
    again = read_package(copy)
    assert (again.backbone, again.head, again.detector, again.size) == (
        package.backbone,
        package.head,
        package.detector,
        (64, 64),
    )
    assert again.flip_test


def test_a_record_names_no_path_of_this_machine(package: Any) -> None:
    assert str(package.folder.parent) not in (package.folder / RECORD).read_text()


def test_a_changed_file_is_refused(copy: Path) -> None:
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BadInput, match=r"model\.onnx: not the file that was exported"):
        read_package(copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2; this version of facegrid reads format 1"),
        ({"network": {}}, "damaged"),
        ({"network": {"backbone": "nothing"}}, "damaged"),
        ({"network": {"backbone": {"name": "mylab.tiny"}}}, r"json: backbone 'mylab\.tiny': there is no module mylab"),
        ({"files": {"../x": ""}}, "names the file '../x', which is not beside it"),
        ({"embedding": {}}, "damaged"),
    ],
)
def test_a_damaged_record_is_one_line(copy: Path, change: dict[str, Any], said: str) -> None:
    record = json.loads((copy / RECORD).read_text())
    (copy / RECORD).write_text(json.dumps({**record, **change}))
    with pytest.raises(BadInput, match=said) as error:
        read_package(copy)
    assert "\n" not in str(error.value)


def test_a_config_that_has_changed_since_the_export_says_what_to_do(copy: Path) -> None:
    record = json.loads((copy / RECORD).read_text())
    record["network"]["backbone"]["later"] = 1
    (copy / RECORD).write_text(json.dumps(record))
    said = r"network\.backbone: unknown key 'later'.*; the config of \w+ has changed since the export: export the network again"
    with pytest.raises(BadInput, match=said) as error:
        read_package(copy)
    assert f"(facegrid {record['lineage']['facegrid']}, revision " in str(error.value)
    assert "damaged" not in str(error.value)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no exported network \(it has no facegrid.json\)"):
        read_package(tmp_path)
