import json
from collections import OrderedDict

import numpy as np
import pytest
import torch
from explained import SAME, logits, maps, paired, single, together
from pair_networks import images

from modules.attribution.explainer import Reference, Refused
from modules.explanation_metrics.hiding_game import HidingGameConfig
from modules.metrics.hiding_game import HidingGame
from modules.metrics.pixel_replacement import Settings, area

QUICK = {"shares": (0, 0.5, 1), "resamples": 50}


def embed(net):
    return lambda block: net.embed(torch.from_numpy(block)).detach().numpy()


def test_pairs_are_scored_as_by_the_game_itself_each_map_apart():
    explained = together()
    found = HidingGameConfig(**QUICK).build().score(explained)
    given = explained.images.numpy()
    game = HidingGame(embed(explained.network), given[0::2], given[1::2], SAME, Settings(shares=(0, 0.5, 1), resamples=50))
    wanted = game.compare({name: (one[0::2], one[1::2]) for name, one in explained.maps.items()})
    assert set(found["maps"]) == {"S+", "S-"}
    assert set(found["baselines"]) == {"random", "constant", "center"}
    for name, entry in found["maps"].items():
        direct = wanted["methods"][name]
        assert entry["auc"]["value"] == direct["auc"]["value"]
        assert entry["auc"]["above"] == direct["auc"]["above"]
        each = direct["refit"]["auc"].pop("each")
        assert entry["refit"] == direct["refit"]["auc"]
        assert found["each"]["maps"][name] == {"auc": direct["auc"]["each"], "refit": each}
        assert np.mean(each) == pytest.approx(entry["refit"]["value"])
    assert found["maps"]["S+"] != found["maps"]["S-"]
    assert (found["of"], found["count"], found["missing"]) == ("pairs", 6, 0)
    assert found["details"]["threshold"] == game.threshold
    json.dumps(found, allow_nan=False)


def test_pairs_without_maps_count_for_the_threshold_alone():
    explained = together(missing=frozenset({3, 4, 5}))
    found = HidingGameConfig(**QUICK).build().score(explained)
    codes = explained.network.embed(explained.images).detach().double().numpy()
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    cosines = (codes[0::2] * codes[1::2]).sum(1)
    assert (found["count"], found["missing"], found["genuine"], found["impostor"]) == (3, 3, 3, 0)
    assert ((cosines >= found["details"]["threshold"]) == SAME).mean() == max(((cosines >= t) == SAME).mean() for t in cosines)
    assert found["details"]["methods"]["S+"]["accuracy"][0] == (cosines[:3] >= found["details"]["threshold"]).mean()
    assert set(found["maps"]["S+"]) == {"auc"}  # one kind of pair refits nothing


def test_pairs_of_one_kind_are_refused_unless_a_threshold_is_given():
    explained = together(same=np.ones(6, bool))
    with pytest.raises(Refused, match="all 6 pairs are genuine") as caught:
        HidingGameConfig(**QUICK).build().score(explained)
    assert caught.value.code == "one_kind_of_pair"
    found = HidingGameConfig(**QUICK, threshold=0.5).build().score(explained)
    assert (found["details"]["threshold"], found["details"]["threshold_from"]) == (0.5, "given")


def test_a_threshold_may_come_from_pairs_that_were_held_out():
    left, right = images(6, seed=5, double=False), images(6, seed=6, double=False)
    reference = Reference(left, right, torch.from_numpy(SAME), torch.zeros(3))
    found = HidingGameConfig(**QUICK, threshold="reference").build().score(together(find_reference=lambda: reference))
    assert found["details"]["threshold_from"] == "pairs held out of training"
    with pytest.raises(Refused, match="threshold") as caught:
        HidingGameConfig(**QUICK, threshold="reference").build().score(together())
    assert caught.value.code == "no_reference"


def test_single_images_are_scored_by_their_class():
    explained = single(maps={"": maps(4)})
    found = HidingGameConfig(**QUICK).build().score(explained)
    right = np.array(found["details"]["methods"][""]["accuracy"]["course"])
    assert found["maps"][""]["auc"]["value"] == pytest.approx(float(area(right, (0, 0.5, 1))))
    assert right[0] == (logits(explained, explained.images).argmax(1).numpy() == explained.labels).mean()
    assert (found["of"], found["headlines"]) == ("images", ["auc"])


def test_the_network_is_left_as_it_was():
    explained = paired()
    explained.network.train()
    HidingGameConfig(**QUICK).build().score(explained)
    assert explained.network.training


def test_an_embedding_without_direction_is_refused():
    explained = paired()
    with torch.no_grad():
        for parameter in explained.network.parameters():
            parameter.zero_()
        for buffer in explained.network.buffers():
            buffer.zero_()
    with pytest.raises(Refused) as caught:
        HidingGameConfig(**QUICK).build().score(explained)
    assert caught.value.code == "not_finite"


def test_shares_that_do_not_rise_are_refused_at_the_plan():
    with pytest.raises(ValueError, match="shares rise"):
        HidingGameConfig(shares=(0, 0.6, 0.5, 1))


def test_baselines_are_played_once_for_all_methods_on_the_same_pairs_and_anew_for_others(monkeypatch):
    played = []
    play = HidingGame.play
    monkeypatch.setattr(HidingGame, "play", lambda self, maps: played.append(1) or play(self, maps))
    monkeypatch.setattr("modules.explanation_metrics.hiding_game._baselines", OrderedDict())
    first = HidingGameConfig(**QUICK).build().score(together())
    assert len(played) == 3 + 2
    assert HidingGameConfig(**QUICK).build().score(together()) == first
    assert len(played) == 3 + 2 * 2
    other = HidingGameConfig(**QUICK, seed=1).build().score(together())
    assert len(played) == 6 + 3 * 2
    assert other["baselines"] != first["baselines"]
