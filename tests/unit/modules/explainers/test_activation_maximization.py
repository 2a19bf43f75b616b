import numpy as np
import pytest
import torch
from small_classifier import SmallClassifier

from configs.lookup import resolve
from modules.attribution.explainer import Attribution, Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.activation_maximization import ActivationMaximizationConfig as Config
from modules.explainers.activation_maximization import maximize, prior_gradient, prior_value

NET = SmallClassifier(16, 12)
IMAGES = torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(0)) - 0.5
TARGET = ClassLogit(torch.tensor([1, 3]))
LABELS = ClassLogit(torch.tensor([0, 3]))


@pytest.mark.parametrize("start", ["noise", "image"])
def test_the_map_is_the_change_from_the_start_and_the_image_goes_along(start):
    found = Config(start=start, steps=30, seed=2).build().explain(NET, IMAGES, TARGET, (16, 12))
    direct = maximize(NET, TARGET, (16, 12), Config(steps=30, seed=2), IMAGES if start == "image" else None)
    np.testing.assert_array_equal(found.generated, direct.generated.numpy())
    np.testing.assert_allclose(found.maps, np.abs(direct.generated.numpy() - direct.starts.numpy()).mean(1), atol=1e-7)
    assert found.generated.shape == (2, 3, 16, 12)
    assert all(after > before for before, after in zip(found.notes["scores_before"], found.notes["scores_after"], strict=True))
    assert found.notes["not_risen"] == []


def test_from_noise_the_image_plays_no_part():
    explainer = Config(steps=3).build()
    one = explainer.explain(NET, IMAGES, TARGET, (16, 12)).maps
    np.testing.assert_array_equal(one, explainer.explain(NET, -IMAGES, TARGET, (16, 12)).maps)


def test_a_score_that_did_not_rise_is_noted():
    found = Config(steps=1, rate=1e-30).build().explain(NET, IMAGES, TARGET, (16, 12))
    assert found.notes["not_risen"] == [0, 1]


def test_images_with_nan_are_refused():
    maps, generated = np.zeros((1, 2, 2), np.float32), np.full((1, 3, 2, 2), np.nan, np.float32)
    with pytest.raises(Refused) as caught:
        Attribution(maps, "", (3, 2, 2), "x", generated=generated)
    assert caught.value.code == "not_finite"


def test_it_is_found_by_name():
    assert resolve("explainer", "activation_maximization") == Config()


@pytest.mark.parametrize("target", [LABELS, Cosine(torch.randn(2, 5, generator=torch.Generator().manual_seed(4)))])
def test_the_score_rises(target):
    found = maximize(SmallClassifier(), target, 16, Config(steps=60, seed=0))
    assert found.generated.shape == (2, 3, 16, 16)
    assert found.course.shape == (2, 61)
    assert (found.course[:, -1] > found.course[:, 0]).all()
    free = maximize(SmallClassifier(), target, 16, Config(steps=60, seed=0, alpha_weight=0, tv_weight=0, jitter=0))
    assert (free.course[:, 1:] > free.course[:, :-1]).float().mean() > 0.6
    assert (free.course[:, -1] > found.course[:, -1]).all()
    assert found.generated.min() >= -1
    assert found.generated.max() <= 1


def test_the_course_is_the_score_of_the_images():
    network = SmallClassifier()
    found = maximize(network, LABELS, 16, Config(steps=7, seed=0))
    network.eval()
    with torch.no_grad():
        assert torch.allclose(LABELS.scores(network, network.embed(found.starts)), found.course[:, 0])
        assert torch.allclose(LABELS.scores(network, network.embed(found.generated)), found.course[:, -1])


def test_the_prior_is_the_two_sums_of_the_paper():
    canvas = torch.rand(1, 3, 5, 4, dtype=torch.float64) * 2 - 1
    prior = Config(alpha=4, alpha_weight=0.3, beta=1.5, tv_weight=0.7)
    expected = 0.0
    x = canvas[0].numpy()
    for c in range(3):
        for i in range(5):
            for j in range(4):
                expected += 0.3 * abs(x[c, i, j]) ** 4
                if i < 4 and j < 3:
                    expected += 0.7 * ((x[c, i, j + 1] - x[c, i, j]) ** 2 + (x[c, i + 1, j] - x[c, i, j]) ** 2) ** 0.75
    assert float(prior_value(canvas, prior)) == pytest.approx(expected, abs=1e-12)
    gradient = prior_gradient(canvas, prior)
    for place in ((0, 0, 0), (1, 2, 3), (2, 4, 1)):
        step = torch.zeros_like(canvas)
        step[(0, *place)] = 1e-6
        slope = float(prior_value(canvas + step, prior) - prior_value(canvas - step, prior)) / 2e-6
        assert float(gradient[(0, *place)]) == pytest.approx(slope, rel=1e-5)


def test_a_flat_image_has_a_finite_prior():
    for beta in (1.0, 2.0):
        assert torch.isfinite(prior_gradient(torch.zeros(1, 3, 4, 4), Config(beta=beta))).all()


def test_one_step_is_what_it_says():
    """Without jitter, momentum and prior: along the gradient, scaled to root mean square 1."""
    network, target = SmallClassifier().double(), LABELS.take([1])
    found = maximize(network, target, 16, Config(steps=1, seed=3, alpha_weight=0, tv_weight=0, jitter=0, rate=0.01, momentum=0))
    leaf = found.starts.clone().requires_grad_()
    network.eval()
    target.scores(network, network.embed(leaf))[0].backward()
    step = leaf.grad / leaf.grad.square().mean().sqrt() * 0.01
    assert torch.allclose(found.generated, (found.starts + step).clamp(-1, 1), atol=1e-12)


def test_a_jittered_step_moves_the_image_there_and_back():
    network, target = SmallClassifier().double(), LABELS.take([0])
    found = maximize(network, target, 16, Config(steps=1, seed=3, alpha_weight=0, tv_weight=0, jitter=5, rate=0.01, momentum=0))
    generator = torch.Generator().manual_seed(3)
    start = torch.rand((1, 3, 16, 16), generator=generator, dtype=torch.float64) * 0.2 - 0.1
    down, right = torch.randint(-5, 6, (2,), generator=generator).tolist()
    assert (down, right) != (0, 0)
    leaf = start.clone().requires_grad_()
    network.eval()
    rows, columns = (torch.arange(16) - down) % 16, (torch.arange(16) - right) % 16
    target.scores(network, network.embed(leaf[:, :, rows][:, :, :, columns]))[0].backward()
    step = leaf.grad / leaf.grad.square().mean().sqrt() * 0.01
    assert torch.allclose(found.generated, (start + step).clamp(-1, 1), atol=1e-12)


def test_a_cosine_is_climbed_along_its_own_slope():
    """Also through the norm, which ``detach_norm`` would hold."""
    references = torch.randn(2, 5, generator=torch.Generator().manual_seed(4))
    one, other = (
        maximize(SmallClassifier(), Cosine(references, detach), 16, Config(steps=3, seed=0)).generated
        for detach in (True, False)
    )
    assert torch.equal(one, other)


def test_a_smoothness_prior_makes_smoother_images():
    def roughness(weight):
        found = maximize(SmallClassifier(), LABELS, 16, Config(steps=60, seed=0, tv_weight=weight)).generated
        return float((found[..., 1:] - found[..., :-1]).abs().mean())

    assert roughness(0.3) < 0.8 * roughness(0.0)


def test_images_follow_their_seed_and_their_own_row_alone():
    both = maximize(SmallClassifier(), LABELS, 16, Config(steps=5, seed=0)).generated
    assert torch.equal(both[1:], maximize(SmallClassifier(), LABELS.take([1]), 16, Config(steps=5, seed=0)).generated)
    assert not torch.equal(both, maximize(SmallClassifier(), LABELS, 16, Config(steps=5, seed=1)).generated)


def test_a_image_can_start_from_an_image():
    starts = torch.rand(2, 3, 16, 16) - 0.5
    found = maximize(SmallClassifier(), LABELS, 16, Config(steps=5, seed=0), starts=starts)
    assert torch.equal(found.starts, starts)
    assert 0 < (found.generated - starts).abs().max() < 0.5


def test_what_does_not_depend_on_the_image_is_refused():
    network = SmallClassifier()
    with torch.no_grad():
        network.head[2].weight.zero_()
    with pytest.raises(Refused) as caught:
        maximize(network, LABELS, 16, Config(steps=3, seed=0))
    assert caught.value.code == "no_gradient"
    with torch.no_grad():
        network.head[2].bias.zero_()
    with pytest.raises(Refused) as caught:
        maximize(network, Cosine(torch.ones(2, 5)), 16, Config(steps=3, seed=0))
    assert caught.value.code == "not_finite"


def test_the_network_is_left_as_it_was():
    network = SmallClassifier().train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        maximize(network, LABELS, 16, Config(steps=3, seed=0))
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert np.isfinite(state["head.2.weight"].numpy()).all()
