import numpy as np
import pytest

from grid.results import explanation_reader
from grid.results.heatmap import Scale


@pytest.fixture
def read(make_study):
    def read(title, **options):
        study = make_study(axes={"backbone": ["efficientnet_b1"]}, protocols=(), explainers=(title,), **{"images": 4} | options)
        label = f"explain:{title}"
        return explanation_reader.read(study.ledger, title, study.cells[0].markers[label])

    return read


def test_an_explainer_of_one_map_has_it_under_no_name(read):
    one = read("gradcam")
    assert (one.names, one.paired, one.refused) == ([""], False, None)
    maps = one.maps("")
    assert maps.shape == (4, 6, 6)
    assert one.scale("", maps) == Scale(0.0, float(maps.max()), False)
    assert one.crops().shape == (4, 96, 96, 3)


def test_an_explainer_of_several_maps_has_each_under_its_name_with_its_own_sign(read):
    one = read("pair_occlusion")
    assert (one.names, one.paired) == (["delta", "normalized"], True)
    delta, normalized = one.maps("delta"), one.maps("normalized")
    assert delta.min() < 0 <= normalized.min()
    assert one.scale("delta", delta).signed
    assert one.scale("normalized", normalized) == Scale(0.0, float(normalized.max()), False)
    assert one.places[("subject_1/subject_1_0002.jpg", 1, "left")] == 2


def test_a_refused_explainer_has_a_reason_and_no_names(read):
    one = read("gbp")
    assert one.names == []
    assert one.refused.startswith("not_relu: ")
    assert "SiLU" in one.refused


def test_captions_name_mode_target_and_layer(read):
    assert read("gradcam").words == "logit of the given class; layer stage4"
    assert read("pair_occlusion").words == "sign difference; cosine of the two images"
    chosen = read("gradcam")
    chosen.manifest.update({"config": {"mode": None}, "notes": {"mode": "paper"}})
    assert chosen.words.startswith("mode paper; ")


def test_a_name_has_no_plus_where_that_separates():
    assert [explanation_reader.plain(name) for name in ("S", "S+", "S-", "a+b", "")] == ["S", "S plus", "S minus", "a+b", ""]


def test_what_a_method_could_not_do_stands_in_the_caption(read):
    one = read("pair_occlusion")
    one.manifest["notes"] |= {
        "unnormalized": "there are no reference pairs of both kinds",
        "refused_pairs": [{"pair": pair, "code": "impostor_pair", "reason": "two subjects"} for pair in (1, 3)],
    }
    assert one.words.split("; ")[2:] == [
        "not normalized: there are no reference pairs of both kinds",
        "pairs refused: 2 (impostor_pair)",
    ]
    assert one.refused_pairs == {1: "impostor_pair: two subjects", 3: "impostor_pair: two subjects"}


def test_a_method_that_makes_images_shows_them_and_not_the_crops(read):
    one = read("activation_maximization")
    assert one.painted
    generated = np.load(one.ledger.path(one.marker, "generated.npy"))
    shown = one.shown()
    assert (shown.shape, shown.dtype) == (one.crops().shape, np.uint8)
    assert np.abs(shown.transpose(0, 3, 1, 2) / 127.5 - 1 - generated).max() < 0.5 / 127
    assert "no map of the image" in one.words
    plain = read("gradcam")
    assert not plain.painted
    assert np.array_equal(plain.shown(), plain.crops())


@pytest.mark.parametrize("people", [explanation_reader.PEOPLE, explanation_reader.PEOPLE - 1])
def test_without_faces_every_crop_is_the_mean_of_many_people_or_gray(make_study, people):
    study = make_study(axes={}, protocols=(), explainers=("gradcam",), images=people)
    marker = study.cells[0].markers["explain:gradcam"]
    crops = explanation_reader.read(study.ledger, "gradcam", marker).crops()
    nobody = explanation_reader.read(study.ledger, "gradcam", marker, faces=False)
    expected = np.rint(crops.mean(axis=0)) if people == explanation_reader.PEOPLE else np.full_like(crops[0], 200)
    assert nobody.crops().shape == crops.shape
    assert all(np.array_equal(one, expected) for one in nobody.crops())
    assert "no face of the data is shown" in nobody.words


def test_someone_in_many_pairs_counts_once_in_the_mean_and_unknown_people_have_none():
    count = explanation_reader.PEOPLE
    crops = np.random.default_rng(0).integers(0, 256, (2 * count, 4, 4, 3), dtype=np.uint8)
    names = [who for one in range(1, count + 1) for who in ("everywhere", f"s{one}")]

    def mean(images):
        return explanation_reader.Explained(None, None, "gradcam", {"images": images}, faces=False)._nobody(crops)[0]

    found = mean([{"key": str(place), "identity": who} for place, who in enumerate(names)])
    each = [crops[::2].mean(axis=0), *crops[1::2].astype(float)]
    assert np.array_equal(found, np.rint(np.mean(each, axis=0)))
    assert (mean([{"key": str(place)} for place in range(len(crops))]) == 200).all()
