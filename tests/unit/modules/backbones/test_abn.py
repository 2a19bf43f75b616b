"""An attention branch on any backbone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from configs.lookup import resolve
from modules.model_complexity import count
from modules.network import Network
from modules.pretraining.checkpoint import CheckpointConfig as Checkpoint
from modules.pretraining.source import SourceConfig as Source
from modules.shape_inference import feature_shape, stage_shapes

SMALL = {"name": "zhong_resnet", "units": [1, 1], "width": 8}
IMAGES = torch.rand(4, 3, 16, 12, generator=torch.Generator().manual_seed(5)) * 2 - 1
LABELS = torch.tensor([0, 1, 2, 1])


def _config(**fields: Any) -> Any:
    return resolve("backbone", {"name": "abn", "backbone": SMALL, "maps": 6, **fields})


def _network(classes: int = 3, **fields: Any) -> Network:
    torch.manual_seed(0)
    parts: list[Any] = [resolve("head", {"name": "gap_bn", "dimension": 5, "dropout": 0}), resolve("loss", "softmax")]
    return Network(_config(**fields), parts[0], parts[1], classes, (16, 12))


def _auxiliary_logits(network: Network) -> Tensor:
    return network.auxiliary.logits(network.backbone.forward_auxiliary(IMAGES)[1])


def _norm(x: Tensor, norm: Any) -> Tensor:
    spread = (norm.running_var + 1e-5).sqrt()
    return ((x.transpose(1, 3) - norm.running_mean) / spread * norm.weight + norm.bias).transpose(1, 3)


@pytest.mark.parametrize("residual", [True, False])
def test_it_equals_the_equations_written_out(residual: bool) -> None:
    net = _network(residual=residual).backbone
    net(IMAGES)  # moves the running statistics
    net.eval()
    features = net.inner(IMAGES)
    r = torch.relu(
        _norm(
            torch.einsum("mc,nchw->nmhw", net.responses[1].weight[:, :, 0, 0], _norm(features, net.responses[0])),
            net.responses[2],
        )
    )
    m = torch.sigmoid(_norm(torch.einsum("m,nmhw->nhw", net.attention[0].weight[0, :, 0, 0], r)[:, None], net.attention[1]))
    wanted = features * m + features if residual else features * m
    found, means = net.forward_auxiliary(IMAGES)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(net(IMAGES), wanted)
    torch.testing.assert_close(means, r.flatten(2).sum(2) / r[0, 0].numel())


def test_the_linear_layer_after_the_means_is_the_originals_convolution_before_them() -> None:
    network = _network().eval()
    responses = network.backbone.responses(network.backbone.inner(IMAGES))
    weight, bias = network.auxiliary.linear.weight, network.auxiliary.linear.bias
    as_published = functional.conv2d(responses, weight[:, :, None, None], bias).mean(dim=(2, 3))
    torch.testing.assert_close(_auxiliary_logits(network), as_published)


def test_attention_is_one_number_between_0_and_1_per_cell() -> None:
    network = _network().eval()
    seen: list[Tensor] = []
    network.backbone.stages()["attention"].register_forward_hook(lambda *call: seen.append(call[2]))
    network(IMAGES)
    assert seen[0].shape == (4, 1, 4, 3)
    assert 0 < seen[0].min().item() < seen[0].max().item() < 1


def test_stages_are_the_inner_ones_then_attention_then_the_map() -> None:
    assert stage_shapes(_config(), (16, 12)) == {
        "stem": (4, 16, 12), "layers.0": (8, 8, 6), "layers.1": (16, 4, 3), "attention": (1, 4, 3), "attended": (16, 4, 3),
    }  # fmt: skip
    deeper: Any = resolve("backbone", {"name": "abn", "backbone": "resnet34"})
    assert feature_shape(deeper, 160) == (512, 5, 5)


def test_the_loss_is_the_sum_of_both_classifications() -> None:
    for weight in (1.0, 0.25):
        network = _network(weight=weight).eval()
        own = functional.cross_entropy(network(IMAGES), LABELS)
        branch = functional.cross_entropy(_auxiliary_logits(network), LABELS)
        torch.testing.assert_close(network.loss_of(IMAGES, LABELS), own + weight * branch)


def test_without_weight_there_is_no_second_classification() -> None:
    network = _network(weight=0)
    assert network.auxiliary is None
    assert not any(name.startswith("auxiliary") for name in network.state_dict())
    network.eval()
    torch.testing.assert_close(network.loss_of(IMAGES, LABELS), functional.cross_entropy(network(IMAGES), LABELS))


def test_each_loss_alone_reaches_the_branch_and_the_inner_backbone() -> None:
    for weight in (0, 1):
        network = _network(weight=weight)
        network.loss_of(IMAGES, LABELS).backward()
        attention = network.backbone.attention[0].weight.grad
        assert attention is not None
        assert attention.any()  # through the product alone
        assert network.backbone.responses[1].weight.grad.any()
        assert network.backbone.inner.stem[0].weight.grad.any()
    network = _network()
    network.auxiliary(network.backbone.forward_auxiliary(IMAGES)[1], LABELS).backward()
    assert network.backbone.attention[0].weight.grad is None
    assert network.backbone.responses[1].weight.grad.any()
    assert network.backbone.inner.stem[0].weight.grad.any()


def test_gradients_agree_with_finite_differences() -> None:
    net = _network().double().backbone.eval()
    images = IMAGES[:1, :, :8, :8].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: net.forward_auxiliary(x), (images,), atol=1e-5)


def test_classes_change_the_classifiers_alone() -> None:
    few, many = (_network(classes).state_dict() for classes in (3, 9))
    differ = {name.split(".")[0] for name in few if few[name].shape != many[name].shape}
    assert differ == {"auxiliary", "loss"}
    parts: list[Any] = [_config(), resolve("head", {"name": "gap_bn", "dimension": 5}), resolve("loss", "softmax")]
    counted = [count(parts[0], parts[1], parts[2], classes, (16, 12)) for classes in (3, 9)]
    assert counted[0].parameters == counted[1].parameters
    assert [one.loss_parameters for one in counted] == [classes * (5 + 1) + classes * (6 + 1) for classes in (3, 9)]


@pytest.mark.parametrize(("inner", "size", "smallest"), [("alexnet", 64, 95), ("resnet34", 32, 33)])
def test_a_map_of_one_cell_is_refused_with_the_smallest_size_that_has_more(inner: str, size: int, smallest: int) -> None:
    config: Any = resolve("backbone", {"name": "abn", "backbone": inner})
    with pytest.raises(
        ValueError, match=rf"abn \({inner}\) .*{size} x {size} .*map is 1 x 1.*takes is {smallest} x {smallest}"
    ):
        count(config, resolve("head", "gap_bn"), resolve("loss", "softmax"), 3, size)  # type: ignore[arg-type]


def test_a_backbone_that_never_has_a_map_is_refused() -> None:
    config: Any = resolve("backbone", {"name": "abn", "backbone": {"name": "timm", "model": "mixer_s16_224"}})
    with pytest.raises(ValueError, match=r"mixer_s16_224.*no spatial feature map"):
        feature_shape(config, 224)


def test_an_attention_branch_on_another_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="name a plain backbone inside it, not another abn"):
        resolve("backbone", {"name": "abn", "backbone": {"name": "abn", "backbone": "alexnet"}})


def test_an_unknown_backbone_inside_is_met_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown backbone 'resnet43'; did you mean 'resnet34'"):
        resolve("backbone", {"name": "abn", "backbone": "resnet43"})


def test_every_field_of_the_inner_backbone_counts() -> None:
    assert _config().identity() == {
        "name": "abn",
        "backbone": resolve("backbone", SMALL).identity(),
        "residual": True,
        "maps": 6,
        "weight": 1.0,
    }


def test_a_file_of_the_plain_backbone_fills_the_inner_one_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    plain: Any = resolve("backbone", SMALL)
    given = plain.build()
    torch.save(given.state_dict(), tmp_path / "plain.pth")
    backbone = _config().build()
    branch = backbone.responses[1].weight.clone()
    Checkpoint(path=tmp_path / "plain.pth").check(_config())
    Checkpoint(path=tmp_path / "plain.pth").load(backbone, _config(), None)
    assert torch.equal(backbone.inner.stem[0].weight, given.stem[0].weight)
    assert torch.equal(backbone.responses[1].weight, branch)


def test_a_file_of_a_trained_one_fills_the_branch_too_whatever_the_classes(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    trained = _network(classes=9)
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    for pretraining in (
        Checkpoint(path=tmp_path / "model.safetensors"),
        Source.model_validate({"data": "drawn"}),
    ):
        torch.manual_seed(8)
        backbone = _config().build()
        pretraining.load(backbone, _config(), tmp_path / "model.safetensors")
        wanted = trained.backbone.state_dict()
        assert all(torch.equal(value, wanted[name]) for name, value in backbone.state_dict().items())


def test_imagenet_weights_are_the_inner_backbones() -> None:
    deeper: Any = resolve("backbone", {"name": "abn", "backbone": "resnet34"})
    inner: Any = resolve("backbone", "resnet34")
    assert deeper.weights_of("imagenet").tag == inner.weights_of("imagenet").tag
    imagenet: Any = resolve("pretraining", "imagenet")
    assert imagenet.impossible(_config()) == "no pinned ImageNet weights for abn (zhong_resnet)"


def test_genuine_imagenet_weights_fill_the_inner_backbone() -> None:
    config: Any = resolve("backbone", {"name": "abn", "backbone": "efficientnet_lite0"})
    imagenet: Any = resolve("pretraining", "imagenet")
    if imagenet.missing(config) is not None:
        pytest.skip("the package with the weights is not installed")
    imagenet.check(config)
    plain: Any = resolve("backbone", "efficientnet_lite0")
    one, other = config.build(), plain.build()
    imagenet.load(one, config, None)
    imagenet.load(other, plain, None)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.inner.state_dict().items())
