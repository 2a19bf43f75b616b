"""The components of a folder are there by name, a new one at once."""

from pathlib import Path

import pytest

import facegrid as fg
from configs import lookup
from grid.library.namespace import Namespace, plain, titles


@pytest.mark.parametrize("kind", ["loss", "backbone", "data", "explainer", "detector"])
def test_every_file_of_a_folder_has_a_name_of_its_own(kind: str) -> None:
    names = dir(Namespace("any", kind))
    assert len(set(map(plain, names))) == len(names) == len(lookup.known(kind))
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize("name", ["ArcFace", "arcface", "ARCFACE", "arc_face", "Arcface"])
def test_case_and_underscores_do_not_count(name: str) -> None:
    assert getattr(fg.losses, name) is fg.losses.ArcFace


def test_a_name_is_that_of_the_class() -> None:
    assert fg.explainers.gradcam_plus_plus is fg.explainers.GradCAMPlusPlus
    assert fg.datasets.lfw is fg.datasets.LFW
    assert fg.detectors.none is fg.detectors.NoDetector
    assert titles("loss")["ArcFace"] == "arcface"


def test_a_new_file_is_there_at_once(tmp_path: Path) -> None:
    import modules.losses

    source = Path(modules.losses.__path__[0], "center.py").read_text(encoding="utf-8")
    (tmp_path / "my_new_center.py").write_text(
        source.replace('"center"', '"my_new_center"').replace("CenterConfig", "MyNewCenterConfig"), encoding="utf-8"
    )
    modules.losses.__path__.append(str(tmp_path))
    lookup.known.cache_clear()
    titles.cache_clear()
    try:
        assert "MyNewCenter" in dir(fg.losses)
        assert fg.losses.MyNewCenter(dimension=4, classes=2) is not None
    finally:
        modules.losses.__path__.remove(str(tmp_path))
        lookup.known.cache_clear()
        titles.cache_clear()


def test_an_unknown_name_says_what_is_known() -> None:
    with pytest.raises(
        AttributeError, match=r"facegrid.losses has no 'ArcFce'; did you mean ArcFace\? \(known: AdaFace, ArcFace, "
    ):
        fg.losses.ArcFce  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'facegrid' has no attribute 'loses' \(known: "):
        fg.loses  # noqa: B018


def test_a_dotted_name_is_a_module_of_the_users_own() -> None:
    assert fg.losses.get("modules.losses.arcface")(dimension=4, classes=3).weight.shape == (3, 4)
