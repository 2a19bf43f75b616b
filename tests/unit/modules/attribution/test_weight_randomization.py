import torch
from pair_networks import images, network
from torch import nn

from modules.attribution.weight_randomization import layers, randomized


def test_layers_go_from_the_output_down():
    found = layers(network("fc_bn", decodes=True), ("loss", "decoder", "head", "backbone"))
    assert found[0] == "loss"
    assert found[1:5] == ["decoder.layers.1.0", "decoder.layers.0.1", "decoder.layers.0.0", "head.out"]
    assert found[-4:] == ["backbone.two.1", "backbone.two.0", "backbone.one.1", "backbone.one.0"]
    assert layers(network("gmp"), ("decoder", "head")) == []


def test_what_is_named_changes_and_nothing_else():
    net = network()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    changed = randomized(net, ["backbone.one.1", "head.linear"], 0).state_dict()
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    for key, value in changed.items():
        named = key.startswith(("backbone.one.1.", "head.linear.")) and not key.endswith("num_batches_tracked")
        assert torch.equal(value, before[key]) != named, key


def test_statistics_of_normalizations_are_drawn_too_and_variances_stay_positive():
    net = network()
    net.backbone.two[1].running_var.copy_(torch.tensor([1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 50.0]))  # wider than its mean
    changed = randomized(net, layers(net, ("head", "backbone")), 1)
    for (name, one), (_, other) in zip(net.named_modules(), changed.named_modules(), strict=True):
        if isinstance(one, (nn.BatchNorm1d, nn.BatchNorm2d)):
            assert not torch.equal(one.running_mean, other.running_mean), name
            assert not torch.equal(one.running_var, other.running_var), name
            assert (other.running_var > 0).all()


def test_numbers_keep_their_mean_and_deviation():
    net = network()
    net.backbone.one[0] = nn.Conv2d(3, 200, 5)
    with torch.no_grad():
        net.backbone.one[0].weight.mul_(3).add_(0.5)
    changed = randomized(net, ["backbone.one.0"], 0).backbone.one[0].weight
    original = net.backbone.one[0].weight
    torch.testing.assert_close(changed.mean(), original.mean(), rtol=0.05, atol=0)
    torch.testing.assert_close(changed.std(), original.std(), rtol=0.05, atol=0)
    fresh = nn.Module()
    fresh.norm = nn.BatchNorm2d(500)
    weight = randomized(fresh, ["norm"], 0).norm.weight.detach()
    assert 0.08 < float(weight.std()) < 0.12
    assert abs(float(weight.mean()) - 1) < 0.02


def test_a_seed_and_a_name_decide():
    net = network()
    one, same = (randomized(net, names, 5).head.linear.weight for names in (["head.linear"], ["backbone.two.0", "head.linear"]))
    assert torch.equal(one, same)
    assert not torch.equal(one, randomized(net, ["head.linear"], 6).head.linear.weight)


def test_the_copy_still_runs():
    net = network()
    changed = randomized(net, layers(net, ("head", "backbone")), 2).eval()
    assert torch.isfinite(changed.embed(images())).all()
