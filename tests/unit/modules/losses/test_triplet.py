"""Triplet losses against the enumeration of all triplets, and against pytorch-metric-learning."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.losses.triplet import TripletConfig
from modules.training import mining

MINED = [
    {"mining": "semi_hard"},
    {"mining": "semi_hard", "negatives": "hardest"},
    {"mining": "hard_negative"},
    {"mining": "batch_hard"},
    {"mining": "all"},
    {"mining": "all", "mean_over": "active"},
    {"mining": "hard_negative", "mean_over": "active"},
]


def example(seed=0, images=20, identities=5):
    torch.manual_seed(seed)
    labels = torch.randint(identities, (images,))
    labels[:3] = torch.tensor([0, 0, 1])  # a pair and a negative whatever was drawn
    centers = torch.randn(identities, 4, dtype=torch.float64)
    return centers[labels] + 0.6 * torch.randn(images, 4, dtype=torch.float64), labels


def enumerated(embeddings, labels, margin, mining="semi_hard", negatives="all", mean_over="valid"):
    """Every triplet one by one; the distances are differences squared and summed."""
    points = [x / (x * x).sum().sqrt() for x in embeddings]
    images, names = range(len(points)), labels.tolist()
    d = [[((points[i] - points[j]) ** 2).sum() for j in images] for i in images]
    hinges = []
    for a in images:
        positives = [p for p in images if p != a and names[p] == names[a]]
        others = [n for n in images if names[n] != names[a]]
        if mining == "batch_hard":
            positives = sorted(positives, key=lambda p, a=a: -d[a][p].item())[:1]
        for p in positives:
            chosen = sorted(others, key=lambda n, a=a: d[a][n].item())
            if mining == "semi_hard":
                chosen = [n for n in chosen if d[a][p] < d[a][n] < d[a][p] + margin]
            if mining in ("hard_negative", "batch_hard") or negatives == "hardest":
                chosen = chosen[:1]
            hinges += [torch.clamp(d[a][p] - d[a][n] + margin, min=0) for n in chosen]
    if mean_over == "active":
        hinges = [one for one in hinges if one > 0]
    return sum(hinges, 0 * embeddings.sum()) / max(len(hinges), 1)


def value_and_gradient(compute, embeddings):
    leaf = embeddings.detach().clone().requires_grad_()
    value = compute(leaf)
    value.backward()
    return value.detach(), leaf.grad


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("choice", MINED, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_value_and_gradient_equal_the_enumeration(choice, seed, margin):
    embeddings, labels = example(seed)
    found = value_and_gradient(lambda x: TripletConfig(margin=margin, **choice).build(4, 5)(x, labels), embeddings)
    expected = value_and_gradient(lambda x: enumerated(x, labels, margin, **choice), embeddings)
    assert expected[0] > 0
    assert_same(found, expected)


@pytest.mark.parametrize("choice", [*MINED, {"mining": "semi_hard", "negatives": "random"}], ids=str)
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_expected_labels_and_the_size_of_blocks_change_nothing(choice, block, monkeypatch):
    embeddings, labels = example(3, images=150, identities=12)
    config = TripletConfig(margin=0.5, **choice)

    def compute(x):
        torch.manual_seed(0)
        return config.build(4, 12)(x, labels)

    wanted = value_and_gradient(compute, embeddings)
    assert wanted[0] > 0
    monkeypatch.setattr(mining, "_BLOCK", block)
    loss = config.build(4, 12)
    loss.expect(labels)

    def compute_expecting(x):
        torch.manual_seed(0)
        return loss(x, labels)

    monkeypatch.setattr(mining, "check", None)  # the labels were looked at before
    assert_same(value_and_gradient(compute_expecting, embeddings), wanted)
    with pytest.raises(TypeError):
        loss(embeddings, labels)  # the next batch was not announced, so it is looked at


def test_an_expected_batch_is_refused_on_the_host():
    loss = TripletConfig().build(4, 5)
    with pytest.raises(ValueError, match="two images of an identity"):
        loss.expect(torch.arange(4))


def test_blocks_on_a_gpu_are_as_large_as_memory_allows():
    assert mining.block_size("cpu", 10) == mining.block_size("cpu", 10**6) == 64
    assert mining.block_size("cuda", 1024) >= 1024, "one block"
    assert mining.block_size("cuda", 4096) * 4096 * 80 <= 512 << 20
    assert mining.block_size("cuda", 10**9) == 64


@pytest.mark.parametrize("choice", MINED, ids=str)
def test_blocks_of_anchors_add_up(choice, monkeypatch):
    embeddings, labels = example(3)
    whole = value_and_gradient(lambda x: TripletConfig(**choice).build(4, 5)(x, labels), embeddings)
    monkeypatch.setattr(mining, "_BLOCK", 3)  # two in the last block
    assert_same(value_and_gradient(lambda x: TripletConfig(**choice).build(4, 5)(x, labels), embeddings), whole)


def peer(kind, margin, reducer):
    from pytorch_metric_learning import distances, losses, miners

    distance = distances.LpDistance(normalize_embeddings=True, p=2, power=2)
    loss = losses.TripletMarginLoss(margin=margin, distance=distance, reducer=reducer)
    if kind == "semi_hard":
        miner = miners.TripletMarginMiner(margin=margin, type_of_triplets="semihard", distance=distance)
    elif kind == "batch_hard":
        miner = miners.BatchHardMiner(distance=distance)
    else:
        miner = None
    return lambda x, labels: loss(x, labels, miner(x, labels) if miner else None)


@pytest.mark.parametrize(
    ("kind", "mean_over"),
    [("semi_hard", "valid"), ("batch_hard", "valid"), ("batch_hard", "active"), ("all", "valid"), ("all", "active")],
)
def test_it_equals_pytorch_metric_learning(kind, mean_over):
    from pytorch_metric_learning import reducers

    reducer = reducers.MeanReducer() if mean_over == "valid" else reducers.AvgNonZeroReducer()
    embeddings, labels = example(2, images=40, identities=8)
    embeddings, labels = embeddings[labels.argsort()], labels.sort().values
    found = value_and_gradient(lambda x: TripletConfig(mining=kind, mean_over=mean_over).build(4, 8)(x, labels), embeddings)
    assert_same(found, value_and_gradient(lambda x: peer(kind, 0.2, reducer)(x, labels), embeddings))


def test_a_random_negative_is_one_of_the_semi_hard_ones_each_as_often():
    """One anchor-positive pair in each direction; the mean over draws is the loss over all negatives, pair by pair."""
    embeddings, labels = example(4, images=12)
    labels = torch.tensor([0, 0, *range(1, 11)])
    embeddings[1] = embeddings[0] + 0.3 * embeddings[1]
    loss = TripletConfig(negatives="random", margin=1.0).build(4, 11)
    torch.manual_seed(0)
    drawn = torch.tensor([float(loss(embeddings, labels)) for _ in range(1500)])
    expected = []
    for a, p in ((0, 1), (1, 0)):
        points = torch.nn.functional.normalize(embeddings, dim=1)
        d = (points[a] - points).square().sum(1)
        chosen = [n for n in range(2, 12) if d[p] < d[n] < d[p] + 1.0]
        assert len(chosen) > 2
        expected.append(sum(float(d[p] - d[n] + 1.0) for n in chosen) / len(chosen))
    assert drawn.mean().item() == pytest.approx(sum(expected) / 2, abs=0.03)
    assert len(drawn.unique()) > 3


def test_a_random_negative_follows_from_the_default_generator():
    embeddings, labels = example(5, images=40)
    loss = TripletConfig(negatives="random", margin=1.0).build(4, 5)
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(float(loss(embeddings, labels)))
    assert values[0] == values[1] != values[2]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), images=st.integers(4, 14), identities=st.integers(2, 6), which=st.integers(0, len(MINED) - 1)
)
def test_any_batch_equals_the_enumeration(seed, images, identities, which):
    embeddings, labels = example(seed, images, identities)
    found = value_and_gradient(lambda x: TripletConfig(margin=0.6, **MINED[which]).build(4, 5)(x, labels), embeddings)
    assert_same(found, value_and_gradient(lambda x: enumerated(x, labels, 0.6, **MINED[which]), embeddings))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), margins=st.tuples(st.floats(0.01, 4), st.floats(0.01, 4)))
def test_a_larger_margin_never_lowers_the_loss_over_fixed_triplets(seed, margins):
    """Semi-hard mining is no such case: a larger margin lets other triplets in."""
    low, high = sorted(margins)
    embeddings, labels = example(seed)
    for kind in ("all", "hard_negative", "batch_hard"):
        one, other = (
            float(TripletConfig(mining=kind, margin=margin).build(4, 5)(embeddings, labels)) for margin in (low, high)
        )
        assert one <= other + 1e-12


@pytest.mark.parametrize("choice", [*MINED, {"mining": "semi_hard", "negatives": "random"}, {"mining": "offline"}], ids=str)
def test_identical_embeddings_have_a_finite_gradient(choice):
    """The trap of a distance with a root: its slope at zero is infinite."""
    rows = torch.ones(6, 4, requires_grad=True)
    value = TripletConfig(**choice).build(4, 3)(rows, torch.tensor([0, 0, 1, 1, 2, 2]))
    value.backward()
    assert value.isfinite()
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("choice", MINED, ids=str)
def test_a_batch_that_is_well_apart_has_loss_and_gradient_zero_and_no_nan(choice):
    """The trap of a mean over no triplets."""
    rows = torch.eye(3).repeat_interleave(2, dim=0).requires_grad_()
    value = TripletConfig(**choice).build(3, 3)(rows, torch.tensor([0, 0, 1, 1, 2, 2]))
    value.backward()
    assert value.item() == 0
    assert rows.grad.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("choice", MINED, ids=str)
def test_half_precision_is_computed_in_single(dtype, choice):
    embeddings, labels = example()
    half = (100 * embeddings).to(dtype).requires_grad_()
    loss = TripletConfig(**choice).build(4, 5)
    with torch.autocast("cpu", dtype=dtype):
        value = loss(half, labels)
    value.backward()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.detach().float(), labels), rtol=0, atol=0)
    assert half.grad.isfinite().all()


def test_single_precision_is_near_double_at_a_large_batch():
    torch.manual_seed(0)
    labels = torch.arange(512) // 4
    embeddings = torch.randn(128, 64, dtype=torch.float64)[labels] + torch.randn(512, 64, dtype=torch.float64)
    found = value_and_gradient(lambda x: TripletConfig().build(64, 128)(x, labels), embeddings.float())
    expected = value_and_gradient(lambda x: TripletConfig().build(64, 128)(x, labels), embeddings)
    assert found[0].item() == pytest.approx(expected[0].item(), abs=1e-6)
    # a triplet that rounding lets in or out is one of many
    torch.testing.assert_close(found[1].double(), expected[1], rtol=0, atol=0.01 * expected[1].abs().max().item())


@pytest.mark.parametrize("choice", [*MINED, {"mining": "offline"}], ids=str)
def test_a_batch_without_two_images_of_an_identity_is_refused(choice):
    loss = TripletConfig(**choice).build(4, 9)
    with pytest.raises(
        ValueError, match="needs two images of an identity in every batch; this batch of 5 images has 5 identit"
    ):
        loss(torch.randn(5, 4), torch.tensor([3, 1, 4, 0, 5]))
    with pytest.raises(ValueError, match="needs two identities in every batch; this batch of 5 images has 1 identity"):
        loss(torch.randn(5, 4), torch.full((5,), 3))


def test_identities_of_one_image_are_negatives_only():
    embeddings, labels = example(6)
    labels = torch.tensor([0, 0, 0, *range(1, 18)])
    for choice in MINED:
        found = value_and_gradient(
            lambda x, choice=choice: TripletConfig(margin=1.0, **choice).build(4, 5)(x, labels), embeddings
        )
        assert_same(found, value_and_gradient(lambda x, choice=choice: enumerated(x, labels, 1.0, **choice), embeddings))


@pytest.mark.parametrize(("third", "triplets"), [((0.0, 1.0), 0), ((-1.0, 0.0), 0), ((-0.6, 0.8), 1)])
def test_the_ends_of_the_semi_hard_range_are_outside(third, triplets):
    """From (1, 0) the positive (0, 1) is at 2; negatives at 2 and at 2 + margin = 4 are not semi-hard, one at 3.2 is."""
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], third], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1])
    points = mining.Anchors(
        distances=2 - 2 * rows[:1] @ rows.T,
        different=(labels != 0)[None],
        positives=torch.tensor([[0, 1]]),
        real=torch.tensor([[False, True]]),
        near=torch.tensor([[torch.inf, 2.0]], dtype=torch.float64),
    )
    for rule in (mining.semi_hard, mining.semi_hard_hardest, mining.semi_hard_random):
        counts, valid = rule(points, 2.0)
        assert valid == triplets
        assert counts.tolist() == [[0, triplets, -triplets]]


def test_a_hinge_of_exactly_zero_is_valid_and_not_active():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1])
    for kind in ("all", "hard_negative", "batch_hard"):
        loss = TripletConfig(mining=kind, margin=2.0, mean_over="active").build(2, 2)
        # from (1, 0): 2 - 4 + 2 = 0; from (0, 1): 2 - 2 + 2 = 2
        assert loss(rows, labels).item() == 2
        assert TripletConfig(mining=kind, margin=2.0).build(2, 2)(rows, labels).item() == 1


def test_the_plan_can_ask_what_a_batch_must_have():
    assert TripletConfig().needs() == {"pairs"}
    assert not TripletConfig().classifies


def test_a_choice_of_negatives_belongs_to_semi_hard_mining():
    with pytest.raises(ValueError, match="negatives: random is a choice among semi-hard ones, and mining is batch_hard"):
        TripletConfig(mining="batch_hard", negatives="random")


def test_offline_mining_is_batch_hard_among_batch_and_subset():
    (first, names), (embeddings, labels) = example(7), example(8)
    loss = TripletConfig(mining="offline", every=1, subset=32).build(4, 5).double()
    before = float(loss(first, names))
    assert before == pytest.approx(float(TripletConfig(mining="batch_hard").build(4, 5)(first, names)), abs=1e-12)

    def written_out(x):
        """Anchors of the batch; candidates are the batch and the first batch as constants."""
        points = torch.nn.functional.normalize(x, dim=1)
        candidates = torch.cat([points, torch.nn.functional.normalize(first, dim=1)])
        everyone = torch.cat([labels, names])
        total, count = 0 * x.sum(), 0
        for a in range(len(x)):
            d = (points[a] - candidates).square().sum(1)
            positives = [j for j in range(len(d)) if j != a and everyone[j] == labels[a]]
            others = [j for j in range(len(d)) if everyone[j] != labels[a]]
            if positives:
                total = total + torch.clamp(torch.stack([d[j] for j in positives]).max() - d[others].min() + 0.2, min=0)
                count += 1
        return total / count

    found = value_and_gradient(lambda x: copy.deepcopy(loss)(x, labels), embeddings)
    assert_same(found, value_and_gradient(written_out, embeddings))
    alone = TripletConfig(mining="batch_hard").build(4, 5)(embeddings, labels)
    assert float(loss.eval()(embeddings, labels)) == pytest.approx(float(alone), abs=1e-12), (
        "validation sees no training images"
    )


def test_the_subset_is_renewed_every_n_steps_and_resumes_to_the_bit():
    loss = TripletConfig(mining="offline", every=3, subset=24).build(4, 5)
    shown = []
    for step in range(7):
        embeddings, labels = example(step)
        loss(embeddings.float(), labels)
        shown.append(loss.bank.shown.clone())
        if step == 4:
            saved = copy.deepcopy(loss.state_dict())
    assert shown[1].abs().sum() == 0
    assert shown[2].abs().sum() > 0
    assert torch.equal(shown[2], shown[4])
    assert not torch.equal(shown[4], shown[5])
    again = TripletConfig(mining="offline", every=3, subset=24).build(4, 5)
    again.load_state_dict(saved)
    for step in (5, 6):
        embeddings, labels = example(step)
        again(embeddings.float(), labels)
    assert all(torch.equal(value, loss.state_dict()[key]) for key, value in again.state_dict().items())


def test_a_batch_of_4096_needs_no_list_of_triplets():
    """With 64 images of each identity there are a thousand million triplets."""
    torch.manual_seed(0)
    labels = torch.arange(4096) // 64
    embeddings = (torch.randn(64, 8)[labels] + torch.randn(4096, 8)).requires_grad_()
    value = TripletConfig().build(8, 64)(embeddings, labels)
    value.backward()
    assert value.isfinite()
    assert embeddings.grad.isfinite().all()
