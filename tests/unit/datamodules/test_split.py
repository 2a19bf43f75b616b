import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.split import held_identities, split, stratified, thinned


def people(counts):
    pairs = [(f"{who}/{image}", who) for who, count in counts.items() for image in range(count)]
    return [key for key, _ in pairs], [who for _, who in pairs]


@given(
    counts=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 30), min_size=1),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(-5, 5),
)
def test_each_subject_gives_its_share_but_never_all(counts, fraction, seed):
    keys, identities = people(counts)
    train, validation = split(keys, identities, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(keys)))
    for who, count in counts.items():
        held = sum(identities[row] == who for row in validation)
        assert held == (0 if count == 1 else min(max(1, int(fraction * count + 0.5)), count - 1))


def test_a_fraction_of_zero_holds_out_nothing():
    train, validation = split(*people({"a": 9}), 0.0, 0)
    assert len(train) == 9
    assert len(validation) == 0
    assert validation.dtype == np.int64


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_an_impossible_fraction_is_refused(fraction):
    with pytest.raises(ValueError, match="validation fraction"):
        split(*people({"a": 9}), fraction, 0)


def test_more_subjects_do_not_move_others():
    few, many = people({"b": 10, "d": 20}), people({"a": 7, "b": 10, "c": 3, "d": 20})
    held = {few[0][row] for row in split(*few, 0.2, 3)[1]}
    assert held == {many[0][row] for row in split(*many, 0.2, 3)[1] if many[1][row] in "bd"}


def test_order_does_not_matter_and_the_seed_does():
    keys, identities = people({"a": 20, "b": 20})
    held = {keys[row] for row in split(keys, identities, 0.2, 1)[1]}
    assert held == {keys[::-1][row] for row in split(keys[::-1], identities[::-1], 0.2, 1)[1]}
    assert held != {keys[row] for row in split(keys, identities, 0.2, 2)[1]}


@given(
    counts=st.dictionaries(st.sampled_from("abcdefghijklm"), st.integers(1, 9), min_size=4),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(-5, 5),
)
def test_by_identities_all_images_of_some_are_held_out_and_none_of_the_others(counts, fraction, seed):
    keys, identities = people(counts)
    train, validation = split(keys, identities, fraction, seed, "identities")
    assert sorted([*train, *validation]) == list(range(len(keys)))
    held, left = {identities[row] for row in validation}, {identities[row] for row in train}
    assert not held & left
    assert min(len(held), len(left)) >= 2
    wanted = int(fraction * len(counts) + 0.5)
    assert len(held) == min(max(wanted, 2), len(counts) - 2)
    assert held == set(held_identities(identities, fraction, seed))


def test_by_identities_the_order_does_not_matter_and_the_seed_does():
    names = [f"p{number}" for number in range(40)]
    assert held_identities(names, 0.2, 1) == held_identities(names[::-1] * 2, 0.2, 1)
    assert held_identities(names, 0.2, 1) != held_identities(names, 0.2, 2)
    assert held_identities(names, 0.0, 1) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_identities_are_not_held_out(count):
    with pytest.raises(ValueError, match=f"there are {count}; use split.by: images"):
        split(*people(dict.fromkeys("abc"[:count], 5)), 0.1, 0, "identities")


@pytest.mark.parametrize("seed", range(3))
def test_stratified_rows_have_the_share_of_every_combination_of_classes(seed):
    random = np.random.default_rng(seed)
    age, gender = random.integers(0, 4, 500), random.integers(-1, 2, 500)
    keys = [f"{number}" for number in range(500)]
    train, validation = stratified(keys, [age, gender], 0.2, seed)
    assert sorted([*train, *validation]) == list(range(500))
    assert len(validation) == 100
    for one in range(4):
        for other in (-1, 0, 1):
            of_both = np.flatnonzero((age == one) & (gender == other))
            assert abs(len(np.intersect1d(of_both, validation)) - 0.2 * len(of_both)) <= 1


def test_stratified_rows_exist_though_every_identity_has_one_image_and_a_class_is_rare():
    keys = [f"{number}" for number in range(100)]
    rare = np.array([1, 1] + [0] * 98)
    train, validation = stratified(keys, [rare], 0.05, 0)
    assert {int(rare[row]) for row in validation} == {int(rare[row]) for row in train} == {0, 1}
    for place in range(100):
        single = np.array([0] * place + [1] + [2] * (99 - place))
        assert place in stratified(keys, [single], 0.3, 0)[0]
    assert len(stratified(keys, [], 0.1, 0)[1]) == 10
    assert len(stratified(keys, [rare], 0.0, 0)[1]) == 0


@given(
    rows=st.lists(st.tuples(*[st.integers(-1, 3)] * 3), min_size=1, max_size=20),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(-5, 5),
)
def test_no_column_undoes_what_another_one_ensures(rows, fraction, seed):
    columns = list(np.array(rows, np.int64).T)
    train, validation = stratified([f"{number}" for number in range(len(rows))], columns, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(rows)))
    trained = [(place, int(one)) for place, column in enumerate(columns) for one in column[train]]
    for place, column in enumerate(columns):
        for value in np.unique(column[column >= 0]).tolist():
            assert (place, value) in trained
            of_class = np.flatnonzero(column == value)
            if len(of_class) > 1 and not np.isin(of_class, validation).any():
                for row in of_class:
                    classes = [(other, int(each[row])) for other, each in enumerate(columns) if each[row] >= 0]
                    assert min(map(trained.count, classes)) == 1, "this one could have been held out"


def test_stratified_rows_do_not_depend_on_the_order_of_the_images():
    random = np.random.default_rng(0)
    keys, classes = [f"{number}" for number in range(60)], random.integers(0, 3, 60)
    order = random.permutation(60)
    held = {keys[row] for row in stratified(keys, [classes], 0.2, 1)[1]}
    again = stratified([keys[row] for row in order], [classes[order]], 0.2, 1)[1]
    assert held == {keys[order[row]] for row in again}
    assert held != {keys[row] for row in stratified(keys, [classes], 0.2, 2)[1]}


@given(counts=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 30), min_size=1), share=st.floats(0.01, 1))
def test_a_share_of_each_identitys_rows_is_kept_and_larger_shares_include_smaller_ones(counts, share):
    keys, identities = people(counts)
    rows, _ = split(keys, identities, 0.2, 0)
    kept = thinned(keys, identities, rows, share, 0)
    assert set(kept) <= set(thinned(keys, identities, rows, min(1.0, share + 0.2), 0)) <= set(rows)
    for who in counts:
        mine = sum(identities[row] == who for row in rows)
        assert sum(identities[row] == who for row in kept) == max(int(share * mine + 0.5), 1)
    assert (thinned(keys, identities, rows, 1.0, 0) == rows).all()
