from collections import Counter

import pytest

from datamodules.samplers import EpochSampler

ROWS = [3, 5, 8, 13, 21, 34, 55, 89, 144, 233]


def rows(sampler, epoch):
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert all(place == epoch for place, _ in found)
    return [row for _, row in found]


def test_an_epoch_is_every_row_once_in_an_order_of_its_own():
    sampler = EpochSampler(ROWS, 4, seed=1)
    assert sorted(rows(sampler, 0)) == ROWS
    assert rows(sampler, 0) != rows(sampler, 1)
    assert rows(sampler, 0) != rows(EpochSampler(ROWS, 4, seed=2), 0)
    assert rows(EpochSampler(ROWS, 4, seed=1), 2) != rows(EpochSampler(ROWS, 4, seed=2), 1)


def test_an_epoch_depends_on_no_epoch_before_it():
    sampler = EpochSampler(ROWS, 4, seed=1)
    for epoch in range(3):
        last = rows(sampler, epoch)
    assert rows(EpochSampler(ROWS, 4, seed=1), 2) == last == rows(sampler, 2)
    assert rows(EpochSampler(ROWS, 4, seed=-1), 0)  # any integer is a seed


def test_a_resumed_epoch_skips_what_was_trained_on_and_later_ones_are_whole():
    sampler = EpochSampler(ROWS, 3, seed=1)
    whole = rows(sampler, 4)
    sampler.start_batch(4, 2)
    assert rows(sampler, 4) == whole[6:]
    assert len(rows(sampler, 5)) == len(ROWS)
    assert len(sampler) == len(ROWS)  # Lightning counts skipped batches itself


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_order_of_a_single_process(world):
    shares = [rows(EpochSampler(ROWS, 2, 1, rank, world), 7) for rank in range(world)]
    assert {len(share) for share in shares} == {len(ROWS) // world}
    together = [row for step in zip(*shares, strict=True) for row in step]
    assert together == rows(EpochSampler(ROWS, 2, 1), 7)[: len(together)]
    assert max(Counter(together).values()) == 1


def test_a_smaller_last_batch_is_dropped_where_there_is_a_whole_one():
    assert EpochSampler(ROWS, 10, 1).drop_last
    assert not EpochSampler(ROWS, 11, 1).drop_last
    assert not EpochSampler(ROWS, 6, 1, 0, 2).drop_last


def test_fewer_images_than_processes_are_refused():
    with pytest.raises(ValueError, match="1 training images cannot be shared by 2"):
        EpochSampler([1], 4, 1, 0, 2)
