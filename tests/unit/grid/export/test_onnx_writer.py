"""Networks as ONNX files."""

from pathlib import Path

import pytest
import torch
from torch import nn

from grid.export import onnx_writer


def test_a_network_that_computes_something_else_in_onnx_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    facts = onnx_writer.write_onnx(network, (32, 32), tmp_path / "a.onnx")
    assert facts["largest_difference"] <= 1e-5
    monkeypatch.setattr(onnx_writer, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="embeddings differ from PyTorch's by"):
        onnx_writer.write_onnx(network, (32, 32), tmp_path / "b.onnx")


def test_what_pytorch_cannot_export_is_one_line(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if float(images.sum()) > 0 else images + 1  # depends on the values

    with pytest.raises(ValueError, match="PyTorch cannot export this network to ONNX") as error:
        onnx_writer.write_onnx(Odd().eval(), (32, 32), tmp_path / "a.onnx")
    assert "\n" not in str(error.value)
