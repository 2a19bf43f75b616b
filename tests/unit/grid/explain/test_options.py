"""What --methods, --images and --pairs mean."""

from pathlib import Path

import pytest

from configs.lookup import known
from grid.explain.options import Look, methods
from grid.spec.grid_file import BadInput


def test_methods_are_names_with_commas_or_values_as_in_a_grid_file() -> None:
    found = methods(["gradcam,score_cam", "{name: rise, masks: 500}"], Look())
    assert [one.name for one in found] == ["gradcam", "score_cam", "rise"]
    assert found[2].masks == 500  # type: ignore[attr-defined]
    assert [one.images for one in found] == [8, 8, 8]


def test_names_and_values_mix() -> None:
    assert [one.name for one in methods(["gradcam, {name: rise, masks: 9}, lime"], Look())] == ["gradcam", "rise", "lime"]


def test_a_number_of_images_or_pairs_goes_to_every_method() -> None:
    assert [one.images for one in methods(["gradcam,rise"], Look.of("3", None, None))] == [3, 3]
    found = methods(["gradcam,corr_rise"], Look.of(None, "5", "view 2"))
    assert [(one.pairs, one.protocol) for one in found] == [(5, "view 2")] * 2


def test_keys_of_images_are_listed_or_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("a/1.jpg\n\n b/2.jpg \n")
    for text in ("a/1.jpg, b/2.jpg", str(tmp_path / "keys.txt")):
        (one,) = methods(["gradcam"], Look.of(text, None, None))
        assert (one.images, one.chosen) == (2, ("a/1.jpg", "b/2.jpg"))


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_bytes(b"\xef\xbb\xbfa/1.jpg\r\nb/2.jpg\r\n")
    (one,) = methods(["gradcam"], Look.of(str(tmp_path / "keys.txt"), None, None))
    assert one.chosen == ("a/1.jpg", "b/2.jpg")
    (tmp_path / "pairs.txt").write_bytes(b"\xef\xbb\xbfa/1.jpg\tb/2.jpg\r\n")
    (two,) = methods(["corr_rise"], Look.of(None, str(tmp_path / "pairs.txt"), None))
    assert two.chosen == ("a/1.jpg", "b/2.jpg")


def test_a_file_of_pairs_has_two_keys_a_line(tmp_path: Path) -> None:
    file = tmp_path / "pairs"
    file.write_text("a/1.jpg b/2.jpg\nwith space/1.jpg\tb/2.jpg\n")
    (one,) = methods(["corr_rise"], Look.of(None, str(file), None))
    assert (one.pairs, one.chosen) == (2, ("a/1.jpg", "b/2.jpg", "with space/1.jpg", "b/2.jpg"))


@pytest.mark.parametrize(
    ("texts", "look", "complaint"),
    [
        ([], (None, None, None), "--methods: name what is to explain, such as gradcam,rise (known: abn_attention, "),
        (["gradcan"], (None, None, None), "unknown explainer 'gradcan'; did you mean 'gradcam'? (known: abn_attention, "),
        (["{name: rise, mask: 5}"], (None, None, None), "--methods rise: unknown key 'mask'; did you mean 'masks'? (known: "),
        (["{name: rise, masks: many}"], (None, None, None), "--methods rise: masks: input should be a valid integer"),
        (["{name: rise"], (None, None, None), "not YAML"),
        (["7"], (None, None, None), "write names, or mappings with a name; found 7"),
        (["gradcam,gradcam"], (None, None, None), "gradcam stands twice"),
        (["minplus"], ("2", None, None), "minplus looks at two images at a time; give --pairs"),
        (["gradcam"], ("2", "2", None), "--images and --pairs: give one of them"),
        (["gradcam"], ("0", None, None), "--images 0: at least one"),
        (["gradcam"], (None, "-3", None), "--pairs -3: at least one"),
        (["gradcam"], (None, "\u00b2", None), "--pairs \u00b2: give a number or a text file of keys"),
        (["gradcam"], (None, "--3", None), "--pairs --3: give a number or a text file of keys"),
        (["gradcam"], (None, "nowhere", None), "--pairs nowhere: give a number or a text file of keys (No such file"),
        (["gradcam"], ("2", None, "view 2"), "--protocol 'view 2' says whose pairs are explained; give --pairs too"),
        (["{name: gradcam, chosen: [a, b], images: 3}"], (None, None, None), "chosen has 2 keys, and images 3"),
        (["{name: gradcam, chosen: [a, b, c], pairs: 1}"], (None, None, None), "chosen has 3 keys, and pairs 1"),
    ],
)
def test_bad_input_is_one_clear_line(texts: list[str], look: tuple[str | None, str | None, str | None], complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        methods(texts, Look.of(*look))
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_line_of_three_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text("a b\na b c\n")
    with pytest.raises(BadInput, match="pair 2 is 'a b c'; write two keys a line"):
        Look.of(None, str(tmp_path / "pairs"), None)


def test_every_known_method_can_be_asked_for_by_name_alone() -> None:
    assert len(methods([",".join(known("explainer"))], Look.of(None, "2", None))) == len(known("explainer"))


def test_chosen_keys_give_the_number_themselves() -> None:
    (image, pair) = methods(["{name: gradcam, chosen: [a, b]}, {name: stylianou, chosen: [a, b]}"], Look())
    assert (image.images, image.pairs, pair.pairs) == (2, 0, 1)
