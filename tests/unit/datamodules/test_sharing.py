"""The parts of a batch that ranks have: together exactly the batch, whatever the sampler."""

import itertools

import pytest

from datamodules.samplers import EpochSampler, PKSampler
from datamodules.sharing import Share, part_of

LABELS = [number // 4 for number in range(22)]


def samplers(count, size):
    return EpochSampler(range(count), size, seed=3)


def steps(sampler, epoch):
    """The batches that a loader makes."""
    sampler.set_epoch(epoch)
    rows = [item[1] for item in sampler if item[0] == epoch]
    found = [rows[start : start + sampler.batch_size] for start in range(0, len(rows), sampler.batch_size)]
    return [batch for batch in found if len(batch) == sampler.batch_size or not sampler.drop_last]


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "make", [lambda: samplers(22, 9), lambda: samplers(7, 9), lambda: PKSampler(range(22), LABELS, 3, 3, 1)]
)
def test_all_ranks_together_see_the_batches_of_one_process(world, make):
    whole = steps(make(), 5)
    shares = [steps(Share(make(), 9, rank, world), 5) for rank in range(world)]
    assert {len(share) for share in shares} == {len(whole)}
    for place, batch in enumerate(whole):
        parts = [share[place] for share in shares]
        in_turn = [row for turn in itertools.zip_longest(*parts) for row in turn if row is not None]
        assert in_turn == batch
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("rank", [0, 1])
def test_a_resumed_epoch_has_the_rest_of_the_same_parts(rank):
    whole = steps(Share(samplers(22, 5), 5, rank, 2), 4)
    resumed = samplers(22, 5)
    resumed.start_batch(4, 2)
    share = Share(resumed, 5, rank, 2)
    assert steps(share, 4) == whole[2:]
    assert len(share) == sum(map(len, whole))  # Lightning counts skipped batches itself


def test_the_length_is_that_of_an_epoch():
    for count, size, world in itertools.product((5, 9, 22), (4, 9), (2, 3)):
        for rank in range(world):
            share = Share(samplers(count, size), size, rank, world)
            assert len(share) == sum(map(len, steps(share, 0))) == len(list(share))
    assert [part_of(7, rank, 3) for rank in range(3)] == [3, 2, 2]


def test_a_batch_smaller_than_the_number_of_devices_is_refused():
    for count, size in ((22, 2), (2, 9)):
        with pytest.raises(ValueError, match="a batch of 2 training images cannot be shared by 3 devices"):
            Share(samplers(count, size), size, 0, 3)


def test_a_rank_knows_the_images_of_the_others_in_each_batch():
    share = Share(samplers(22, 5), 5, 1, 2)
    share.set_epoch(0)
    batches = steps(samplers(22, 5), 0)
    earlier = iter(share)
    assert [next(earlier)[1] for _ in range(2)] == batches[0][1::2]
    rows = iter(share)
    for batch in batches:
        mine = [next(rows)[1] for _ in range(2)]
        next(earlier, None)  # an iterator that was given up may still be asked by its thread
        assert share.together(mine) == batch
    with pytest.raises(AssertionError, match="no such batch"):
        share.together([0, 1])


def test_batches_that_nobody_asked_for_are_passed_over():
    share = Share(samplers(22, 5), 5, 0, 2)
    first, second, *_ = steps(samplers(22, 5), 0)
    list(share)
    assert share.together(second[::2]) == second
    with pytest.raises(AssertionError):
        share.together(first[::2])
