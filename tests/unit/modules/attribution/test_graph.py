import pytest
import torch
from torch import nn

from modules.attribution.graph import between, nonlinear, title

X = torch.rand(2, 3)


def path(function):
    leaf = X.clone().requires_grad_()
    return between(function(leaf), leaf)


def test_operations_are_found_whether_they_are_modules_or_function_calls():
    assert sorted(title(node) for node in path(lambda x: nn.SiLU()(torch.tanh(x)).sum())) == ["Silu", "Sum", "Tanh"]


def test_what_depends_on_parameters_alone_is_left_out():
    weight = nn.Parameter(torch.rand(3, 3))
    found = path(lambda x: (x @ weight.exp().T).sum())
    assert sorted(title(node) for node in found) == ["Mm", "Sum"]
    assert [given for node, given in found.items() if title(node) == "Mm"] == [(True, False)]


def test_a_tensor_that_does_not_matter_has_no_path():
    leaf = X.clone().requires_grad_()
    assert between((X.clone().requires_grad_() ** 2).sum(), leaf) == {}


def test_a_long_chain_is_no_problem():
    def chain(x):
        for _ in range(5000):
            x = x + 1
        return x.sum()

    assert len(path(chain)) == 5001


LINEAR = nn.Linear(3, 4)
NORM = nn.BatchNorm1d(3).eval()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean(),
        lambda x: LINEAR(x)[0, 1],
        lambda x: LINEAR(NORM(x)).gather(1, torch.tensor([[1], [0]])).sum(),
        lambda x: (x * torch.rand(3)).sum() / LINEAR.weight.norm(),
        lambda x: (x * x.detach()).sum() / x.norm().detach(),
        lambda x: (nn.functional.adaptive_avg_pool2d(x.view(1, 2, 3, 1), 1) - 3).flatten(1).sum(),
        lambda x: nn.functional.conv1d(x[None], torch.rand(1, 2, 3)).sum(),
        lambda x: torch.cat([x, -x.T.reshape(2, 3)]).unsqueeze(0).expand(2, 4, 3).sum(),
    ],
)
def test_affine_functions_have_nothing_that_is_not(function):
    assert nonlinear(path(function)) == []


@pytest.mark.parametrize(
    ("function", "odd"),
    [
        (lambda x: torch.relu(x).sum(), ["Relu"]),
        (lambda x: x.amax(), ["Amax"]),
        (lambda x: (x * x).sum(), ["Mul"]),
        (lambda x: (x @ x.T).sum(), ["Mm"]),
        (lambda x: torch.addmm(x @ torch.ones(3, 2), x, x.T).sum(), ["Addmm"]),
        (lambda x: (1 / x).sum(), ["Reciprocal"]),
        (lambda x: (LINEAR.bias.sum() / x).sum(), ["Div"]),
        (lambda x: (x / x.norm()).sum(), ["Div", "LinalgVectorNorm"]),
        (lambda x: nn.functional.normalize(x).sum(), ["ClampMin", "Div", "LinalgVectorNorm"]),
        (lambda x: nn.functional.batch_norm(x, None, None, training=True).sum(), ["NativeBatchNorm"]),
    ],
)
def test_what_is_not_affine_is_named(function, odd):
    assert nonlinear(path(function)) == odd


def test_addmm_with_a_bias_of_the_tensor_itself_is_affine():
    assert nonlinear(path(lambda x: torch.addmm(x, x, torch.eye(3)).sum())) == []
