"""The most memory that a training was measured to take, and what is reserved for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

GIB = 1 << 30
MARGIN, SPARE = 1.2, 0.3 * GIB  # a few steps do not show everything: times and plus what was measured
TOGETHER = 10  # trainings on one GPU, at most


@dataclass(frozen=True)
class Peak:
    """Bytes.

    Attributes:
        memory: resident in the training's process, and what its loader processes do not share with it
        gpu: of the GPU: torch's reserve, and what lies outside of it, such as the context of CUDA; 0 on a CPU
        gpu_total: of the whole GPU; 0 on a CPU
        device: name of the GPU, or "cpu"
        types: what Ray calls the GPUs of the nodes that it was measured on; empty if that is unknown
        several: whether it is one process of a training that may have several devices: each has a whole GPU
    """

    memory: int
    gpu: int
    gpu_total: int
    device: str
    types: tuple[str, ...] = ()
    several: bool = False

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Peak:
        """From JSON.

        Raises:
            ValueError: it is no peak.
        """
        try:
            memory, gpu, total = (int(record[name]) for name in ("memory", "gpu", "gpu_total"))
            types, several = tuple(map(str, record.get("types", ()))), bool(record.get("several", False))
            found = cls(memory, gpu, total, str(record["device"]), types, several)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no measured memory: {record!r}") from error
        if found.memory <= 0 or not 0 <= found.gpu <= found.gpu_total:
            raise ValueError(f"no measured memory: {record!r}")
        return found

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def suits(self, slot: Mapping[str, float], nodes: Iterable[Mapping[str, float]]) -> bool:
        """Whether a training with this slot takes as much on these nodes: on a GPU of the same types, or without one."""
        if not slot.get("GPU"):
            return not self.gpu_total
        types = gpu_types(nodes)
        return self.gpu_total > 0 and (types == self.types or not types or not self.types)

    @property
    def memory_needed(self) -> float:
        """Bytes to reserve, rounded up to a tenth of a GiB."""
        tenths = math.ceil(round(_with_margin(self.memory) / GIB * 10, 6))  # rounded: 1.2 is no binary fraction
        return tenths * GIB / 10

    @property
    def gpu_part(self) -> float:
        """The part of a GPU to reserve: 1/n, rounded down to the 1/10,000 that Ray knows, so that n fit; 1 above a half."""
        if self.several:
            return 1.0
        fit = max(1, min(TOGETHER, int(self.gpu_total // _with_margin(self.gpu))))
        return math.floor(10_000 / fit) / 10_000

    @property
    def words(self) -> str:
        """For example: ``3.1 GiB of memory and 12.4 of 139.8 GiB of a GPU``."""
        gpu = f" and {self.gpu / GIB:.1f} of {self.gpu_total / GIB:.1f} GiB of a GPU" if self.gpu else ""
        return f"{self.memory / GIB:.1f} GiB of memory{gpu}"


def gpu_types(nodes: Iterable[Mapping[str, float]]) -> tuple[str, ...]:
    """What Ray calls the GPUs of nodes with these resources: ``("A100", "H100")``."""
    prefix = "accelerator_type:"
    return tuple(sorted({name.removeprefix(prefix) for node in nodes for name in node if name.startswith(prefix)}))


def _with_margin(measured: float) -> float:
    return MARGIN * measured + SPARE
