"""The order of work follows what stages took: by component and network, during a launch, with a clock of its own."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import optimize

from grid.execution.job import Job, Outcome
from grid.execution.measured_order import IMAGES, OPERATIONS, SHARE, MeasuredOrder, ordering
from grid.execution.scheduler import Work, WorkQueue, largest_first
from grid.plan.history import Duration
from grid.plan.workload import Workload

# what the networks of the demo need per operation: EfficientNet-B1 has few operations, and needs much time for them
FACTOR = {"alexnet": 1.0, "resnet34": 0.8, "efficientnet_b1": 6.0}
AMOUNT = {"alexnet": 20.0, "resnet34": 60.0, "efficientnet_b1": 14.0}


def took(group: str, network: str, amount: float | None, seconds: float) -> Duration:
    return Duration(Workload(group, network, amount), seconds, "cpu")


def test_work_that_was_never_measured_is_ordered_by_its_amount() -> None:
    works = {"a": Workload("train", "x", 1e12), "b": Workload("train", "y", 3e12), "c": Workload("detect mtcnn", "", 50.0)}
    assert ordering(works, []) == pytest.approx({"a": 100.0, "b": 300.0, "c": 5.0})
    assert ordering({"d": Workload("made_up")}, []) == pytest.approx({"d": 0.1})


def test_the_same_component_and_network_take_their_time_in_proportion_to_the_work() -> None:
    measured = [took("train", "x", 10.0, 30.0), took("train", "x", 10.0, 120.0), took("train", "y", 10.0, 5.0)]
    found = ordering({"a": Workload("train", "x", 20.0), "b": Workload("train", "y", 20.0)}, measured)
    assert found == pytest.approx({"a": 2 * 60.0, "b": 10.0})


def test_other_work_follows_the_ridge_regression_on_components_and_networks() -> None:
    measured = [
        took("pretrain source", "x", 10.0, 10.0), took("pretrain source", "y", 10.0, 30.0), took("train", "x", 10.0, 20.0),
        took("evaluate lfw", "y", 5.0, 2.0), took("detect mtcnn", "", 100.0, 40.0),
    ]  # fmt: skip
    rates = [math.log(one.seconds / float(one.workload.amount or 1)) for one in measured]
    groups, networks = ["pretrain source", "train", "evaluate lfw", "detect mtcnn"], ["x", "y"]

    def cost(values: np.ndarray) -> float:
        level, slower = dict(zip(groups, values, strict=False)), dict(zip(networks, values[4:], strict=True))
        pairs = zip(measured, rates, strict=True)
        rest = [rate - level[one.workload.group] - slower.get(one.workload.network, 0.0) for one, rate in pairs]
        return float(np.square(rest).sum() + np.square(values[4:]).sum())

    best = optimize.minimize(cost, np.zeros(6), options={"gtol": 1e-9}).x
    found = ordering({"a": Workload("train", "y", 7.0), "b": Workload("train", "z", 7.0)}, measured)
    assert found["a"] == pytest.approx(7 * math.exp(best[1] + best[5]), rel=1e-5)
    slow = 2 * math.sqrt((best[4] ** 2 + best[5] ** 2) / 2)
    assert found["b"] == pytest.approx(7 * math.exp(best[1] + slow), rel=1e-5), "an unknown network is taken for a slow one"
    other = ordering({"c": Workload("evaluate agedb", "x", 7.0), "d": Workload("explain rise", "z", 7.0)}, measured)
    assert other["c"] == pytest.approx(7 * math.exp(best[2] + best[4]), rel=1e-5), "the same kind"
    known = [best[0], best[0], best[1], best[2]]
    assert other["d"] == pytest.approx(7 * math.exp(sum(known) / 4 + slow), rel=1e-5), "any stage with a network"


def work(id: str, *needs: str) -> Work:
    return Work(id, id, (Job("train", id, id, {}, {}, {}, "", ""),), frozenset(needs))


Plan = tuple[list[Work], dict[str, Workload], dict[str, float]]  # works, their workloads, and what each really takes


def demo() -> Plan:
    """As in the demo: a detection, a pretraining per network, four cells per network."""
    works, loads = [work("detect")], {"detect": Workload("detect mtcnn", "", 200.0)}
    for network, amount in AMOUNT.items():
        works.append(work(f"pretrain {network}"))
        loads[f"pretrain {network}"] = Workload("pretrain source", network, amount * OPERATIONS / 2)
        for pretraining in ([], [f"pretrain {network}"]):
            for detection in ([], ["detect"]):
                id = "/".join([network, *pretraining, *detection])
                works.append(work(id, *pretraining, *detection))
                loads[id] = Workload("train", network, amount * OPERATIONS)
    return works, loads, {id: true_seconds(load, FACTOR.get(load.network, 1.0)) for id, load in loads.items()}


def true_seconds(load: Workload, factor: float) -> float:
    return factor * float(load.amount or 1.0) / (OPERATIONS if load.network else IMAGES)


def networks_of_unknown_speed(seed: int) -> Plan:
    """Sixty trainings: five sizes of twelve networks, some of which need much more time for an operation than others."""
    random = np.random.default_rng(seed)
    works, loads, seconds = [], {}, {}
    for network in range(12):
        factor = random.lognormal(0.0, 1.0)
        for size in random.lognormal(2.0, 0.5, 5):
            id = f"{network} {size}"
            works.append(work(id))
            loads[id] = Workload("train", str(network), size * OPERATIONS)
            seconds[id] = true_seconds(loads[id], factor * random.lognormal(0.0, 0.05))
    return works, loads, seconds


def simulated(plan: Plan, slots: int, learns: bool) -> tuple[float, list[str]]:
    """When the last work has ended, and the order in which it was begun."""
    works, loads, seconds = plan
    order = MeasuredOrder(loads, clock=lambda: 0.0)
    first = largest_first(works, set(seconds), order.seconds())
    queue = WorkQueue({one.id: one for one in first}, set(seconds))
    running: list[tuple[float, str]] = []
    begun, now = [], 0.0
    while not queue.finished:
        while len(running) < slots and (one := queue.take()):
            heapq.heappush(running, (now + seconds[one.id], one.id))
            begun.append(one.id)
        now, id = heapq.heappop(running)
        queue.end(id, {id: Outcome("done")})
        if learns:
            order.learn(queue, {id: Duration(loads[id], seconds[id], "cpu")})
    return now, begun


def test_in_the_demo_the_cells_of_a_slow_network_come_first_once_its_pretraining_has_shown_it() -> None:
    before, after = (simulated(demo(), 2, learns)[1] for learns in (False, True))
    assert sorted(before) == sorted(after) == sorted(demo()[2])
    assert all(id.startswith("efficientnet_b1") for id in before[-3:])
    slow = [id.startswith("efficientnet_b1") for id in after[after.index("pretrain efficientnet_b1") + 1 :]]
    cells = [id for id in after if id.startswith("efficientnet_b1")]
    assert slow.index(True) < len(slow) / 2, "the first starts before half of what is left"
    assert len(cells) == 4
    assert after[-1].startswith("alexnet")


@pytest.mark.parametrize("slots", [4, 8])
def test_trainings_of_networks_of_unknown_speed_end_earlier_than_in_the_order_of_their_operations(slots: int) -> None:
    ratios = []
    for seed in range(50):
        plan = networks_of_unknown_speed(seed)
        bound = max(max(plan[2].values()), sum(plan[2].values()) / slots)
        ratios.append([simulated(plan, slots, learns)[0] / bound for learns in (False, True)])
    fixed, learned = np.mean(ratios, axis=0) - 1
    print(f"{slots} slots: on average {fixed:.1%} above the bound by operations, {learned:.1%} by what was measured")
    assert learned < fixed / 2


def test_work_that_was_put_back_keeps_its_place() -> None:
    queue = WorkQueue({id: work(id) for id in "abcd"}, set("abcd"))
    assert [one.id for one in (queue.take(), queue.take()) if one] == ["a", "b"]
    queue.again("b")
    queue.end("a", {"a": Outcome("busy")})
    assert list(queue.waiting) == ["b", "c", "d", "a"]
    queue.reorder({"a": 9.0, "b": 1.0, "c": 2.0, "d": 3.0})
    assert list(queue.waiting) == ["b", "d", "c", "a"], "lost work first, work of others last"


def test_a_large_queue_is_not_put_in_order_all_the_time() -> None:
    now = [0.0]

    class Slow(WorkQueue):
        orders = 0

        def reorder(self, seconds: Mapping[str, float]) -> None:
            Slow.orders += 1
            now[0] += 1.0

    order, queue = MeasuredOrder({}, clock=lambda: now[0]), Slow({}, set())
    for number in range(100):
        order.learn(queue, {str(number): took("train", "x", 1.0, 1.0)})
        now[0] += 1.0
    assert Slow.orders == math.ceil(100 / (SHARE + 1))
    assert len(order.measured) == 100, "nothing is forgotten"
