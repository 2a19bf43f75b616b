"""Files that can be judged."""

from pathlib import Path
from typing import Any

import pytest
import torch
from onnx_networks import SIZE, external, network, opened, pooled, save

from grid.judge.networks import judged, titled
from grid.judge.preprocessing import SIZES, Preprocessing
from grid.spec.grid_file import BadInput

START = Preprocessing()


def test_an_onnx_file_says_its_size_and_dimension(tmp_path: Path) -> None:
    found = judged(save(tmp_path / "a.onnx", network(dimension=7)), START)
    settings = found.settings()
    assert (found.title, found.size) == ("a.onnx", (SIZE, SIZE))
    assert (settings["backbone"]["dimension"], settings["head"]["dimension"], settings["backbone"]["layout"]) == (7, 7, "nchw")
    assert settings["detector"] == {"name": "mtcnn", "alignment": "similarity"}
    assert settings["pretraining"] == "external"


def test_an_exported_folder_brings_its_preprocessing(package: Any) -> None:
    for path in (package.folder, package.weights):
        found = judged(path, START)
        assert found.preprocessing is None
        assert found.settings()["detector"]["name"] == "none"
        assert found.settings()["pretraining"]["path"] == str(package.weights)


def test_torchscript_needs_trust(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    module = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten()).eval()
    torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3, 32, 32)), str(path))
    with pytest.raises(BadInput, match=r"a\.pt: TorchScript is a program .*--trust"):
        judged(path, START, (32, 32))
    assert judged(path, START, (32, 32), trust=True).settings()["backbone"]["dimension"] == 48


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.txt", "no network that can be judged; give a file .onnx"), ("none.onnx", "no such file"), ("b.onnx", "truncated")],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.onnx").write_bytes(network().SerializeToString()[:100])
    with pytest.raises(BadInput, match=said) as error:
        judged(tmp_path / name, START)
    assert "\n" not in str(error.value)


def test_a_hostile_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"0" * 768)
    with pytest.raises(BadInput, match="outside the file's folder"):
        judged(save(tmp_path / "in" / "a.onnx", external(network(), "../secret")), START)


def test_a_size_or_output_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network())
    with pytest.raises(BadInput, match="its images are 32 x 32 pixels; --size 64x64 does not fit"):
        judged(path, START, (64, 64))
    with pytest.raises(BadInput, match=r"no output 'x' \(known: embedding\)"):
        judged(path, START, output="x")


def test_the_usual_sizes_that_a_network_of_open_size_takes_are_found(tmp_path: Path) -> None:
    found = judged(save(tmp_path / "a.onnx", pooled()), START)
    assert (found.size, found.sizes) == ((112, 112), SIZES)
    assert "112 x 112 pixels (assumed)" in found.said
    stated = judged(tmp_path / "a.onnx", START, (96, 96))
    assert (stated.size, stated.sizes) == ((96, 96), ((96, 96), *SIZES))
    assert "(assumed)" not in stated.said
    fixed = judged(save(tmp_path / "b.onnx", network()), START)
    assert fixed.sizes == ((SIZE, SIZE),)


def test_a_size_that_the_file_does_not_state_is_found_by_running_it(tmp_path: Path) -> None:
    """Its matrix has a row for each of 4 x 4 squares of 40 pixels, so of the usual sizes it takes 160 x 160 only."""
    found = judged(save(tmp_path / "a.onnx", opened(network(), 160)), START)
    assert (found.size, found.sizes) == ((160, 160), ((160, 160),))
    with pytest.raises(BadInput, match=r"a\.onnx: ONNX Runtime cannot run it"):
        judged(tmp_path / "a.onnx", START, (112, 112))


def test_a_torchscript_that_takes_another_size_is_tried_at_the_usual_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    module = torch.nn.Sequential(torch.nn.AvgPool2d(40), torch.nn.Flatten(), torch.nn.Linear(48, 6)).eval()
    torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3, 160, 160)), str(path))
    found = judged(path, START, trust=True)
    assert (found.size, found.sizes) == ((160, 160), ((160, 160),))
    with pytest.raises(BadInput, match=r"a\.pt: the TorchScript network fails on images \(1, 3, 64, 64\)"):
        judged(path, START, (64, 64), trust=True)


def test_titles_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "m.onnx", network())
    files = [tmp_path / "a" / "m.onnx", tmp_path / "b" / "m.onnx", tmp_path / "b" / "m.onnx"]
    assert [one.title for one in titled([judged(file, START) for file in files])] == ["a/m.onnx", "b/m.onnx", "b/m.onnx 3"]
