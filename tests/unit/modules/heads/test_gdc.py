"""MobileFaceNet's head."""

import torch

from modules.heads.gdc import GDCConfig


def test_it_equals_the_formula_written_out() -> None:
    torch.manual_seed(0)
    head = GDCConfig(dimension=3).build(4, 2, 3).double().eval()
    for norm in (head.norm, head.out):
        for value in (norm.running_mean, norm.weight.data, norm.bias.data):
            value.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    features = torch.randn(2, 4, 2, 3, dtype=torch.float64)

    def norm_of(values: torch.Tensor, norm: torch.nn.BatchNorm2d) -> torch.Tensor:
        return (values - norm.running_mean) / (norm.running_var + 1e-5).sqrt() * norm.weight + norm.bias

    pooled = norm_of((features * head.depthwise.weight[:, 0]).sum(dim=(2, 3)), head.norm)
    wanted = norm_of(pooled @ head.linear.weight[:, :, 0, 0].T, head.out)
    assert head(features).shape == (2, 3)
    torch.testing.assert_close(head(features), wanted, rtol=1e-9, atol=1e-9)


def test_the_kernel_is_the_whole_map_of_any_shape() -> None:
    head = GDCConfig().build(512, 7, 6)
    assert head.depthwise.weight.shape == (512, 1, 7, 6)
    assert sum(value.numel() for value in head.parameters()) == 512 * 42 + 1024 + 512 * 128 + 256
    assert head(torch.randn(2, 512, 7, 6)).shape == (2, 128)


def test_it_has_no_bias_before_a_normalization() -> None:
    head = GDCConfig().build(8, 2, 2)
    assert (head.depthwise.bias, head.linear.bias) == (None, None)
