"""The resources that units of work reserve: work that ran out of memory gets a larger slot, up to the largest there is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from grid.execution.memory_peak import Peak
from grid.ledger.attempt_times import CPU, GPU

Memory = Literal["gpu", "host"]
KINDS: tuple[Memory, ...] = ("gpu", "host")
UNLIMITED = 1 << 20  # slots on a node whose resources have no limit
ROUNDING = 1e-9  # 0.3 / 0.1 is a little less than 3
FIRST_SHARE = 4  # of a node's memory, where nothing was reserved before: one fourth


class Slots:
    """The slot of each unit of work, by its id.

    Args:
        resources: what a unit of work reserves at first, as Ray names it: CPU, GPU, memory (bytes)
        nodes: the resources of each node
        of_kinds: kind of stage -> what it reserves, where that differs
        measured: kind of stage -> which of its resources are measured

    Attributes:
        first: ``resources``
        nodes: the resources of each node
        measures: the argument ``measured``
    """

    def __init__(
        self,
        resources: Mapping[str, float],
        nodes: Sequence[Mapping[str, float]],
        of_kinds: Mapping[str, Mapping[str, float]] | None = None,
        measured: Callable[[str], Collection[str]] = lambda kind: (),
    ) -> None:
        self.first = dict(resources)
        self.nodes = nodes
        self._of_kinds = of_kinds or {}
        self.measures = measured
        self._slots: dict[str, dict[str, float]] = {}
        self._most: dict[str, int] = {}  # work id -> how many slots it asks for at most

    def of(self, work: str) -> dict[str, float]:
        """What the unit of work reserves."""
        return self._slots.get(work, self.first)

    def suited(self, kinds: Iterable[str], peak: Peak | None = None, devices: int = 1) -> dict[str, float]:
        """What work with stages of these kinds reserves at first: of each resource, the most that one of them needs.

        Args:
            peak: what its training was measured to take; None: not measured
            devices: how many such slots the work needs at once; they fit on the nodes, since Ray would wait forever
        """
        kinds, found = list(kinds), dict[str, float]()
        for kind in kinds:
            own = dict(self._of_kinds.get(kind, self.first))
            if peak is not None and "GPU" in self.measures(kind) and own.get("GPU") and peak.gpu:
                own["GPU"] = peak.gpu_part
            for name, amount in own.items():
                found[name] = max(amount, found.get(name, 0.0))
        if peak is not None and any("memory" in self.measures(kind) for kind in kinds):
            rest = {name: amount for name, amount in found.items() if name != "memory"}
            most = max(found.get("memory", 0.0), self._at_most(peak.memory_needed, rest, devices))
            found |= {"memory": most} if most else {}
        return found

    def _at_most(self, memory: float, rest: Mapping[str, float], devices: int) -> float:
        """As much of this memory (bytes) as each of so many slots can have at once; 0 if the nodes have no room for them."""
        parts = {float(node.get("memory", 0.0) // count) for node in self.nodes for count in range(1, devices + 1)}
        amounts = sorted({memory, *(part for part in parts if part < memory)}, reverse=True)
        return next((one for one in amounts if one and room({**rest, "memory": one}, self.nodes) >= devices), 0.0)

    def least(self, kinds: Iterable[str], devices: int = 1) -> dict[str, float]:
        """The CPUs and GPUs that so many slots for these kinds of stages have at least, whatever is measured."""
        kinds = list(kinds)
        found = held(self.suited(kinds), devices)
        if any(GPU in self.measures(kind) for kind in kinds):
            found[GPU] = min(found[GPU], ROUNDING)  # perhaps a small part of one
        return found

    def prepare(self, work: str, kinds: Iterable[str], peak: Peak | None = None, devices: int = 1) -> None:
        """Gives the unit of work the slot suited to its kinds of stages, unless it was given one before; see ``suited``."""
        self._slots.setdefault(work, self.suited(kinds, peak, devices))

    def forget(self, work: str) -> None:
        """``prepare`` gives the unit of work a new slot."""
        self._slots.pop(work, None)

    def measured(self, kind: str, slot: Mapping[str, float]) -> bool:
        """Whether something of a kind of stage is measured, where its unit of work has this slot: no GPU if it has none."""
        return any(name == "memory" or slot.get(name) for name in self.measures(kind))

    def room(self, work: str) -> int:
        """How many slots of the unit of work the nodes have room for at once, and it may ask for."""
        return min(self._most.get(work, UNLIMITED), room(self.of(work), self.nodes))

    def limit(self, work: str, count: int) -> None:
        """From now on the unit of work asks for so many slots at most: other work holds the rest of the nodes."""
        self._most[work] = count

    def larger(self, work: str, memory: Memory, devices: int = 1) -> dict[str, float] | None:
        """The next slot with more memory of that kind, or None: twice the share of a GPU, up to a whole one; twice the memory,
        or a fourth of the largest node's if none was reserved, up to all of it.

        Args:
            devices: how many such slots the work reserves at once; they must fit on the nodes, since Ray would wait forever
        """
        slot = self.of(work)
        name = "GPU" if memory == "gpu" else "memory"
        held = slot.get(name, 0.0)
        rest = {key: amount for key, amount in slot.items() if key != name}
        most = max((node.get(name, 0) for node in self.nodes if _fits(rest, node)), default=0)
        if memory == "gpu":
            wanted = min(1.0, 2 * held, most) if held < 1 else held
        else:
            wanted = float(int(min(2 * held or most / FIRST_SHARE, most)))
        found = {**slot, name: wanted}
        return found if wanted > held and room(found, self.nodes) >= devices else None

    def enlarge(self, work: str, memory: Memory, devices: int = 1) -> bool:
        """Gives the unit of work its next larger slot; False if there is none."""
        found = self.larger(work, memory, devices)
        if found is not None:
            self._slots[work] = found
        return found is not None


def room(slot: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> int:
    """How many of these slots the nodes have room for at once."""
    wanted = {name: amount for name, amount in slot.items() if amount}
    counts = (min(UNLIMITED, *(node.get(name, 0) / amount for name, amount in wanted.items())) for node in nodes)
    return sum(int(count + ROUNDING) for count in counts)


def held(slot: Mapping[str, float], devices: int) -> dict[str, float]:
    """The CPUs and GPUs of so many of these slots."""
    return {name: slot.get(name, 0.0) * devices for name in (CPU, GPU)}


def slot_words(resources: Mapping[str, float]) -> str:
    """For example: ``1 CPU, 0.5 GPU, 4 GiB``."""
    return ", ".join(
        f"{amount / 2**30:.3g} GiB" if name == "memory" else f"{amount:g} {name}" for name, amount in resources.items()
    )


def _fits(wanted: Mapping[str, float], node: Mapping[str, float]) -> bool:
    return all(node.get(name, 0) >= amount for name, amount in wanted.items())
