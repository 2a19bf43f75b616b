"""Several targets: losses against their plain sums, rows that are unknown, and heads of their own."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from configs.lookup import resolve
from modules.model_complexity import count
from modules.network import Network
from modules.targets import TargetPart, TargetsConfig, head_of

NAN = float("nan")
ALEXNET, SOFTMAX, REGRESSION, L2 = (
    resolve("backbone", "alexnet"),
    resolve("loss", "softmax"),
    resolve("loss", "regression"),
    resolve("head", {"name": "l2", "dimension": 8}),
)
CLASSES = {"age": 0, "gender": 2, "race": 3}
LABELS = torch.tensor([[20.0, 0.0, 2.0], [NAN, 1.0, 0.0], [50.0, NAN, 1.0], [30.0, 1.0, NAN]])  # age, gender, race


def config(**more):
    parts = {"race": {"loss": SOFTMAX, "weight": 0.5}, "age": {"loss": REGRESSION, "weight": 2.0}, "gender": {"loss": SOFTMAX}}
    return TargetsConfig(parts={name: TargetPart(**(part | more.get(name, {}))) for name, part in parts.items()})


def network(made=None, seed=0):
    torch.manual_seed(seed)
    return Network(ALEXNET, L2, made or config(), CLASSES, 64).eval()


def test_the_loss_is_the_weighted_sum_over_the_rows_that_are_known():
    net = network()
    net.loss.prepare(LABELS)
    images = torch.randn(4, 3, 64, 64)
    embeddings = net.embed(images)
    mean, deviation = 100 / 3, np.std([20, 50, 30])
    age = (
        (net.loss.of("age").linear(embeddings).squeeze(1)[[0, 2, 3]] - (torch.tensor([20.0, 50, 30]) - mean) / deviation)
        .abs()
        .mean()
    )
    gender = functional.cross_entropy(net.loss.of("gender").logits(embeddings)[[0, 1, 3]], torch.tensor([0, 1, 1]))
    race = functional.cross_entropy(net.loss.of("race").logits(embeddings)[[0, 1, 2]], torch.tensor([2, 0, 1]))
    assert net.loss_of(images, LABELS).item() == pytest.approx((2 * age + gender + 0.5 * race).item(), rel=1e-5)


def test_a_batch_in_which_nothing_is_known_moves_nothing():
    net = network()
    loss = net.loss_of(torch.randn(2, 3, 64, 64), torch.full((2, 3), NAN))
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in net.parameters())


def test_labels_that_were_expected_give_the_same_loss_and_sums():
    net = network()
    net.loss.prepare(LABELS)
    images = torch.randn(4, 3, 64, 64)
    wanted, sums = net.loss_of(images, LABELS), net.measure(images, LABELS)
    net.loss.expect(LABELS)
    assert net.loss_of(images, LABELS) == wanted
    net.loss.expect_rows(LABELS)
    assert net.measure(images, LABELS) == sums
    net.loss.expect(LABELS)
    everything = LABELS.nan_to_num(1.0)
    assert net.loss_of(images, everything) == wanted, "the rows are those that were expected"
    assert net.loss_of(images, everything) != wanted, "once"


def test_a_target_s_own_loss_expects_its_known_labels():
    triplet = resolve("loss", "triplet")
    net = network(config(race={"loss": triplet}))
    with pytest.raises(ValueError, match="this batch of 3 images has 3 identities"):
        net.loss.expect(LABELS)


def test_what_validation_sums_is_counted_one_by_one():
    net = network()
    net.loss.prepare(LABELS)
    images = torch.randn(4, 3, 64, 64)
    found = net.measure(images, LABELS)
    embeddings = net.embed(images)
    logits = net.loss.of("race").logits(embeddings)
    assert found["race"].rows == 3
    assert found["race"].score == sum(int(logits[row].argmax()) == label for row, label in ((0, 2), (1, 0), (2, 1)))
    wanted = -sum(float(functional.log_softmax(logits[row], 0)[label]) for row, label in ((0, 2), (1, 0), (2, 1)))
    assert found["race"].loss == pytest.approx(wanted, rel=1e-5)
    years = net.loss.of("age").predict(embeddings)
    assert found["age"].score == pytest.approx(
        sum(abs(float(years[row]) - age) for row, age in ((0, 20), (2, 50), (3, 30))), rel=1e-5
    )
    assert net.measure(images, torch.full((4, 3), NAN))["gender"].rows == 0


def test_the_network_tells_the_primary_targets_classes():
    assert config().primary == "gender"  # the first by name that has a classifier
    images = torch.randn(2, 3, 64, 64)
    net = network()
    assert torch.equal(net(images), net.loss.of("gender").logits(net.embed(images)))
    with_identity = TargetsConfig(parts={"gender": TargetPart(loss=SOFTMAX), "identity": TargetPart(loss=SOFTMAX)})
    assert with_identity.primary == "identity"
    numbers = TargetsConfig(parts={"age": TargetPart(loss=REGRESSION)})
    assert (numbers.primary, numbers.classifies) == ("age", False)


def test_a_target_may_have_a_head_of_its_own():
    own = resolve("head", {"name": "l2", "dimension": 5})
    net = network(config(race={"head": own}))
    assert net.loss.of("race").linear.in_features == 5
    assert net.loss.of("gender").linear.in_features == 8
    assert list(net.loss.heads) == ["target_race"]
    primary = config(gender={"head": own})
    assert head_of(L2, primary) == own
    net = network(primary)
    assert net.embed(torch.randn(2, 3, 64, 64)).shape == (2, 5)
    assert not net.loss.heads


def test_the_order_in_which_targets_are_named_changes_nothing():
    parts = dict(reversed(config().parts.items()))
    one, other = network(), network(TargetsConfig(parts=parts))
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(one.state_dict()[key], other.state_dict()[key]) for key in one.state_dict())


ABN = resolve("backbone", {"name": "abn", "backbone": {"name": "zhong_resnet", "width": 8}, "maps": 4, "weight": 0.5})


def test_an_attention_branch_classifies_the_primary_target_where_it_is_known():
    torch.manual_seed(0)
    net = Network(ABN, L2, config(), CLASSES, 64).eval()
    net.loss.prepare(LABELS)
    images = torch.randn(4, 3, 64, 64)
    logits = net.auxiliary.logits(net.backbone.forward_auxiliary(images)[1])
    assert logits.shape == (4, CLASSES["gender"])
    branch = functional.cross_entropy(logits[[0, 1, 3]], torch.tensor([0, 1, 1]))  # the third is unknown
    features = net.features(images)
    targets = net.loss(net.head(features), LABELS, features)
    assert net.loss_of(images, LABELS).item() == pytest.approx((targets + 0.5 * branch).item(), rel=1e-5)
    assert net.loss_of(images, torch.full((4, 3), NAN)).item() == 0


def test_an_attention_branch_needs_a_target_with_classes():
    numbers = TargetsConfig(parts={"age": TargetPart(loss=REGRESSION)})
    for build in (
        lambda config: Network(config, L2, numbers, {"age": 0}, 64),
        lambda config: count(config, L2, numbers, {"age": 0}, 64),
    ):
        with pytest.raises(ValueError, match=r"backbone\.weight: .*no target has classes \(age\).*set backbone\.weight to 0"):
            build(ABN)
        build(ABN.model_copy(update={"weight": 0.0}))


def test_class_weights_see_the_training_images_that_are_known():
    weighted = resolve("loss", {"name": "softmax", "class_weights": "inverse"})
    net = network(config(gender={"loss": weighted}))
    net.loss.prepare(LABELS)
    assert net.loss.of("gender").class_weights.tolist() == pytest.approx([4 / 3, 2 / 3])  # one and two images


def uncertain(**more):
    parts = config(**more).parts
    return TargetsConfig(
        parts={name: part.model_copy(update={"weight": 1.0}) for name, part in parts.items()}, weighting="uncertainty"
    )


def test_uncertainty_weighting_equals_the_formula_written_out():
    """Kendall et al.: exp(-s) L + s / 2 for classes, exp(-s) L / 2 + s / 2 for numbers; gradients of s included."""
    net, plain = network(uncertain()), network(TargetsConfig(parts=uncertain().parts))
    s = torch.tensor([0.3, -0.2, 0.7])
    with torch.no_grad():
        net.loss.log_variance.copy_(s)
    for one in (net, plain):
        one.loss.prepare(LABELS)
    images = torch.randn(4, 3, 64, 64)
    features = net.features(images)
    losses = []
    for place, name in enumerate(("age", "gender", "race")):
        known = ~LABELS[:, place].isnan()
        values = LABELS[known, place] if name == "age" else LABELS[known, place].long()
        losses.append(plain.loss.of(name)(plain.head(features)[known], values))
    age, gender, race = losses
    wanted = torch.exp(-s[0]) * age / 2 + torch.exp(-s[1]) * gender + torch.exp(-s[2]) * race + s.sum() / 2
    found = net.loss_of(images, LABELS)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(found, net.loss.log_variance)
    by_hand = [(0.5 - factor * torch.exp(-one) * loss).item() for one, loss, factor in zip(s, losses, (0.5, 1, 1), strict=True)]
    assert gradient.tolist() == pytest.approx(by_hand, rel=1e-4)
    assert net.loss.log_variances() == pytest.approx(
        {"log_variance_age": 0.3, "log_variance_gender": -0.2, "log_variance_race": 0.7}
    )
    assert plain.loss.log_variances() == {}


def test_the_learned_variance_of_a_constant_loss_is_its_minimum():
    """exp(-s) L + s / 2 is least at s = log(2 L)."""
    made = uncertain()
    net = network(made)
    optimizer = torch.optim.SGD([net.loss.log_variance], 0.2)
    for _ in range(400):
        optimizer.zero_grad()
        net.loss._weighted(1, "gender", torch.tensor(0.6)).backward()
        optimizer.step()
    assert net.loss.log_variance[1].item() == pytest.approx(np.log(1.2), abs=1e-3)


def test_a_target_without_labels_in_a_batch_does_not_move_its_variance():
    net = network(uncertain())
    labels = LABELS.clone()
    labels[:, 2] = NAN
    net.loss_of(torch.randn(4, 3, 64, 64), labels).backward()
    assert net.loss.log_variance.grad[2] == 0
    assert (net.loss.log_variance.grad[:2] != 0).all()


def test_predictions_are_probabilities_and_numbers_in_their_unit():
    net = network(config(gender={"loss": resolve("loss", "binary")}))
    net.loss.prepare(LABELS)
    images = torch.randn(3, 3, 64, 64)
    found = net.predictions(images)
    assert set(found) == {"age", "gender", "race"}
    torch.testing.assert_close(found["race"], net.loss.of("race").logits(net.embed(images)).softmax(1))
    torch.testing.assert_close(found["gender"].sum(1), torch.ones(3))
    torch.testing.assert_close(found["age"], net.loss.of("age").predict(net.embed(images)))


def test_one_logit_is_validated_by_binary_cross_entropy():
    net = network(config(gender={"loss": resolve("loss", "binary")}))
    net.loss.prepare(LABELS)
    images = torch.randn(4, 3, 64, 64)
    loss = net.loss.of("gender")
    wanted = loss(net.embed(images)[[0, 1, 3]], torch.tensor([0, 1, 1])) * 3
    assert net.measure(images, LABELS)["gender"].loss == pytest.approx(wanted.item(), rel=1e-5)


def test_a_target_without_a_classifier_is_measured_by_the_embeddings_of_all_images():
    net = network(config(race={"loss": resolve("loss", "triplet"), "head": L2}))
    images = torch.randn(4, 3, 64, 64)
    found = net.measure(images, LABELS)["race"]
    features = net.features(images)
    torch.testing.assert_close(found.embedded[0], net.loss.embedding("race", features, net.embed(images)))
    assert found.rows == 3
    assert torch.equal(found.embedded[1].isnan(), LABELS[:, 2].isnan())
