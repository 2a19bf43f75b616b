"""Which slot follows one that was too small."""

from __future__ import annotations

import pytest

from grid.execution.memory_peak import Peak
from grid.execution.slots import ROUNDING, Slots, room, slot_words

GIB = 2**30
NODES = [{"CPU": 8, "GPU": 2, "memory": 40.0 * GIB}, {"CPU": 64, "memory": 100.0 * GIB}]


def ladder(resources: dict[str, float], memory: str, nodes: list[dict[str, float]] = NODES, devices: int = 1) -> list[float]:
    """The amounts of one unit of work until nothing larger is left."""
    slots, name = Slots(resources, nodes), "GPU" if memory == "gpu" else "memory"
    found = [slots.of("a").get(name, 0.0)]
    while slots.enlarge("a", memory, devices):  # type: ignore[arg-type]
        found.append(slots.of("a")[name])
    assert slots.larger("a", memory, devices) is None  # type: ignore[arg-type]
    assert slots.of("b") == slots.first == resources, "other work keeps its slot"
    return found


def test_the_share_of_a_gpu_doubles_up_to_a_whole_one() -> None:
    assert ladder({"CPU": 1, "GPU": 0.25}, "gpu") == [0.25, 0.5, 1]
    assert ladder({"CPU": 1, "GPU": 0.3}, "gpu") == [0.3, 0.6, 1]
    assert ladder({"CPU": 1, "GPU": 1}, "gpu") == [1]
    assert ladder({"CPU": 1, "GPU": 2}, "gpu") == [2]
    assert ladder({"CPU": 1}, "gpu") == [0]


def test_memory_doubles_up_to_that_of_the_largest_node_with_the_other_resources() -> None:
    assert ladder({"CPU": 1, "memory": 30.0 * GIB}, "host") == [30 * GIB, 60 * GIB, 100 * GIB]
    assert ladder({"CPU": 1, "GPU": 1, "memory": 30.0 * GIB}, "host") == [30 * GIB, 40 * GIB]
    assert ladder({"CPU": 1}, "host") == [0, 25 * GIB, 50 * GIB, 100 * GIB]
    assert ladder({"CPU": 1}, "host", [{"CPU": 4}]) == [0]


def test_a_unit_of_work_has_the_most_that_one_of_its_kinds_of_stages_needs() -> None:
    kinds = {"detect": {"CPU": 4.0}, "explain": {"CPU": 1.0, "GPU": 1.0, "memory": 8.0 * GIB}}
    slots = Slots({"CPU": 2, "GPU": 0.5}, NODES, kinds)
    slots.prepare("detection", ["detect"])
    slots.prepare("cell", ["train", "evaluate", "explain"])
    slots.prepare("rest", ["train"])
    assert slots.of("detection") == {"CPU": 4}
    assert slots.of("cell") == {"CPU": 2, "GPU": 1, "memory": 8 * GIB}
    assert slots.of("rest") == {"CPU": 2, "GPU": 0.5}
    assert slots.enlarge("rest", "gpu")
    slots.prepare("rest", ["train"])
    assert slots.of("rest") == {"CPU": 2, "GPU": 1}, "a larger slot is kept when the work is tried again"


def test_the_slots_of_all_devices_fit_on_the_nodes_at_once() -> None:
    one = [{"CPU": 8, "memory": 100.0 * GIB}]
    assert ladder({"CPU": 1}, "host", one, devices=2) == [0, 25 * GIB, 50 * GIB]
    assert ladder({"CPU": 1}, "host", one * 2, devices=2) == [0, 25 * GIB, 50 * GIB, 100 * GIB]
    assert ladder({"CPU": 5, "memory": 30.0 * GIB}, "host", one, devices=2) == [30 * GIB], "two have not enough processors"
    assert room({"CPU": 3, "GPU": 0, "memory": 40.0 * GIB}, NODES) == 3
    assert room({"GPU": 1, "memory": 40.0 * GIB}, [{"GPU": 2, "memory": float("inf")}]) == 2
    assert room({"GPU": 0.1}, [{"GPU": 0.3}]) == 3, "although 0.3 / 0.1 is less"
    assert room({"CPU": 1}, [{"CPU": float("inf")}]) > 1000, "a node of an estimate may have no limit"
    slots = Slots({"CPU": 1}, NODES, {"train": {"CPU": 2.0, "GPU": 1.0}})
    slots.prepare("a", ["train"])
    assert (slots.room("a"), slots.room("b")) == (2, 72)


def test_a_slot_in_words() -> None:
    assert slot_words({"CPU": 2, "GPU": 0.5, "memory": 5.5 * GIB}) == "2 CPU, 0.5 GPU, 5.5 GiB"


MEASURED = {"train": ("GPU", "memory"), "evaluate": ("GPU",)}


def suited(
    peak: Peak, kinds: list[str], nodes: list[dict[str, float]] = NODES, **of_kinds: dict[str, float]
) -> dict[str, float]:
    first = {name: amount for name, amount in {"CPU": 1.0, "GPU": 1.0}.items() if nodes[0].get(name)}
    return Slots(first, nodes, of_kinds, lambda kind: MEASURED.get(kind, ())).suited(kinds, peak)


def test_of_what_is_measured_work_reserves_what_its_training_took() -> None:
    peak = Peak(10 * GIB, 10 * GIB, 80 * GIB, "H100")
    assert suited(peak, ["train", "evaluate"]) == {"CPU": 1, "GPU": 0.1666, "memory": 12.3 * GIB}
    assert suited(peak, ["train", "explain"])["GPU"] == 1, "of an explanation nothing is measured"
    assert suited(peak, ["train"], train={"CPU": 4.0})["CPU"] == 4
    assert "GPU" not in suited(peak, ["train"], train={"CPU": 4.0}), "it asks for none"
    assert "GPU" not in suited(peak, ["train"], [{"CPU": 4.0, "memory": 90.0 * GIB}])


def test_more_memory_than_a_node_has_is_all_of_it() -> None:
    peak = Peak(200 * GIB, 10 * GIB, 80 * GIB, "H100")
    assert suited(peak, ["train"])["memory"] == 40 * GIB, "of the node with GPUs"
    assert "memory" not in suited(peak, ["train"], [{"CPU": 4.0, "GPU": 1.0}]), "Ray knows nothing of memory there"


def test_measured_memory_fits_beside_what_other_stages_of_the_unit_of_work_need() -> None:
    nodes = [{"CPU": 4.0, "memory": 40.0 * GIB}, {"CPU": 4.0, "memory": 8.0 * GIB, "disk": 1.0}]
    peak = Peak(10 * GIB, 0, 0, "cpu")
    disk = {"CPU": 1.0, "disk": 1.0}
    assert suited(peak, ["train"], nodes, evaluate=disk)["memory"] == 12.3 * GIB
    assert suited(peak, ["train", "evaluate"], nodes, evaluate=disk) == {**disk, "memory": 8 * GIB}
    assert suited(peak, ["train", "explain"], nodes, explain={"CPU": 1.0, "memory": 20.0 * GIB})["memory"] == 20 * GIB


@pytest.mark.parametrize(
    ("devices", "amounts", "given"),
    [
        (1, (40.0,), 12.3),
        (3, (40.0,), 12.3),
        (4, (40.0,), 10.0),
        (3, (40.0, 5.0, 20.0), 12.3),
        (4, (40.0, 11.0), 11.0),
        (5, (40.0, 11.0), 10.0),
        (2, (9.0, 12.0), 9.0),
    ],
)
def test_as_many_measured_slots_as_work_needs_fit_at_once(devices: int, amounts: tuple[float, ...], given: float) -> None:
    nodes = [{"CPU": 8.0, "memory": amount * GIB} for amount in amounts]
    slots = Slots({"CPU": 1}, nodes, measured=lambda kind: ("memory",))
    slots.prepare("a", ["train"], Peak(10 * GIB, 0, 0, "cpu"), devices)
    assert slots.of("a")["memory"] == pytest.approx(given * GIB)
    assert slots.room("a") >= devices


def test_a_measured_slot_grows_like_others() -> None:
    slots = Slots({"CPU": 1, "GPU": 1}, NODES, measured=lambda kind: MEASURED.get(kind, ()))
    slots.prepare("a", ["train"], Peak(10 * GIB, 10 * GIB, 80 * GIB, "H100"))
    assert slots.of("a")["GPU"] == 0.1666
    assert slots.enlarge("a", "gpu")
    assert slots.of("a")["GPU"] == 0.3332


def test_of_a_measured_gpu_nothing_is_certain_before() -> None:
    of_kinds = {"detect": {"CPU": 4.0}}
    slots = Slots({"CPU": 2.0, "GPU": 1.0, "memory": 8.0}, [], of_kinds, lambda kind: ["GPU"] if kind == "train" else [])
    assert slots.least(["detect", "evaluate"], 2) == {"CPU": 8.0, "GPU": 2.0}
    assert slots.least(["train", "evaluate"]) == {"CPU": 2.0, "GPU": ROUNDING}, "it is some part, so limits of GPU-hours count"
