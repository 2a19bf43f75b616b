from types import SimpleNamespace

import pytest
import torch

from modules.attribution import batch_size
from modules.attribution.batch_size import LARGEST, batch_of, even, images_that_fit
from modules.explainers.rise import RISEConfig

GIB = 1 << 30


@pytest.fixture
def gpu(monkeypatch):
    """Images that say they are on a GPU with 80 GiB; the GPU is at the boundary of what can be tested without one."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80 * GIB))
    return SimpleNamespace(device=torch.device("cuda"), shape=(1, 3, 112, 112))


def test_on_a_cpu_it_is_the_configs_number():
    images = torch.zeros(2, 3, 112, 112)
    assert batch_of(RISEConfig(), images, 4000) == 32
    assert batch_of(RISEConfig(batch=7), images, 4000) == 7
    assert batch_size.batch_size(10, images, 50, backward=True, divides=True) == 10


def test_on_a_gpu_only_the_default_is_replaced(gpu):
    assert batch_of(RISEConfig(), gpu, 4000) == 250  # 16 batches, none of them padded
    assert batch_of(RISEConfig(batch=7), gpu, 4000) == 7


def test_gradients_leave_room_for_fewer_images_and_the_batch_divides(gpu):
    most = images_that_fit(80 * GIB, 112 * 112, backward=True)
    assert 50 < most < LARGEST
    assert batch_size.batch_size(10, gpu, 50, backward=True, divides=True) == 50
    assert batch_size.batch_size(10, gpu, 1000, backward=True, divides=True) == max(
        number for number in range(1, most + 1) if 1000 % number == 0
    )


def test_it_is_what_fits_into_an_eighth_of_the_memory():
    assert images_that_fit(80 * GIB, 112 * 112, backward=False) == LARGEST
    assert images_that_fit(8 * GIB, 112 * 112, backward=False) == GIB // (1024 * 112 * 112)
    assert images_that_fit(8 * GIB, 112 * 112, backward=True) == GIB // (8192 * 112 * 112)
    assert images_that_fit(GIB, 4000 * 4000, backward=True) == 1  # one image always passes


@pytest.mark.parametrize(("count", "most"), [(1, 1), (1, 256), (10, 3), (170, 256), (257, 256), (512, 256), (4000, 256)])
def test_even_batches_are_as_few_as_possible_and_as_small(count, most):
    found = even(count, most)
    fewest = min(-(-count // batch) for batch in range(1, most + 1))
    assert found == min(batch for batch in range(1, most + 1) if -(-count // batch) == fewest)
