"""File name = YAML name = registry."""

import uuid
from pathlib import Path

import pytest

from configs.component import Component
from configs.lookup import PACKAGES, known, lookup, nearest, resolve

ROOT = Path(__file__).resolve().parents[3]
OWN = """
from typing import Literal
from configs.data_interfaces import AugmentationConfig

class Config(AugmentationConfig):
    name: Literal["{package}.sharp"] = "{package}.sharp"
    strength: float = 1.0

    def build(self):
        return lambda image, seed: image
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of the user's own, with one augmentation."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sharp.py").write_text(OWN.format(package=name))
    (package / "empty.py").write_text("")
    (package / "unbuilt.py").write_text(OWN.format(package=name).replace("def build", "def make"))
    (package / "broken.py").write_text("from json import nothing_of_that_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("kind", PACKAGES)
def test_the_files_of_the_folder_are_the_known_names(kind: str) -> None:
    folder = ROOT / PACKAGES[kind].replace(".", "/")
    assert known(kind) == tuple(sorted(file.stem for file in folder.glob("*.py") if not file.name.startswith("_")))
    assert known(kind)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in PACKAGES for name in known(kind)])
def test_a_file_holds_the_config_of_its_name(kind: str, name: str) -> None:
    found = lookup(kind, name)
    assert issubclass(found, Component)
    assert found.kind == kind
    assert next(iter(found.model_fields)) == "name" or "name" in found.model_fields
    assert found.model_fields["name"].default == name
    assert found.__module__ == f"{PACKAGES[kind]}.{name}"


def test_an_unknown_name_is_met_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown backbone 'resnet43'; did you mean 'resnet34'\? \(known: .*alexnet, .*timm"):
        lookup("backbone", "resnet43")


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert nearest("zzzz", ["alexnet", "resnet34"]) == " (known: alexnet, resnet34)"


def test_a_name_alone_is_short_for_a_mapping() -> None:
    assert resolve("augmentation", "flip") == resolve("augmentation", {"name": "flip"})


def test_equal_values_give_one_object_whatever_the_order_of_keys() -> None:
    one = resolve("detector", {"name": "mtcnn", "margin": 8, "factor": 0.7})
    assert resolve("detector", {"factor": 0.7, "margin": 8, "name": "mtcnn"}) is one
    assert resolve("detector", one) is one


@pytest.mark.parametrize("value", [None, 3, ["mtcnn"], {"margin": 3}, {"name": 3}, {}])
def test_what_names_no_component_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a detector is a mapping with a name, such as"):
        resolve("detector", value)


def test_a_made_component_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a component of kind data, and flip is of kind augmentation"):
        resolve("data", resolve("augmentation", "flip"))
    with pytest.raises(ValueError, match="expected a component of kind augmentation, and mtcnn is of kind detector"):
        resolve("augmentation", {"name": "pipeline", "steps": [resolve("detector", "mtcnn")]})


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="keys of detector mtcnn are text; found 1"):
        resolve("detector", {"name": "mtcnn", 1: 2, "margin": 3})


def test_a_dotted_path_names_a_component_of_the_users_own_package(own: str) -> None:
    found = resolve("augmentation", {"name": f"{own}.sharp", "strength": 2})
    assert isinstance(found, Component)
    assert found.identity() == {"name": f"{own}.sharp", "strength": 2.0}
    assert type(found).model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        ("nowhere", r"there is no module own_\w+.nowhere in the package own_"),
        ("sharpe", r"there is no module own_\w+.sharpe; did you mean own_\w+.sharp\?"),
        ("unbuilt", "class Config lacks build, which every config of kind augmentation defines; see docs/extending.md"),
        ("broken", r"broken.py:1: ImportError: cannot import name 'nothing_of_that_name'"),
        ("empty", "exactly one Config class of kind augmentation"),
    ],
)
def test_a_dotted_path_that_leads_nowhere_says_why(own: str, module: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        lookup("augmentation", f"{own}.{module}")


def test_a_file_where_a_package_is_expected_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"own_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=rf"no module {name}.sharp: {name}, .*{name}.py, is one file and no package; rename"):
        lookup("augmentation", f"{name}.sharp")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\ny = = 2\n", "SyntaxError: invalid syntax"),
        ("x = 1\nx.y\n", "AttributeError: 'int' object has no attribute 'y'"),
        ("x = 1\nraise RuntimeError('two\\nlines')\n", "RuntimeError: two lines"),
        ("x = 1\nfrom os import nothing\n", "ImportError: cannot import name 'nothing' from 'os' "),
        ("x = 1\nimport own_\n", "ModuleNotFoundError: No module named 'own_'"),  # begins like the user's package
    ],
)
def test_an_error_in_a_users_module_is_one_line_with_its_place(own: str, tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / own / "faulty.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint) as refused:
        lookup("augmentation", f"{own}.faulty")
    assert str(refused.value).startswith(f"augmentation '{own}.faulty': {file}:2: {complaint}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["modules.mynet", "grid.mynet", "configs.deep.mynet"])
def test_a_users_package_that_ours_hides_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    head = name.partition(".")[0]
    (tmp_path / head).mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ValueError, match=f"your package {tmp_path / head} is hidden by facegrid's own package '{head}': rename"
    ):
        lookup("backbone", name)


def test_a_package_that_is_not_on_the_path_says_how_to_put_it_there() -> None:
    with pytest.raises(ValueError, match=r"there is no module nolab where .*put the folder that contains nolab/ on PYTHONPATH"):
        lookup("backbone", "nolab.tiny")


@pytest.mark.parametrize(
    "text",
    ["from {head} import mine\n", "import {head}.mine\n", "from {head}.mine import deeper\n"],
)
@pytest.mark.parametrize("module", [False, True])
def test_an_import_that_meets_ours_instead_of_the_users_own_says_so(own: str, tmp_path: Path, text: str, module: bool) -> None:
    place = tmp_path / ("cluster.py" if module else "cluster")
    place.write_text("mine = 1\n") if module else place.mkdir()
    (tmp_path / own / "misled.py").write_text(text.format(head="cluster"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"misled\.py:1: \w+Error: .*'cluster") as refused:
        lookup("augmentation", f"{own}.misled")
    what = "module" if module else "package"
    assert str(refused.value).endswith(f"; your {what} {place} is hidden by facegrid's own package 'cluster': rename yours")


def test_a_name_that_differs_from_the_file_blames_the_module_and_not_the_grid(own: str, tmp_path: Path) -> None:
    file = tmp_path / own / "sphere.py"
    file.write_text(OWN.format(package=own).replace(".sharp", ".sfere"), encoding="utf-8")
    with pytest.raises(ValueError) as refused:
        resolve("augmentation", f"{own}.sphere")
    name = f"{own}.sphere"
    assert str(refused.value) == (
        f"augmentation '{name}': in {file}, class Config gives its name as '{own}.sfere'; write "
        f'name: Literal["{name}"] = "{name}", the dotted path of the module'
    )


def test_a_component_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"exactly one Config class of kind detector"):
        lookup("detector", "modules.backbones.alexnet")


@pytest.mark.parametrize("name", [".hidden", "a..b", "x-y.z", "."])
def test_a_path_that_cannot_be_a_module_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no dotted path of a module"):
        lookup("detector", name)
