"""A finished network in a file of its own, ONNX or TorchScript: it is evaluated, never trained.

Its output is the embedding, here a feature map of 1 x 1; the head ``gmp`` hands it on unchanged. It comes with
``pretraining: external``, which identifies it by the content of its file, and ``recipe: none``.

ONNX files are checked before they run, and run in a process of their own with limits of memory and time, see ``onnx_files`` and
``onnx_process`` in ``modules.weights``. TorchScript is a program that may read and write files, so it needs ``trusted: true``.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from configs.component import LOCATION, Outside
from configs.network_interfaces import BackboneConfig
from modules.layers.embedding import Embedding
from modules.shape_inference import first_line

ONNX = ".onnx"
Positive = Annotated[float, Field(gt=0)]


class ExternalConfig(BackboneConfig):
    """The file, and what its network expects: the channels in ``order``, each (pixel - mean) / std of pixels from 0 to 255.

    Fields:
        path: an ``.onnx`` file; every other suffix is TorchScript
        dimension: of the embedding
        order: of the color channels
        mean, std: one number for each channel, in the network's order
        layout: of the images: (N, 3, height, width) or (N, height, width, 3)
        output: name of the ONNX output that is the embedding; None: the first
        trusted: run a TorchScript file
    """

    name: Literal["external"] = "external"
    finished: ClassVar[bool] = True
    path: Annotated[Path, LOCATION]
    dimension: int = Field(default=512, ge=1)
    order: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[Positive, Positive, Positive] = (127.5, 127.5, 127.5)
    layout: Literal["nchw", "nhwc"] = "nchw"
    output: str | None = None
    trusted: Annotated[bool, Outside("a permission")] = False

    @property
    def is_onnx(self) -> bool:
        return self.path.suffix.lower() == ONNX

    def build(self) -> Embedding:
        """The file's network, which is opened at the first batch."""
        return Embedding(FileNetwork(self), self.dimension)


class FileNetwork(nn.Module):
    """The network of the file; has no parameters here, so that a ``state_dict`` does not hold it."""

    def __init__(self, config: ExternalConfig) -> None:
        super().__init__()
        self.config = config
        self._opened: Any = None
        self._owner = 0  # process that opened it

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, dimension, 1, 1).

        Raises:
            ValueError: the network is to be trained, the file cannot be run, or its output is no (N, dimension).
        """
        config = self.config
        if images.is_meta:
            return images.new_empty(len(images), config.dimension, 1, 1)
        if self.training:
            raise ValueError(f"backbone external: {config.path.name} is evaluated and cannot be trained; set recipe: none")
        found = self._run(self.prepared(images))
        if tuple(found.shape[:2]) != (len(images), config.dimension) or found.numel() != len(images) * config.dimension:
            raise ValueError(
                f"{config.path}: {len(images)} images give {tuple(found.shape)}; expected ({len(images)}, {config.dimension}): "
                "set backbone.dimension, or backbone.output to the embedding"
            )
        return found.reshape(len(images), config.dimension, 1, 1).to(images.device)

    def prepared(self, images: Tensor) -> Tensor:
        """The network's input of images (N, 3, H, W) in [-1, 1]: order of the channels, range, layout."""
        config = self.config
        found = images.flip(1) if config.order == "bgr" else images
        std = torch.tensor(config.std, dtype=torch.float64)
        shift = (127.5 - torch.tensor(config.mean, dtype=torch.float64)) / std
        view = (1, 3, 1, 1)
        found = found * (127.5 / std).view(view).to(found) + shift.view(view).to(found)
        return found.permute(0, 2, 3, 1).contiguous() if config.layout == "nhwc" else found.contiguous()

    def _run(self, batch: Tensor) -> Tensor:
        if self._opened is None or self._owner != os.getpid():
            self._opened, self._owner = (_onnx if self.config.is_onnx else _script)(self.config), os.getpid()
        return self._opened(batch)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}  # a session belongs to its process


def _onnx(config: ExternalConfig) -> Any:
    """The ONNX network as a function of batches of images; the file is checked first."""
    from modules.weights.onnx_files import inspect
    from modules.weights.onnx_process import OnnxProcess

    file = inspect(config.path)
    name = config.output or file.outputs[0]
    if name not in file.outputs:
        raise ValueError(f"{config.path}: no output {name!r} (known: {', '.join(file.outputs)}); set backbone.output")
    process = OnnxProcess(config.path, [name], torch.get_num_threads())

    def run(batch: Tensor) -> Tensor:
        images = batch.detach().cpu().numpy()
        step = file.shape[0] or len(images)  # some files fix the number of images
        found = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            whole = np.concatenate([part, np.zeros((step - len(part), *part.shape[1:]), part.dtype)])
            found.append(process.run(file.input, whole)[name][: len(part)])
        return torch.from_numpy(np.concatenate(found))

    return run


def check_script(config: ExternalConfig) -> None:
    """Looks into a TorchScript file without running it.

    Raises:
        ValueError: the file is not trusted, or a torch file without a program.
    """
    if zipfile.is_zipfile(config.path):
        with zipfile.ZipFile(config.path) as file:
            program = any(name.endswith("/constants.pkl") for name in file.namelist())
        if not program:
            raise ValueError(
                f"{config.path}: holds weights or a pickled module, and no TorchScript program. Save the network with "
                "torch.jit.trace(network, images).save(path), or export it to ONNX. For the weights of a backbone of facegrid "
                "or of your own, use a grid with pretraining: {name: checkpoint, path: ...}"
            )
    if not config.trusted:
        raise ValueError(
            f"{config.path}: TorchScript is a program that may read and write files; if you trust its origin, set "
            "backbone.trusted: true (judge: --trust), or export it to ONNX"
        )


def _script(config: ExternalConfig) -> Any:
    """The TorchScript network."""
    check_script(config)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch.jit is to be replaced
            module = torch.jit.load(str(config.path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{config.path}: no readable TorchScript file ({first_line(error)})") from error

    def run(batch: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                found = module(batch.cpu())
        except RuntimeError as error:  # its last line is the cause; the others are the traceback of the script
            line = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise ValueError(f"{config.path}: the TorchScript network fails on images {tuple(batch.shape)} ({line})") from error
        if not isinstance(found, Tensor):
            raise ValueError(f"{config.path}: returns {type(found).__name__}; expected a tensor of embeddings")
        return found.float()

    return run
