"""Weight files: safe reading (no code execution), comparison by name, cached digests."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from configs.component import file_digest
from modules.shape_inference import first_line

_DIGESTS: dict[tuple[str, int, int], str] = {}
_BODY = "body."  # attribute of a backbone that wraps a library's network; files use the library's names
_COUNTER = ".num_batches_tracked"


def sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes; cached per process by path, size and modification time."""
    place = path.resolve()
    facts = place.stat()
    known = (str(place), facts.st_size, facts.st_mtime_ns)
    if known not in _DIGESTS:
        _DIGESTS[known] = file_digest(place)
    return _DIGESTS[known]


def read(path: Path, key: str | None = None, device: str = "cpu") -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file that contains only tensors and plain values.

    Args:
        path: the file; the suffix ``.safetensors`` determines the format
        key: the entry of a torch file that holds the weights ("state_dict"); nested entries are joined by dots ("ema.model")
        device: "meta" returns names and shapes without data

    Raises:
        ValueError: the file cannot be read, would execute code, or has no weights at ``key``.
    """
    if path.suffix == ".safetensors":
        if key is not None:
            raise ValueError(f"{path}: key {key!r} given, but a safetensors file has no entries; leave key out")
        return _read_safetensors(path, device)
    try:
        found = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: holds more than tensors and plain values, or is damaged, so it is not opened; save its state dict alone, "
            f"best as .safetensors ({first_line(error)})"
        ) from error
    except Exception as error:  # torch reads what is no torch file as a pickle, which may raise anything
        raise ValueError(f"{path}: no readable torch file ({type(error).__name__}: {first_line(error)})") from error
    return _state(path, found, key)


def read_first(path: Path, keys: Sequence[str | None], device: str = "cpu") -> dict[str, Tensor]:
    """As ``read``, at the first of the keys that leads to weights; raises the error of the first key if none does.

    A safetensors file has no keys.
    """
    if path.suffix == ".safetensors":
        return read(path, None, device)
    errors = []
    for key in keys:
        try:
            return read(path, key, device)
        except ValueError as error:
            errors.append(error)
    raise errors[0]


def fit(
    found: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    path: Path,
    dropped: tuple[str, ...] | None = None,
    part: str = "backbone",
) -> dict[str, Tensor]:
    """Matches the tensors of ``found`` to the names of ``wanted``; every name must be present and every shape equal.

    Args:
        found: the tensors of the file
        wanted: the state dict of the backbone; may be on the meta device
        path: for messages
        dropped: first name components that may be unused ("classifier"); None: any first component that the backbone does not
            have, so that a deeper network of the same family is still rejected
        part: the part to load, for messages

    Raises:
        ValueError: reports the first key that is missing, has another shape, or is unused.
    """
    if wanted and all(name.startswith(_BODY) for name in wanted) and not any(name.startswith(_BODY) for name in found):
        return {_BODY + name: value for name, value in fit(found, _without(wanted, _BODY), path, dropped, part).items()}
    chosen: dict[str, Tensor] = {}
    for name, value in wanted.items():
        if name in found:
            if found[name].shape != value.shape:
                _refuse(path, f"{name} has shape {tuple(found[name].shape)}, this {part} has {tuple(value.shape)}")
            chosen[name] = found[name]
        elif name.endswith(_COUNTER):  # missing in files from before torch 0.4.1; not used in computations
            chosen[name] = torch.zeros_like(value)
        else:
            _refuse(path, f"{name} is missing")
    own = {name.split(".")[0] for name in wanted}
    for name in found:
        first = name.split(".")[0]
        if name not in wanted and (first in own if dropped is None else first not in dropped):
            _refuse(path, f"{name} has no place in this {part}")
    return chosen


def holder(built: Any, found: Iterable[str]) -> Any:
    """The module that a file with the names ``found`` belongs to: the backbone, or, for a wrapper such as abn, its ``inner``
    backbone unless the file has names of both.
    """
    inner = getattr(built, "inner", None)
    return built if inner is None or any(name.startswith("inner.") for name in found) else inner


def under(found: Mapping[str, Tensor], prefix: str, path: Path) -> dict[str, Tensor]:
    """The tensors whose names start with ``prefix``, with the prefix removed.

    Raises:
        ValueError: there are none; reports the first name in the file.
    """
    chosen = _without(found, prefix)
    if not chosen:
        raise ValueError(f"{path}: no weights under {prefix!r}; its first name is {next(iter(found), None)!r}")
    return chosen


def _refuse(path: Path, why: str) -> None:
    raise ValueError(f"{path}: {why}; these are the weights of another architecture, or need a prefix or key")


def _without(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _read_safetensors(path: Path, device: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if device != "meta":
                return {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: no readable safetensors file ({first_line(error)})") from error


def _state(path: Path, found: Any, key: str | None) -> dict[str, Tensor]:
    for part in key.split(".") if key else ():
        if not isinstance(found, Mapping) or part not in found:
            raise ValueError(f"{path}: no entry {key!r}; found {_entries(found)}")
        found = found[part]
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path}: no state dict at {key or 'its top'}; found {_entries(found)}; name the entry with key")
    return dict(found)


def _entries(found: Any) -> str:
    return ", ".join(map(str, list(found)[:8])) if isinstance(found, Mapping) else type(found).__name__
