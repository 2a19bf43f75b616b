import pytest

from configs.shorthand import weighted_sum


def terms(text):
    found = weighted_sum({"name": text})
    assert found["name"] == "sum"
    return [(term["weight"], term["loss"]) for term in found["terms"]]


@pytest.mark.parametrize(
    "text", ["softmax + 0.008 center", "softmax+0.008 center", "softmax  +  0.008*center", "1 softmax + .8e-2 center"]
)
def test_a_sum_is_read_whatever_its_spaces(text):
    assert terms(text) == [(1.0, "softmax"), (0.008, "center")]


def test_numbers_names_and_lengths():
    assert terms("2 softmax") == [(2.0, "softmax")]
    assert terms("1e+3 a + 1e-3 mylab.b + c") == [(1000.0, "a"), (0.001, "mylab.b"), (1.0, "c")]


@pytest.mark.parametrize(
    "value", [{"name": "softmax"}, {"name": "mylab.loss", "margin": 1}, {"name": "softmax", "label_smoothing": 0.1}]
)
def test_a_plain_name_stays_as_it_is(value):
    assert weighted_sum(value) is value


@pytest.mark.parametrize("text", ["a +", "+ a", "a b", "a + 0.1", "a - b", "0.1 0.2 a", "a + -1 b", "0.1a + b"])
def test_what_is_no_sum_is_refused(text):
    with pytest.raises(ValueError, match=r"a sum is written like: softmax \+ 0.008 center"):
        weighted_sum({"name": text})


def test_keys_beside_a_sum_are_refused():
    with pytest.raises(ValueError, match="'alpha' is a key of one of its terms"):
        weighted_sum({"name": "softmax + center", "alpha": 0.1})
