import gc
import threading
import time

import pytest
import torch
from torch.utils.data import DataLoader

from datamodules import prefetching
from datamodules.prefetching import PrefetchingLoader, ahead


def alive():
    return [thread for thread in threading.enumerate() if thread.name == "facegrid-prefetch"]


def soon(condition):
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_items_come_in_their_order_and_end():
    found = ahead(range(50))
    assert list(found) == list(range(50))
    assert list(found) == []
    assert soon(lambda: not alive())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_so_many_are_made_ahead_and_no_more(count):
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    found = ahead(items(), count)
    expected = max(count, 2)  # one is ready, and one in the making
    assert soon(lambda: len(made) == expected)
    for taken in range(1, 5):
        next(found)
        assert soon(lambda taken=taken: len(made) == expected + taken)
        time.sleep(0.02)
        assert len(made) == expected + taken
    found.close()


def test_making_does_not_wait_for_the_first_question():
    began = threading.Event()

    def items():
        began.set()
        yield 1

    found = ahead(items())
    assert began.wait(2)
    assert next(found) == 1


def test_what_raises_there_raises_here_after_what_came_before():
    def items():
        yield 1
        raise ValueError("image 7 is gone")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="image 7 is gone"):
        next(found)
    with pytest.raises(StopIteration):
        next(found)


@pytest.mark.parametrize("leave", ["closed", "forgotten"])
def test_a_thread_that_nobody_needs_ends(leave):
    assert soon(lambda: not alive())
    found = ahead(iter(int, 1))  # without end
    next(found)
    assert len(alive()) == 1
    if leave == "closed":
        found.close()
    else:
        del found
        gc.collect()
    assert soon(lambda: not alive())


class Numbers:
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return torch.tensor(index), threading.current_thread().name == "facegrid-prefetch"


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_those_of_a_plain_loader_each_time_anew(workers):
    plain = [batch.tolist() for batch, _ in DataLoader(Numbers(), batch_size=3)]
    loader = PrefetchingLoader(Numbers(), batch_size=3, num_workers=workers)
    for _ in range(2):
        found = list(loader)
        assert [batch.tolist() for batch, _ in found] == plain
        assert all(by_thread.all() == (workers == 0) for _, by_thread in found)
    assert len(loader) == 4


def test_loading_and_using_overlap():
    loaded = [threading.Event() for _ in range(10)]

    def numbers():
        for number, event in enumerate(loaded):
            event.set()
            yield number

    for number in prefetching.ahead(numbers()):
        assert all(event.wait(30) for event in loaded[number + 1 : number + 2]), "the next one is loaded while this one is used"
