"""Times ways to do the same work in turns, by CUDA events, and puts medians into the rows of one table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

HEADER = ("work", "ours", "peer in the same run", "ratio", "aim", "")
WIDTHS = (62, 26, 44, 6, 22, 6)


@dataclass(frozen=True)
class Row:
    """``ratio`` is our time divided by the peer's; ``met``: whether the aim is reached, None without one."""

    work: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return line((self.work, self.ours, self.peer, ratio, self.aim, {None: "", True: "met", False: "MISSED"}[self.met]))


def line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)) + " |"


def heading() -> str:
    return f"{line(HEADER)}\n{line(tuple('-' * width for width in WIDTHS))}"


def large(device: str, on_gpu: int, on_cpu: int) -> int:
    """A size: what is measured on a GPU, or what is only tried on the CPU."""
    return on_gpu if device == "cuda" else on_cpu


class Mark:
    """A point in time on the device."""

    def __init__(self, device: str) -> None:
        self.event = torch.cuda.Event(enable_timing=True) if device == "cuda" else None
        self.time = time.perf_counter()
        if self.event is not None:
            self.event.record()

    def until(self, other: Mark) -> float:
        """Seconds between the two."""
        if self.event is None or other.event is None:
            return other.time - self.time
        other.event.synchronize()
        return float(self.event.elapsed_time(other.event)) / 1000


def medians(device: str, ways: Mapping[str, Callable[[], Any]], most: int = 20, budget: float = 4.0) -> dict[str, float]:
    """Median seconds of each way, after one call that is not counted; the ways take turns until ``budget`` seconds are over."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    began = time.perf_counter()
    for turn in range(large(device, most, 1)):
        for name, run in ways.items():
            start = Mark(device)
            run()
            taken[name].append(start.until(Mark(device)))
        if turn >= 2 and time.perf_counter() - began > budget:
            break
    return {name: statistics.median(values) for name, values in taken.items()}


def peak(device: str, run: Callable[[], Any]) -> float:
    """MiB of device memory that ``run`` takes at most, beyond what is taken before; NaN on the CPU."""
    if device != "cuda":
        run()
        return float("nan")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def compared(
    work: str, ours: float, peer: float, name: str, most: float, images: int = 0, notes: tuple[str, str] = ("", "")
) -> Row:
    """A row with seconds of both.

    Args:
        name: of the peer
        most: the aim: the largest ratio
        images: in that time; 0: no rate is shown
        notes: text after our time and the peer's, such as memory
    """
    ratio = ours / peer
    shown = [f"{_time(seconds, images)}{note}" for seconds, note in zip((ours, peer), notes, strict=True)]
    return Row(work, shown[0], f"{name} {shown[1]}", ratio, f"<= {most:g}", ratio <= most)


def limited(work: str, ours: float, most: float, note: str = "") -> Row:
    """A row whose aim is a number of seconds, with no peer."""
    return Row(work, f"{_time(ours, 0)}{note}", aim=f"<= {1000 * most:g} ms", met=ours <= most)


def rated(work: str, ours: float, images: int, least: float | None = None) -> Row:
    """A row whose aim is a number of images per second."""
    aim = "" if least is None else f">= {least:,.0f} img/s"
    return Row(work, f"{images / ours:,.0f} img/s", aim=aim, met=None if least is None else images / ours >= least)


def _time(seconds: float, images: int) -> str:
    text = f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.2f} ms"
    return f"{text}, {images / seconds:,.0f} img/s" if images else text
