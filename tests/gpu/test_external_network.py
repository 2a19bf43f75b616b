"""A network in a file: its embeddings on the device, against the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from on_device import VALUES, agree

from configs.lookup import resolve


def test_a_torchscript_file_computes_what_the_cpu_computes(device: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()
    )
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def run(place: str, dtype: torch.dtype) -> Mapping[str, Any]:
        path = tmp_path / f"{place}-{dtype}.pt"
        torch.jit.script(layers.to(dtype).eval()).save(path)
        config = resolve("backbone", {"name": "external", "path": str(path), "dimension": 32, "trusted": True, "order": "bgr"})
        with torch.no_grad():
            found = config.build().eval().to(place)(images.to(place, dtype))
        assert found.device.type == place
        return {"embeddings": found}

    agree(run, device, {"embeddings": VALUES})
