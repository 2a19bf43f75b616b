"""What is reserved for a measured peak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grid.execution.memory_peak import GIB, TOGETHER, Peak, gpu_types


def peak(memory: float = 1.0, gpu: float = 0.0, total: float = 0.0) -> Peak:
    return Peak(int(memory * GIB), int(gpu * GIB), int(total * GIB), "H100")


@pytest.mark.parametrize(("took", "tenths"), [(1.0, 15), (0.5, 9), (2.0, 27), (2.01, 28), (0.001, 4)])
def test_memory_is_a_fifth_and_a_bit_more_in_whole_tenths_of_a_gib(took: float, tenths: int) -> None:
    found = peak(took).memory_needed
    assert found == tenths * GIB / 10
    assert 1.2 * took + 0.3 <= found / GIB + 1e-6


@pytest.mark.parametrize(
    ("took", "part"),
    [
        (70.0, 1.0),
        (33.1, 1.0),  # 1.2 * 33.1 + 0.3 = 40.02 of 80
        (33.0, 0.5),  # 39.9
        (22.0, 0.5),  # 26.7, of which three are 80.1
        (21.9, 0.3333),
        (16.4, 0.25),  # 19.98
        (0.1, 0.1),  # not more than ten
    ],
)
def test_as_many_fit_on_a_gpu_as_its_memory_has_room_for(took: float, part: float) -> None:
    found = peak(gpu=took, total=80.0).gpu_part
    assert found == part
    count = int(1 / found)
    assert count <= TOGETHER
    assert count == 1 or count * (1.2 * took + 0.3) <= 80.0


def test_more_than_a_gpu_has_is_a_whole_one() -> None:
    assert peak(gpu=79.0, total=80.0).gpu_part == 1.0


def test_each_of_several_devices_has_a_whole_gpu() -> None:
    assert replace(peak(gpu=1.0, total=80.0), several=True).gpu_part == 1.0


@pytest.mark.parametrize("several", [False, True])
def test_a_peak_is_read_as_it_was_written(several: bool) -> None:
    one = replace(peak(1.5, 2.0, 80.0), types=("A100", "H100"), several=several)
    assert Peak.of(one.record()) == one
    without = {key: value for key, value in one.record().items() if key != "types"}
    assert Peak.of(without).types == (), "of a file from before"


@pytest.mark.parametrize(
    ("total", "types", "gpu", "nodes", "suits"),
    [
        (0, (), 0, (), True),
        (0, (), 1, (), False),  # measured on a CPU, to run on a GPU
        (80, ("H100",), 0, ("H100",), False),
        (80, ("H100",), 0.5, ("H100",), True),
        (80, ("H100",), 1, ("A100",), False),
        (80, ("H100",), 1, ("A100", "H100"), False),
        (80, ("A100", "H100"), 1, ("H100", "A100"), True),
        (80, ("H100",), 1, (), True),  # Ray does not know what they are
        (80, (), 1, ("H100",), True),
    ],
)
def test_a_peak_suits_gpus_of_the_types_that_it_was_measured_on(
    total: float, types: tuple[str, ...], gpu: float, nodes: tuple[str, ...], suits: bool
) -> None:
    found = replace(peak(1, 1 if total else 0, total), types=types)
    several = [{"CPU": 8.0}, *({"GPU": 1.0, f"accelerator_type:{name}": 1.0} for name in nodes)]
    assert found.suits({"CPU": 1, "GPU": gpu}, several) is suits
    assert gpu_types(several) == tuple(sorted(nodes))


@pytest.mark.parametrize(
    "changes", [{"memory": 0}, {"memory": None}, {"gpu": -1}, {"gpu": 90 * GIB}, {"gpu_total": "x"}, {"memory": "many"}]
)
def test_what_is_no_peak_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Peak.of({**peak(1.0, 1.0, 80.0).record(), **changes})


def test_words() -> None:
    assert peak(3.06).words == "3.1 GiB of memory"
    assert peak(3.06, 12.4, 139.8).words == "3.1 GiB of memory and 12.4 of 139.8 GiB of a GPU"
