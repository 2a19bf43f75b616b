import json

import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network, unchanged

from modules.attribution.explainer import Attribution, Explainer, PairAttribution, PairExplainer, Refused
from modules.attribution.sanity_checks import check_images, check_pairs, likeness, swapped
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers import corr_rise, gradcam, minplus, stylianou
from modules.explanation_metrics.sanity import SanityConfig

QUICK = SanityConfig(depths=2)


def centered():
    """A network whose embeddings point to all sides: before training they share most of their direction."""
    net = network("fc_bn").eval()
    with torch.no_grad():
        net.head.out.bias -= net.embed(torch.cat([images(4), images(4, seed=2)])).mean(0)
    return net.train()


class Edges(Explainer):
    """Brightness steps of the image: looks plausible, knows neither network nor target."""

    def explain(self, network, images, target, size):
        maps = images.mean(1).diff(dim=1).abs().numpy().astype(np.float32)
        return Attribution(maps, "", (0, 0, 0), target.words)


class Deaf(PairExplainer):
    """Two maps: one that hears of network and other image, one that does not."""

    def explain(self, network, left, right, size, reference=None):
        found = stylianou.StylianouConfig().build().explain(network, left, right, size)
        flat = torch.stack([left, right], 1).mean(2).numpy().astype(np.float32)
        zero = np.zeros_like(flat)
        return PairAttribution({"heard": found.maps["similarity"], "deaf": flat, "zero": zero}, found.cosines, "")


def test_a_map_that_ignores_everything_is_stamped():
    net = network()
    found = check_images(Edges(), net, images(), ClassLogit(torch.tensor([0, 1, 2])), SIZE, QUICK)
    assert found["flags"] == {"": ["parameter-insensitive", "target-insensitive"]}
    assert found["target_swap"]["rho"][""] == {"mean": 1.0, "undefined": 0, "equal": 3}


def test_a_map_that_depends_on_both_is_not():
    net = network("fc_bn")
    found = check_images(
        gradcam.GradCAMConfig(layer="one").build(), net, images(), ClassLogit(torch.tensor([0, 1, 2])), SIZE, QUICK
    )
    assert found["flags"] == {"": []}
    assert [one["layer"] for one in found["cascading"]][-1] == "backbone.one.0"
    assert all(one["rho"][""]["mean"] < 0.95 for one in found["cascading"][-1:])
    json.dumps(found, allow_nan=False)


def test_a_pair_map_that_ignores_its_reference_is_stamped():
    found = check_pairs(Deaf(), centered(), images(4), images(4, seed=2), SIZE, settings=QUICK)
    assert found["flags"]["heard"] == []
    assert found["flags"]["deaf"] == ["parameter-insensitive", "target-insensitive"]
    assert found["flags"]["zero"] == ["undetermined"]
    assert found["target_swap"]["rho"]["zero"] == {"mean": None, "undefined": 4, "equal": 4}
    json.dumps(found, allow_nan=False)


def test_the_left_maps_are_compared_under_another_right_image():
    net, left, right = network(), images(3), images(3, seed=2)
    explainer = stylianou.StylianouConfig().build()
    found = check_pairs(explainer, net, left, right, SIZE, settings=QUICK)
    one = explainer.explain(net, left, right, SIZE).maps["similarity"][:, 0]
    other = explainer.explain(net, left, right[[2, 0, 1]], SIZE).maps["similarity"][:, 0]
    assert found["target_swap"]["rho"]["similarity"] == likeness(one, other)


def test_a_refusal_is_told_and_not_hidden():
    net, left, right = centered(), images(3), images(3, seed=2)
    explainer = minplus.MinPlusConfig(width=4, stride=8, threshold=0.99).build()
    with pytest.raises(Refused):
        check_pairs(explainer, net, left, right, SIZE, settings=QUICK)
    found = check_pairs(explainer, net, left, left.clone(), SIZE, settings=QUICK)
    assert found["target_swap"]["refused"]["code"] == "impostor_pair"
    found = check_pairs(explainer, net, left, left, SIZE, settings=QUICK, same=[True] * 3)
    assert "rho" in found["target_swap"]


def test_the_same_seed_gives_the_same_facts():
    explainer = corr_rise.CorrRISEConfig(masks=20, side=5).build()
    facts = [
        check_pairs(explainer, network(), images(2), images(2, seed=2), SIZE, settings=SanityConfig(depths=1, seed=seed))
        for seed in (0, 0, 1)
    ]
    assert facts[0] == facts[1] != facts[2]


def test_the_network_is_left_as_it_was():
    net = network()
    unchanged(
        net, lambda: check_pairs(stylianou.StylianouConfig().build(), net, images(2), images(2, seed=2), SIZE, settings=QUICK)
    )


def test_targets_are_swapped_for_others():
    net = network()
    labels = torch.tensor([0, 1, 2])
    other, rows = swapped(net, images(), ClassLogit(labels))
    assert rows == [0, 1, 2]
    with torch.no_grad():
        logits = net.eval().loss.logits(net.embed(images()))
    for row in range(3):
        best = max((float(logits[row, label]), label) for label in range(5) if label != int(labels[row]))
        assert int(other.labels[row]) == best[1]
    references = torch.eye(3, net.embed(images()).shape[1])
    other, rows = swapped(net, images(), Cosine(references))
    assert torch.equal(other.references, references[[1, 2, 0]])
    assert rows == [0, 1, 2]
    with pytest.raises(Refused) as caught:
        swapped(net, images(1), Cosine(references[:1]))
    assert caught.value.code == "no_swap"


def test_pairs_that_share_images_are_not_swapped_to_the_same_target():
    """An image compared with its own reference once more, or with itself, says nothing of the method."""
    net = centered().eval()
    one, other, third, shared = images(4)
    with torch.no_grad():
        code = {name: net.embed(image[None])[0] for name, image in zip("abcr", (one, other, third, shared), strict=True)}

    def looked(names):
        """Images in the order of names, each with the next name's reference: pairs, left and right alternating."""
        lefts, rights = names[0::2], names[1::2]
        rows = torch.stack([{"a": one, "b": other, "c": third, "r": shared}[name] for name in lefts + rights])
        references = [code[name] for name in rights + lefts]
        found, kept = swapped(net, rows, Cosine(torch.stack(references)))
        return ["".join(name for name in "abcr" if torch.equal(code[name], row)) for row in found.references], kept

    assert looked("arcr") == (["c", "a", "c", "a"], [0, 1, 2, 3])
    assert looked("abac") == (["c", "b", "c", "b"], [0, 1, 2, 3])
    with pytest.raises(Refused, match="no reference of another image differs"):
        looked("abab")
    left, right = torch.stack([one, third, other]), torch.stack([shared, shared, one])
    explainer = stylianou.StylianouConfig().build()
    assert check_pairs(explainer, net, left[:2], right[:2], SIZE, settings=QUICK)["target_swap"]["refused"]["code"] == "no_swap"
    found = check_pairs(explainer, net, left, right, SIZE, settings=QUICK)["target_swap"]["rho"]["similarity"]
    before, after = (explainer.explain(net, left, some, SIZE).maps["similarity"][1:, 0] for some in (right, right[[0, 2, 1]]))
    assert found == likeness(before, after)  # the first pair is left out: its image is the third pair's right image
