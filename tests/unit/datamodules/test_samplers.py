import itertools
from collections import Counter

import pytest

from datamodules.samplers import EpochSampler, PKSampler

ROWS = [3, 5, 8, 13, 21, 34, 55, 89, 144, 233]


def rows(sampler, epoch):
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert all(item[0] == epoch for item in found)
    return [item[1] for item in found]


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


def test_a_smaller_last_batch_is_dropped_where_there_is_a_whole_one():
    assert EpochSampler(ROWS, 10, 1).drop_last
    assert not EpochSampler(ROWS, 11, 1).drop_last


LABELS = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 4, 4]
PEOPLE = list(range(100, 100 + len(LABELS)))
SUBJECT = dict(zip(PEOPLE, LABELS, strict=True))


def batches(sampler, epoch):
    found = rows(sampler, epoch)
    assert len(found) == len(sampler)
    size = sampler.batch_size
    return [found[start : start + size] for start in range(0, len(found), size)]


@pytest.mark.parametrize(("subjects", "images"), [(2, 2), (3, 2), (2, 4), (5, 3)])
def test_every_batch_has_p_subjects_with_k_images_each(subjects, images):
    sampler = PKSampler(PEOPLE, LABELS, subjects, images, seed=1)
    for epoch in range(20):
        for batch in batches(sampler, epoch):
            counts = Counter(SUBJECT[row] for row in batch)
            assert len(counts) == subjects
            assert set(counts.values()) == {images}


def test_images_come_again_in_a_batch_only_where_a_subject_has_fewer_than_k():
    sampler = PKSampler(PEOPLE, LABELS, 2, 3, seed=1)
    seen = set()
    for epoch in range(20):
        for batch in batches(sampler, epoch):
            for subject, few in ((2, 2), (3, 1)):
                mine = [row for row in batch if SUBJECT[row] == subject]
                if mine:
                    assert len(set(mine)) == few
                    seen.add(subject)
            for subject in (0, 1, 4):
                mine = [row for row in batch if SUBJECT[row] == subject]
                assert len(set(mine)) == len(mine)
    assert seen == {2, 3}


def test_no_more_batches_could_be_filled_and_fewer_than_p_groups_are_left_out():
    # groups of two: 4, 2, 1, 1, 2; three batches of three subjects take min(groups, 3) = 3 + 2 + 1 + 1 + 2 = 9 of them
    sampler = PKSampler(PEOPLE, LABELS, 3, 2, seed=1)
    assert len(sampler) == 3 * 6
    assert len(PKSampler(PEOPLE, LABELS, 5, 2, seed=1)) == 10  # subjects 2 and 3 have one group each: one batch
    assert len(PKSampler(range(400), [row // 4 for row in range(400)], 10, 4, seed=1)) == 400


def test_a_balanced_epoch_is_every_image_once():
    sampler = PKSampler(range(400), [row // 4 for row in range(400)], 10, 4, seed=1)
    assert sorted(rows(sampler, 3)) == list(range(400))


def test_over_epochs_every_image_is_seen():
    sampler = PKSampler(PEOPLE, LABELS, 3, 2, seed=1)
    assert {row for epoch in range(40) for row in rows(sampler, epoch)} == set(PEOPLE)


def test_repetitions_of_an_image_are_numbered_in_the_whole_epoch():
    sampler = PKSampler(PEOPLE, LABELS, 3, 4, seed=1)  # subject 3 has one image, subject 2 two
    found = list(sampler)
    assert sorted(time for _, row, time in found if SUBJECT[row] == 3) == list(range(4))
    assert len(set(found)) == len(found)
    assert {(0, row, 0) for _, row, _ in found} <= set(found)
    sampler.start_batch(0, 1)
    assert list(sampler) == found[sampler.batch_size :]


def test_which_images_of_a_subject_meet_is_drawn_anew_in_every_epoch():
    sampler = PKSampler(range(16), [row // 8 for row in range(16)], 2, 4, seed=1)
    met = {frozenset(row for row in batch if row < 8) for epoch in range(30) for batch in batches(sampler, epoch)}
    assert len(met) > 20


def test_the_subjects_of_a_batch_are_a_matter_of_chance():
    sampler = PKSampler(range(80), [row // 2 for row in range(80)], 4, 2, seed=1)
    together = Counter(
        pair
        for epoch in range(200)
        for batch in batches(sampler, epoch)
        for pair in itertools.combinations(sorted({row // 2 for row in batch}), 2)
    )
    expected = 200 * 10 * 6 / (40 * 39 / 2)
    assert len(together) == 40 * 39 / 2
    assert 0.25 * expected < min(together.values()) < max(together.values()) < 2.5 * expected


def test_a_pk_epoch_is_a_function_of_seed_and_epoch():
    sampler = PKSampler(PEOPLE, LABELS, 3, 2, seed=1)
    found = [rows(sampler, epoch) for epoch in range(3)]
    assert found[0] != found[1]
    assert rows(PKSampler(PEOPLE, LABELS, 3, 2, seed=1), 2) == found[2]
    assert rows(PKSampler(PEOPLE, LABELS, 3, 2, seed=2), 2) != found[2]
    assert rows(PKSampler(PEOPLE, LABELS, 3, 2, seed=-1), 0)


def test_a_resumed_pk_epoch_skips_whole_batches():
    sampler = PKSampler(PEOPLE, LABELS, 3, 2, seed=1)
    whole = rows(sampler, 4)
    sampler.start_batch(4, 2)
    assert rows(sampler, 4) == whole[12:]
    assert len(rows(sampler, 5)) == len(sampler) == 18


@pytest.mark.parametrize(
    ("labels", "subjects", "images", "complaint"),
    [
        (LABELS, 6, 2, "batches of 6 subjects need as many in training, and there are 5"),
        (range(len(LABELS)), 3, 2, "no subject has two training images"),
        (LABELS, 1, 2, "a batch of 1 subjects with 2 images each has no triplet"),
        (LABELS, 2, 1, "a batch of 2 subjects with 1 images each has no triplet"),
    ],
)
def test_a_pk_batch_that_cannot_be_filled_is_refused(labels, subjects, images, complaint):
    with pytest.raises(ValueError, match=complaint):
        PKSampler(PEOPLE, labels, subjects, images, 1)


def test_one_subject_with_most_images_leaves_the_others_in_every_batch():
    """LFW's largest subject has 530 images: without a bound on his groups, no batch could have enough others."""
    labels = [0] * 530 + [1 + number // 2 for number in range(40)]
    sampler = PKSampler(range(570), labels, 4, 2, seed=1)
    assert len(sampler) == 6 * 8  # 20 others fill 6 batches beside him
    assert all(len({labels[row] for row in batch}) == 4 for batch in batches(sampler, 0))
